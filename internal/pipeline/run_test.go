package pipeline

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/connector"
)

// TestRunSettlesEverything: whatever the order of the answers, every row ends in one place and every position leaves.
func TestRunSettlesEverything(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := randomScenario(rapid.Uint64().Draw(rt, "seed"))
		o := play(t, s, nil)
		if o.err != nil || len(o.faults) > 0 {
			rt.Fatalf("%+v\nerr %v\nfaults %q", s, o.err, o.faults)
		}
		if o.report.Left != 0 || o.report.Unacked != 0 || o.report.Complete == s.unknown {
			rt.Fatalf("left %d, unacked %d, complete %v", o.report.Left, o.report.Unacked, o.report.Complete)
		}
	})
}

// TestRunFails: one operation fails or panics somewhere. The error comes out, and what is safe still leaves.
func TestRunFails(t *testing.T) {
	ops := []string{"open reader", "open writer", "read", "plans", "apply", "write", "done", "reject", "checkpoint", "ack", "close writer"}
	rapid.Check(t, func(rt *rapid.T) {
		s := randomScenario(rapid.Uint64().Draw(rt, "seed"))
		s.failOp = rapid.SampledFrom(ops).Draw(rt, "op")
		s.failAt = rapid.IntRange(1, 12).Draw(rt, "at")
		s.panics = s.failOp != "done" && rapid.Bool().Draw(rt, "panics")
		o := play(t, s, nil)
		if len(o.faults) > 0 {
			rt.Fatalf("%+v\nerr %v\nfaults %q", s, o.err, o.faults)
		}
		switch {
		case o.err == nil && o.report.Left > 0:
			rt.Fatalf("%d rows left without an error", o.report.Left)
		case o.err == nil: // there was no such call
		case s.panics && connector.KindOf(o.err) != connector.KindInternal:
			rt.Fatalf("a panic came out as %v", o.err)
		case !s.panics && !errors.Is(o.err, errInjected):
			rt.Fatalf("got %v, want the injected error", o.err)
		}
	})
}

// TestRunStops: ctx ends at some read.
func TestRunStops(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := randomScenario(rapid.Uint64().Draw(rt, "seed"))
		s.stopAt = rapid.IntRange(1, 1+len(s.batches)).Draw(rt, "stop")
		o := play(t, s, nil)
		if len(o.faults) > 0 {
			rt.Fatalf("%+v\nerr %v\nfaults %q", s, o.err, o.faults)
		}
		if o.err == nil && !o.report.Complete || o.err != nil && !errors.Is(o.err, errStopped) {
			rt.Fatalf("err %v, complete %v", o.err, o.report.Complete)
		}
		if o.took > DefaultStopTimeout {
			rt.Fatalf("took %v", o.took)
		}
	})
}
