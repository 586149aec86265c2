package receiver

import (
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Limits bound what senders can take of this machine. The zero value of each has a default.
type Limits struct {
	Body        int64   // bytes of a request's body; default 1 MiB, at most MaxBody
	InFlight    int     // requests that are being verified and stored; default 1,024
	Connections int     // open connections; default 4,096. One source may have half of them
	Bodies      int64   // bytes of bodies that are being read or stored; default 64 MiB
	Rate        float64 // requests per second of one source; default 2,000, negative: no limit
}

// MaxBody is the most that Limits.Body may be.
const MaxBody = 10 << 20

func (l *Limits) defaults() {
	if l.Body <= 0 {
		l.Body = 1 << 20
	}
	l.Body = min(l.Body, MaxBody)
	if l.InFlight <= 0 {
		l.InFlight = 1024
	}
	if l.Connections <= 0 {
		l.Connections = 4096
	}
	if l.Bodies <= 0 {
		l.Bodies = 64 << 20
	}
	if l.Rate == 0 {
		l.Rate = 2000
	}
}

// sources finds out where requests come from.
type sources struct{ trusted []netip.Prefix }

func contains(list []netip.Prefix, ip netip.Addr) bool {
	for _, p := range list {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// of returns the address that a request came from: of the connection or, where that is a trusted proxy, the last one in
// X-Forwarded-For that is none. An entry that cannot be read ends the walk: what stands before it proves nothing.
func (s sources) of(remote string, forwarded []string) netip.Addr {
	ip := addrOf(remote)
	if !contains(s.trusted, ip) {
		return ip
	}
	hops := strings.Split(strings.Join(forwarded, ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop := addrOf(strings.TrimSpace(hops[i]))
		if !hop.IsValid() {
			break
		}
		if ip = hop; !contains(s.trusted, ip) {
			break
		}
	}
	return ip
}

// addrOf reads an address with or without a port.
func addrOf(text string) netip.Addr {
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	ip, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return ip.Unmap().WithZone("")
}

// group is what counts as one source: an IPv6 network of 64 bits belongs to one customer.
func group(ip netip.Addr) netip.Addr {
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return ip
}

// rates is a token bucket for each source. A bucket that has filled up again is forgotten.
type rates struct {
	perSecond, burst float64
	most             int // buckets

	mu      sync.Mutex
	buckets map[netip.Addr]bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

func newRates(perSecond float64) *rates {
	return &rates{perSecond: perSecond, burst: 2 * perSecond, most: 100_000, buckets: map[netip.Addr]bucket{}}
}

// take reports whether the source may send one more request.
func (r *rates) take(source netip.Addr, now time.Time) bool {
	if r.perSecond <= 0 {
		return true
	}
	source = group(source)
	r.mu.Lock()
	defer r.mu.Unlock()
	b, ok := r.buckets[source]
	if !ok {
		if len(r.buckets) >= r.most {
			r.sweep(now)
		}
		b = bucket{r.burst, now}
	}
	b.tokens = min(r.burst, b.tokens+now.Sub(b.at).Seconds()*r.perSecond)
	b.at = now
	if b.tokens < 1 {
		r.buckets[source] = b
		return false
	}
	b.tokens--
	r.buckets[source] = b
	return true
}

// sweep forgets full buckets or, if that leaves too many, all of them: to forget one is to be generous to its source.
func (r *rates) sweep(now time.Time) {
	for s, b := range r.buckets {
		if b.tokens+now.Sub(b.at).Seconds()*r.perSecond >= r.burst {
			delete(r.buckets, s)
		}
	}
	if len(r.buckets) >= r.most {
		clear(r.buckets)
	}
}

// gate is a bounded number of something that is given back.
type gate struct {
	most int64
	held atomic.Int64
}

func (g *gate) take(n int64) bool {
	if g.held.Add(n) > g.most {
		g.held.Add(-n)
		return false
	}
	return true
}

func (g *gate) free(n int64) { g.held.Add(-n) }

// listener closes connections beyond a number, and beyond half of it of one source that is no trusted proxy, at once:
// they hold no goroutine and no memory.
type listener struct {
	net.Listener
	all     gate
	each    int
	trusted []netip.Prefix
	refused atomic.Int64

	mu    sync.Mutex
	count map[netip.Addr]int
}

func limitListener(ln net.Listener, most int, trusted []netip.Prefix) *listener {
	return &listener{Listener: ln, all: gate{most: int64(most)}, each: max(1, most/2), trusted: trusted, count: map[netip.Addr]int{}}
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		source := addrOf(c.RemoteAddr().String())
		if free, ok := l.admit(source); ok {
			return &limitedConn{Conn: c, free: free}, nil
		}
		l.refused.Add(1)
		_ = c.Close()
	}
}

func (l *listener) admit(source netip.Addr) (free func(), ok bool) {
	if !l.all.take(1) {
		return nil, false
	}
	if contains(l.trusted, source) {
		return func() { l.all.free(1) }, true
	}
	source = group(source)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count[source] >= l.each {
		l.all.free(1)
		return nil, false
	}
	l.count[source]++
	return func() {
		l.all.free(1)
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.count[source]--; l.count[source] == 0 {
			delete(l.count, source)
		}
	}, true
}

type limitedConn struct {
	net.Conn
	free func()
	once sync.Once
}

func (c *limitedConn) Close() error {
	c.once.Do(c.free)
	return c.Conn.Close()
}
