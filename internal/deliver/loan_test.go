package deliver

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// counted is a connection that counts what leaves it.
type counted struct {
	net.Conn
	writes *atomic.Int64
}

func (c counted) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

// TestOneWrite: a request of a hundred rows leaves whole, in one system call, and its bytes are free when its answer is
// there.
func TestOneWrite(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 50<<10/16)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if got, err := io.ReadAll(req.Body); err != nil || !bytes.Equal(got, body) {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	defer server.Close()
	transport, err := NewTransport(TLSConfig{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer transport.CloseIdleConnections()
	var writes atomic.Int64
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		return counted{c, &writes}, err
	}
	var l loan
	var buf bytes.Buffer
	for n := range int64(3) {
		resp, f := exchange(t.Context(), transport, &connector.Request{Method: "POST", URL: server.URL, Header: http.Header{}, Body: body}, &l, time.Minute, &buf)
		if f != nil || resp.Status != http.StatusOK {
			t.Fatal(resp.Status, f)
		}
		want(t, "writes", writes.Load(), n+1)
		if !l.over() {
			t.Error("the bytes stay lent")
		}
	}
}

// TestLentWhileSent: an answer may come while the transport is still sending, and a first try may end after a second one.
func TestLentWhileSent(t *testing.T) {
	var trace *httptrace.ClientTrace
	early := roundTrip(func(req *http.Request) (*http.Response, error) {
		trace = httptrace.ContextClientTrace(req.Context())
		trace.GotConn(httptrace.GotConnInfo{})
		trace.GotConn(httptrace.GotConnInfo{})
		trace.WroteRequest(httptrace.WroteRequestInfo{})
		return &http.Response{StatusCode: http.StatusRequestEntityTooLarge, Header: http.Header{}, Body: http.NoBody}, nil
	})
	var l loan
	var buf bytes.Buffer
	for range 2 {
		if _, f := exchange(t.Context(), early, &connector.Request{Method: "POST", URL: "http://crm.test", Body: []byte("x")}, &l, time.Minute, &buf); f != nil {
			t.Fatal(f)
		}
		if l.over() {
			t.Error("the bytes are taken for free while they are sent")
		}
		if trace.WroteRequest(httptrace.WroteRequestInfo{Err: io.ErrClosedPipe}); !l.over() {
			t.Error("the bytes stay lent")
		}
	}
}

// TestLentWithoutTraces: a transport that does not say when it has written keeps what it was given.
func TestLentWithoutTraces(t *testing.T) {
	silent := roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody}, nil
	})
	var l loan
	var buf bytes.Buffer
	if !l.over() {
		t.Error("nothing was lent yet")
	}
	if _, f := exchange(t.Context(), silent, &connector.Request{Method: "POST", URL: "http://crm.test", Body: []byte("x")}, &l, time.Minute, &buf); f != nil {
		t.Fatal(f)
	}
	if l.over() {
		t.Error("the bytes are taken for free")
	}
}

// TestMemoryIsReused: calls that reuse their memory, as the chain does, against a server that often answers before it has
// read. Each request arrives as it was made.
func TestMemoryIsReused(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			var torn, whole, reused atomic.Int64
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				switch rand.IntN(4) {
				case 0:
					w.WriteHeader(http.StatusRequestEntityTooLarge)
					return
				case 1:
					w.WriteHeader(http.StatusOK)
					_ = http.NewResponseController(w).Flush()
				}
				body, err := io.ReadAll(req.Body)
				if err == nil && len(bytes.Trim(body, req.Header.Get("X-Mark"))) > 0 {
					torn.Add(1)
				}
				whole.Add(1)
			}))
			server.EnableHTTP2 = http2
			server.StartTLS()
			defer server.Close()
			transport, _ := server.Client().Transport.(*http.Transport)
			transport.WriteBufferSize = writeBuffer
			var work sync.WaitGroup
			for range 4 {
				work.Go(func() {
					var l *loan
					var req *connector.Request
					var buf bytes.Buffer
					for n := range 50 {
						if l == nil {
							l, req = &loan{}, &connector.Request{Method: "POST", URL: server.URL, Header: http.Header{}}
						}
						mark := "abcdefgh"[n%8 : n%8+1]
						req.Body = append(req.Body[:0], bytes.Repeat([]byte(mark), []int{3000, 300_000}[n%2])...)
						clear(req.Header)
						req.Header.Set("X-Mark", mark)
						if _, f := exchange(t.Context(), transport, req, l, time.Minute, &buf); f != nil || !l.over() {
							l = nil
							continue
						}
						reused.Add(1)
					}
				})
			}
			work.Wait()
			if torn.Load() > 0 || whole.Load() == 0 || reused.Load() == 0 {
				t.Errorf("%d requests were torn, %d arrived, the memory of %d was used again", torn.Load(), whole.Load(), reused.Load())
			}
		})
	}
}

// hasty is a connection whose other side answers, and says that it closes, before it has read a byte.
type hasty struct {
	net.Conn
	answer io.Reader
	taken  chan struct{}
}

func (h *hasty) Read(b []byte) (int, error) {
	<-h.taken
	return h.answer.Read(b)
}

func (h *hasty) Write(b []byte) (int, error) { return len(b), nil }
func (h *hasty) Close() error                { return nil }

// TestHeaderIsLent: the header of a request, also of one without a body, may be read after its answer is there. The race
// detector sees whoever clears it too early.
func TestHeaderIsLent(t *testing.T) {
	for _, body := range [][]byte{nil, bytes.Repeat([]byte("x"), 1<<10)} {
		for range 300 {
			conn := &hasty{answer: strings.NewReader("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), taken: make(chan struct{})}
			transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { close(conn.taken) }})
			req := &connector.Request{Method: "POST", URL: "http://crm.test", Header: http.Header{"X-Sign": {"1"}, "X-Time": {"2"}}, Body: body}
			var l loan
			var buf bytes.Buffer
			if _, f := exchange(ctx, transport, req, &l, time.Minute, &buf); f == nil && l.over() {
				clear(req.Header)
			}
			transport.CloseIdleConnections()
		}
	}
}

// TestTraceIsUsedOnce: a dial that lost against a connection that came free goes on, and reads the trace of a request that
// is long over.
func TestTraceIsUsedOnce(t *testing.T) {
	began, held, dialled := make(chan struct{}), make(chan struct{}), make(chan struct{})
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/hold" {
			<-dialled
		}
	}))
	defer server.Close()
	transport, _ := server.Client().Transport.(*http.Transport)
	var dials atomic.Int64
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		switch dials.Add(1) {
		case 1:
			close(began)
		case 2:
			close(dialled)
			<-held
		}
		return new(net.Dialer).DialContext(context.WithoutCancel(ctx), network, addr)
	}
	call := func(path string, l *loan) {
		var buf bytes.Buffer
		req := &connector.Request{Method: "POST", URL: server.URL + path, Header: http.Header{}, Body: []byte("x")}
		if _, f := exchange(t.Context(), transport, req, l, time.Minute, &buf); f != nil {
			t.Error(f)
		}
	}
	var first, second loan
	var work sync.WaitGroup
	work.Go(func() { call("/hold", &first) })
	<-began
	call("/", &second)
	work.Wait()
	close(held)
	for range 50 {
		call("/", &second)
	}
}
