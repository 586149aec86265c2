package heap

import (
	"math"
	"runtime/debug"
	"testing"
)

func TestTune(t *testing.T) {
	reset := func() { debug.SetGCPercent(100); debug.SetMemoryLimit(math.MaxInt64) }
	t.Cleanup(reset)
	for _, c := range []struct {
		gogc, memlimit string
		percent        int
		limit          int64
	}{
		{"", "", percent, limit},
		{"50", "", 100, limit},
		{"", "1GiB", percent, math.MaxInt64},
		{"50", "1GiB", 100, math.MaxInt64},
	} {
		reset()
		t.Setenv("GOGC", c.gogc)
		t.Setenv("GOMEMLIMIT", c.memlimit)
		Tune()
		if got := debug.SetMemoryLimit(-1); got != c.limit {
			t.Errorf("GOMEMLIMIT=%q: limit %d, want %d", c.memlimit, got, c.limit)
		}
		if got := debug.SetGCPercent(100); got != c.percent {
			t.Errorf("GOGC=%q: percent %d, want %d", c.gogc, got, c.percent)
		}
	}
}
