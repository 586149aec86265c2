package connectortest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/deliver"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// Load is rows that come as fast as they are taken, in batches of one size after another.
type Load struct {
	Codec   func(stream string, schema *arrow.Schema) (connector.Codec, error)
	Service func() sandbox.Service // a fresh one
	Pace    connector.Pace
	Columns []string             // the vendor's, all text
	Row     func(i int) []string // good rows of different people
	Rows    int                  // in all
	Latency string               // of a call, in the words of sandbox.ParseFaults: "latency@800ms"
	Late    time.Duration        // how long the verdicts on the last request may take, where they come later
}

// BatchSizes are the sizes of input batches that Throughput tries.
var BatchSizes = []int{1, 7, 100, 999, 1000, 10_000}

// Throughput delivers the load at the vendor's pace, in fake time, and wants requests to be full whatever the size of the
// input batches, and the vendor's pace to be kept and used.
func Throughput(t *testing.T, l Load) {
	t.Helper()
	for _, size := range BatchSizes {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { l.run(t, size) })
		})
	}
}

func (l *Load) run(t *testing.T, size int) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	faults, err := sandbox.ParseFaults(l.Latency)
	if err != nil {
		t.Fatal(err)
	}
	perCall := 0
	w := deliver.New(deliver.Config{
		Codec: func(stream string, schema *arrow.Schema) (connector.Codec, error) {
			c, err := l.Codec(stream, schema)
			if err == nil {
				perCall = c.Limits().Rows
			}
			return c, err
		},
		Transport:         sandbox.Transport(sandbox.New(sandbox.Options{Clock: time.Now, Seed: 1, Faults: faults}, l.Service())),
		RequestsPerSecond: l.Pace.RequestsPerSecond, Concurrency: l.Pace.Concurrency, Alloc: mem,
	})
	ctx, began := context.Background(), time.Now()
	if err := w.Open(ctx); err != nil {
		t.Fatal(err)
	}
	var refused atomic.Int64
	input := make([]PlayRow, l.Rows)
	for i := range input {
		input[i].Values = l.Row(i)
	}
	whole := (&Play{Columns: l.Columns}).record(mem, input)
	defer whole.Release()
	for at := 0; at < l.Rows; at += size {
		batch := whole.NewSlice(int64(at), int64(min(at+size, l.Rows)))
		if err := w.Write(ctx, connector.Batch{Stream: stream, Rows: batch}, func(got []connector.RowResult, err error) {
			if refused.Add(int64(len(got))); err != nil {
				t.Error(err)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	took, s := time.Since(began), w.Stats()
	full := float64(s.Rows) / float64(int(s.Requests)*perCall)
	t.Logf("batches of %5d: %d rows in %d requests, %.1f %% full, in %v: %.0f rows a second", size, s.Rows, s.Requests, 100*full, took.Round(time.Millisecond),
		float64(s.Rows)/took.Seconds())
	if int(s.Rows) != l.Rows || refused.Load() != 0 {
		t.Errorf("%d of %d rows delivered, %d refused", s.Rows, l.Rows, refused.Load())
	}
	if full < 0.95 {
		t.Errorf("requests are %.1f %% full, want 95 %%", 100*full)
	}
	// The first call needs no wait, each further one the pace's share of a second.
	least := time.Duration(float64(s.Requests-1) / l.Pace.RequestsPerSecond * float64(time.Second))
	if took < least*99/100 {
		t.Errorf("%d calls took %v; the vendor allows them in %v", s.Requests, took, least)
	}
	if most := least*105/100 + 3*time.Second + l.Late; took > most {
		t.Errorf("%d calls took %v, want %v at the most", s.Requests, took, most)
	}
}
