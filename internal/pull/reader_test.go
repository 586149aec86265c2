package pull

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/connectortest"
	"github.com/sluicehq/sluice/internal/deliver"
	"github.com/sluicehq/sluice/internal/rows"
	"github.com/sluicehq/sluice/internal/sandbox"
	"github.com/sluicehq/sluice/wire/wiretest"
)

// each runs a test for each vendor's stream in fake time.
func each(t *testing.T, f func(t *testing.T, c *crm, mem memory.Allocator)) {
	for name, make := range vendors {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
				defer mem.AssertSize(t, 0)
				f(t, make(t), mem)
			})
		})
	}
}

func closing(t *testing.T, r *Reader) {
	t.Helper()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// whole opens a reader and reads it to its end.
func (c *crm) whole(t *testing.T, r *Reader, from connector.Position) told {
	t.Helper()
	defer closing(t, r)
	if err := r.Open(t.Context(), from); err != nil {
		t.Fatal(err)
	}
	got, err := c.read(t.Context(), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestWalk: a walk gives every row once, in small batches too; from each of its positions the rest follows.
func TestWalk(t *testing.T) {
	each(t, func(t *testing.T, c *crm, mem memory.Allocator) {
		r, _ := c.reader(t, mem, "", Config{BatchRows: 3})
		got := c.whole(t, r, nil)
		unique := slices.Compact(slices.Sorted(slices.Values(got.keys)))
		if len(got.keys) != c.rows || len(unique) != c.rows || len(got.positions) < 2 {
			t.Fatalf("%d rows of %d people and %d positions, want %d rows: %s", len(got.keys), len(unique), len(got.positions), c.rows, got.keys)
		}
		for i, from := range got.positions[:len(got.positions)-1] {
			r, _ := c.reader(t, mem, "", Config{BatchRows: 3})
			if rest := c.whole(t, r, from); !slices.Equal(rest.keys, got.keys[got.behind[i]:]) {
				t.Errorf("from %s: %s, want %s", from, rest.keys, got.keys[got.behind[i]:])
			}
		}
	})
}

// TestFaults: whatever befalls the calls, a walk gives what a walk without faults gives, in its order and nothing twice.
func TestFaults(t *testing.T) {
	for _, faults := range []string{"429@2s=30%", "5xx=20%,5xx-after=10%", "drop=15%,drop-before=15%", "malformed=20%,truncate=15%", "html=15%",
		"latency@10ms..50s=50%", "429=10%,5xx=5%,drop=5%,malformed=5%,truncate=5%,html=5%,stall=3%", "rate=3/10s"} {
		t.Run(faults, func(t *testing.T) {
			each(t, func(t *testing.T, c *crm, mem memory.Allocator) {
				clean, _ := c.reader(t, mem, "", Config{})
				want := c.whole(t, clean, nil)
				r, server := c.reader(t, mem, faults, Config{})
				got := c.whole(t, r, nil)
				if !slices.Equal(got.keys, want.keys) {
					t.Errorf("got %s, want %s", got.keys, want.keys)
				}
				_, calls := server.Journal()
				if s := r.cfg.Caller.Stats(); s.Requests != calls || s.Requests != s.Retries+int64(len(got.positions)) || s.Throttled+s.Lost < s.Retries-1 {
					t.Errorf("%d calls, stats %+v for %d pages", calls, s, len(got.positions))
				}
			})
		})
	}
}

// TestIncrement: behind the end of a walk, only what changed comes, where the vendor tells; else everything again.
func TestIncrement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		defer mem.AssertSize(t, 0)
		c := cloud(t)
		r, _ := c.reader(t, mem, "", Config{})
		first := c.whole(t, r, nil)
		time.Sleep(24 * time.Hour) // of the bubble's time
		c.fillCloud(t, 43, 4)      // two changed, two new
		r, _ = c.reader(t, mem, "", Config{})
		if got := c.whole(t, r, first.positions[len(first.positions)-1]); fmt.Sprint(got.keys) != "[44 45 46 47]" {
			t.Errorf("%s", got.keys)
		}
		e := epoch(t)
		r, _ = e.reader(t, mem, "", Config{})
		all := e.whole(t, r, nil)
		r, _ = e.reader(t, mem, "", Config{})
		if again := e.whole(t, r, all.positions[len(all.positions)-1]); !slices.Equal(again.keys, all.keys) {
			t.Errorf("%s, then %s", all.keys, again.keys)
		}
	})
}

// TestFollow: walks begin at their interval until the context ends, and what changes between them comes.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		defer mem.AssertSize(t, 0)
		c := cloud(t)
		r, _ := c.reader(t, mem, "", Config{Follow: time.Hour})
		if err := r.Open(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		defer closing(t, r)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		start, changed := time.Now(), false
		got, err := c.read(ctx, r, func(got told) bool {
			if !changed && len(got.keys) == c.rows {
				changed = true
				time.AfterFunc(30*time.Minute, func() { c.fillCloud(t, 3, 1) })
			}
			return len(got.keys) > c.rows
		})
		if err != nil || got.keys[c.rows] != "4" || time.Since(start) < time.Hour || time.Since(start) > 2*time.Hour {
			t.Fatalf("%v after %s: %s", err, time.Since(start), got.keys)
		}
		time.AfterFunc(10*time.Minute, cancel)
		if _, err := c.read(ctx, r, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled Read gives %v", err)
		}
	})
}

// TestEnds: what nothing can mend ends the walk soon, with what happened and what to do; what may pass, when the CRM has
// had its time.
func TestEnds(t *testing.T) {
	for _, tc := range []struct {
		faults string
		kind   connector.Kind
		says   string
		least  time.Duration
	}{
		{"5xx@500", connector.KindTransient, "500", 0},
		{"429", connector.KindTransient, "has taken no call", 15 * time.Minute},
		{"html", connector.KindTransient, "web page", 0},
		{"malformed", connector.KindTransient, "in 8 tries", 0},
		{"drop", connector.KindTransient, "taken no call", 0},
	} {
		t.Run(tc.faults, func(t *testing.T) {
			each(t, func(t *testing.T, c *crm, mem memory.Allocator) {
				r, _ := c.reader(t, mem, tc.faults, Config{})
				defer closing(t, r)
				if err := r.Open(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				got, err := c.read(t.Context(), r, nil)
				took := time.Since(start)
				if connector.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.says) || took < tc.least || took > 20*time.Minute || len(got.keys) > 0 {
					t.Errorf("after %s and %d rows: %v", took, len(got.keys), err)
				}
			})
		})
	}
}

// TestRefusals: wrong secrets and foreign positions are a person's to mend, and told at once.
func TestRefusals(t *testing.T) {
	each(t, func(t *testing.T, c *crm, mem memory.Allocator) {
		for _, from := range []string{`{"not":"ours"}`, `7`, `{"vendor":"x","stream":"contacts","page":null}`, fmt.Sprintf(`{"vendor":%q,"stream":"x","page":null}`, c.vendor.Name),
			fmt.Sprintf(`{"vendor":%q,"stream":%q,"page":{"not":"ours"}}`, c.vendor.Name, c.stream.Name)} {
			r, _ := c.reader(t, mem, "", Config{})
			if err := r.Open(t.Context(), connector.Position(from)); connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), connector.ReadAnew) {
				t.Errorf("%s: %v", from, err)
			}
			closing(t, r)
		}
		r, _ := c.reader(t, mem, "", Config{})
		defer closing(t, r)
		r.cfg.Puller = unsigned{c.puller}
		if err := r.Open(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := c.read(t.Context(), r, nil); connector.KindOf(err) != connector.KindConfig || time.Since(start) > time.Minute {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
	})
}

// unsigned is a puller whose calls carry no signature that anybody takes.
type unsigned struct{ connector.Puller }

// spoiled is a puller of which some rows are none: their text is cut.
type spoiled struct{ connector.Puller }

func (s spoiled) Sign(req *connector.Request, now time.Time) error {
	return s.Puller.(connector.Signer).Sign(req, now)
}

func (s spoiled) ParsePage(resp *connector.Response, from connector.Position, out connector.Rows) (connector.Page, connector.Outcome, error) {
	return s.Puller.ParsePage(resp, from, spoiler{out})
}

type spoiler struct{ connector.Rows }

func (s spoiler) AppendJSON(stream string, object []byte) error {
	return s.Rows.AppendJSON(stream, spoil(object))
}

func spoil(object []byte) []byte {
	if strings.Contains(string(object), `"P 9"`) || strings.Contains(string(object), `"P 30"`) {
		return object[:40]
	}
	return object
}

// ledger keeps rows as they come.
type ledger struct{ rows [][]byte }

func (l *ledger) AppendJSON(_ string, object []byte) error {
	l.rows = append(l.rows, slices.Clone(object))
	return nil
}

// TestContract holds the reader to what every connector.Reader must do, with rows in it that are none. Positions are
// TestWalk's: the one at the end of a walk begins another, which is not what the suite takes a position for.
func TestContract(t *testing.T) {
	var c *crm
	synctest.Test(t, func(t *testing.T) { c = cloud(t) })
	l := &ledger{}
	rt := sandbox.Transport(sandbox.New(sandbox.Options{Clock: time.Now}, c.service))
	var from connector.Position
	for {
		page, _, err := connectortest.Ask(t, c.puller, rt, time.Now(), from, l)
		if err != nil {
			t.Fatal(err)
		}
		if from = page.Next; !page.More {
			break
		}
	}
	h := wiretest.Harness{Fixed: true, MaxRows: 7, MaxBytes: 4 << 20, Age: time.Second, Input: []byte("the sandbox")}
	for _, object := range l.rows {
		row := wiretest.Row{Stream: "contacts", JSON: string(spoil(object))}
		if len(row.JSON) == 40 {
			row.Code = connector.CodeBadJSON
		}
		h.Rows = append(h.Rows, row)
	}
	h.New = func(mem memory.Allocator, _ io.Reader) connector.Reader {
		server := sandbox.New(sandbox.Options{Clock: time.Now}, c.service)
		caller := deliver.NewCaller(deliver.Config{Transport: sandbox.Transport(server)})
		return New(Config{Vendor: "nxcloud", Stream: c.stream, Puller: spoiled{c.puller}, Caller: caller, Alloc: mem, Schema: rows.RawSchema([]string{"whatsapp", "full_name"})})
	}
	wiretest.RunReader(t, h)
}
