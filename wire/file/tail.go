package file

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

// pollEvery is how often a followed file is looked at for more.
const pollEvery = 250 * time.Millisecond

// tail reads a file on and on: at its end it waits for more. stop makes it end there.
type tail struct {
	file *os.File
	quit chan struct{}
	once sync.Once
}

func newTail(f *os.File) *tail { return &tail{file: f, quit: make(chan struct{})} }

func (t *tail) Read(p []byte) (int, error) {
	for {
		n, err := t.file.Read(p)
		if n > 0 || !errors.Is(err, io.EOF) {
			return n, err
		}
		timer := time.NewTimer(pollEvery)
		select {
		case <-t.quit:
			timer.Stop()
			return 0, io.EOF
		case <-timer.C:
		}
	}
}

// Seek and ReadAt are the file's: a followed file has positions and a fingerprint like any other.
func (t *tail) Seek(offset int64, whence int) (int64, error) { return t.file.Seek(offset, whence) }
func (t *tail) ReadAt(p []byte, at int64) (int, error)       { return t.file.ReadAt(p, at) }

func (t *tail) stop() { t.once.Do(func() { close(t.quit) }) }

func (t *tail) Close() error {
	t.stop()
	return t.file.Close()
}
