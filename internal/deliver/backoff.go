package deliver

import (
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v4"
)

const (
	backoffFirst  = 500 * time.Millisecond
	backoffMost   = 60 * time.Second
	retryAfterMax = 15 * time.Minute // a longer wait is not ours to sit out inside one run
)

// fullJitter waits a random time between zero and a bound that doubles from first to most. The library's own
// exponential policy jitters around the bound, which keeps workers that failed together in step; this one does not.
type fullJitter struct {
	first, most time.Duration
	attempt     int
	random      func(n int64) int64 // in [0, n)
}

var _ backoff.BackOff = (*fullJitter)(nil)

func newFullJitter() *fullJitter {
	return &fullJitter{first: backoffFirst, most: backoffMost, random: rand.Int64N}
}

// NextBackOff returns the next wait; it never says Stop, since what ends a run is not a policy of waiting.
func (b *fullJitter) NextBackOff() time.Duration {
	b.attempt++
	return b.after(b.attempt)
}

func (b *fullJitter) Reset() { b.attempt = 0 }

// after is the wait before the send that follows the n-th failed one, n counted from 1.
func (b *fullJitter) after(n int) time.Duration {
	bound := b.most
	if shift := max(n-1, 0); shift < 32 && b.first<<shift < b.most {
		bound = b.first << shift
	}
	return time.Duration(b.random(int64(bound) + 1))
}

// atLeast raises a wait to what the vendor asked for, as far as we are willing to wait.
func atLeast(wait, asked time.Duration) time.Duration {
	return max(wait, min(asked, retryAfterMax))
}
