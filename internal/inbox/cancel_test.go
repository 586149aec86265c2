package inbox

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
)

// cancelled is a context that ends once it was looked at so many times.
type cancelled struct {
	context.Context
	left atomic.Int64
	done chan struct{}
}

func (c *cancelled) look() {
	if c.left.Add(-1) == 0 {
		close(c.done)
	}
}

func (c *cancelled) Done() <-chan struct{} {
	c.look()
	return c.done
}

func (c *cancelled) Err() error {
	if c.look(); c.left.Load() > 0 {
		return nil
	}
	return context.Canceled
}

// TestCancelledRead: that somebody asks no longer says nothing about the record. A call that it asks for would never be made.
func TestCancelledRead(t *testing.T) {
	i := open(t, Options{Dir: t.TempDir()})
	add(t, i, request(profiles, "1", "k"))
	ended := 0
	for n := 1; n < 20; n++ {
		for what, ask := range map[string]func(context.Context) error{
			"get":  func(ctx context.Context) error { _, err := i.Reader().Get(ctx, 1); return err },
			"read": func(ctx context.Context) error { return readCancelled(ctx, i.Reader()) },
		} {
			late := &cancelled{Context: ctx, done: make(chan struct{})}
			late.left.Store(int64(n))
			err := ask(late)
			if err != nil && (!errors.Is(err, context.Canceled) || errors.Is(err, ErrDamaged)) {
				t.Errorf("%s, cancelled at look %d: %v", what, n, err)
			}
			if err != nil {
				ended++
			}
		}
	}
	if ended < 4 {
		t.Errorf("only %d were cancelled in the middle", ended)
	}
}

func readCancelled(ctx context.Context, r *Reader) error {
	p, err := r.Read(ctx, Query{})
	if err == nil && len(p.Damaged) > 0 {
		err = errors.New(p.Damaged[0].Reason)
	}
	return err
}
