// Package wiretest is the contract suite of wires: what every connector.Reader must do, whatever it reads from. A wire calls
// it with one line and a Harness that says what its input holds.
//
// The suite runs in fake time (testing/synctest), so an input may stall for as long as it takes to show that rows come out.
// It proves itself: its own tests plant defects in a small model wire and show that each is caught.
package wiretest

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
)

// Harness is a wire's Reader and an input.
type Harness struct {
	// New makes a Reader, not opened yet. It reads in, or, where Fixed is set, a place of its own that holds Input.
	New   func(mem memory.Allocator, in io.Reader) connector.Reader
	Fixed bool
	// Input is what the host sends, Rows what it holds: the rows of one stream in their order. At least one should be refused.
	Input []byte
	Rows  []Row
	// Positions: every batch has a position, and Open takes it.
	Positions bool
	// States are what the host must be given back, in the order of Input; Emitted returns what the Reader that New made last
	// has given back so far.
	States  []State
	Emitted func() []Emission
	// MaxRows and MaxBytes bound a batch of Input; MaxBytes holds for one with more than a row. MaxAhead bounds what is taken
	// from in while nobody calls Read.
	MaxRows            int
	MaxBytes, MaxAhead int64
	// Age is how long a row may wait on an input that stalls.
	Age time.Duration
}

// Row is one row of the input.
type Row struct {
	Stream string
	// JSON is the row as rows.AppendJSON prints it; for a refused row its raw text, as valid UTF-8.
	JSON string
	// Code is the reason for which the Reader refuses the row; "" for a good one.
	Code string
}

// State is a state in the input.
type State struct {
	// Text is the state as JSON, as the host wrote it; no two are equal.
	Text string
	// After gives, for each stream that the state covers, how many of its rows come before it.
	After map[string]int
}

// Emission is a state that was given back, and the counts that went with it.
type Emission struct {
	Text                string
	Committed, Rejected int64
}

// checks of the suite, by name. Each returns the first fault that it finds.
var checks = []struct {
	name string
	run  func(h Harness) error
}{
	{"rows", checkRows},
	{"memory", checkMemory},
	{"states", checkStates},
	{"concurrent", checkConcurrent},
	{"resume", checkResume},
	{"cancel", checkCancel},
	{"idle", checkIdle},
	{"close", checkClose},
	{"bounds", checkBounds},
}

// RunReader runs the suite.
func RunReader(t *testing.T, h Harness) {
	t.Helper()
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if err := c.run(h); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// input is the standard input of a wire under test: the whole Input, or what feed writes to it.
type input struct {
	*io.PipeReader
	w *io.PipeWriter
}

func newInput() *input {
	r, w := io.Pipe()
	return &input{r, w}
}

// feed writes b from a goroutine; the returned channel is closed when all of it was taken.
func (in *input) feed(b []byte, end bool) <-chan struct{} {
	taken := make(chan struct{})
	go func() {
		defer close(taken)
		_, err := in.w.Write(b)
		if end && err == nil {
			in.w.Close()
		}
	}()
	return taken
}

func (in *input) close() {
	in.w.Close()
	in.PipeReader.Close()
}

// whole is Input as a stream that is cut at awkward places.
func whole(h Harness) io.Reader { return &pieces{rest: h.Input} }

type pieces struct {
	rest []byte
	n    int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	p.n = p.n%97 + 1
	n := copy(b, p.rest[:min(p.n, len(p.rest))])
	p.rest = p.rest[n:]
	return n, nil
}

// within runs f and gives it so much (fake) time.
func within(limit time.Duration, what string, f func()) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
		return fmt.Errorf("%s still runs after %v", what, limit)
	}
}

// recorder is the testing.TB half that a CheckedAllocator reports to.
type recorder struct{ text bytes.Buffer }

func (r *recorder) Errorf(format string, args ...any) { fmt.Fprintf(&r.text, format+"\n", args...) }
func (r *recorder) Helper()                           {}

func unreleased(mem *memory.CheckedAllocator) error {
	var r recorder
	mem.AssertSize(&r, 0)
	if r.text.Len() > 0 {
		return fmt.Errorf("records were not released: %s", bytes.TrimSpace(r.text.Bytes()))
	}
	return nil
}
