package receiver

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// raw opens a connection from another address of this machine and sends a text, no more.
func (w *world) raw(text string) net.Conn {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	c, err := d.DialContext(context.Background(), "tcp", w.public)
	if err != nil {
		w.t.Errorf("attack: %v", err)
		return nil
	}
	if _, err := io.WriteString(c, text); err != nil {
		_ = c.Close() // refused at once
		return nil
	}
	return c
}

// honest sends n requests from each of several senders, and counts what was acknowledged.
func (w *world) honest(name string, senders, n int) (acked int64) {
	var count atomic.Int64
	var work sync.WaitGroup
	base := time.Now()
	if base.Before(w.signed) {
		base = w.signed
	}
	w.signed = base.Add(time.Duration(senders*n) * time.Millisecond)
	for s := range senders {
		work.Go(func() {
			for i := range n {
				at := base.Add(time.Duration(s*n+i) * time.Millisecond)
				status, body := w.send(ask{header: signed(secret, at), body: item(fmt.Sprintf("%s-%d-%d", name, s, i))})
				if status == 200 && body == accepted {
					count.Add(1)
				} else {
					w.t.Errorf("%s: an honest request was answered with %d %s", name, status, body)
				}
			}
		})
	}
	work.Wait()
	return count.Load()
}

// 1,000 connections that dribble, half of them in the header and half in the body at an address that they know, and
// hundreds that only stand there: honest requests are all acknowledged, and nothing of the attack is stored.
func TestSlowloris(t *testing.T) {
	w := start(t, t.TempDir(), func(o *Options) {
		o.Limits.Connections = 2400
		o.HeaderWithin, o.RequestWithin = time.Minute, time.Minute
	})
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			if c != nil {
				_ = c.Close()
			}
		}
	}()
	head := "POST " + w.opts.Endpoints[0].Address() + " HTTP/1.1\r\nHost: x\r\nX-A: "
	for i := range 1000 {
		text := head
		if i%2 == 0 {
			text += "b\r\nContent-Length: 1000000\r\n\r\n{"
		}
		conns = append(conns, w.raw(text))
	}
	for range 300 { // beyond what one source may have: closed at once
		conns = append(conns, w.raw(""))
	}
	for w.r.metrics.public.Load() == nil || w.r.metrics.public.Load().refused.Load() == 0 {
		<-time.After(time.Millisecond)
	}
	if got := w.honest("slow", 8, 25); got != 200 {
		t.Errorf("%d of 200 acknowledged", got)
	}
	for _, c := range conns { // each sends one byte more, and goes
		if c != nil {
			_, _ = io.WriteString(c, "x")
			_ = c.Close()
		}
	}
	if got := w.honest("after", 2, 10); got != 20 {
		t.Errorf("%d of 20 acknowledged afterwards", got)
	}
	w.audit(220)
}

// audit stops the receiver and looks at what was stored: so many honest requests and nothing else, nothing held.
func (w *world) audit(want int) {
	w.t.Helper()
	recs := w.all()
	for i := range recs {
		if recs[i].Quarantine != "" || !strings.HasPrefix(string(recs[i].Body), `{"data":[{"id":"`) {
			w.t.Errorf("stored: %.80q %s", recs[i].Body, recs[i].Quarantine)
		}
	}
	if len(recs) != want {
		w.t.Errorf("%d records, want %d", len(recs), want)
	}
	w.close()
	if a, b := w.r.slots.held.Load(), w.r.bodies.held.Load(); a != 0 || b != 0 {
		w.t.Errorf("%d slots and %d bytes are not given back", a, b)
	}
	if l := w.r.metrics.public.Load(); l.all.held.Load() != 0 {
		w.t.Errorf("%d connections are not given back", l.all.held.Load())
	}
}

// A flood of what is forged, stale, replayed, too long, chunked without end, garbled or sent to where nothing is.
func TestFlood(t *testing.T) {
	w := start(t, t.TempDir(), nil)
	if got := w.honest("seed", 1, 1); got != 1 {
		t.Fatal("no seed")
	}
	stamp := time.Now().Add(-time.Minute) // no honest request has it
	seen := signed(secret, stamp)
	if status, _ := w.send(ask{header: seen, body: item("replayed")}); status != 200 {
		t.Fatal(status)
	}
	at := w.opts.Endpoints[0].Address()
	attacks := []func() (status int, good bool){
		func() (int, bool) { // replayed: acknowledged, and nothing comes of it
			s, b := w.send(ask{header: seen, body: item("replayed")})
			return s, s == 200 && b == accepted
		},
		func() (int, bool) {
			s, _ := w.send(ask{header: signed("guess", stamp), body: item("forged")})
			return s, s == 401
		},
		func() (int, bool) {
			s, _ := w.send(ask{header: signed(secret, stamp.Add(-time.Hour)), body: item("stale")})
			return s, s == 400
		},
		func() (int, bool) {
			s, _ := w.send(ask{path: "/hooks/socialepoch/user_sync_portrait/" + NewPath(), header: seen, body: item("lost")})
			return s, s == 404
		},
		func() (int, bool) { // chunks without end
			s, _ := w.send(ask{header: signed(secret, stamp), stream: zeros{}})
			return s, s == 413 || s == 0
		},
		func() (int, bool) {
			return w.garbage("POST " + at + " HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello")
		},
		func() (int, bool) {
			return w.garbage("POST " + at + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n")
		},
		func() (int, bool) { return w.garbage("\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\r\n\r\n") },
		func() (int, bool) {
			return w.garbage("POST " + at + " HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("y", 30<<10) + "\r\n\r\n")
		},
		func() (int, bool) { return w.garbage("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") },
		func() (int, bool) { // fewer bytes than announced
			return w.garbage("POST " + at + " HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{}")
		},
	}
	var work sync.WaitGroup
	for _, attack := range attacks {
		for range 4 {
			work.Go(func() {
				for range 6 {
					if status, good := attack(); !good {
						t.Errorf("an attack was answered with %d", status)
					}
				}
			})
		}
	}
	if got := w.honest("flood", 8, 25); got != 200 {
		t.Errorf("%d of 200 acknowledged", got)
	}
	work.Wait()
	w.audit(202)
}

// garbage sends bytes and closes its side. Whatever comes back must be no success.
func (w *world) garbage(text string) (status int, good bool) {
	c := w.raw(text)
	if c == nil {
		return 0, true
	}
	defer func() { _ = c.Close() }()
	_ = c.(*net.TCPConn).CloseWrite()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, true
	}
	_ = resp.Body.Close()
	return resp.StatusCode, resp.StatusCode >= 400
}

// Signed with one captured ticket: hundreds of other bodies, at once. One body at most is served, the honest one that
// came first, and the others wait for a person.
func TestTokenReuseFlood(t *testing.T) {
	w := start(t, t.TempDir(), nil)
	h := signed(secret, time.Now().Add(-time.Second))
	if _, body := w.send(ask{header: h, body: item("honest")}); body != accepted {
		t.Fatal(body)
	}
	var work sync.WaitGroup
	for i := range 8 {
		work.Go(func() {
			for n := range 20 {
				if _, body := w.send(ask{header: h.Clone(), body: item(fmt.Sprintf("evil-%d-%d", i, n))}); body != accepted {
					t.Error(body)
				}
			}
		})
	}
	if got := w.honest("beside", 4, 10); got != 40 {
		t.Errorf("%d of 40 acknowledged", got)
	}
	work.Wait()
	good, held := 0, 0
	for _, r := range w.all() {
		switch evil := strings.Contains(string(r.Body), "evil"); {
		case evil && r.Quarantine == TokenReuse:
			held++
		case !evil && r.Quarantine == "":
			good++
		default:
			t.Errorf("%s: %q", r.Body, r.Quarantine)
		}
	}
	if good != 41 || held != 160 {
		t.Errorf("%d served, %d quarantined", good, held)
	}
}
