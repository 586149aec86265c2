package pipeline

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
)

// injector makes the n-th call of one operation fail, or panic.
type injector struct {
	*scenario
	mu sync.Mutex
	n  int
}

func (i *injector) hit(op string) error {
	if i.failOp != op {
		return nil
	}
	i.mu.Lock()
	i.n++
	now := i.n == i.failAt
	i.mu.Unlock()
	switch {
	case !now:
		return nil
	case i.panics:
		panic(errInjected)
	}
	return fmt.Errorf("%s: %w", op, errInjected)
}

// faulty wraps reader, writer, plan and disk with the injector; it sits on the world's side of the checker.
type faultyReader struct {
	connector.Reader
	*injector
	reads int
	stop  context.CancelCauseFunc
}

func (r *faultyReader) Open(ctx context.Context, from connector.Position) error {
	if err := r.hit("open reader"); err != nil {
		return err
	}
	return r.Reader.Open(ctx, from)
}

func (r *faultyReader) Read(ctx context.Context) (connector.Batch, error) {
	if r.reads++; r.reads == r.stopAt {
		r.stop(errStopped)
	}
	if err := r.hit("read"); err != nil {
		return connector.Batch{}, err
	}
	return r.Reader.Read(ctx)
}

func (r *faultyReader) Ack(ctx context.Context, s connector.Settled) error {
	if err := r.hit("ack"); err != nil {
		return err
	}
	return r.Reader.Ack(ctx, s)
}

type faultyWriter struct {
	connector.Writer
	*injector
}

func (w *faultyWriter) Open(ctx context.Context) error {
	if err := w.hit("open writer"); err != nil {
		return err
	}
	return w.Writer.Open(ctx)
}

func (w *faultyWriter) Write(ctx context.Context, b connector.Batch, done func([]connector.RowResult, error)) (err error) {
	returned := false
	defer func() {
		if err != nil || !returned { // failed or panicked before the world took the batch
			b.Rows.Release()
		}
	}()
	if err = w.hit("write"); err != nil {
		return err
	}
	returned = true
	b.Rows.Retain() // the world's own
	err = w.Writer.Write(ctx, b, done)
	if err == nil {
		b.Rows.Release()
	}
	return err
}

func (w *faultyWriter) Close() error {
	if err := w.Writer.Close(); err != nil {
		return err
	}
	return w.hit("close writer")
}

type faultyPlan struct {
	plan
	*injector
}

func (p faultyPlan) Stream() string        { return p.plan.Stream() }
func (p faultyPlan) Schema() *arrow.Schema { return p.plan.Schema() }

func (p faultyPlan) Apply(ctx context.Context, in arrow.Record, skip []connector.RowResult) (connector.Applied, error) {
	if err := p.hit("apply"); err != nil {
		return connector.Applied{}, err
	}
	return p.plan.Apply(ctx, in, skip)
}

// disk takes the dead letters.
type letterDisk struct{ *injector }

func (d letterDisk) Write(ctx context.Context, _ []Reject) error {
	if err := d.hit("reject"); err != nil {
		return err
	}
	return pause(ctx, d.slowDisk)
}

// joint is what a run joins, where a mutant can get between the world and the loop.
type joint struct {
	Config
	check  *checker
	report func(*Report)
}

var errStopped = fmt.Errorf("signal: %w", context.Canceled)

type outcome struct {
	faults []string
	report Report
	err    error
	took   time.Duration
	seen   []Report // by Observe
}

// play runs a scenario in a bubble; mutate may be nil.
func play(t *testing.T, s scenario, mutate func(*joint)) (o outcome) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		ctx, stop := context.WithCancelCause(t.Context())
		defer stop(nil)
		inject := &injector{scenario: &s}
		check := newChecker(&s)
		world := &crm{scenario: &s, fail: func() error { return inject.hit("done") }}
		j := &joint{check: check, report: func(*Report) {}}
		j.Reader = &checkedReader{Reader: &faultyReader{
			Reader: &source{scenario: &s, mem: mem}, injector: inject, stop: stop,
		}, checker: check}
		j.Writer = &checkedWriter{&faultyWriter{world, inject}, check}
		j.Rejects = &checkedRejects{letterDisk{inject}, check}
		j.Checkpoint = func(_ context.Context, pos connector.Position) error {
			if err := inject.hit("checkpoint"); err != nil {
				return err
			}
			check.save(pos)
			return nil
		}
		j.Plans = func(stream string, _ *arrow.Schema) (plans []connector.Plan, err error) {
			if err := inject.hit("plans"); err != nil {
				return nil, err
			}
			for v := range s.variants(s.streamIndex(stream)) {
				plans = append(plans, faultyPlan{plan{&s, mem, stream, v}, inject})
			}
			return plans, nil
		}
		j.Window, j.Limit = s.window, s.limit
		if s.most >= 0 {
			j.MaxRejects = &s.most
		}
		j.Observe = func(r Report) { o.seen = append(o.seen, r) }
		if mutate != nil {
			mutate(j)
		}
		start := time.Now()
		report, err := Run(ctx, j.Config)
		o.report, o.err, o.took = report, err, time.Since(start)
		j.report(&report)
		o.faults = check.end(report, err)
		<-time.After(time.Hour) // what a mutant still does behind our back
		if n := mem.CurrentAlloc(); n != 0 {
			o.faults = append(o.faults, fmt.Sprintf("leak: %d bytes of records were not released", n))
		}
	})
	return o
}

// randomScenario draws a world from a seed.
func randomScenario(seed uint64) scenario {
	rng := rand.New(rand.NewPCG(seed, 7))
	percent := func(most int) int { return max(0, rng.IntN(2*most)-most) } // half of the time none
	s := scenario{
		seed: seed, streams: 1 + rng.IntN(3), window: int64(400 + rng.IntN(20_000)), most: -1,
		filter: percent(40), refuse: percent(10), planned: percent(20), vendor: percent(20), explode: percent(50),
		queue: 1 + rng.IntN(20), unknown: rng.IntN(4) == 0,
		slowAck: time.Duration(percent(30)) * time.Millisecond, slowDisk: time.Duration(percent(30)) * time.Millisecond,
	}
	for range 1 + rng.IntN(25) {
		rows := rng.IntN(30)
		if rng.IntN(6) == 0 {
			rows = 0
		}
		s.batches = append(s.batches, rows)
	}
	return s
}
