package disk

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// ErrHeld is wrapped by the error of a lock that another holds.
var ErrHeld = errors.New("locked by another process")

// HeldError says who holds the lock.
type HeldError struct {
	Path string
	PID  int // 0: the holder did not say
}

func (e *HeldError) Error() string {
	if e.PID == 0 {
		return e.Path + " is locked by another process"
	}
	return fmt.Sprintf("%s is locked by process %d", e.Path, e.PID)
}

func (e *HeldError) Unwrap() error { return ErrHeld }

// Lock is a lock on a file between processes. The system frees it when its process ends, however it ends, so a crash
// leaves none behind; and two opens within one process exclude each other as two processes do. The file stays when it is freed: to remove it would let two processes lock two files of
// one name.
type Lock struct{ file *os.File }

// Exclusive takes the lock that nobody else may hold beside, and writes the process id into the file. It does not wait:
// the error is a *HeldError if somebody holds it.
func Exclusive(path string) (*Lock, error) {
	l, err := open(path, true)
	if err != nil {
		return nil, err
	}
	err = l.file.Truncate(0)
	if err == nil {
		_, err = l.file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return l, nil
}

// Shared takes the lock beside others that are shared. It does not wait either.
func Shared(path string) (*Lock, error) { return open(path, false) }

func open(path string, exclusive bool) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	held, err := lock(f, exclusive)
	if err == nil && !held {
		return &Lock{f}, nil
	}
	if held {
		err = &HeldError{Path: path, PID: holder(f)}
	} else {
		err = fmt.Errorf("lock %s: %w", path, err)
	}
	_ = f.Close()
	return nil, err
}

// holder reads the id of the process that locked the file; 0 if it has not written it yet.
func holder(f *os.File) int {
	var buf [20]byte
	n, _ := f.ReadAt(buf[:], 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(buf[:n])))
	if err != nil {
		return 0
	}
	return pid
}

// Close frees the lock.
func (l *Lock) Close() error { return l.file.Close() }
