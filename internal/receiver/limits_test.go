package receiver

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/connector"
)

// The figures that are documented bound a receiver whose configuration names none.
func TestDefaultLimits(t *testing.T) {
	defaults := Limits{Body: 1 << 20, InFlight: 1024, Connections: 4096, Bodies: 64 << 20, Rate: 2000}
	for _, c := range []struct{ given, want Limits }{
		{Limits{}, defaults},
		{Limits{Body: -1, InFlight: -1, Connections: -1, Bodies: -1}, defaults},
		{Limits{Body: 11 << 20, Rate: -1}, Limits{Body: 10 << 20, InFlight: 1024, Connections: 4096, Bodies: 64 << 20, Rate: -1}},
		{Limits{1, 2, 3, 4, 5}, Limits{1, 2, 3, 4, 5}},
	} {
		got := c.given
		if got.defaults(); got != c.want {
			t.Errorf("%+v: %+v, want %+v", c.given, got, c.want)
		}
	}
	w := start(t, t.TempDir(), func(o *Options) { o.Limits = Limits{} })
	r, l := w.r, w.r.server(w.r)
	if r.slots.most != 1024 || r.bodies.most != 64<<20 || r.rates.perSecond != 2000 || r.rates.burst != 4000 || l.MaxHeaderBytes != 12<<10 {
		t.Errorf("%d in flight, %d bytes of bodies, %v a second, bursts of %v, headers of %d", r.slots.most, r.bodies.most, r.rates.perSecond, r.rates.burst, l.MaxHeaderBytes)
	}
	w.get("/healthz", nil) // it serves, so the listener is there
	if at := r.metrics.public.Load(); at.all.most != 4096 || at.each != 2048 {
		t.Errorf("%d connections, %d of one source", at.all.most, at.each)
	}
}

func TestDefaultOptions(t *testing.T) {
	var o Options
	o.defaults()
	if o.MinFree != 64<<20 || o.TrimEvery != time.Minute || o.StopWithin != 8*time.Second || o.HeaderWithin != 5*time.Second || o.RequestWithin != 30*time.Second {
		t.Errorf("got %+v", o)
	}
}

func TestSourceOfARequest(t *testing.T) {
	s := sources{[]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}}
	for _, c := range []struct {
		remote    string
		forwarded []string
		want      string
	}{
		{"203.0.113.9:1000", nil, "203.0.113.9"},
		{"203.0.113.9:1000", []string{"1.2.3.4"}, "203.0.113.9"}, // no proxy of ours: a claim
		{"10.0.0.1:1000", []string{"1.2.3.4"}, "1.2.3.4"},
		{"10.0.0.1:1000", []string{"6.6.6.6, 1.2.3.4, 10.9.9.9"}, "1.2.3.4"}, // what stands before the last stranger is a claim
		{"10.0.0.1:1000", []string{"6.6.6.6", "1.2.3.4"}, "1.2.3.4"},
		{"10.0.0.1:1000", []string{"1.2.3.4, nonsense"}, "10.0.0.1"},
		{"10.0.0.1:1000", []string{""}, "10.0.0.1"},
		{"10.0.0.1:1000", []string{"10.1.1.1,10.1.1.2"}, "10.1.1.1"},
		{"[::ffff:10.0.0.1]:1000", []string{"[2001:db8::7]:443"}, "2001:db8::7"},
		{"[fd00::1]:1000", []string{"1.2.3.4:99"}, "1.2.3.4"},
	} {
		if got := s.of(c.remote, c.forwarded); got.String() != c.want {
			t.Errorf("%s via %q: %s, want %s", c.remote, c.forwarded, got, c.want)
		}
	}
}

func TestRates(t *testing.T) {
	r := newRates(10)
	now := time.Unix(1000, 0)
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	spend := func(ip netip.Addr) (n int) {
		for n < 1000 && r.take(ip, now) {
			n++
		}
		return n
	}
	if got := spend(a); got != 20 {
		t.Errorf("a burst of %d", got)
	}
	if got := spend(b); got != 20 {
		t.Errorf("another source: %d", got)
	}
	now = now.Add(time.Second)
	if got := spend(a); got != 10 {
		t.Errorf("after a second %d", got)
	}
	// One network of IPv6 is one source.
	if got := spend(netip.MustParseAddr("2001:db8::1")) + spend(netip.MustParseAddr("2001:db8::ffff:2")); got != 20 {
		t.Errorf("one network: %d", got)
	}
	r.most = 10
	for i := range 100 {
		r.take(netip.MustParseAddr(fmt.Sprintf("198.51.100.%d", i)), now)
		if len(r.buckets) > 10 {
			t.Fatalf("%d buckets", len(r.buckets))
		}
	}
}

// The memory of tickets against one that forgets nothing: as long as it is large enough the two agree, and what it holds
// is bounded whatever comes.
func TestTicketsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.SampledFrom([]int{4, 1000}).Draw(t, "most")
		m := newTickets(most)
		type known struct {
			body    short
			expires time.Time
		}
		model, came := map[short]known{}, map[short][]short{}
		now := time.Unix(10_000, 0)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "pause")) * time.Second)
			id := shorten([]byte{byte(rapid.IntRange(0, 30).Draw(t, "ticket"))})
			body := shorten([]byte{byte(rapid.IntRange(0, 3).Draw(t, "body"))})
			expires := now.Add(time.Duration(rapid.IntRange(1, 600).Draw(t, "good for")) * time.Second)
			got := m.reused(id, body, expires, now)
			k, ok := model[id]
			if ok && now.After(k.expires.Add(time.Second)) {
				ok = false // one that expired is refused before, so it comes only with a new time
			}
			if !ok {
				model[id] = known{body, expires}
			}
			want := ok && k.body != body
			if most == 1000 && got != want {
				t.Fatalf("reused %v, want %v", got, want)
			}
			came[id] = append(came[id], body)
			if got && !slices.ContainsFunc(came[id], func(b short) bool { return b != body }) {
				t.Fatal("a ticket that came with one body alone is suspected")
			}
			if held, _ := m.stats(); held > most {
				t.Fatalf("%d tickets of %d", held, most)
			}
		}
	})
}

func TestPaths(t *testing.T) {
	for range 100 {
		if p := NewPath(); CheckPath(p) != nil || len(p) != 32 {
			t.Fatalf("%q", p)
		}
	}
	for _, good := range []string{"5f4dcc3b5aa765d61d8327deb882cf99", "Zm9vYmFyYmF6cXV4cXV1eA", "k3v9-x2m7_w5t8z4c6b1n0p7r5"} {
		if err := CheckPath(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "secret", "5f4dcc3b5aa765d61d8327deb882cf9", strings.Repeat("ab", 30), "11111111111111111111111111111111111111111111", "kq3v9x2m7w5t8z4c6b1n0p7r5s3d9/2h", "kq3v9x2m7w5t8z4c6b1n0p7r5s3d9 2h", strings.Repeat("abcdefgh1", 30)} {
		if err := CheckPath(bad); err == nil {
			t.Errorf("%q passed", bad)
		}
	}
	e := portrait(t)
	if m := e.Masked(); strings.Contains(m, path[:5]) || !strings.HasPrefix(m, "/hooks/socialepoch/user_sync_portrait/kq3v") {
		t.Error(m)
	}
	other := e
	if _, err := newEndpoints([]Endpoint{e, other}); connector.KindOf(err) != connector.KindConfig {
		t.Error(err)
	}
	other.Name = "other"
	if _, err := newEndpoints([]Endpoint{e, other}); connector.KindOf(err) != connector.KindConfig {
		t.Error(err)
	}
}

func TestConnectionsOfOneSource(t *testing.T) {
	l := limitListener(nil, 10, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	a, b, proxy := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("10.0.0.1")
	var frees []func()
	admit := func(ip netip.Addr, want bool) {
		t.Helper()
		free, ok := l.admit(ip)
		if ok != want {
			t.Errorf("%s admitted: %v", ip, ok)
		}
		if ok {
			frees = append(frees, free)
		}
	}
	for range 5 {
		admit(a, true)
	}
	admit(a, false)
	admit(b, true)
	for range 4 {
		admit(proxy, true)
	}
	admit(b, false)
	admit(proxy, false)
	for _, free := range frees {
		free()
	}
	if l.all.held.Load() != 0 || len(l.count) != 0 {
		t.Errorf("%d, %v are not given back", l.all.held.Load(), l.count)
	}
}
