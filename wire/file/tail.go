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

func (t *tail) stop() { t.once.Do(func() { close(t.quit) }) }

func (t *tail) Close() error {
	t.stop()
	return t.file.Close()
}
