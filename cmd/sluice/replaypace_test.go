package main

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Requests are replayed no faster than --rate says, and the first one at once. A signal ends the wait for the next.
func TestReplayPace(t *testing.T) {
	seqs := []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for _, c := range []struct {
		rate   float64
		signal time.Duration // 0: none
		took   time.Duration
		done   int
	}{
		{10, 0, 900 * time.Millisecond, 10},
		{0.5, 0, 18 * time.Second, 10},
		{10, 250 * time.Millisecond, 250 * time.Millisecond, 3},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.signal > 0 {
				defer time.AfterFunc(c.signal, cancel).Stop()
			}
			own := &owner{asked: func(int64) {}}
			var out bytes.Buffer
			began := time.Now()
			err := (&app{out: &out}).replay(ctx, own, seqs, replayFlags{rate: c.rate}, &inboxFlags{})
			if took := time.Since(began); took != c.took {
				t.Errorf("%g a second: it took %v, want %v", c.rate, took, c.took)
			}
			if !slices.Equal(own.done, seqs[:c.done]) || (c.signal > 0) != errors.Is(err, context.Canceled) {
				t.Errorf("%g a second: %v were done, %v", c.rate, own.done, err)
			}
		})
	}
}
