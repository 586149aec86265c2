package inbox

import (
	"testing"
	"time"
)

// TestDefaults: what is left out is as the comments of Options say, and what is given is kept.
func TestDefaults(t *testing.T) {
	type figures struct {
		maxAge, dedupeFor, queueAge      time.Duration
		maxBytes, queueBytes, checkBytes int64
	}
	for _, c := range []struct {
		what  string
		given Options
		want  figures
	}{
		{"nothing", Options{}, figures{dedupeFor: 7 * day, queueAge: time.Second, queueBytes: 32 << 20, checkBytes: 64 << 20}},
		{"too little", Options{DedupeFor: time.Hour, QueueAge: -1, QueueBytes: -1, CheckBytes: -1},
			figures{dedupeFor: 7 * day, queueAge: time.Second, queueBytes: 32 << 20, checkBytes: 64 << 20}},
		{"all", Options{MaxAge: 1, DedupeFor: 8 * day, QueueAge: 2, MaxBytes: 3, QueueBytes: 4, CheckBytes: 5}, figures{1, 8 * day, 2, 3, 4, 5}},
	} {
		o := c.given
		o.defaults()
		if got := (figures{o.MaxAge, o.DedupeFor, o.QueueAge, o.MaxBytes, o.QueueBytes, o.CheckBytes}); got != c.want {
			t.Errorf("%s given: %+v, want %+v", c.what, got, c.want)
		}
		if o.Clock == nil || o.Log == nil || o.hook == nil || len(o.steps) != len(migrations) || o.generation != defaultGeneration || o.stride != defaultStride {
			t.Errorf("%s given: %+v", c.what, o)
		}
	}
}
