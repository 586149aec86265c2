package main

import (
	"fmt"
	"io"
	"sync"
)

// output is a verb's standard output. It keeps the first error of writing, so that a verb that has printed into nothing, a
// full disk for example, does not end as if it had told what it was asked for.
type output struct {
	to io.Writer

	mu  sync.Mutex // covers the rest, and writes
	err error
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.to.Write(p)
	if err != nil && o.err == nil {
		o.err = fmt.Errorf("not all of the output could be written: %w", err)
	}
	return n, err
}

// failure returns the first error of writing.
func (o *output) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}
