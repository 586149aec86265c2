package pipeline

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
)

// The planted defects: each is a loop that breaks one promise, made by a wrapper between the real loop and the checked
// world. TestCheckerCatches shows that the checker sees each of them, and sees nothing in the loop as it is.

type mutantReader struct {
	connector.Reader
	read func(connector.Batch) connector.Batch
	ack  func(ctx context.Context, s connector.Settled, next func(connector.Settled) error) error
}

func (m *mutantReader) Read(ctx context.Context) (connector.Batch, error) {
	b, err := m.Reader.Read(ctx)
	if err == nil && m.read != nil {
		b = m.read(b)
	}
	return b, err
}

func (m *mutantReader) Ack(ctx context.Context, s connector.Settled) error {
	next := func(s connector.Settled) error { return m.Reader.Ack(ctx, s) }
	if m.ack == nil {
		return next(s)
	}
	return m.ack(ctx, s, next)
}

type (
	doneFunc  = func([]connector.RowResult, error)
	writeFunc = func(connector.Batch, doneFunc) error
)

type mutantWriter struct {
	connector.Writer
	write func(b connector.Batch, done doneFunc, next writeFunc) error
	close func(next writeFunc) error
}

func (m *mutantWriter) Write(ctx context.Context, b connector.Batch, done func([]connector.RowResult, error)) error {
	return m.write(b, done, func(b connector.Batch, done doneFunc) error { return m.Writer.Write(ctx, b, done) })
}

func (m *mutantWriter) Close() error {
	if m.close != nil {
		next := func(b connector.Batch, done doneFunc) error { return m.Writer.Write(context.Background(), b, done) }
		if err := m.close(next); err != nil {
			return err
		}
	}
	return m.Writer.Close()
}

type rejectsFunc func(context.Context, []Reject) error

func (f rejectsFunc) Write(ctx context.Context, list []Reject) error { return f(ctx, list) }

func onAck(j *joint, ack func(context.Context, connector.Settled, func(connector.Settled) error) error) {
	j.Reader = &mutantReader{Reader: j.Reader, ack: ack}
}

func onWrite(j *joint, write func(connector.Batch, doneFunc, writeFunc) error) {
	j.Writer = &mutantWriter{Writer: j.Writer, write: write}
}

var mutants = []struct {
	name   string
	want   string // what the checker must say
	mutate func(*joint)
}{
	{"drops a row", "is early", func(j *joint) {
		onWrite(j, func(b connector.Batch, done doneFunc, next writeFunc) error {
			if b.NumRows() > 1 {
				whole := b.Rows
				b.Rows = whole.NewSlice(0, whole.NumRows()-1)
				whole.Release()
			}
			return next(b, done)
		})
	}},
	{"drops a batch", "is early", func(j *joint) {
		n := 0
		onWrite(j, func(b connector.Batch, done doneFunc, next writeFunc) error {
			if n++; n == 3 {
				b.Rows.Release()
				done(nil, nil)
				return nil
			}
			return next(b, done)
		})
	}},
	{"writes a batch twice", "written twice", func(j *joint) {
		n := 0
		onWrite(j, func(b connector.Batch, done doneFunc, next writeFunc) error {
			if n++; n == 3 {
				b.Rows.Retain()
				if err := next(b, func([]connector.RowResult, error) {}); err != nil {
					return err
				}
			}
			return next(b, done)
		})
	}},
	{"swaps two batches", "out of order", func(j *joint) {
		type held struct {
			b    connector.Batch
			done doneFunc
		}
		var one *held
		first := true
		j.Window = 1 << 20 // room for the next batch, or the one held back would wait for ever
		m := &mutantWriter{Writer: j.Writer, write: func(b connector.Batch, done doneFunc, next writeFunc) error {
			if first {
				first, one = false, &held{b, done}
				return nil
			}
			if err := next(b, done); err != nil || one == nil {
				return err
			}
			h := one
			one = nil
			return next(h.b, h.done)
		}}
		j.Writer = m
	}},
	{"takes an error for a success", "is early", func(j *joint) {
		j.check.failOp, j.check.failAt = "done", 2
		onWrite(j, func(b connector.Batch, done doneFunc, next writeFunc) error {
			return next(b, func(rejected []connector.RowResult, _ error) { done(rejected, nil) })
		})
	}},
	{"does not hear that rows were rejected", "is early", func(j *joint) {
		onWrite(j, func(b connector.Batch, done doneFunc, next writeFunc) error {
			return next(b, func(_ []connector.RowResult, err error) { done(nil, err) })
		})
	}},
	{"acks when it reads", "is early", func(j *joint) {
		inner := j.Reader
		j.Reader = &mutantReader{Reader: inner, read: func(b connector.Batch) connector.Batch {
			_ = inner.Ack(context.Background(), connector.Settled{Pos: b.Pos, Rows: b.NumRows()})
			return b
		}, ack: func(context.Context, connector.Settled, func(connector.Settled) error) error { return nil }}
	}},
	{"acks twice", "out of order", func(j *joint) {
		onAck(j, func(_ context.Context, s connector.Settled, next func(connector.Settled) error) error {
			if err := next(s); err != nil {
				return err
			}
			return next(s)
		})
	}},
	{"acks out of order", "out of order", func(j *joint) {
		var held *connector.Settled
		onAck(j, func(_ context.Context, s connector.Settled, next func(connector.Settled) error) error {
			if held == nil {
				held = &s
				return nil
			}
			first := *held
			held = nil
			if err := next(s); err != nil {
				return err
			}
			return next(first)
		})
	}},
	{"forgets an ack", "were acked", func(j *joint) {
		n := 0
		onAck(j, func(_ context.Context, s connector.Settled, next func(connector.Settled) error) error {
			if n++; n == len(j.check.scenario.batches) {
				return nil
			}
			return next(s)
		})
	}},
	{"skips acks without a position", "out of order", func(j *joint) {
		onAck(j, func(_ context.Context, s connector.Settled, next func(connector.Settled) error) error {
			if s.Pos == nil {
				return nil
			}
			return next(s)
		})
	}},
	{"acks beside itself", "beside itself", func(j *joint) {
		j.check.slowAck = 100 * time.Millisecond
		onAck(j, func(_ context.Context, s connector.Settled, next func(connector.Settled) error) error {
			go func() { _ = next(s) }()
			return nil
		})
	}},
	{"acks on after an ack that failed", "after an Ack that failed", func(j *joint) {
		j.check.failOp, j.check.failAt = "ack", 3
		onAck(j, func(_ context.Context, s connector.Settled, next func(connector.Settled) error) error {
			_ = next(s)
			return nil
		})
	}},
	{"does not tell the reader which rows were rejected", "does not tell", func(j *joint) {
		onAck(j, func(_ context.Context, s connector.Settled, next func(connector.Settled) error) error {
			s.Rejected = nil
			return next(s)
		})
	}},
	{"acks before the dead letter is durable", "is early", func(j *joint) {
		inner := j.Rejects
		j.Rejects = rejectsFunc(func(ctx context.Context, list []Reject) error {
			kept := slices.Clone(list)
			go func() {
				<-time.After(time.Second)
				_ = inner.Write(ctx, kept)
			}()
			return nil
		})
	}},
	{"loses a dead letter", "is early", func(j *joint) {
		inner := j.Rejects
		j.Rejects = rejectsFunc(func(ctx context.Context, list []Reject) error { return inner.Write(ctx, list[1:]) })
	}},
	{"writes a dead letter twice", "two dead letters", func(j *joint) {
		inner := j.Rejects
		j.Rejects = rejectsFunc(func(ctx context.Context, list []Reject) error {
			return inner.Write(ctx, append(slices.Clone(list), list[0]))
		})
	}},
	{"gives a dead letter another row", "dead letter", func(j *joint) {
		inner := j.Rejects
		j.Rejects = rejectsFunc(func(ctx context.Context, list []Reject) error {
			list = slices.Clone(list)
			for i := range list {
				list[i].Row = []byte(`{"id":0,"text":"row 0"}`)
			}
			return inner.Write(ctx, list)
		})
	}},
	{"saves the position after the ack", "not saved before", func(j *joint) {
		save := j.Checkpoint
		var late connector.Position
		j.Checkpoint = func(ctx context.Context, pos connector.Position) (err error) {
			if late != nil {
				err = save(ctx, late)
			}
			late = pos
			return err
		}
	}},
	{"saves a position too early", "saved early", func(j *joint) {
		inner, n := j.Reader, 0
		j.Reader = &mutantReader{Reader: inner, read: func(b connector.Batch) connector.Batch {
			if n++; b.Pos != nil && n > 2 {
				j.check.save(b.Pos)
			}
			return b
		}}
	}},
	{"reads without bound", "unbounded", func(j *joint) {
		j.Window = 1 << 30
	}},
	{"forgets a row in the report", "does not add up", func(j *joint) {
		j.report = func(r *Report) { r.Delivered-- }
	}},
	{"counts a rejected row as delivered", "does not add up", func(j *joint) {
		j.report = func(r *Report) { r.Delivered, r.Rejected = r.Delivered+1, r.Rejected-1 }
	}},
	{"keeps a record", "leak", func(j *joint) {
		plans := j.Plans
		j.Plans = func(stream string, schema *arrow.Schema) ([]connector.Plan, error) {
			list, err := plans(stream, schema)
			return []connector.Plan{leakyPlan{list[0]}}, err
		}
	}},
}

type leakyPlan struct{ connector.Plan }

func (p leakyPlan) Apply(ctx context.Context, in arrow.Record, skip []connector.RowResult) (connector.Applied, error) {
	in.Retain()
	return p.Plan.Apply(ctx, in, skip)
}

// mutantScenario has something of everything, and the same for all mutants.
func mutantScenario() scenario {
	s := scenario{seed: 3, streams: 1, window: 3000, most: -1, filter: 10, refuse: 5, planned: 5, vendor: 8, explode: 10, queue: 4, slowAck: time.Millisecond}
	for i := range 20 {
		s.batches = append(s.batches, 10+i%5)
	}
	return s
}

func TestCheckerCatches(t *testing.T) {
	if o := play(t, mutantScenario(), nil); o.err != nil || len(o.faults) > 0 {
		t.Fatalf("the loop as it is: %v %q", o.err, o.faults)
	}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			o := play(t, mutantScenario(), m.mutate)
			if !slices.ContainsFunc(o.faults, func(f string) bool { return strings.Contains(f, m.want) }) {
				t.Errorf("not caught: want %q, got %q (err %v)", m.want, o.faults, o.err)
			}
		})
	}
}
