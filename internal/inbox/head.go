package inbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// headFile remembers the last sequence that was answered, beside the database: sum u32 | Identity u32 | sequence u64. It is
// overwritten in place, which needs no space and no sync: it is there to convict a database that lost its end, and one
// that is older than the database convicts nobody.
type headFile struct {
	f    *os.File
	text [16]byte // what is written
}

// known is what the head file of a folder says; zero if there is no file or it is broken.
type known struct {
	head int64
	id   Identity // 0: not said
}

func readHead(dir string) (k known, err error) {
	b, err := os.ReadFile(filepath.Join(dir, headName))
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return k, fmt.Errorf("read the head file: %w", err)
	}
	if len(b) != 16 || binary.LittleEndian.Uint32(b) != sum(0, b[4:]) {
		return k, nil
	}
	return known{int64(binary.LittleEndian.Uint64(b[8:])), Identity(binary.LittleEndian.Uint32(b[4:]))}, nil
}

// of is the last sequence that an inbox has answered; 0 if the file is about another one.
func (k known) of(m meta) int64 {
	if k.id != 0 && m.id != 0 && int64(k.id) != m.id {
		return 0
	}
	return k.head
}

func openHead(path string, id Identity) (*headFile, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the head file: %w", err)
	}
	h := &headFile{f: f}
	binary.LittleEndian.PutUint32(h.text[4:], uint32(id))
	return h, nil
}

func (h *headFile) set(seq int64) error {
	b := h.text[:]
	binary.LittleEndian.PutUint64(b[8:], uint64(seq))
	binary.LittleEndian.PutUint32(b, sum(0, b[4:]))
	_, err := h.f.WriteAt(b, 0)
	return err
}

func (h *headFile) close() error { return errors.Join(h.f.Sync(), h.f.Close()) }
