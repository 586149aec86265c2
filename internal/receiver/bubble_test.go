package receiver

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/internal/inbox"
)

// pipes is a listener inside a bubble of synctest: those who dial it need no network, and their time is the bubble's.
type pipes struct {
	name   string
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes(name string) *pipes {
	return &pipes{name: name, conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error    { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr  { return p }
func (p *pipes) Network() string { return "pipe" }
func (p *pipes) String() string  { return p.name + ":80" }

func (p *pipes) dial() (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// startInBubble is start without a network. All of the world is reached as ever, its client included.
func startInBubble(t *testing.T, box inbox.Options, edit func(*Options)) (w *world, public *pipes) {
	t.Helper()
	public, admin := newPipes("public"), newPipes("admin")
	w = startAt(t, box, public, admin, edit)
	w.http.Transport.(*http.Transport).DialContext = func(_ context.Context, _, address string) (net.Conn, error) {
		if address == admin.String() {
			return admin.dial()
		}
		return public.dial()
	}
	return w, public
}

// metric tells whether the metrics have a line.
func (w *world) metric(line string) bool {
	w.t.Helper()
	_, text := w.get("/metrics", nil)
	return strings.Contains(text, "\n"+line+"\n")
}

// An inbox that does not come to an end: the sender is asked to send again while it still listens, and what was written
// after all is known when it does.
func TestStoreTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stuck atomic.Bool
		var looks atomic.Int64
		free := make(chan struct{})
		clock := func() time.Time { // the sender's look at it comes first, then the writer's
			if stuck.Load() && looks.Add(1) > 1 {
				<-free
			}
			return time.Now()
		}
		w, _ := startInBubble(t, inbox.Options{Dir: t.TempDir(), Clock: clock}, nil)
		synctest.Wait() // what a receiver does with its inbox at the start is done
		stuck.Store(true)
		began, told := time.Now(), make(chan string, 1)
		go func() {
			status, body := w.send(ask{header: signed(secret, began), body: item("a")})
			told <- fmt.Sprint(status, body)
		}()
		select {
		case got := <-told:
			if took := time.Since(began); took > time.Second || took < 800*time.Millisecond || !strings.HasPrefix(got, `200{"code":500,`) {
				t.Errorf("after %s: %s", took, got)
			}
		case <-time.After(3 * time.Second):
			t.Error("no answer while the sender waits for one")
		}
		close(free)
		if n := w.r.slots.held.Load() + w.r.bodies.held.Load(); n != 0 {
			t.Errorf("%d are not given back", n)
		}
		if status, body := w.send(ask{header: signed(secret, began.Add(time.Millisecond)), body: item("a")}); status != 200 || body != accepted {
			t.Error(status, body)
		}
		for _, outcome := range []string{overload, duplicate} {
			if !w.metric(fmt.Sprintf("sluice_receiver_requests_total{endpoint=%q,outcome=%q} 1", "main/portrait", outcome)) {
				t.Errorf("no request is counted as %s", outcome)
			}
		}
		if n := len(w.all()); n != 1 {
			t.Errorf("%d records", n)
		}
	})
}
