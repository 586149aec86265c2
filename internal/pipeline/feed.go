package pipeline

import (
	"fmt"
	"sync/atomic"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// feed is the feeder goroutine: it maps each batch and hands the parts to the writer, in read order. After a failure it
// only empties the channel.
func (r *run) feed(in <-chan *flight) {
	plans := planCache{lookup: r.Plans}
	for f := range in {
		if r.failed() != nil || r.working.Err() != nil {
			r.drop(f, nil)
			continue
		}
		if f.rows == 0 {
			r.settle(f, nil)
			continue
		}
		if err := r.plan(&plans, f); err != nil {
			r.drop(f, err)
			continue
		}
		if f.dropped {
			r.settle(f, nil)
			continue
		}
		if err := r.apply(f); err != nil {
			f.releaseParts()
			r.drop(f, err)
			continue
		}
		r.write(f)
	}
}

// plan finds the flight's plans.
func (r *run) plan(cache *planCache, f *flight) error {
	return r.guard("compiling the mapping", func() error {
		plans, fresh, err := cache.find(f.stream, f.in.Schema())
		if err != nil {
			return fmt.Errorf("map stream %q: %w", f.stream, err)
		}
		if f.plans = plans; len(plans) > 0 {
			return nil
		}
		f.dropped, f.left = true, f.rows
		if fresh {
			r.log.Info("stream skipped: the mapping has no target for it", "stream", f.stream)
		}
		return nil
	})
}

// apply makes the flight's parts and counts their memory.
func (r *run) apply(f *flight) error {
	err := r.guard("mapping", func() error {
		for _, plan := range f.plans {
			made, err := plan.Apply(r.working, f.in, f.refused)
			if err != nil {
				return fmt.Errorf("map stream %q: %w", f.stream, err)
			}
			if made.Rows == nil {
				return connector.Internalf("This is a defect of the mapping: report it", "the mapping gave no record")
			}
			p := part{rows: made.Rows, n: int(made.Rows.NumRows()), index: made.Index, refused: made.Rejected}
			f.parts = append(f.parts, p)
			if err := checkPart(p, f.rows); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	f.left = f.countFiltered()
	return f.ticket.Grow(r.working, f.added())
}

// write hands the parts over. From here on the answers close the flight: open counts the parts before the first of them
// is written, because an answer may come before Write returns.
func (r *run) write(f *flight) {
	f.mu.Lock()
	f.open = len(f.parts)
	f.mu.Unlock()
	failed := false
	for i := range f.parts {
		p := &f.parts[i]
		b := connector.Batch{Stream: f.plans[i].Stream(), Rows: p.rows}
		p.rows = nil
		if failed || p.n == 0 {
			b.Rows.Release()
			r.answered(f, i, nil, nil)
			continue
		}
		b.Bytes = rows.Size(b.Rows)
		var once atomic.Bool
		done := func(rejected []connector.RowResult, err error) {
			if once.Swap(true) {
				r.fail(connector.Internalf("This is a defect of the writer: report it", "the writer answered a batch twice"))
				return
			}
			r.answered(f, i, rejected, err)
		}
		if err := r.guard("writing", func() error { return r.Writer.Write(r.working, b, done) }); err != nil {
			failed = true
			done(nil, fmt.Errorf("write: %w", err))
		}
	}
}

// answered takes the answer to a part, from any goroutine. It never blocks: what has to reach a disk goes to the rejecter.
func (r *run) answered(f *flight, i int, rejected []connector.RowResult, err error) {
	last, err := f.answer(i, rejected, err)
	if err != nil {
		r.fail(err)
	}
	if !last {
		return
	}
	if err != nil {
		r.drop(f, nil)
		return
	}
	if refusals := f.refusals(); len(refusals) > 0 {
		r.letter.push(parcel{f, refusals})
		return
	}
	r.settle(f, nil)
}

// settle counts the flight's rows and frees them; its position waits for its turn.
func (r *run) settle(f *flight, rejected []refusal) {
	f.release()
	f.mu.Lock()
	f.counted = true
	f.mu.Unlock()
	verdicts := verdictsOf(rejected)
	f.refused, f.parts, f.plans = verdicts, nil, nil // refused now holds what Ack tells
	limit := r.count.settle(f, verdicts, r.MaxRejects, r.MaxRejectRatio)
	if f.cut {
		f.ticket.Fail()
	} else {
		f.ticket.Settle(restBytes(f))
	}
	r.watch.touch()
	if limit != nil {
		r.fail(limit)
	}
}

// drop gives the flight up: it is never settled, and nothing behind it is acked. err nil: because of an earlier failure.
func (r *run) drop(f *flight, err error) {
	if err != nil {
		r.fail(err) // before the window lets go, so that nothing new is read
	}
	f.release()
	f.ticket.Fail()
}

func (f *flight) releaseParts() {
	for i := range f.parts {
		f.parts[i].rows.Release()
	}
	f.parts = nil
}

// planCache keeps the plans per stream and schema, the latest schema first. A source may change its schema now and then,
// so a few are kept; one that never repeats a schema must not grow the cache.
type planCache struct {
	lookup func(stream string, schema *arrow.Schema) ([]connector.Plan, error)
	known  map[string][]planned
}

type planned struct {
	schema *arrow.Schema
	plans  []connector.Plan
}

const schemasPerStream = 8

// find returns the plans; fresh: the stream was not met before.
func (c *planCache) find(stream string, schema *arrow.Schema) (plans []connector.Plan, fresh bool, err error) {
	list := c.known[stream]
	for i, p := range list {
		if p.schema == schema || p.schema.Equal(schema) {
			copy(list[1:i+1], list[:i])
			list[0] = p
			return p.plans, false, nil
		}
	}
	plans, err = c.lookup(stream, schema)
	if err != nil {
		return nil, false, err
	}
	if c.known == nil {
		c.known = make(map[string][]planned)
	}
	fresh = len(list) == 0
	list = append([]planned{{schema, plans}}, list...)
	c.known[stream] = list[:min(len(list), schemasPerStream)]
	return plans, fresh, nil
}
