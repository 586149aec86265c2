package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestSecondSignal: one that comes with the first, as from timeout(1), cuts nothing short; one that is sent because the stop
// takes long does.
func TestSecondSignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancelCause(t.Context())
		signals, done := make(chan os.Signal, 2), make(chan struct{})
		var exits []int
		go obey(signals, done, stop, func(code int) { exits = append(exits, code) })
		send := func(s syscall.Signal) {
			signals <- s
			synctest.Wait()
		}
		send(syscall.SIGTERM)
		var why signalError
		if !errors.As(context.Cause(ctx), &why) || syscall.Signal(why) != syscall.SIGTERM {
			t.Errorf("stopped by %v", context.Cause(ctx))
		}
		send(syscall.SIGTERM)
		time.Sleep(sameStop - time.Nanosecond)
		send(syscall.SIGINT)
		if len(exits) > 0 {
			t.Errorf("cut short: %v", exits)
		}
		time.Sleep(time.Nanosecond)
		send(syscall.SIGINT)
		if !slices.Equal(exits, []int{130}) {
			t.Errorf("exits %v, want one with 130", exits)
		}
		close(done)
	})
}
