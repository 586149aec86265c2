package receiver

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are those of the receiver and of its inbox. Requests to unknown addresses have an empty endpoint: what a
// stranger sends must not make series.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	calls    *prometheus.CounterVec
	acks     prometheus.Histogram
	reuse    prometheus.Counter
	waiting  prometheus.Gauge
	public   atomic.Pointer[listener]
}

func newMetrics(r *Receiver) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_receiver_requests_total", Help: "Requests by endpoint and by what became of them."}, []string{"endpoint", "outcome"}),
		calls:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_receiver_calls_total", Help: "Calls that stored requests asked for, by kind and by what became of them."}, []string{"kind", "outcome"}),
		acks: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "sluice_receiver_ack_seconds", Help: "From the first byte of the body to the acknowledgement.",
			Buckets: []float64{.002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5}}),
		reuse:   prometheus.NewCounter(prometheus.CounterOpts{Name: "sluice_receiver_token_reuse_total", Help: "Requests quarantined because their ticket was used for another body. Should be 0."}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{Name: "sluice_inbox_waits_for_consumer", Help: "1 if the inbox keeps more than its retention says, because a consumer has not come so far."}),
	}
	for _, e := range r.endpoints {
		e.count = map[string]prometheus.Counter{}
		for _, outcome := range []string{stored, duplicate} {
			e.count[outcome] = m.requests.WithLabelValues(e.Name, outcome)
		}
	}
	m.registry.MustRegister(m.requests, m.calls, m.acks, m.reuse, m.waiting, &inboxMetrics{r: r})
	return m
}

func (m *metrics) count(endpoint, outcome string) {
	m.requests.WithLabelValues(endpoint, outcome).Inc()
}

// countAt is count for an endpoint that was looked up.
func (m *metrics) countAt(e *Endpoint, outcome string) {
	if c := e.count[outcome]; c != nil {
		c.Inc()
		return
	}
	m.count(e.Name, outcome)
}

func (m *metrics) call(kind, outcome string) { m.calls.WithLabelValues(kind, outcome).Inc() }

func (m *metrics) watch(l *listener) { m.public.Store(l) }

func (m *metrics) waits(yes bool) {
	m.waiting.Set(0)
	if yes {
		m.waiting.Set(1)
	}
}

// inboxMetrics reads the state of inbox, disk and limits when it is asked.
type inboxMetrics struct{ r *Receiver }

// figure is one metric of inboxMetrics.
type figure struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func gauge(name, help string) figure {
	return figure{prometheus.NewDesc(name, help, nil, nil), prometheus.GaugeValue}
}

func total(name, help string) figure {
	return figure{prometheus.NewDesc(name, help, nil, nil), prometheus.CounterValue}
}

var (
	figHead      = gauge("sluice_inbox_head", "Sequence of the last request.")
	figFloor     = gauge("sluice_inbox_floor", "Sequence of the last request that retention has removed.")
	figBytes     = gauge("sluice_inbox_bytes", "Bytes of the requests kept.")
	figQueue     = gauge("sluice_inbox_queue_bytes", "Bytes of the requests that wait to be written.")
	figRefusing  = gauge("sluice_inbox_refusing", "1 if the inbox refuses every request until a person has acted.")
	figDamaged   = gauge("sluice_inbox_damaged", "Sequences found lost or damaged at the start or by the last verification. Should be 0.")
	figFree      = gauge("sluice_inbox_disk_free_bytes", "Free space of the inbox's disk.")
	figItems     = total("sluice_inbox_items_total", "Items of all requests.")
	figSeen      = total("sluice_inbox_items_seen_total", "Items that had come before.")
	figFailures  = total("sluice_inbox_failures_total", "Transactions that failed, for want of space or otherwise.")
	figCalls     = gauge("sluice_receiver_calls_open", "Requests whose calls are still to be made.")
	figFlight    = gauge("sluice_receiver_in_flight", "Requests that are being verified and stored.")
	figBodies    = gauge("sluice_receiver_body_bytes", "Bytes of bodies that are being read or stored.")
	figConns     = gauge("sluice_receiver_connections", "Open connections.")
	figRefused   = total("sluice_receiver_connections_refused_total", "Connections closed at once because there were too many.")
	figTickets   = gauge("sluice_receiver_tickets", "Tickets remembered against their use with another body.")
	figForgotten = total("sluice_receiver_tickets_forgotten_total", "Tickets forgotten while they were still good, because there were too many.")

	figures = []figure{
		figHead, figFloor, figBytes, figQueue, figRefusing, figDamaged, figFree, figItems, figSeen, figFailures, figCalls,
		figFlight, figBodies, figConns, figRefused, figTickets, figForgotten,
	}
)

// Describe is prometheus.Collector's.
func (*inboxMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range figures {
		ch <- f.desc
	}
}

// Collect is prometheus.Collector's. What cannot be read is left out; readiness tells of it.
func (m *inboxMetrics) Collect(ch chan<- prometheus.Metric) {
	r := m.r
	send := func(f figure, v int64) { ch <- prometheus.MustNewConstMetric(f.desc, f.kind, float64(v)) }
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if s, err := r.box.Stats(ctx); err == nil {
		send(figHead, s.Head)
		send(figFloor, s.Floor)
		send(figBytes, s.Bytes)
		send(figQueue, s.QueueBytes)
		send(figDamaged, s.Damaged)
		send(figItems, s.Items)
		send(figSeen, s.SeenItems)
		send(figFailures, s.Full+s.Failures)
		send(figCalls, s.FollowUps)
		refusing := int64(0)
		if s.Refused != nil {
			refusing = 1
		}
		send(figRefusing, refusing)
	}
	if free, err := freeSpace(r.opts.Dir); err == nil {
		send(figFree, free)
	}
	send(figFlight, r.slots.held.Load())
	send(figBodies, r.bodies.held.Load())
	if l := r.metrics.public.Load(); l != nil {
		send(figConns, l.all.held.Load())
		send(figRefused, l.refused.Load())
	}
	held, forgotten := r.tickets.stats()
	send(figTickets, int64(held))
	send(figForgotten, forgotten)
}
