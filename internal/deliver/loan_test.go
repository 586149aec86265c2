package deliver

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
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
