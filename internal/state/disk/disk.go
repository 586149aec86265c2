// Package disk holds what files take that must survive a crash: locks between processes, replacement in one step, and
// the sync of a directory, without which a new name may be gone after a power failure.
package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// temporary marks the files that Replace has not finished; what a crash left of them is removed by Sweep.
const temporary = ".unfinished"

// Replace puts data under the name in one step: whoever opens the name, also after a crash at any moment, finds either
// the old content or the new. It is durable when Replace returns. The file's mode is 0600.
func Replace(name string, data []byte) (err error) {
	dir := filepath.Dir(name)
	f, err := os.CreateTemp(dir, filepath.Base(name)+".*"+temporary)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), name); err != nil {
		return err
	}
	return SyncDir(dir)
}

// SyncDir makes the names in a directory durable: new files, renames, removals.
func SyncDir(path string) error {
	if runtime.GOOS == "windows" { // has no such call; NTFS journals its names
		return nil
	}
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Probe makes a file, syncs and removes it, to find out whether the directory can be written to. Nothing of it remains.
func Probe(dir string) error {
	f, err := os.CreateTemp(dir, "probe.*"+temporary)
	if err != nil {
		return err
	}
	_, err = f.WriteString("x") // a full disk still makes empty files
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}

// Foresee is Probe for a directory that may not be there yet: then its nearest parent that is there is probed, for that is
// where it would be made. It makes no directory.
func Foresee(dir string) error {
	for {
		info, err := os.Stat(dir)
		switch parent := filepath.Dir(dir); {
		case err == nil && !info.IsDir():
			return fmt.Errorf("%s is a file", dir)
		case err == nil:
			return Probe(dir)
		case !errors.Is(err, fs.ErrNotExist) || parent == dir:
			return err
		default:
			dir = parent
		}
	}
}

// Sweep removes what a crash left of Replace and Probe. The caller holds the directory's lock, so it is nobody's.
func Sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), temporary) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
