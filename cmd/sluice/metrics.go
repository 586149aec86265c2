package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/pipeline"
)

// metrics holds the gauges of a run. They are set from the run's own report, so the two cannot disagree.
type metrics struct {
	registry *prometheus.Registry
	rows     *prometheus.GaugeVec
	codes    *prometheus.GaugeVec
}

// serveMetrics serves /metrics on addr until stop is called; with addr "" nothing is served and observe passes through.
func serveMetrics(addr, vendor string, log *slog.Logger) (m *metrics, stop func(), err error) {
	if addr == "" {
		return nil, func() {}, nil
	}
	labels := prometheus.Labels{"vendor": vendor}
	m = &metrics{
		registry: prometheus.NewRegistry(),
		rows:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "sluice_run_rows", Help: "Input rows of this run by what became of them.", ConstLabels: labels}, []string{"outcome"}),
		codes:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "sluice_run_rejected_rows", Help: "Rejected rows of this run by code.", ConstLabels: labels}, []string{"code"}),
	}
	m.registry.MustRegister(m.rows, m.codes)
	ln, err := new(net.ListenConfig).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, nil, connector.Configf("Choose a free address such as 127.0.0.1:9090", "cannot serve metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(ln)
	}()
	log.Info("metrics", "url", "http://"+ln.Addr().String()+"/metrics")
	return m, func() { _ = srv.Close(); <-done }, nil
}

// observe returns a pipeline observer that sets the gauges and then calls next.
func (m *metrics) observe(next func(pipeline.Report)) func(pipeline.Report) {
	if m == nil {
		return next
	}
	return func(r pipeline.Report) {
		for outcome, n := range map[string]int64{"read": r.Read, "delivered": r.Delivered, "filtered": r.Filtered, "rejected": r.Rejected} {
			m.rows.WithLabelValues(outcome).Set(float64(n))
		}
		for code, n := range r.Codes {
			m.codes.WithLabelValues(code).Set(float64(n))
		}
		next(r)
	}
}
