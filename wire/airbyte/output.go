package airbyte

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

const (
	outputLimit = 32 << 20        // bytes that may wait for the host; beyond, writers wait
	outputBulk  = 1 << 20         // the same for records of a source: what waits is copied when it grows
	outputKept  = 4 << 20         // of a buffer that was written, for the next lines
	outputGrace = 5 * time.Second // how long a stopped run waits for a host that does not read
)

var errOutputStuck = errors.New("standard output is not being read")

// output owns standard output: whole lines in the order given, by a goroutine of its own.
type output struct {
	w      io.Writer
	failed func(error) // called once, when writing turns out to be pointless
	done   chan struct{}

	mu     sync.Mutex // covers what follows
	change *sync.Cond
	buf    []byte
	closed bool
	err    error
}

func newOutput(w io.Writer, failed func(error)) *output {
	o := &output{w: w, failed: failed, done: make(chan struct{})}
	o.change = sync.NewCond(&o.mu)
	go o.run()
	return o
}

func (o *output) run() {
	defer close(o.done)
	var spare []byte
	for {
		o.mu.Lock()
		for len(o.buf) == 0 && !o.closed {
			o.change.Wait()
		}
		full := o.buf
		o.buf = spare[:0]
		o.change.Broadcast()
		o.mu.Unlock()
		if len(full) == 0 {
			return
		}
		if _, err := o.w.Write(full); err != nil {
			o.fail(err)
			return
		}
		if spare = full; cap(spare) > outputKept {
			spare = nil
		}
	}
}

func (o *output) fail(err error) {
	o.mu.Lock()
	o.err = err
	o.buf = nil
	o.change.Broadcast()
	o.mu.Unlock()
	o.failed(err)
}

// write queues the line that appendLine appends, newline excluded. After a failure it does nothing.
func (o *output) write(appendLine func(dst []byte) []byte) { o.writeWithin(outputLimit, appendLine) }

// writeWithin waits while more than limit bytes wait for the host.
func (o *output) writeWithin(limit int, appendLine func(dst []byte) []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.buf) > limit && o.err == nil {
		o.change.Wait()
	}
	if o.err != nil || o.closed {
		return
	}
	o.buf = append(appendLine(o.buf), '\n')
	o.change.Broadcast()
}

// failure returns why writing has become pointless, if it has.
func (o *output) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// close waits until all is written. Once ctx is done it waits no longer than outputGrace.
func (o *output) close(ctx context.Context) error {
	o.mu.Lock()
	o.closed = true
	o.change.Broadcast()
	o.mu.Unlock()
	select {
	case <-o.done:
		return o.failure()
	case <-ctx.Done():
	}
	grace := time.NewTimer(outputGrace)
	defer grace.Stop()
	select {
	case <-o.done:
		return o.failure()
	case <-grace.C:
		return errOutputStuck
	}
}
