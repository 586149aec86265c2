package inbox

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// The system lets an open file be removed, or another take its name: whoever has it open goes on writing, and nobody will
// ever read that. So the writer looks now and then whether its files are still those of the folder.

// lookEvery bounds how much is stored in vain: not more than what comes in that time.
const lookEvery = time.Second

// openFile is one that the writer has open, under the name that it had.
type openFile struct {
	path string
	info fs.FileInfo
}

// openFiles are those of a folder as they are now.
func openFiles(dir string) (list []openFile, err error) {
	for _, name := range []string{databaseFile, databaseFile + "-wal", databaseFile + "-shm", headName, lockName} {
		f := openFile{path: filepath.Join(dir, name)}
		if f.info, err = os.Stat(f.path); err != nil {
			return nil, err
		}
		list = append(list, f)
	}
	return list, nil
}

// present finds a file that is gone, or is another one.
func present(list []openFile) error {
	for _, f := range list {
		what := "was replaced by another file"
		info, err := os.Stat(f.path)
		switch {
		case err == nil && os.SameFile(info, f.info):
			continue
		case errors.Is(err, fs.ErrNotExist):
			what = "was removed, or its folder was moved"
		case err != nil:
			what = "cannot be found any more: " + err.Error()
		}
		return connector.Configf("Stop the receiver, put the folder as it is to be, and start it again. What came in the second before may be lost",
			"the inbox takes no more requests: its file %s %s while it was open", f.path, what)
	}
	return nil
}

// look refuses all further requests once a file is gone.
func (i *Inbox) look() error {
	err := present(i.files)
	if err != nil && !i.gone.Swap(true) {
		i.opts.Log.Error("the inbox takes no more requests", "error", err)
	}
	if err != nil {
		i.queue.refuse(err)
	}
	return err
}
