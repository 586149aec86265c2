package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/cmd/internal/job"
	"github.com/sluicehq/sluice/internal/inbox"
)

// owner does what is asked also if the one who asks has given up, as the writer of an inbox does.
type owner struct {
	job.InboxOwner
	asked func(seq int64)
	done  []int64
	fail  error
}

func (o *owner) Replay(ctx context.Context, seq int64) (inbox.Receipt, error) {
	o.asked(seq)
	if o.fail != nil {
		return inbox.Receipt{}, o.fail
	}
	o.done = append(o.done, seq)
	return inbox.Receipt{Seq: seq + 100}, ctx.Err()
}

// A replay that ends early names the last request that was done, so that going on behind it doubles none.
func TestReplayInterrupted(t *testing.T) {
	for _, c := range []struct {
		what    string
		cancel  int64 // ctx ends while this one is asked for
		fail    int64
		done    int
		message string
	}{
		{"a signal meanwhile", 12, 0, 2, "2 of 4 requests were replayed, the last one 12: context canceled"},
		{"an error", 0, 13, 2, "2 of 4 requests were replayed, the last one 12: full"},
		{"an error at once", 0, 11, 0, "none of 4 requests was replayed: full"},
		{"a signal as the last one is done", 14, 0, 4, ""},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		own := &owner{}
		own.asked = func(seq int64) {
			if seq == c.cancel {
				cancel()
			}
			if seq == c.fail {
				own.fail = errors.New("full")
			}
		}
		var out bytes.Buffer
		err := (&app{out: &out}).replay(ctx, own, []int64{11, 12, 13, 14}, replayFlags{rate: 1e6}, &inboxFlags{})
		if c.message == "" && err != nil || c.message != "" && (err == nil || err.Error() != c.message) {
			t.Errorf("%s: %v, want %q", c.what, err, c.message)
		}
		if len(own.done) != c.done || strings.Count(out.String(), "replayed as") != c.done {
			t.Errorf("%s: %v were done, and told was\n%s", c.what, own.done, out.String())
		}
		cancel()
	}
}
