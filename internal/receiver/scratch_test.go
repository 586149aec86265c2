package receiver

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// Requests share the end of their wait, and none has more patience than it should, or much less.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p patience
		made := map[context.Context]bool{}
		for range 40 {
			ctx := p.context()
			made[ctx] = true
			end, ok := ctx.Deadline()
			if left := time.Until(end); !ok || left > storeWithin || left < storeWithin-spellLasts {
				t.Errorf("a request would wait %s", left)
			}
			time.Sleep(spellLasts / 5)
		}
		if len(made) != 8 {
			t.Errorf("40 requests, five in a spell, had %d contexts", len(made))
		}
		time.Sleep(storeWithin)
		for ctx := range made {
			if ctx.Err() != context.DeadlineExceeded {
				t.Errorf("a wait did not end: %v", ctx.Err())
			}
		}
	})
}
