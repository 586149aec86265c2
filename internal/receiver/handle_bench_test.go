package receiver

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/inbox"
)

// handled is a receiver whose handler is called without a network. Its requests are made beforehand.
type handled struct {
	r    *Receiver
	from int64 // the first millisecond that is signed
	next atomic.Int64
}

func newHandled(t testing.TB, dir string) *handled {
	t.Helper()
	box, err := inbox.Open(t.Context(), inbox.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(t.Context(), Options{Inbox: box, Dir: dir, Log: slog.New(slog.DiscardHandler), Endpoints: []Endpoint{portrait(t)}, Limits: Limits{Rate: -1}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { r.later.run(ctx) })
	t.Cleanup(func() {
		cancel()
		work.Wait()
		if err := r.reader.Close(); err != nil {
			t.Error(err)
		}
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	return &handled{r: r, from: time.Now().Add(-4 * time.Minute).UnixMilli()}
}

// request is a signed one of a kilobyte with a new event. It is unlike all others for four minutes' worth of milliseconds.
func (h *handled) request(t testing.TB) *http.Request {
	n := h.next.Add(1)
	body := fmt.Appendf(nil, `{"data":[{"id":"event-%d","type":1,"friendWhatsId":"8615601882491","field":"Name","fieldType":0,"targetValue":"`, n)
	body = append(append(body, strings.Repeat("x", 1024-len(body)-4)...), `"}]}`...)
	req := httptest.NewRequest(http.MethodPost, h.r.opts.Endpoints[0].Address(), bytes.NewReader(body))
	for name, values := range signed(secret, time.UnixMilli(h.from+n)) {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	return req
}

// answered takes the place of a connection.
type answered struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answered) Header() http.Header         { return a.header }
func (a *answered) WriteHeader(status int)      { a.status = status }
func (a *answered) Write(p []byte) (int, error) { return a.body.Write(p) }

// The allocations of a request from its parsed header to its answer, those of a group commit for it alone included. More
// than these cost acknowledgements where it matters, under load.
func TestHandleAllocs(t *testing.T) {
	h := newHandled(t, t.TempDir())
	const runs = 200
	requests := make(chan *http.Request, 2*runs)
	for range cap(requests) {
		requests <- h.request(t)
	}
	a := answered{header: http.Header{}}
	one := func() {
		clear(a.header)
		a.body.Reset()
		if h.r.ServeHTTP(&a, <-requests); a.status != http.StatusOK || !bytes.Contains(a.body.Bytes(), []byte(`"code":200`)) {
			t.Fatalf("answered with %d %s", a.status, a.body.Bytes())
		}
	}
	one()
	if got, most := testing.AllocsPerRun(runs, one), 46.0; got > most { // about 34; the race detector lets pools forget
		t.Errorf("%v allocations a request, at most %v are to be", got, most)
	}
}

// BenchmarkHandle measures a request from its parsed header to its answer, the durable write by the inbox included, as
// 64 of them come side by side.
func BenchmarkHandle(b *testing.B) {
	h := newHandled(b, b.TempDir())
	requests := make(chan *http.Request, b.N)
	for range b.N {
		requests <- h.request(b)
	}
	close(requests)
	b.ReportAllocs()
	b.ResetTimer()
	var work sync.WaitGroup
	for range 64 {
		work.Go(func() {
			a := answered{header: http.Header{}}
			for req := range requests {
				clear(a.header)
				a.body.Reset()
				if h.r.ServeHTTP(&a, req); !strings.Contains(a.body.String(), `"code":200`) {
					b.Errorf("answered with %d %s", a.status, a.body.String())
				}
			}
		})
	}
	work.Wait()
}
