package inbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// headFile remembers the last sequence that was answered, beside the database: sum u32 | zero u32 | sequence u64. It is
// overwritten in place, which needs no space and no sync: it is there to convict a database that lost its end, and one
// that is older than the database convicts nobody.
type headFile struct {
	f    *os.File
	text [16]byte // what is written
}

// readHead returns the sequence that the file holds, 0 if there is no file or it is broken.
func readHead(path string) (int64, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the head file: %w", err)
	}
	if len(b) != 16 || binary.LittleEndian.Uint32(b) != sum(0, b[4:]) {
		return 0, nil
	}
	return int64(binary.LittleEndian.Uint64(b[8:])), nil
}

func openHead(path string) (*headFile, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the head file: %w", err)
	}
	return &headFile{f: f}, nil
}

func (h *headFile) set(seq int64) error {
	b := h.text[:]
	binary.LittleEndian.PutUint64(b[8:], uint64(seq))
	binary.LittleEndian.PutUint32(b, sum(0, b[4:]))
	_, err := h.f.WriteAt(b, 0)
	return err
}

func (h *headFile) close() error { return errors.Join(h.f.Sync(), h.f.Close()) }
