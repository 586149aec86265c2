//go:build chaos

package chaos

import (
	"fmt"
	"strconv"
	"testing"
	"time"
)

// TestFullDiskAndRetention: on a full disk retention cannot remove anything, since that needs room in the log first. With
// a little room it does, without a new start; and what it has freed takes requests also when the disk is full again.
func TestFullDiskAndRetention(t *testing.T) {
	t.Parallel() // retention works once a minute
	bin := build(t, "sluice")
	d := beginOnDisk(t, bin, smallDisks[0], ", max_age: 1s")
	s, r, ballast := d.s, d.r, d.ballast
	<-s.after(4_000, false)
	fill(t, ballast)
	<-s.after(200, true)
	s.at("")
	full := s.countAcks()
	r.ready(t, false, "disk of the inbox")
	failures := r.above(t, "sluice_inbox_failures_total", 0)
	for last := int64(-1); last != failures; failures = r.above(t, "sluice_inbox_failures_total", 0) { // what was on its way
		last = failures
		timer := time.NewTimer(time.Second)
		<-timer.C
	}
	r.above(t, "sluice_inbox_failures_total", failures) // that of retention, since nobody sends
	shrink(t, ballast, 16<<20)
	floor := r.above(t, "sluice_inbox_floor", int64(full)/2)

	s.at(r.url)
	<-s.after(100, false)
	fill(t, ballast)
	<-s.after(500, false)
	s.drain()
	again := s.countAcks() - full
	r.terminate()
	r.logged(t, "the inbox could not be trimmed")
	r.logged(t, "old requests were removed")
	fmt.Printf("chaos %s: acked before the disk was full %d, asked to retry %d, removed by retention once there was room %d, acked after that %d\n", t.Name(), full, s.refused, floor, again)
}

// above waits until a metric is above a bound.
func (r *receiver) above(t *testing.T, name string, bound int64) int64 {
	t.Helper()
	for tick := time.NewTicker(200 * time.Millisecond); ; <-tick.C {
		if n, err := strconv.ParseFloat(r.figure(t, name), 64); err != nil {
			t.Fatal(err)
		} else if int64(n) > bound {
			return int64(n)
		}
	}
}
