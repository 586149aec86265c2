// Package heap sets the garbage collector for programs that hold a bounded window of short-lived batches: collect
// seldom while there is room, and more often near a limit that a small container allows.
package heap

import (
	"os"
	"runtime/debug"
)

// Figures of Tune. The window of a run is 16 MiB of input, which with its output and the requests in flight comes to
// some 40 MiB that live; the limit leaves room for the rest below 128 MiB.
const (
	percent = 400
	limit   = 88 << 20
)

// Tune sets both figures, each only where the environment (GOGC, GOMEMLIMIT) does not say otherwise. It is called once,
// at the start of a program.
func Tune() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit)
	}
}
