package echo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
)

// Plans finds the plans of a stream and schema.
type Plans = func(stream string, schema *arrow.Schema) ([]connector.Plan, error)

// Config says what a Gate stands between. Dir, Source, Target and Canonical are needed.
type Config struct {
	Dir string // of the memory; the relay the other way uses the same
	// Source and Target name the accounts, alike in both relays.
	Source, Target string
	// Events: the rows are changes, else states.
	Events bool
	// Retry: the rows are rejects of the relay, sent again; Edited: a person may have changed them.
	Retry, Edited bool
	// SourceDemands and TargetDemands are canonical columns that the vendors demand with every write. A row without one is
	// completed by what the target holds there, as far as that is known.
	SourceDemands, TargetDemands []string
	// Canonical is the user's mapping alone, without the target's dialect: it tells what will be written.
	Canonical Plans
	Alloc     memory.Allocator
	Log       *slog.Logger
}

// Gate keeps what a relay wrote from going back. It serves one run: Reader goes around the run's reader, Plans around its
// mapping, and both must.
type Gate struct {
	Config
	store   *store
	run     string
	dropped atomic.Int64
	// repeated counts rows that this run rejected and read again as they were.
	repeated atomic.Int64
	// overtaken counts rows of a retry that were left out, and shortened those that lost some of their fields, because the
	// source told later ones.
	overtaken, shortened atomic.Int64
	held                 sync.Once // the log has spoken of a field that was held

	mu      sync.Mutex
	flights []*flight // batches read and not acked, in order
	applied int       // of these, those that went through Apply
}

// flight is a batch on its way.
type flight struct {
	asked time.Time // when its rows were asked for, or before
	notes []noted
	left  []int // rows that do not pass
}

// noted is one thing that the store was told because of a row.
type noted struct {
	id, field string
	order     int64
	row       int
	target    bool // it is a write
}

// Open opens the memory, and makes it if there is none. Errors are Config errors or the file system's.
func Open(ctx context.Context, c Config) (*Gate, error) {
	if c.Alloc == nil {
		c.Alloc = memory.DefaultAllocator
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Source == c.Target {
		return nil, connector.Configf("Name another account in `from:` or in `to:`", "the relay reads and writes the same account, %s", c.Source)
	}
	s, err := openStore(ctx, c.Dir)
	if err != nil {
		return nil, err
	}
	return &Gate{Config: c, store: s, run: rand.Text()}, nil
}

// Close closes the memory.
func (g *Gate) Close() error { return g.store.close() }

// Dropped returns how many rows did not pass because they told nothing new. They count as filtered.
func (g *Gate) Dropped() int64 { return g.dropped.Load() }

// Repeated returns how many rows did not pass because this run had rejected them, and they came again unchanged. They count
// as filtered.
func (g *Gate) Repeated() int64 { return g.repeated.Load() }

// Overtaken returns how many rows of a retry did not pass because their source told later values, and how many passed
// without some of their fields for that reason. The former count as filtered.
func (g *Gate) Overtaken() (rows, shortened int64) { return g.overtaken.Load(), g.shortened.Load() }

// Reader returns r with the bookkeeping of a Gate. It takes r over.
func (g *Gate) Reader(r connector.Reader) connector.Reader { return &reader{r, g} }

type reader struct {
	connector.Reader
	gate *Gate
}

// Read notes when the rows were asked for. A Reader that asks ahead says so itself.
func (r *reader) Read(ctx context.Context) (connector.Batch, error) {
	f := &flight{asked: time.Now()}
	b, err := r.Reader.Read(ctx)
	if err != nil || b.NumRows() == 0 {
		return b, err
	}
	if ahead, ok := r.Reader.(interface{ Asked() time.Time }); ok {
		f.asked = ahead.Asked()
	}
	g := r.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	g.flights = append(g.flights, f)
	return b, nil
}

// Ack settles what was noted of the batch's rows. A Reader with a method LeftOut is told before, which rows did not pass.
func (r *reader) Ack(ctx context.Context, s connector.Settled) error {
	if s.Rows == 0 {
		return r.Reader.Ack(ctx, s)
	}
	g := r.gate
	g.mu.Lock()
	f := g.flights[0]
	g.flights = g.flights[1:]
	g.applied = max(g.applied-1, 0)
	g.mu.Unlock()
	if err := g.settle(ctx, f, s); err != nil {
		return err
	}
	if told, ok := r.Reader.(interface{ LeftOut(rows []int) }); ok {
		told.LeftOut(f.left)
	}
	return r.Reader.Ack(ctx, s)
}

func (g *Gate) settle(ctx context.Context, f *flight, s connector.Settled) error {
	if len(f.notes) == 0 {
		return nil
	}
	refused := make(map[int]bool, len(s.Rejected))
	for _, r := range s.Rejected {
		refused[r.Row] = true
	}
	return g.store.write(ctx, func(n *note) error {
		for _, d := range f.notes {
			known, err := n.contact(d.id)
			if err != nil {
				return err
			}
			field := known[d.field]
			switch {
			case field == nil: // forgotten meanwhile
			case d.target && refused[d.row]:
				field.takeBack(d.order)
			case refused[d.row]:
				field.refuse(d.order, g.run)
			default:
				field.settle(d.order, n.now)
			}
		}
		return nil
	})
}

// Plans returns inner behind the Gate.
func (g *Gate) Plans(inner Plans) Plans {
	return func(stream string, schema *arrow.Schema) ([]connector.Plan, error) {
		plans, err := inner(stream, schema)
		if err != nil || len(plans) == 0 {
			return nil, err
		}
		canonical, err := g.Canonical(stream, schema)
		if err != nil {
			return nil, err
		}
		if len(plans) != 1 || len(canonical) != 1 {
			return nil, connector.Internalf("Report this", "the stream %s has %d plans, and a relay can watch one", stream, len(plans))
		}
		return []connector.Plan{&plan{Plan: plans[0], gate: g, canonical: canonical[0]}}, nil
	}
}

// next is the flight of the batch that is mapped now. The pipeline maps batches in the order read.
func (g *Gate) next() (*flight, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.applied == len(g.flights) {
		return nil, errors.New("echo: a batch is mapped that was not read through the gate")
	}
	g.applied++
	return g.flights[g.applied-1], nil
}

// plan is a mapping behind a Gate. Unlike others it is not safe for concurrent use.
type plan struct {
	connector.Plan
	gate      *Gate
	canonical connector.Plan
}

// Apply leaves the rows out that tell nothing new, and takes the fields that tell nothing new out of the others.
func (p *plan) Apply(ctx context.Context, in arrow.Record, skip []connector.RowResult) (connector.Applied, error) {
	f, err := p.gate.next()
	if err != nil {
		return connector.Applied{}, err
	}
	j := judging{plan: p, ctx: ctx, in: in, asked: f.asked, skip: skip}
	defer j.release()
	err = p.gate.store.write(ctx, func(n *note) error {
		j.note = n
		return j.all()
	})
	if err != nil {
		return connector.Applied{}, fmt.Errorf("loop protection: %w", err)
	}
	f.notes, f.left = j.noted, j.left // the settling begins only when this batch is answered
	p.gate.dropped.Add(j.dropped)
	p.gate.repeated.Add(j.repeated)
	p.gate.overtaken.Add(j.overtaken)
	for _, i := range j.short {
		if _, out := slices.BinarySearch(j.left, i); !out {
			p.gate.shortened.Add(1)
		}
	}
	made, err := p.Plan.Apply(ctx, j.out, j.skip)
	for i := range made.Rejected {
		j.explain(&made.Rejected[i])
	}
	return made, err
}
