package inbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sluicehq/sluice/internal/state/disk"
)

// Foresee finds out whether Open could make the folder and write to it and to the files that lie there, and leaves no
// trace. Its errors are those of Open. Call it while this process has the folder not open.
func Foresee(dir string) error {
	err := disk.Foresee(dir)
	for _, name := range []string{lockName, headName, databaseFile, databaseFile + "-wal", databaseFile + "-shm"} {
		if err == nil {
			err = writable(filepath.Join(dir, name))
		}
	}
	if err != nil {
		return openError(dir, err)
	}
	return nil
}

// writable opens a file as a writer does; one that is not there would be made.
func writable(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", path)
	}
	return errors.Join(err, f.Close())
}
