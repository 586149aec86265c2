package pipeline

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
)

func TestRejectLimit(t *testing.T) {
	t.Run("count", func(t *testing.T) {
		s := plainScenario(200)
		s.vendor, s.most = 20, 10
		o := play(t, s, nil)
		if !errors.Is(o.err, ErrRejectLimit) || connector.KindOf(o.err) != connector.KindConfig || len(o.faults) > 0 {
			t.Fatalf("%v %q", o.err, o.faults)
		}
		if o.report.Rejected <= 10 || o.report.Position == nil || o.report.Read == 2000 {
			t.Errorf("got %+v", o.report)
		}
		if want := "`max_rejects` allows 10"; !strings.Contains(o.err.Error(), want) {
			t.Errorf("got %q, want %q in it", o.err, want)
		}
	})
	t.Run("the first", func(t *testing.T) {
		s := plainScenario(50)
		s.vendor, s.most = 5, 0
		if o := play(t, s, nil); !errors.Is(o.err, ErrRejectLimit) {
			t.Errorf("got %v", o.err)
		}
	})
	t.Run("ratio", func(t *testing.T) {
		s := plainScenario(300)
		s.vendor, s.queue = 30, 2
		o := play(t, s, func(j *joint) { j.MaxRejectRatio = 0.1 })
		if !errors.Is(o.err, ErrRejectLimit) || len(o.faults) > 0 {
			t.Fatalf("%v %q", o.err, o.faults)
		}
		if n := o.report.Delivered + o.report.Rejected; n < 1000 || n > 1100 {
			t.Errorf("stopped after %d rows, want soon after 1000", n)
		}
	})
	t.Run("ratio kept", func(t *testing.T) {
		s := plainScenario(300)
		s.vendor = 5
		if o := play(t, s, func(j *joint) { j.MaxRejectRatio = 0.1 }); o.err != nil {
			t.Errorf("got %v", o.err)
		}
	})
}

func TestLimit(t *testing.T) {
	for _, tt := range []struct {
		limit, read, unacked, batches int64
		complete                      bool
	}{
		{limit: 25, read: 25, unacked: 5, batches: 3},
		{limit: 30, read: 30, unacked: 0, batches: 3},
		{limit: 1000, read: 50, unacked: 0, batches: 5, complete: true},
		{limit: 3, read: 3, unacked: 3, batches: 1},
	} {
		s := plainScenario(5)
		s.limit = tt.limit
		var acked int
		o := play(t, s, func(j *joint) {
			onAck(j, func(_ context.Context, x connector.Settled, next func(connector.Settled) error) error {
				acked += x.Rows
				return next(x)
			})
		})
		r := o.report
		if o.err != nil || r.Read != tt.read || r.Delivered != tt.read || r.Unacked != tt.unacked || r.Batches != tt.batches ||
			r.Complete != tt.complete || acked != int(tt.read-tt.unacked) {
			t.Errorf("limit %d: got %+v, %d acked, err %v", tt.limit, r, acked, o.err)
		}
	}
}

// TestLimitCutsRefusedRows: rows refused when read that lie behind the cut are not counted.
func TestLimitCutsRefusedRows(t *testing.T) {
	s := plainScenario(1)
	s.refuse, s.limit = 50, 5
	o := play(t, s, nil)
	if o.err != nil || o.report.Read != 5 || o.report.Delivered+o.report.Rejected != 5 || o.report.Rejected == 0 {
		t.Errorf("%v %+v", o.err, o.report)
	}
}

func TestReportTells(t *testing.T) {
	s := mutantScenario()
	s.streams, s.vendor = 3, 30
	o := play(t, s, nil)
	if o.err != nil || len(o.faults) > 0 {
		t.Fatalf("%v %q", o.err, o.faults)
	}
	r := o.report
	var codes, skipped int64
	for code, n := range r.Codes {
		codes += n
		if keys := r.Samples[code]; len(keys) == 0 || len(keys) > samplesPerCode {
			t.Errorf("code %s: samples %q", code, keys)
		}
	}
	for stream, n := range r.Skipped {
		if stream != "stream2" {
			t.Errorf("stream %s was skipped", stream)
		}
		skipped += n
	}
	if codes != r.Rejected || skipped == 0 || skipped > r.Filtered || !r.Complete {
		t.Errorf("got %+v", r)
	}
	last := o.seen[len(o.seen)-1]
	if last.Read != r.Read || last.Delivered != r.Delivered || !last.Complete || len(last.Samples) == 0 {
		t.Errorf("the last that Observe heard is %+v", last)
	}
	for _, seen := range o.seen[:len(o.seen)-1] {
		if seen.Complete || seen.Samples != nil {
			t.Errorf("before the end Observe heard %+v", seen)
		}
	}
}

// TestReportBoundsCodes: a vendor that invents a code per row must not fill the memory.
func TestReportBoundsCodes(t *testing.T) {
	c := newCounter()
	for i := range 1000 {
		code := strings.Repeat("x", i)
		c.sample(code, "key")
		_ = c.settle(&flight{rows: 1}, []connector.RowResult{{Code: code}}, nil, 0)
	}
	if n := len(c.final().Codes); n != codesAtMost+1 {
		t.Errorf("%d codes, want %d", n, codesAtMost+1)
	}
	if got := c.final(); got.Codes[codeOther] != 1000-codesAtMost || len(got.Samples) > codesAtMost+1 {
		t.Errorf("other: %d, samples: %d", got.Codes[codeOther], len(got.Samples))
	}
}

func TestPlansAreCached(t *testing.T) {
	s := plainScenario(50)
	s.streams = 3
	calls := 0
	o := play(t, s, func(j *joint) {
		plans := j.Plans
		j.Plans = func(stream string, schema *arrow.Schema) ([]connector.Plan, error) {
			calls++
			return plans(stream, schema)
		}
	})
	if o.err != nil || calls != 3 {
		t.Errorf("%d lookups for 3 streams (%v)", calls, o.err)
	}
}

func TestPlanCacheTellsSchemasApart(t *testing.T) {
	calls := 0
	cache := planCache{lookup: func(string, *arrow.Schema) ([]connector.Plan, error) { calls++; return nil, nil }}
	schema := func(name string) *arrow.Schema {
		return arrow.NewSchema([]arrow.Field{{Name: name, Type: arrow.BinaryTypes.String}}, nil)
	}
	jsonColumn := arrow.NewSchema([]arrow.Field{connector.JSONField("a")}, nil)
	for _, x := range []*arrow.Schema{schema("a"), schema("a"), schema("b"), jsonColumn, schema("b"), schema("a")} {
		if _, _, err := cache.find("s", x); err != nil {
			t.Fatal(err)
		}
	}
	if calls != 3 {
		t.Errorf("%d lookups, want 3", calls)
	}
	for i := range 100 {
		_, _, _ = cache.find("s", schema(strings.Repeat("c", i+1)))
	}
	if n := len(cache.known["s"]); n != schemasPerStream {
		t.Errorf("%d schemas kept, want %d", n, schemasPerStream)
	}
}

// badPlan breaks its contract.
type badPlan struct {
	connector.Plan
	spoil func(*connector.Applied)
}

func (p badPlan) Apply(ctx context.Context, in arrow.Record, skip []connector.RowResult) (connector.Applied, error) {
	out, err := p.Plan.Apply(ctx, in, skip)
	p.spoil(&out)
	return out, err
}

func TestPlanIsHeldToItsContract(t *testing.T) {
	for name, spoil := range map[string]func(*connector.Applied){
		"index too short":      func(a *connector.Applied) { a.Index = a.Index[:1] },
		"index descends":       func(a *connector.Applied) { slices.Reverse(a.Index) },
		"index out of range":   func(a *connector.Applied) { a.Index[len(a.Index)-1] = 1000 },
		"index missing":        func(a *connector.Applied) { a.Index = nil },
		"rejected unknown row": func(a *connector.Applied) { a.Rejected = []connector.RowResult{{Row: 99}} },
		"rejected twice":       func(a *connector.Applied) { a.Rejected = []connector.RowResult{{Row: 1}, {Row: 1}} },
		"no record":            func(a *connector.Applied) { a.Rows.Release(); a.Rows = nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := plainScenario(3)
			s.explode = 60
			o := play(t, s, func(j *joint) {
				plans := j.Plans
				j.Plans = func(stream string, schema *arrow.Schema) ([]connector.Plan, error) {
					list, err := plans(stream, schema)
					return []connector.Plan{badPlan{list[0], spoil}}, err
				}
			})
			if connector.KindOf(o.err) != connector.KindInternal || len(o.faults) > 0 || o.report.Left == 0 {
				t.Errorf("got %v, %q", o.err, o.faults)
			}
		})
	}
}

func TestWriterIsHeldToItsContract(t *testing.T) {
	for name, tt := range map[string]struct {
		answer func(done doneFunc, rejected []connector.RowResult, err error)
		want   string
	}{
		"answers twice": {func(done doneFunc, rejected []connector.RowResult, err error) {
			done(rejected, err)
			done(rejected, err)
		}, "answered a batch twice"},
		"never answers": {func(doneFunc, []connector.RowResult, error) {}, "without an answer to 3 batches"},
		"rejects a row that is not there": {func(done doneFunc, _ []connector.RowResult, err error) {
			done([]connector.RowResult{{Row: 10}}, err)
		}, "row 10"},
		"rejects a row twice": {func(done doneFunc, _ []connector.RowResult, err error) {
			done([]connector.RowResult{{Row: 1}, {Row: 1}}, err)
		}, "row 1 after row 1"},
	} {
		t.Run(name, func(t *testing.T) {
			o := play(t, plainScenario(3), func(j *joint) {
				onWrite(j, func(b connector.Batch, done doneFunc, next writeFunc) error {
					return next(b, func(rejected []connector.RowResult, err error) { tt.answer(done, rejected, err) })
				})
			})
			if connector.KindOf(o.err) != connector.KindInternal || !strings.Contains(o.err.Error(), tt.want) {
				t.Errorf("got %v, want %q", o.err, tt.want)
			}
			if err := o.report.Balanced(); err != nil {
				t.Error(err)
			}
		})
	}
}

// endReader gives rows beside its end.
type endReader struct{ connector.Reader }

func (r endReader) Read(ctx context.Context) (connector.Batch, error) {
	b, err := r.Reader.Read(ctx)
	if err != nil {
		return b, err
	}
	return b, io.EOF
}

func TestReaderIsHeldToItsContract(t *testing.T) {
	o := play(t, plainScenario(1), func(j *joint) { j.Reader = endReader{j.Reader} })
	if connector.KindOf(o.err) != connector.KindInternal || o.report.Complete {
		t.Errorf("got %v", o.err)
	}
	o = play(t, plainScenario(1), func(j *joint) {
		j.Reader = &mutantReader{Reader: j.Reader, read: func(b connector.Batch) connector.Batch {
			b.Refused = []connector.RowResult{{Row: 10}}
			return b
		}}
	})
	if connector.KindOf(o.err) != connector.KindInternal {
		t.Errorf("got %v", o.err)
	}
}

// TestRunWithoutExtras: rejects, checkpoint, log and observer may all be nil, and batches unpriced.
func TestRunWithoutExtras(t *testing.T) {
	s := mutantScenario()
	s.refuse = 0
	o := play(t, s, func(j *joint) {
		j.Rejects, j.Checkpoint, j.Observe = nil, nil, nil
		j.Reader = &mutantReader{Reader: j.Reader, read: func(b connector.Batch) connector.Batch {
			b.Bytes = 0
			return b
		}}
	})
	if o.err != nil || o.report.Rejected == 0 || o.report.Left != 0 || !o.report.Complete {
		t.Errorf("%v %+v", o.err, o.report)
	}
}

// TestObserveMayPanic: it is told of progress, no more.
func TestObserveMayPanic(t *testing.T) {
	o := play(t, plainScenario(3), func(j *joint) { j.Observe = func(Report) { panic("terminal") } })
	if o.err != nil || len(o.faults) > 0 {
		t.Errorf("%v %q", o.err, o.faults)
	}
}

// TestGrowthIsCounted: the parts that a plan makes lie in the window too, so a mapping that multiplies the rows slows the
// reading instead of filling the memory.
func TestGrowthIsCounted(t *testing.T) {
	s := plainScenario(40)
	s.explode, s.queue = 100, 100
	s.window = 6_000
	most := int64(0)
	o := play(t, s, func(j *joint) {
		held := int64(0)
		j.Reader = &mutantReader{Reader: j.Reader, read: func(b connector.Batch) connector.Batch {
			b.Bytes = 400 // fifteen of them fit, but not with what is made of them
			return b
		}}
		onWrite(j, func(b connector.Batch, done doneFunc, next writeFunc) error {
			j.check.mu.Lock()
			held += b.Bytes
			most = max(most, held)
			j.check.mu.Unlock()
			return next(b, func(rejected []connector.RowResult, err error) {
				j.check.mu.Lock()
				held -= b.Bytes
				j.check.mu.Unlock()
				done(rejected, err)
			})
		})
	})
	if o.err != nil || len(o.faults) > 0 {
		t.Fatalf("%v %q", o.err, o.faults)
	}
	if most > s.window || most == 0 {
		t.Errorf("%d bytes of parts were with the writer, the window is %d", most, s.window)
	}
}
