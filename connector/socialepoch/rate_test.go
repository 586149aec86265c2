package socialepoch_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/socialepoch"
	sesandbox "github.com/sluicehq/sluice/connector/socialepoch/sandbox"
	"github.com/sluicehq/sluice/internal/deliver"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// A vendor that takes fewer calls than we make, and says so in its own words or by its status, gets them more slowly. No
// row is rejected for it, and no row's sends are used up.
func TestVendorsOwnRate(t *testing.T) {
	const n = 6_000
	for name, faults := range map[string]string{"code": "", "status": "rate=3/60s"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
				defer mem.AssertSize(t, 0)
				var options sesandbox.Options
				if faults == "" {
					options.Rate = sesandbox.Rate{Calls: 3, Per: time.Minute}
				}
				fs, err := sandbox.ParseFaults(faults)
				if err != nil {
					t.Fatal(err)
				}
				service, cfg := sesandbox.New(options), settings()
				cfg.MaxBytes = 64 << 10 // so that there are some calls
				w := deliver.New(deliver.Config{
					Codec: func(stream string, schema *arrow.Schema) (connector.Codec, error) {
						return socialepoch.SocialEpoch.Codec(cfg, stream, "import", schema)
					},
					Transport:         sandbox.Transport(sandbox.New(sandbox.Options{Clock: time.Now, Seed: 2, Faults: fs}, service)),
					RequestsPerSecond: socialepoch.SocialEpoch.Pace.RequestsPerSecond, Concurrency: 2, MaxAttempts: 2, Alloc: mem,
				})
				ctx, began := context.Background(), time.Now()
				if err := w.Open(ctx); err != nil {
					t.Fatal(err)
				}
				if err := w.Write(ctx, connector.Batch{Stream: "contacts", Rows: crowd(mem, n, func(int) string { return "" })}, func(rejected []connector.RowResult, err error) {
					if err != nil || len(rejected) > 0 {
						t.Errorf("%d rejected, %v", len(rejected), err)
					}
				}); err != nil {
					t.Fatal(err)
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				s, took := w.Stats(), time.Since(began)
				taken := service.Summary().(sesandbox.Totals)
				t.Logf("%d calls, %d of them throttled, %d taken, in %v", s.Requests, s.Throttled, taken.Requests, took.Round(time.Second))
				least := time.Duration((taken.Requests-1)/3) * time.Minute
				if s.Rows != n || taken.Records != n || taken.Requests < 7 || s.Throttled == 0 || took < least {
					t.Errorf("%d delivered, %d stored, in %v, at the least %v", s.Rows, taken.Records, took, least)
				}
			})
		})
	}
}
