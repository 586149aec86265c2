package deliver

import (
	"testing"
	"time"
)

func TestFullJitter(t *testing.T) {
	highest := func(n int64) int64 { return n - 1 }
	b := newFullJitter()
	b.random = highest
	want := []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second,
		16 * time.Second, 32 * time.Second, time.Minute, time.Minute}
	for i, w := range want {
		if got := b.NextBackOff(); got != w {
			t.Errorf("bound of wait %d: got %s, want %s", i+1, got, w)
		}
	}
	b.Reset()
	if got := b.NextBackOff(); got != want[0] {
		t.Errorf("after Reset: got %s, want %s", got, want[0])
	}
	if got := b.after(1000); got != time.Minute {
		t.Errorf("a late wait: got %s, want 1m", got)
	}
	b.random = func(int64) int64 { return 0 }
	if got := b.after(5); got != 0 {
		t.Errorf("full jitter begins at zero, got %s", got)
	}
}

func TestAtLeast(t *testing.T) {
	for _, c := range []struct{ wait, asked, want time.Duration }{
		{time.Second, 3 * time.Second, 3 * time.Second},
		{5 * time.Second, 3 * time.Second, 5 * time.Second},
		{0, time.Hour, 15 * time.Minute},
	} {
		if got := atLeast(c.wait, c.asked); got != c.want {
			t.Errorf("atLeast(%s, %s) = %s, want %s", c.wait, c.asked, got, c.want)
		}
	}
}
