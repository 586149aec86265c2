package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
)

// Transport returns a RoundTripper that serves every request by h in the caller's goroutine, whatever its host: no
// sockets, no goroutines, so it works inside a testing/synctest bubble. Header names arrive as they would over a wire,
// in canonical form. A handler that aborts its connection (http.ErrAbortHandler) gives an error that wraps
// io.ErrUnexpectedEOF, from RoundTrip or, once the status is out, from the body. A request whose context ends gives the
// context's error; what the handler did before that stays done.
func Transport(h http.Handler) http.RoundTripper { return transport{h} }

type transport struct{ handler http.Handler }

func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	ctx := req.Context()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	rec := &recorder{header: http.Header{}}
	aborted := serveOnce(t.handler, rec, inbound(req))
	traceWritten(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if aborted && rec.status == 0 {
		return nil, fmt.Errorf("sandbox: connection closed without a reply: %w", io.ErrUnexpectedEOF)
	}
	return rec.response(req, aborted), nil
}

// traceWritten tells who traces a request that it was sent, as http.Transport does.
func traceWritten(ctx context.Context) {
	t := httptrace.ContextClientTrace(ctx)
	if t != nil && t.GotConn != nil && t.WroteRequest != nil {
		t.GotConn(httptrace.GotConnInfo{})
		t.WroteRequest(httptrace.WroteRequestInfo{})
	}
}

// inbound is the request as a server would read it from its connection.
func inbound(req *http.Request) *http.Request {
	in := &http.Request{
		Method: req.Method, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: req.Host, RemoteAddr: "192.0.2.1:1",
		Header: make(http.Header, len(req.Header)), Body: req.Body, ContentLength: req.ContentLength, RequestURI: req.URL.RequestURI(),
	}
	url := *req.URL
	url.Scheme, url.Host, url.User, url.Fragment = "", "", nil, ""
	in.URL = &url
	if in.Method == "" {
		in.Method = http.MethodGet
	}
	if in.Host == "" {
		in.Host = req.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	for name, values := range req.Header {
		name = http.CanonicalHeaderKey(name)
		in.Header[name] = append(in.Header[name], values...)
	}
	return in.WithContext(req.Context())
}

func serveOnce(h http.Handler, rec *recorder, in *http.Request) (aborted bool) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			aborted = true
		default:
			panic(v)
		}
	}()
	h.ServeHTTP(rec, in)
	return false
}

// recorder keeps what a handler writes.
type recorder struct {
	header http.Header
	sent   http.Header // as it was when the status went out
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status, r.sent = status, r.header.Clone()
	}
}

func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}

func (r *recorder) Flush() { r.WriteHeader(http.StatusOK) }

func (r *recorder) response(req *http.Request, aborted bool) *http.Response {
	r.WriteHeader(http.StatusOK)
	resp := &http.Response{
		StatusCode: r.status, Status: strings.TrimSpace(strconv.Itoa(r.status) + " " + http.StatusText(r.status)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: r.sent, Request: req, ContentLength: -1,
	}
	if n, err := strconv.ParseInt(r.sent.Get("Content-Length"), 10, 64); err == nil {
		resp.ContentLength = n
	}
	var body io.Reader = &r.body
	if aborted {
		body = io.MultiReader(body, brokenBody{})
	}
	resp.Body = io.NopCloser(body)
	return resp
}

// brokenBody is where a body ends whose connection was closed too early.
type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
