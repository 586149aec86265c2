package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// stopTimeout is how long a stopping server waits for requests in flight before it closes their connections.
const stopTimeout = 5 * time.Second

// Running is a Server on a port.
type Running struct {
	URL    string // such as http://127.0.0.1:8089
	server *http.Server
	cancel context.CancelFunc
	done   chan error
}

// Start puts the server on addr and returns at once; the caller must Stop it. An address without a host is 127.0.0.1's;
// port 0 picks a free one.
func (s *Server) Start(addr string) (*Running, error) {
	if s.err != nil {
		return nil, &connector.Error{Kind: connector.KindConfig, What: s.err.Error(), Fix: "mend the faults"}
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, connector.Configf("write the address as host:port, such as 127.0.0.1:8089", "sandbox address %q: %w", addr, err)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	ln, err := new(net.ListenConfig).Listen(context.Background(), "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, connector.Configf("choose another port, or 0 for any free one", "the sandbox cannot listen on %s: %w", addr, err)
	}
	// Latencies and stalls end with the base context, so that a stop does not wait for them.
	ctx, cancel := context.WithCancel(context.Background())
	r := &Running{URL: "http://" + ln.Addr().String(), cancel: cancel, done: make(chan error, 1)}
	r.server = &http.Server{
		Handler: s, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    log.New(io.Discard, "", 0), // what clients do to their connections is theirs; the journal has the requests
	}
	go func() { r.done <- r.server.Serve(ln) }()
	return r, nil
}

// Stop ends the server: no new connections, requests in flight get five seconds, those that only wait are cut short.
func (r *Running) Stop() error {
	r.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	err := r.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = r.server.Close()
	}
	if serveErr := <-r.done; serveErr != nil && !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	if err != nil {
		return fmt.Errorf("stop sandbox: %w", err)
	}
	return nil
}

// Serve puts the server on addr (see Start), calls ready with its URL and serves until ctx is cancelled.
func (s *Server) Serve(ctx context.Context, addr string, ready func(url string)) error {
	r, err := s.Start(addr)
	if err != nil {
		return err
	}
	ready(r.URL)
	select {
	case <-ctx.Done():
		return r.Stop()
	case err := <-r.done:
		r.done <- err
		return errors.Join(err, r.Stop())
	}
}
