package outcall_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/outcall"
	crm "github.com/sluicehq/sluice/connector/outcall/sandbox"
	"github.com/sluicehq/sluice/internal/deliver"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// delivered sends contacts through the delivery chain in one batch and returns the codes of the rejected rows.
func (tr *trip) delivered(faults string, seed uint64, all []string) (codes map[string]int, err error) {
	tr.t.Helper()
	fs, err := sandbox.ParseFaults(faults)
	if err != nil {
		tr.t.Fatal(err)
	}
	server := sandbox.New(sandbox.Options{Seed: seed, Faults: fs}, tr.service)
	tr.server = server
	out := deliver.New(deliver.Config{
		Codec: func(stream string, schema *arrow.Schema) (connector.Codec, error) {
			return outcall.Vendor.Codec(tr.cfg, stream, outcall.Vendor.Mode(tr.cfg), schema)
		},
		Transport: sandbox.Transport(server), RequestsPerSecond: 5, Concurrency: 2, MaxAttempts: 30, Alloc: tr.mem,
	})
	ctx := context.Background()
	if err := out.Open(ctx); err != nil {
		tr.t.Fatal(err)
	}
	rec := tr.apply(all...).Rows
	rec.Retain() // the writer takes a reference over
	codes = map[string]int{}
	answered := make(chan error, 1)
	err = out.Write(ctx, connector.Batch{Stream: "contacts", Rows: rec}, func(rejected []connector.RowResult, err error) {
		for _, r := range rejected {
			codes[r.Code]++
		}
		tr.rejected = slices.Clone(rejected)
		answered <- err
	})
	if err != nil {
		tr.t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		return codes, err
	}
	return codes, <-answered
}

// Under every fault each row ends as delivered or rejected, what was delivered is in the task, and nothing is there twice.
// The vendor hides a repeated call where it refuses repeated numbers, so it must take them in one of the cases.
func TestDeliveryUnderFaults(t *testing.T) {
	for _, tc := range []struct {
		settings map[string]any
		repeats  int // rows at the end that repeat the first
	}{
		{map[string]any{"mode": "async"}, 40}, {map[string]any{"mode": "sync"}, 40}, {map[string]any{"number_add_suffix": true}, 0},
		{map[string]any{"number_add_suffix": true, "settle": "accepted"}, 0},
	} {
		for seed := range uint64(2) {
			synctest.Test(t, func(t *testing.T) {
				tr := newTrip(t, crm.Options{}, tc.settings)
				all := append(contacts(0, 500), contacts(0, tc.repeats)...)
				codes, err := tr.delivered("latency@5ms..400ms=50%,429@1s=4%,5xx=5%,drop-before=5%,drop=30%,5xx-after=10%,malformed=5%,truncate=5%,html=3%", seed, all)
				if err != nil {
					t.Fatalf("%v, seed %d: %v", tc.settings, seed, err)
				}
				time.Sleep(2 * crm.ImportDelay) // of the bubble's time: what was accepted last
				d := tr.service.State()
				// A row may be in the task though nobody knows it; never the other way round.
				rejected := codes[connector.CodeAmbiguous] + codes["not_imported"] + codes["422"]
				if stored := len(tr.service.Contents()); stored < 500-rejected || d.Twice+d.RowsTwice != 0 || codes[connector.CodeDuplicate] != tc.repeats {
					t.Errorf("%v, seed %d: %d stored, rejected %v, %+v", tc.settings, seed, stored, codes, d.Totals)
				}
			})
		}
	}
}

// Where the numbers of the task fill several pages, nothing is sent again on the word of one walk over them.
func TestDeliveryToALargeTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrip(t, crm.Options{}, map[string]any{"number_add_suffix": true})
		if codes, err := tr.delivered("", 1, contacts(2000, 3100)); err != nil || len(codes) > 0 {
			t.Fatal(codes, err)
		}
		codes, err := tr.delivered("drop=25%,drop-before=10%,5xx-after=10%", 1, contacts(0, 600))
		time.Sleep(2 * crm.ImportDelay)
		if d := tr.service.State(); err != nil || d.Twice+d.RowsTwice != 0 || int(d.Imported) < 1700-codes[connector.CodeAmbiguous] {
			t.Errorf("%v, %v, %+v", codes, err, d.Totals)
		}
	})
}

// Numbers that the task holds already, as other rows, are rejected one by one; the others pass. What no import takes is
// rejected without a reason.
func TestDeliveryOfKnownNumbers(t *testing.T) {
	for _, tc := range []struct{ mode, want string }{{"async", "map[in_task:7]"}, {"sync", "map[422:7]"}} {
		synctest.Test(t, func(t *testing.T) {
			tr := newTrip(t, crm.Options{}, map[string]any{"mode": tc.mode})
			if codes, err := tr.delivered("", 1, others(contacts(100, 107))); err != nil || len(codes) > 0 {
				t.Fatal(codes, err)
			}
			codes, err := tr.delivered("", 1, contacts(0, 300))
			if err != nil || fmt.Sprint(codes) != tc.want || len(tr.service.Contents()) != 300 {
				t.Errorf("%s: %v, %v, %d stored", tc.mode, codes, err, len(tr.service.Contents()))
			}
		})
	}
}

// A task that runs holds its rows up until it is stopped, and ends the run where it is not.
func TestDeliveryToARunningTask(t *testing.T) {
	for _, stops := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			tr := newTrip(t, crm.Options{}, nil)
			tr.service.SetRunning(crm.TaskID, true)
			if stops {
				stop := time.AfterFunc(5*time.Minute, func() { tr.service.SetRunning(crm.TaskID, false) })
				defer stop.Stop()
			}
			began := time.Now()
			codes, err := tr.delivered("", 1, contacts(0, 300))
			if stops {
				if err != nil || len(codes) > 0 || len(tr.service.Contents()) != 300 || tr.service.State().Requests != 2 {
					t.Errorf("%v, %v", codes, err)
				}
				return
			}
			took := time.Since(began)
			if connector.KindOf(err) != connector.KindTransient || !strings.Contains(err.Error(), "6007") || took < 15*time.Minute || took > 17*time.Minute {
				t.Errorf("after %v: %v (%v)", took, err, connector.KindOf(err))
			}
			entries, _ := tr.server.Journal()
			first, longest := entries[1].Time.Sub(entries[0].Time), time.Duration(0)
			for i := range entries[1:] {
				longest = max(longest, entries[i+1].Time.Sub(entries[i].Time))
			}
			if first > time.Second || longest < 20*time.Second || longest > 61*time.Second || len(entries) > 200 {
				t.Errorf("the task was asked %d times; the first wait was %v, the longest %v; want them to grow", len(entries), first, longest)
			}
		})
	}
}

// A number given twice names the row that came first, whether that one is still under way or in the task.
func TestDuplicatesNameTheFirstRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrip(t, crm.Options{}, nil)
		rows := append(contacts(0, 3), others(contacts(1, 2))...)
		codes, err := tr.delivered("", 1, rows)
		if err != nil || codes[connector.CodeDuplicate] != 1 || !strings.Contains(tr.rejected[0].Message, `row "row-1"`) || tr.rejected[0].Row != 3 {
			t.Errorf("%v, %v, %+v", codes, err, tr.rejected)
		}
		codes, err = tr.delivered("", 1, others(contacts(2, 3)))
		if err != nil || codes["in_task"] != 1 || !strings.Contains(tr.rejected[0].Message, `row "row-2"`) {
			t.Errorf("%v, %v, %+v", codes, err, tr.rejected)
		}
	})
}

func TestDeliveryStopsAtAWrongToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrip(t, crm.Options{Token: "another"}, nil)
		if _, err := tr.delivered("", 1, contacts(0, 3)); connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), "token was refused") {
			t.Errorf("%v", err)
		}
	})
}
