package receiver

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// adminHandler serves health, metrics and the API. Health and metrics hold no contact's data; the API wants the token.
func (r *Receiver) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, req *http.Request) {
		if err := r.ready(req.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(w, "ready")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(r.metrics.registry, promhttp.HandlerOpts{}))
	mux.Handle("/v1/", r.authorized(r.api()))
	return mux
}

// ready tells why requests would not be stored now; nil: they would.
func (r *Receiver) ready(ctx context.Context) error {
	select {
	case <-r.stopping:
		return errors.New("the receiver is stopping")
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	s, err := r.box.Stats(ctx)
	if err == nil {
		err = s.Refused
	}
	if err == nil && s.Failing != nil { // it may be over, and nobody sends to a receiver that is not ready
		err = r.box.Probe(ctx)
	}
	if err != nil {
		return fmt.Errorf("the inbox takes no requests: %w", err)
	}
	free, err := freeSpace(r.opts.Dir)
	if err != nil {
		return fmt.Errorf("the disk of the inbox cannot be asked for its free space: %w", err)
	}
	if free < r.opts.MinFree {
		return fmt.Errorf("the disk of the inbox has %d MiB left, less than %d", free>>20, r.opts.MinFree>>20)
	}
	return nil
}

// authorized wants the API's token. Hashes are compared, so that the time it takes tells not even its length.
func (r *Receiver) authorized(next http.Handler) http.Handler {
	want := sha256.Sum256([]byte(r.opts.Token.Reveal()))
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		given, bearer := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
		got := sha256.Sum256([]byte(given))
		switch {
		case r.opts.Token.IsZero():
			answerError(w, http.StatusForbidden, apiError{Code: codeForbidden, Message: "this receiver has no API: admin.token is not set"})
		case !bearer || subtle.ConstantTimeCompare(got[:], want[:]) != 1:
			w.Header().Set("WWW-Authenticate", "Bearer")
			answerError(w, http.StatusUnauthorized, apiError{Code: codeForbidden, Message: "the token is missing or not the one of this receiver"})
		default:
			next.ServeHTTP(w, req)
		}
	})
}
