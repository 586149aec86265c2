package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// signalError is the cause of a context that a signal ended.
type signalError syscall.Signal

func (s signalError) Error() string { return "stopped by " + syscall.Signal(s).String() }

// withSignals returns a context that SIGINT or SIGTERM cancels; a second one ends the process at once.
func withSignals(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	ch := make(chan os.Signal, 2)
	done := make(chan struct{})
	signal.Notify(ch, syscall.SIGINT, syscall.SIGTERM)
	go obey(ch, done, cancel, os.Exit)
	return ctx, func() {
		signal.Stop(ch)
		close(done)
		cancel(nil)
	}
}

// sameStop is how long after the first signal another one means nothing more: timeout(1), and whoever ends a process and
// then its group, send it twice.
const sameStop = time.Second

// obey passes the first signal on to stop, and what is sent again after sameStop to exit, until done.
func obey(signals <-chan os.Signal, done <-chan struct{}, stop context.CancelCauseFunc, exit func(code int)) {
	var first time.Time
	for {
		select {
		case <-done:
			return
		case s := <-signals:
			switch n := s.(syscall.Signal); {
			case first.IsZero():
				first = time.Now()
				stop(signalError(n))
			case time.Since(first) >= sameStop:
				exit(128 + int(n))
			}
		}
	}
}
