package deliver

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// only answers the n-th call like this, and lets the others pass.
func only(n int, s scripted) func(int, []contact) *scripted {
	return func(i int, _ []contact) *scripted {
		if i == n {
			return &s
		}
		return nil
	}
}

// lockedFor is the answer to a request for a single row that the vendor has locked.
func lockedFor(wait time.Duration) scripted {
	return scripted{status: 200, before: true, body: fmt.Sprintf(`{"Code":"ok","Rows":[{"Row":0,"Code":"busy","Wait":%d}]}`, wait)}
}

// TestNoLockNoWait: one row of a suspect request passes at once, so the parts go at once, of this request and of later ones.
func TestNoLockNoWait(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.opaque = true
		r.limits.SplitAfter, r.limits.Rows, r.conf.Concurrency = time.Minute, 5, 4
		r.open().write(r.some(5, func(c *contact) { c.Bad = pick(c.ID == 2, "28", "") }))
		r.pass(time.Second)
		sizes := r.sizes()
		wantSlice(t, "the first two requests", sizes[:2], 5, 1)
		wantSlice(t, "request sizes after them", slices.Sorted(slices.Values(sizes[2:])), 1, 1, 2, 2) // in any order: they go side by side
		r.write(r.some(5, func(c *contact) { c.Bad = pick(c.ID == 8, "28", "") }))
		r.pass(time.Second)
		wantSlice(t, "request sizes of the second batch", slices.Sorted(slices.Values(r.sizes()[len(sizes):])), 1, 2, 2, 3, 5)
		want(t, "rejected", r.writer.Stats().Rejected, 2)
	})
}

// TestLockIsWaitedOut: the row that was sent alone is locked, so the parts wait from the answer that they were suspect in.
func TestLockIsWaitedOut(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.opaque = true
		r.limits.SplitAfter, r.limits.Rows, r.conf.Concurrency = time.Minute, 5, 4
		r.server.script = only(2, lockedFor(30*time.Second))
		o := r.open().write(r.some(5, func(c *contact) { c.Bad = pick(c.ID == 2, "28", "") }))
		r.settle()
		wantSlice(t, "request sizes", r.sizes(), 5, 1, 1, 2, 2, 1, 1)
		suspect := r.server.journal[0].left
		for call, wait := range map[int]time.Duration{3: time.Minute, 4: time.Minute} {
			if got := r.at(call).Sub(suspect); got != wait {
				t.Errorf("call %d went %s after the suspect answer, want %s", call, got, wait)
			}
		}
		if got := r.at(5).Sub(r.server.journal[3].left); got != time.Minute {
			t.Errorf("the quarters went %s after the half", got)
		}
		want(t, "rejected", len(o.rejected), 1)
		want(t, "delivered", r.writer.Stats().Rows, 4)
	})
}

// TestLockSeenElsewhere: a row that was told to wait before any bisection shows the lock, and nothing is sent to find out.
func TestLockSeenElsewhere(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.limits.SplitAfter, r.limits.Rows = time.Minute, 4
		r.open().write(r.some(1, func(c *contact) { c.Busy = true }))
		r.pass(time.Second)
		r.server.opaque = true
		r.write(r.some(4, func(c *contact) { c.Bad = pick(c.ID == 3, "28", "") }))
		r.pass(30 * time.Second)
		wantSlice(t, "request sizes", r.sizes(), 1, 4)
	})
}

// TestBadRowTeachesNothing: a bad row sent alone says nothing of a lock; the next one does.
func TestBadRowTeachesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.opaque = true
		r.limits.SplitAfter, r.limits.Rows = time.Minute, 6
		o := r.open().write(r.some(6, func(c *contact) { c.Bad = pick(c.ID == 4, "28", "") })) // the one in the middle
		r.pass(time.Second)
		want(t, "answered", o.done.Load(), true)
		want(t, "rejected", len(o.rejected), 1)
		wantSlice(t, "request sizes", r.sizes(), 6, 1, 1, 2, 2)
	})
}

// TestLockThatComesLate: what was thought absent shows after all. The rows wait, none is rejected, and later parts wait too.
func TestLockThatComesLate(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.opaque = true
		r.limits.SplitAfter, r.limits.Rows = time.Minute, 8
		r.server.script = only(3, scripted{status: 200, before: true,
			body: `{"Code":"ok","Rows":[{"Row":0,"Code":"busy","Wait":60000000000},{"Row":1,"Code":"busy","Wait":60000000000},{"Row":2,"Code":"busy","Wait":60000000000},{"Row":3,"Code":"busy","Wait":60000000000}]}`})
		o := r.open().write(r.some(8, func(c *contact) { c.Bad = pick(c.ID == 8, "28", "") }))
		r.pass(10 * time.Second)
		wantSlice(t, "request sizes", r.sizes(), 8, 1, 4)
		r.settle()
		want(t, "rejected", len(o.rejected), 1)
		want(t, "delivered", r.writer.Stats().Rows, 7)
	})
}
