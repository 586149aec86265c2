package deliver

import (
	"testing"
	"time"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func testGovernor(perSecond float64, slots int) *governor {
	g := newGovernor("e", perSecond, slots)
	g.wait.random = func(n int64) int64 { return n - 1 } // the bound itself
	return g
}

func TestGovernorSlots(t *testing.T) {
	g := testGovernor(0, 2)
	for range 2 {
		if ok, _ := g.ready(start); !ok {
			t.Fatal("a free slot was refused")
		}
		g.take(start)
	}
	if ok, wake := g.ready(start); ok || !wake.IsZero() {
		t.Errorf("third call of two: ok %t, wake %s", ok, wake)
	}
	g.release()
	if ok, _ := g.ready(start); !ok {
		t.Error("a released slot was refused")
	}
}

// TestGovernorPace calls as soon as it is allowed to and counts.
func TestGovernorPace(t *testing.T) {
	for _, perSecond := range []float64{0.5, 3, 7, 100, 333} {
		g := testGovernor(perSecond, 1)
		calls := 0
		for now := start; now.Before(start.Add(20 * time.Second)); {
			ok, wake := g.ready(now)
			if ok {
				g.take(now)
				g.release()
				calls++
				continue
			}
			if !wake.After(now) {
				t.Fatalf("%v a second: told to wait until %s at %s", perSecond, wake, now)
			}
			now = wake
		}
		burst := max(1, perSecond/10)
		if want := 20*perSecond + burst; float64(calls) > want+1 || float64(calls) < 20*perSecond-1 {
			t.Errorf("%v a second: %d calls in 20 s, want about %v", perSecond, calls, want)
		}
	}
}

func TestGovernorThrottle(t *testing.T) {
	g := testGovernor(0, 4)
	g.failed(start, start, 3*time.Second, true)
	if ok, wake := g.ready(start); ok || !wake.Equal(start.Add(3*time.Second)) {
		t.Fatalf("after Retry-After: 3: ok %t, wake %s", ok, wake)
	}
	now := start.Add(3 * time.Second)
	g.take(now)
	if ok, _ := g.ready(now); ok {
		t.Error("after a stop a second call went beside the first")
	}
	g.release()
	g.succeeded(start.Add(-time.Second)) // sent before the stop: says nothing
	g.take(now)
	if ok, _ := g.ready(now); ok {
		t.Error("an answer to an earlier call opened the endpoint")
	}
	g.release()
	g.succeeded(now)
	g.take(now)
	if ok, _ := g.ready(now); !ok {
		t.Error("a success after the stop did not open the endpoint")
	}
}

// TestGovernorGrowth: without a hint each stop in a row is longer, but calls that were out together count once.
func TestGovernorGrowth(t *testing.T) {
	g, now := testGovernor(0, 8), start
	for _, want := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second} {
		for range 5 {
			g.failed(now, now.Add(time.Millisecond), 0, true)
		}
		if got := g.until.Sub(now.Add(time.Millisecond)); got != want {
			t.Fatalf("stopped for %s, want %s", got, want)
		}
		now = g.until
	}
	g.succeeded(now)
	g.failed(now, now, 0, true)
	if got := g.until.Sub(now); got != 500*time.Millisecond {
		t.Errorf("after a success stopped for %s, want 500ms", got)
	}
}

func TestGovernorFailures(t *testing.T) {
	g := testGovernor(0, 8)
	for i := range failuresToStop {
		if ok, _ := g.ready(start); !ok {
			t.Fatalf("the endpoint stopped after %d lost replies", i)
		}
		if down := g.failed(start, start.Add(time.Duration(i)*time.Minute), 0, false); down != time.Duration(i)*time.Minute {
			t.Errorf("down for %s, want %d min", down, i)
		}
	}
	if ok, _ := g.ready(start.Add(2 * time.Minute)); ok {
		t.Error("the endpoint did not stop after three failures in a row")
	}
	g.succeeded(start.Add(3 * time.Minute))
	if down := g.failed(start, start.Add(time.Hour), 0, false); down != 0 {
		t.Errorf("down for %s right after a success", down)
	}
}

func TestGovernorCapsTheHint(t *testing.T) {
	g := testGovernor(0, 1)
	g.failed(start, start, 24*time.Hour, true)
	if got := g.until.Sub(start); got != retryAfterMax {
		t.Errorf("stopped for %s, want %s", got, retryAfterMax)
	}
}
