package receiver

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/inbox"
	"github.com/sluicehq/sluice/internal/ssrf"
)

// Options of New.
type Options struct {
	Inbox     *inbox.Inbox // opened by the caller, who closes it after Serve
	Log       *slog.Logger
	Clock     func() time.Time
	Endpoints []Endpoint
	Limits    Limits
	// TrustedProxies are the networks whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// Calls guards the calls of Fetchers, whose hooks check the host themselves; Confirms those of Confirmers, for which
	// it lists the hosts. nil: such calls are not made.
	Calls, Confirms *ssrf.Guard
	Token           connector.Secret // of the API; zero: no API
	Dir             string           // of the inbox, for the free space of its disk
	MinFree         int64            // bytes of free space below which the receiver is not ready; default 64 MiB
	TrimEvery       time.Duration    // default 1 minute
	StopWithin      time.Duration    // for what is in flight at the end; default 8 s
	// HeaderWithin and RequestWithin bound the time that a sender may take; default 5 and 30 s.
	HeaderWithin, RequestWithin time.Duration
}

func (o *Options) defaults() {
	o.Limits.defaults()
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.MinFree <= 0 {
		o.MinFree = 64 << 20
	}
	for _, d := range []struct {
		at  *time.Duration
		def time.Duration
	}{
		{&o.TrimEvery, time.Minute},
		{&o.StopWithin, 8 * time.Second},
		{&o.HeaderWithin, 5 * time.Second},
		{&o.RequestWithin, 30 * time.Second},
	} {
		if *d.at <= 0 {
			*d.at = d.def
		}
	}
}

// Receiver is the HTTP server. Serve runs it once.
type Receiver struct {
	opts      Options
	box       *inbox.Inbox
	reader    *inbox.Reader // of the API: its long reads must not hold up those of health and metrics
	endpoints endpoints
	sources   sources
	rates     *rates
	slots     gate
	bodies    gate
	tickets   *tickets
	patience  patience
	later     *later
	metrics   *metrics
	quiet     *quiet
	stopping  chan struct{} // closed when Serve begins to stop
}

// New prepares a receiver and fills its memory of tickets from the inbox.
func New(ctx context.Context, o Options) (*Receiver, error) {
	o.defaults()
	byPath, err := newEndpoints(o.Endpoints)
	if err != nil {
		return nil, err
	}
	reader, err := inbox.OpenReader(o.Dir)
	if err != nil {
		return nil, err
	}
	r := &Receiver{
		opts: o, box: o.Inbox, reader: reader, endpoints: byPath, sources: sources{o.TrustedProxies}, rates: newRates(o.Limits.Rate),
		slots: gate{most: int64(o.Limits.InFlight)}, bodies: gate{most: o.Limits.Bodies}, tickets: newTickets(maxTickets),
		quiet: newQuiet(time.Second), stopping: make(chan struct{}),
	}
	r.later = newLater(r)
	r.metrics = newMetrics(r)
	if err := r.tickets.remember(ctx, reader, o.Clock()); err != nil {
		return nil, errors.Join(err, reader.Close())
	}
	return r, nil
}

// Listeners are where a receiver listens. It closes them.
type Listeners struct {
	Public    net.Listener
	PublicTLS *tls.Config // nil: plain
	Admin     net.Listener
	AdminTLS  *tls.Config
}

// Serve runs until ctx is cancelled; then it accepts nothing new, answers what is in flight, and returns nil. An error
// means that a listener broke.
func (r *Receiver) Serve(ctx context.Context, l Listeners) error {
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var work sync.WaitGroup
	work.Go(func() { r.trim(run) })
	work.Go(func() { r.later.run(run) })
	limited := limitListener(l.Public, r.opts.Limits.Connections, r.opts.TrustedProxies)
	r.metrics.watch(limited)
	public := r.server(r)
	admin := r.server(r.adminHandler())
	broken := make(chan error, 2)
	work.Go(func() { broken <- serve(public, limited, l.PublicTLS) })
	work.Go(func() { broken <- serve(admin, l.Admin, l.AdminTLS) })
	var err error
	select {
	case err = <-broken:
	case <-ctx.Done():
	}
	close(r.stopping)
	stop, done := context.WithTimeout(run, r.opts.StopWithin)
	defer done()
	if public.Shutdown(stop) != nil {
		r.opts.Log.Warn("requests were still in flight at the end; they were not answered, so they are sent again", "waited", r.opts.StopWithin)
		_ = public.Close()
	}
	_ = admin.Close()
	cancel()
	work.Wait()
	return errors.Join(err, r.reader.Close())
}

// server has the limits in time and size that a server on the open network needs. It speaks HTTP/1.1 alone: one
// connection is one request at a time, so the limits of connections hold.
func (r *Receiver) server(h http.Handler) *http.Server {
	var plain http.Protocols
	plain.SetHTTP1(true)
	return &http.Server{
		Handler: h, Protocols: &plain, MaxHeaderBytes: 16<<10 - 4096, // the server adds 4,096
		ReadHeaderTimeout: r.opts.HeaderWithin, ReadTimeout: r.opts.RequestWithin, WriteTimeout: r.opts.RequestWithin + 10*time.Second,
		IdleTimeout: 60 * time.Second, ErrorLog: slog.NewLogLogger(r.opts.Log.Handler(), slog.LevelDebug),
	}
}

func serve(s *http.Server, ln net.Listener, cfg *tls.Config) error {
	if cfg != nil {
		ln = tls.NewListener(ln, cfg)
	}
	if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return connector.Internalf("Start it again", "the listener %s broke: %w", ln.Addr(), err)
	}
	return nil
}

// trim keeps the inbox within what it may keep.
func (r *Receiver) trim(ctx context.Context) {
	tick := time.NewTicker(r.opts.TrimEvery)
	defer tick.Stop()
	waits := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		t, err := r.box.Trim(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			r.opts.Log.Error("the inbox could not be trimmed", "error", err)
		case t.Records > 0:
			r.opts.Log.Info("old requests were removed", "records", t.Records, "up_to", t.Floor)
		}
		if err == nil && t.Waits != waits {
			if waits = t.Waits; waits != "" {
				r.opts.Log.Warn("the inbox keeps more than it should, because a consumer has not come so far", "consumer", waits)
			}
		}
		r.metrics.waits(err == nil && waits != "")
	}
}

// quiet lets one message of a kind through in a while.
type quiet struct {
	every time.Duration
	mu    sync.Mutex
	last  map[string]time.Time // by kind; kinds are few
}

func newQuiet(every time.Duration) *quiet { return &quiet{every: every, last: map[string]time.Time{}} }

func (q *quiet) now(kind string, at time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if last, ok := q.last[kind]; ok && at.Sub(last) < q.every {
		return false
	}
	q.last[kind] = at
	return true
}
