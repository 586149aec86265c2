package deliver

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
)

// lean is a codec that costs next to nothing, so that what is measured is the chain. Every row is another person.
type lean struct {
	rows int
	last *uint64
}

func newLean(rows int) lean { return lean{rows, new(uint64)} }

func (c lean) Limits() connector.Limits {
	return connector.Limits{Rows: c.rows, Idempotent: true, Splittable: true}
}

func (c lean) AppendKeys(dst []uint64, _ arrow.Record, _ int) []uint64 {
	*c.last++
	return append(dst, *c.last, ^*c.last)
}

func (c lean) AppendRequest(req *connector.Request, rec arrow.Record) error {
	req.Method, req.URL, req.Endpoint = "POST", "http://crm.test/", "e"
	req.Body = append(req.Body, "rows"...)
	return nil
}

func (c lean) ParseResponse(*connector.Response, arrow.Record) (connector.Outcome, error) {
	return connector.Outcome{}, nil
}

// TestThroughput: at 200 ms latency, whatever the size of the input batches, the workers are busy and requests full.
func TestThroughput(t *testing.T) {
	const (
		rows, concurrency, total = 100, 8, 8_000
		latency                  = 200 * time.Millisecond
	)
	for _, size := range []int{1, 7, 64, 100, 333, 1000, total} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				calls := 0
				w := New(Config{
					Concurrency: concurrency,
					Codec:       func(string, *arrow.Schema) (connector.Codec, error) { return newLean(rows), nil },
					Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
						mu.Lock()
						calls++
						mu.Unlock()
						req.Body.Close()
						leave(req.Context(), latency, false)
						return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
					}),
				})
				if err := w.Open(t.Context()); err != nil {
					t.Fatal(err)
				}
				rec := record(memory.DefaultAllocator, contactSchema, make([]contact, size))
				began := time.Now()
				for left := total; left > 0; left -= size {
					part := rec.NewSlice(0, int64(min(size, left)))
					if err := w.Write(t.Context(), connector.Batch{Stream: "s", Rows: part}, func(r []connector.RowResult, err error) {
						if err != nil || r != nil {
							t.Errorf("answered %v, %v", r, err)
						}
					}); err != nil {
						t.Fatal(err)
					}
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				perSecond := total / time.Since(began).Seconds()
				if ideal := rows * concurrency / latency.Seconds(); perSecond < 0.9*ideal {
					t.Errorf("%.0f rows a second, want 0.9 of %.0f", perSecond, ideal)
				}
				if full := float64(total) / float64(calls*rows); full < 0.95 {
					t.Errorf("requests are %.0f %% full, want 95 %%", 100*full)
				}
				want(t, "rows", w.Stats().Rows, total)
			})
		})
	}
}

// sender returns a function that sends a batch of n rows in requests of m and waits for the answer.
func sender(tb testing.TB, n, m int) (send func()) {
	w := New(Config{
		Codec: func(string, *arrow.Schema) (connector.Codec, error) { return newLean(m), nil },
		Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
			req.Body.Close()
			return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
		}),
	})
	if err := w.Open(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	rec := record(memory.DefaultAllocator, contactSchema, make([]contact, n))
	tb.Cleanup(func() { _ = w.Close(); rec.Release() })
	done := make(chan struct{}, 1)
	answer := func([]connector.RowResult, error) { done <- struct{}{} }
	return func() {
		rec.Retain()
		if err := w.Write(tb.Context(), connector.Batch{Stream: "s", Rows: rec}, answer); err != nil {
			tb.Fatal(err)
		}
		<-done
	}
}

// TestAllocations: a row costs no allocation of its own anywhere in the chain; what a call costs is spread over its rows.
func TestAllocations(t *testing.T) {
	const n = 10_000
	send := sender(t, n, 1000)
	send()
	if per := testing.AllocsPerRun(20, send) / n; per > 0.1 {
		t.Errorf("%.3f allocations a row, want at most 0.1", per)
	}
}

func BenchmarkRow(b *testing.B) {
	const n = 10_000
	send := sender(b, n, 1000)
	b.ReportAllocs()
	for b.Loop() {
		send()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
}

// TestGatherOrNot: neighbours of one record are not copied.
func TestGatherOrNot(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	w := New(Config{Alloc: mem})
	batchOf := func(n int) *batch {
		b := &batch{rec: record(mem, contactSchema, make([]contact, n)), rows: make([]row, n)}
		for i := range b.rows {
			b.rows[i].batch, b.rows[i].at = b, int32(i)
		}
		return b
	}
	a, b := batchOf(5), batchOf(3)
	defer a.rec.Release()
	defer b.rec.Release()
	b.seq = 1
	for _, c := range []struct {
		name   string
		rows   []*row
		copied bool
	}{
		{"all", []*row{&a.rows[0], &a.rows[1], &a.rows[2], &a.rows[3], &a.rows[4]}, false},
		{"neighbours", []*row{&a.rows[1], &a.rows[2], &a.rows[3]}, false},
		{"one", []*row{&a.rows[4]}, false},
		{"with a gap", []*row{&a.rows[1], &a.rows[3]}, true},
		{"of two records", []*row{&a.rows[3], &a.rows[4], &b.rows[0], &b.rows[2]}, true},
	} {
		before := mem.CurrentAlloc()
		rec := w.gather(&call{rows: c.rows})
		if copied := mem.CurrentAlloc() > before; copied != c.copied {
			t.Errorf("%s: copied is %t", c.name, copied)
		}
		want(t, c.name, int(rec.NumRows()), len(c.rows))
		rec.Release()
	}
}
