package socialepoch_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/socialepoch"
	sesandbox "github.com/sluicehq/sluice/connector/socialepoch/sandbox"
	"github.com/sluicehq/sluice/internal/deliver"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// crowd makes a record of n contacts, each a different person; wrong says which code the vendor has for a row, "" for a
// good one.
func crowd(mem memory.Allocator, n int, wrong func(row int) string) arrow.Record {
	var columns []arrow.Field
	for _, name := range []string{"agentAccount", "whatsApp", "sex", "birthday", "stage", "source"} {
		columns = append(columns, arrow.Field{Name: name, Type: arrow.BinaryTypes.String, Nullable: true})
	}
	b := array.NewRecordBuilder(mem, arrow.NewSchema(columns, nil))
	defer b.Release()
	for row := range n {
		values := []string{sesandbox.Agent, fmt.Sprintf("86152%06d", row), "male", "2020/03/08", "Won", "Default"}
		switch wrong(row) {
		case "10":
			values[2] = "1"
		case "14":
			values[5] = "nowhere"
		case "15":
			values[4] = "10"
		case "24":
			values[3] = "2020-03-08"
		case "28":
			values[1] = fmt.Sprintf("86-x%06d", row)
		}
		for i, v := range values {
			b.Field(i).(*array.StringBuilder).Append(v)
		}
	}
	return b.NewRecord()
}

func settings() *socialepoch.Config {
	cfg := socialepoch.SocialEpoch.NewConfig().(*socialepoch.Config)
	cfg.TenantID, cfg.APIKey = sesandbox.TenantID, connector.NewSecret(sesandbox.APIKey)
	return cfg
}

// result is what a delivery came to.
type result struct {
	rejected []connector.RowResult
	stats    deliver.Stats
	took     time.Duration
}

// send delivers one batch at the vendor's pace. It runs in a bubble of fake time.
func send(t *testing.T, mem memory.Allocator, mode string, service *sesandbox.Service, faults string, rec arrow.Record) (r result) {
	t.Helper()
	fs, err := sandbox.ParseFaults(faults)
	if err != nil {
		t.Fatal(err)
	}
	pace := socialepoch.SocialEpoch.Pace
	w := deliver.New(deliver.Config{
		Codec: func(stream string, schema *arrow.Schema) (connector.Codec, error) {
			return socialepoch.SocialEpoch.Codec(settings(), stream, mode, schema)
		},
		Transport:         sandbox.Transport(sandbox.New(sandbox.Options{Clock: time.Now, Seed: 5, Faults: fs}, service)),
		RequestsPerSecond: pace.RequestsPerSecond, Concurrency: pace.Concurrency, Alloc: mem,
	})
	ctx, start := context.Background(), time.Now()
	if err := w.Open(ctx); err != nil {
		t.Fatal(err)
	}
	err = w.Write(ctx, connector.Batch{Stream: "contacts", Rows: rec}, func(rejected []connector.RowResult, err error) {
		if r.rejected = rejected; err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r.stats, r.took = w.Stats(), time.Since(start)
	return r
}

// 37 bad rows among 10,000 cost nobody else anything: they are named by the answer to the only request, or found by
// halving it, whatever the form of the answer, also where every success locks its number for a minute.
func TestBadRowsAreFound(t *testing.T) {
	const bad = 37
	codes := []string{"10", "14", "15", "24", "28"}
	for _, tc := range []struct {
		name string
		opts sesandbox.Options
		one  bool
		slow bool // with the race detector; it gets fewer rows then
	}{
		{"named", sesandbox.Options{}, true, false},
		{"named, locks", sesandbox.Options{Lock: true}, true, false},
		{"errPhone empty", sesandbox.Options{Quirks: sesandbox.Quirks{NoPhone: true}}, false, true},
		{"errPhone empty, locks", sesandbox.Options{Lock: true, Quirks: sesandbox.Quirks{NoPhone: true}}, false, false},
		{"collapsed", sesandbox.Options{Quirks: sesandbox.Quirks{Collapsed: true, TrailingComma: true, StringCode: true}}, false, true},
		{"collapsed, locks", sesandbox.Options{Lock: true, Quirks: sesandbox.Quirks{Collapsed: true, StringData: true}}, false, true},
	} {
		n := 10_000
		if tc.slow && underRace {
			n = 1_000
		}
		wrong := func(row int) string {
			if row%(n/bad) == 7 && row/(n/bad) < bad {
				return codes[row/(n/bad)%len(codes)]
			}
			return ""
		}
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
				defer mem.AssertSize(t, 0)
				service := sesandbox.New(tc.opts)
				got := send(t, mem, "import", service, "", crowd(mem, n, wrong))
				t.Logf("%d rows: %d calls in %v", n, got.stats.Requests, got.took.Round(time.Second))
				if tc.one && got.stats.Requests != 1 {
					t.Errorf("%d calls, want 1", got.stats.Requests)
				}
				found := map[int]string{}
				for _, r := range got.rejected {
					found[r.Row] = r.Code
				}
				for row := range n {
					if found[row] != wrong(row) {
						t.Errorf("row %d is rejected as %q, want %q", row, found[row], wrong(row))
					}
				}
				totals := service.Summary().(sesandbox.Totals)
				if len(got.rejected) != bad || totals.Records != n-bad || int(got.stats.Rows) != n-bad {
					t.Errorf("%d rejected, %d stored, %d delivered", len(got.rejected), totals.Records, got.stats.Rows)
				}
				if most := int64(1); totals.Locked > most { // the one that is sent to find out whether there is a lock
					t.Errorf("%d rows ran into their own lock", totals.Locked)
				}
			})
		})
	}
}

// A locked number waits its minute while the others pass.
func TestLockedNumberWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		defer mem.AssertSize(t, 0)
		service := sesandbox.New(sesandbox.Options{Lock: true})
		none := func(int) string { return "" }
		send(t, mem, "import", service, "", crowd(mem, 3, none))
		got := send(t, mem, "import", service, "", crowd(mem, 10, none))
		if len(got.rejected) != 0 || got.stats.Rows != 10 || got.stats.Requests != 2 || got.took < time.Minute || got.took > 2*time.Minute {
			t.Errorf("%d calls in %v, delivered %d, rejected %+v", got.stats.Requests, got.took, got.stats.Rows, got.rejected)
		}
		if locked := service.Summary().(sesandbox.Totals).Locked; locked != 3 {
			t.Errorf("%d rows were locked, want 3", locked)
		}
	})
}

// Replies lost after the rows were taken, server errors and throttles lose no row and invent none, in any mode, also
// where the repeat meets locks. A pool that is replaced is never cut, so there bad rows must be named.
func TestFaultsLoseNoRow(t *testing.T) {
	for _, m := range socialepoch.SocialEpoch.Modes {
		for _, lock := range []bool{false, true} {
			t.Run(fmt.Sprint(m.Name, lock), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
					defer mem.AssertSize(t, 0)
					service := sesandbox.New(sesandbox.Options{Lock: lock, Quirks: sesandbox.Quirks{NoPhone: !m.Whole}})
					wrong := func(row int) string { return map[int]string{3: "28", 77: "24"}[row] }
					got := send(t, mem, m.Name, service, "drop=x2,5xx=x1,429@3s=10%,malformed=10%,drop-before=10%", crowd(mem, 100, wrong))
					if stored := service.Summary().(sesandbox.Totals).Records; stored != 98 || len(got.rejected) != 2 || got.stats.Rows != 98 {
						t.Errorf("%d stored, %d delivered, %d rejected", stored, got.stats.Rows, len(got.rejected))
					}
				})
			})
		}
	}
}

// A pool in which failed contacts are not named is rejected as a whole, after one call: nobody knows which are in it.
func TestPoolIsNeverBisected(t *testing.T) {
	for _, quirks := range []sesandbox.Quirks{{NoPhone: true}, {Collapsed: true}} {
		synctest.Test(t, func(t *testing.T) {
			mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
			defer mem.AssertSize(t, 0)
			wrong := func(row int) string { return map[int]string{3: "28", 7: "28"}[row] }
			got := send(t, mem, "pool_replace", sesandbox.New(sesandbox.Options{Quirks: quirks}), "", crowd(mem, 50, wrong))
			if len(got.rejected) != 50 || got.stats.Requests != 1 {
				t.Fatalf("%d calls, %d rejected", got.stats.Requests, len(got.rejected))
			}
			if r := got.rejected[0]; r.Code != "28" || !strings.Contains(r.Message, "2 of 50 contacts") {
				t.Errorf("%+v", r)
			}
		})
	}
}

// A pool whose contacts were imported less than a minute ago is sent again as a whole, and so is one with an attachment
// that could not be fetched.
func TestPoolIsSentAgainAsAWhole(t *testing.T) {
	none := func(int) string { return "" }
	synctest.Test(t, func(t *testing.T) {
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		defer mem.AssertSize(t, 0)
		service := sesandbox.New(sesandbox.Options{Lock: true})
		send(t, mem, "import", service, "", crowd(mem, 3, none))
		got := send(t, mem, "pool_replace", service, "", crowd(mem, 10, none))
		if len(got.rejected) != 0 || got.stats.Rows != 10 || got.stats.Requests != 2 || got.took < time.Minute || got.took > 2*time.Minute {
			t.Errorf("%d calls in %v, delivered %d, rejected %+v", got.stats.Requests, got.took, got.stats.Rows, got.rejected)
		}
		if got := service.Summary().(sesandbox.Totals).Records; got != 3+10 {
			t.Errorf("%d records, want 3 customers and a pool of 10", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		defer mem.AssertSize(t, 0)
		service := sesandbox.New(sesandbox.Options{})
		got := send(t, mem, "pool_replace", service, "partial=x1", crowd(mem, 300, none))
		if len(got.rejected) != 0 || got.stats.Rows != 300 || got.stats.Requests != 2 || service.Summary().(sesandbox.Totals).Records != 300 {
			t.Errorf("%d calls, delivered %d, %d rejected", got.stats.Requests, got.stats.Rows, len(got.rejected))
		}
	})
}

// Rows whose attachments could not be fetched are sent once more, by themselves, and then rejected.
func TestAttachmentsAreTriedTwice(t *testing.T) {
	none := func(int) string { return "" }
	for _, tc := range []struct {
		faults string
		check  func(r result) bool
	}{
		{"partial=x1", func(r result) bool { return len(r.rejected) == 0 && r.stats.Rows == 300 && r.stats.Requests == 2 }},
		{"partial", func(r result) bool {
			for _, row := range r.rejected {
				if row.Code != "59" || row.Attempts != 2 || row.Message != "ATTACHMENT_ERROR" {
					return false
				}
			}
			return len(r.rejected) > 0 && int(r.stats.Rows)+len(r.rejected) == 300 && r.stats.Requests == 2
		}},
	} {
		synctest.Test(t, func(t *testing.T) {
			mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
			defer mem.AssertSize(t, 0)
			if got := send(t, mem, "import", sesandbox.New(sesandbox.Options{}), tc.faults, crowd(mem, 300, none)); !tc.check(got) {
				t.Errorf("%s: %+v", tc.faults, got)
			}
		})
	}
}
