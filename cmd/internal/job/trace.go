package job

import (
	"log/slog"
	"net/http"
	"time"
)

// traced logs each call: where it went, what came back, how long it took. Never what it held.
type traced struct {
	next http.RoundTripper
	log  *slog.Logger
}

func (t traced) RoundTrip(req *http.Request) (*http.Response, error) {
	start := time.Now()
	resp, err := t.next.RoundTrip(req)
	took := time.Since(start).Round(time.Millisecond)
	switch {
	case err != nil:
		t.log.Debug("request", "method", req.Method, "path", req.URL.Path, "bytes", req.ContentLength, "error", err.Error(), "took", took)
	default:
		t.log.Debug("request", "method", req.Method, "path", req.URL.Path, "bytes", req.ContentLength, "status", resp.StatusCode, "took", took)
	}
	return resp, err
}

// CloseIdleConnections passes on to the transport.
func (t traced) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
