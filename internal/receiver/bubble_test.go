package receiver

import (
	"context"
	"fmt"
	"io"
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

// Whoever takes too long for a header or a body, or has nothing more to say, is hung up on.
func TestSlowSenders(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name            string
		header, request time.Duration // options
		text            string        // behind the address
		within          time.Duration
		answer, outcome string
	}{
		{"nothing", 0, 0, "", 5 * time.Second, "", ""},
		{"half a header", 0, 0, " HTTP/1.1\r\nHost: x\r\nX-A: ", 5 * time.Second, "", ""},
		{"half a header, short of time", 50 * ms, time.Hour, " HTTP/1.1\r\nHost: x\r\nX-A: ", 50 * ms, "", ""},
		{"half a body", 0, 0, " HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{", 30 * time.Second, "400", cutShort},
		{"half a body, short of time", 50 * ms, 200 * ms, " HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{", 200 * ms, "400", cutShort},
		{"half a chunk", 0, 0, " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nf\r\n{", 30 * time.Second, "400", cutShort},
		{"no second request", 0, 0, " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", time.Minute, "401", forged},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, public := startInBubble(t, inbox.Options{Dir: t.TempDir()}, func(o *Options) { o.HeaderWithin, o.RequestWithin = c.header, c.request })
				conn, err := public.dial()
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = conn.Close() }()
				began := time.Now()
				_ = conn.SetReadDeadline(began.Add(24 * time.Hour))
				if c.text != "" {
					_, _ = io.WriteString(conn, "POST "+w.opts.Endpoints[0].Address()+c.text)
				}
				got, err := io.ReadAll(conn)
				if err != nil {
					t.Fatalf("the connection stays: %v", err)
				}
				if took := time.Since(began); took < c.within || took > c.within+time.Second {
					t.Errorf("closed after %s, not after %s", took, c.within)
				}
				if _, status, _ := strings.Cut(string(got), " "); !strings.HasPrefix(status, c.answer) || (c.answer == "") != (len(got) == 0) {
					t.Errorf("answered with %q", got)
				}
				if c.outcome != "" && !w.metric(fmt.Sprintf("sluice_receiver_requests_total{endpoint=%q,outcome=%q} 1", "main/portrait", c.outcome)) {
					t.Errorf("not counted as %s", c.outcome)
				}
			})
		})
	}
}

// Retention removes what nobody needs, and says so; that it waits for a consumer is told, once, and is to be seen until the
// consumer has come on.
func TestRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := startInBubble(t, inbox.Options{Dir: t.TempDir(), MaxAge: time.Hour}, nil)
		for i := range 3 {
			if _, body := w.send(ask{header: signed(secret, time.Now().Add(time.Duration(i)*time.Millisecond)), body: item(fmt.Sprint(i))}); body != accepted {
				t.Fatal(body)
			}
		}
		of, err := w.box.Reader().Identity(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			upTo    int64 // the consumer has come so far
			after   time.Duration
			floor   int64
			waits   int
			removed string
		}{
			{1, 30 * time.Minute, 0, 0, ""},
			{1, time.Hour, 1, 1, "records=1 up_to=1"},
			{3, 90 * time.Second, 3, 0, "records=2 up_to=3"},
		} {
			if err := w.box.SetCursor(t.Context(), of, "slow", step.upTo); err != nil {
				t.Fatal(err)
			}
			time.Sleep(step.after)
			synctest.Wait()
			if floor, err := w.box.Reader().Floor(t.Context()); floor != step.floor || err != nil {
				t.Errorf("%+v: the floor is %d, %v", step, floor, err)
			}
			if !w.metric(fmt.Sprint("sluice_inbox_waits_for_consumer ", step.waits)) {
				t.Errorf("%+v: the metric does not tell", step)
			}
			if log := w.log.String(); !strings.Contains(log, step.removed) {
				t.Errorf("%+v: the log does not tell what was removed: %s", step, log)
			}
		}
		if log := w.log.String(); strings.Count(log, "keeps more than it should") != 1 || !strings.Contains(log, "consumer=slow") || strings.Count(log, "old requests were removed") != 2 {
			t.Error(log)
		}
	})
}
