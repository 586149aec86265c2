package main

import (
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/pipeline"
)

// The estimate goes by what is settled, not by what has been read ahead.
func TestETA(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		read, total int64
		report      pipeline.Report
		want        string
	}{
		{50, 100, pipeline.Report{Read: 1000, Delivered: 1000}, "about 10s left"},
		{100, 100, pipeline.Report{Read: 1000, Delivered: 400, Filtered: 50, Rejected: 50}, "about 10s left"},
		{100, 100, pipeline.Report{Read: 1000}, ""},
		{100, 0, pipeline.Report{Read: 1000, Delivered: 10}, ""},
		{0, 100, pipeline.Report{}, ""},
	} {
		p := &progress{start: start, size: func() (int64, int64) { return c.read, c.total }}
		if got := p.eta(start.Add(10*time.Second), c.report); got != c.want {
			t.Errorf("%+v: %q, want %q", c, got, c.want)
		}
	}
	if got := (&progress{start: start}).eta(start, pipeline.Report{Read: 1, Delivered: 1}); got != "" {
		t.Errorf("without a size: %q", got)
	}
}
