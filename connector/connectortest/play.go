package connectortest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/deliver"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// Play is one case of a vendor's property test: rows in batches through the delivery chain into a sandbox that fails, in
// fake time, held against a model of the vendor's.
type Play struct {
	Codec   func(stream string, schema *arrow.Schema) (connector.Codec, error)
	Service sandbox.Service
	Faults  string // in the words of sandbox.ParseFaults
	Seed    uint64 // of the faults, and of how the input dribbles
	// Concurrency is how many calls may be in flight.
	Concurrency int
	// Columns are the vendor's, all text.
	Columns []string
	Batches [][]PlayRow
	// Stored is what the CRM holds at the end, Want what it must hold: a line a record, in any order.
	Stored, Want func() []string
}

// PlayRow is one row of a Play.
type PlayRow struct {
	Values []string // by column; "" is null
	Code   string   // with which it must be refused; "": it must be delivered
}

// Rows counts the rows of all batches.
func (p *Play) Rows() (n int) {
	for _, batch := range p.Batches {
		n += len(batch)
	}
	return n
}

// Run plays the case in a bubble of its own and says what is wrong: a row that is not answered as it must be, a batch that
// is answered twice or never, counts that do not add up, a record that is not what the model says.
func (p *Play) Run(t *testing.T) (faults []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		defer mem.AssertSize(t, 0)
		fs, err := sandbox.ParseFaults(p.Faults)
		if err != nil {
			t.Fatal(err)
		}
		w := deliver.New(deliver.Config{
			Codec:       p.Codec,
			Transport:   sandbox.Transport(sandbox.New(sandbox.Options{Clock: time.Now, Seed: p.Seed, Faults: fs}, p.Service)),
			Concurrency: p.Concurrency, MaxAttempts: 60, OutageLimit: time.Hour, Alloc: mem,
		})
		if err := w.Open(context.Background()); err != nil {
			t.Fatal(err)
		}
		a := &audience{answers: make([]int, len(p.Batches))}
		for i, batch := range p.Batches {
			done := func(got []connector.RowResult, err error) { a.hear(i, batch, got, err) }
			if err := w.Write(context.Background(), connector.Batch{Stream: stream, Rows: p.record(mem, batch)}, done); err != nil {
				a.accuse("batch %d: write: %v", i, err)
			}
			if p.Seed%2 == 0 {
				<-time.After(time.Duration(p.Seed%700) * time.Millisecond)
			}
		}
		if err := w.Close(); err != nil {
			a.accuse("close: %v", err)
		}
		for i, n := range a.answers {
			if n != 1 {
				a.accuse("batch %d is answered %d times", i, n)
			}
		}
		if s := w.Stats(); int(s.Rows+s.Rejected) != p.Rows() || int(s.Rejected) != a.rejected {
			a.accuse("read %d, delivered %d, rejected %d, of these answered %d", p.Rows(), s.Rows, s.Rejected, a.rejected)
		}
		got, want := slices.Sorted(slices.Values(p.Stored())), slices.Sorted(slices.Values(p.Want()))
		if !slices.Equal(got, want) {
			a.accuse("the CRM holds\n%s\nand must hold\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		faults = a.faults
	})
	return faults
}

func (p *Play) record(mem memory.Allocator, batch []PlayRow) arrow.Record {
	fields := make([]arrow.Field, len(p.Columns))
	for i, name := range p.Columns {
		fields[i] = arrow.Field{Name: name, Type: arrow.BinaryTypes.String, Nullable: true}
	}
	b := array.NewRecordBuilder(mem, arrow.NewSchema(fields, nil))
	defer b.Release()
	for _, r := range batch {
		for i, v := range r.Values {
			if v == "" {
				b.Field(i).AppendNull()
			} else {
				b.Field(i).(*array.StringBuilder).Append(v)
			}
		}
	}
	return b.NewRecord()
}

// audience hears the answers to batches, from any goroutine.
type audience struct {
	mu       sync.Mutex // guards what follows
	answers  []int      // of each batch
	rejected int
	faults   []string
}

func (a *audience) accuse(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults = append(a.faults, fmt.Sprintf(format, args...))
}

func (a *audience) hear(i int, batch []PlayRow, got []connector.RowResult, err error) {
	codes := map[int]string{}
	for _, r := range got {
		codes[r.Row] = r.Code
	}
	for row, r := range batch {
		if err == nil && codes[row] != r.Code {
			a.accuse("batch %d, row %d %q is answered %q, want %q", i, row, r.Values, codes[row], r.Code)
		}
	}
	if err != nil {
		a.accuse("batch %d is not settled: %v", i, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers[i]++
	a.rejected += len(got)
}
