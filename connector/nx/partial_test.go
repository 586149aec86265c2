package nx_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/nx"
	nxsandbox "github.com/sluicehq/sluice/connector/nx/sandbox"
	"github.com/sluicehq/sluice/internal/deliver"
	"github.com/sluicehq/sluice/internal/rows"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// The vendor documents no partial failure. Should it ever answer success and name failed rows in its data, no row may be
// lost: those that were not taken are found and sent again.
func TestPartialFailureLosesNoRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 90
		d := newDialect(t, nx.NXLink, nil)
		service := nxsandbox.New(nxsandbox.Options{}).Link
		faults, err := sandbox.ParseFaults("partial=x2")
		if err != nil {
			t.Fatal(err)
		}
		server := sandbox.New(sandbox.Options{Clock: time.Now, Seed: 3, Faults: faults}, service)
		cfg := nx.NXLink.NewConfig().(*nx.LinkConfig)
		cfg.AccessKey, cfg.AccessSecret = connector.NewSecret("sandbox-key"), connector.NewSecret("sandbox-secret")
		cfg.TenantID, cfg.AppKey = 144, "sandbox=app"

		w := deliver.New(deliver.Config{
			Codec: func(stream string, schema *arrow.Schema) (connector.Codec, error) {
				return nx.NXLink.Codec(cfg, stream, "upsert", schema)
			},
			Transport: sandbox.Transport(server), Alloc: d.mem,
		})
		ctx := context.Background()
		if err := w.Open(ctx); err != nil {
			t.Fatal(err)
		}
		var rejected []connector.RowResult
		if err := w.Write(ctx, connector.Batch{Stream: "contacts", Rows: d.people(n)}, func(r []connector.RowResult, err error) {
			if rejected = r; err != nil {
				t.Error(err)
			}
		}); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if failed := service.State().Failed; failed == 0 {
			t.Error("the sandbox left no row out; the test shows nothing")
		}
		if stored := len(service.Contents()); len(rejected) != 0 || stored != n {
			t.Errorf("%d rows are stored, %d rejected, want %d and none: %+v", stored, len(rejected), n, rejected)
		}
	})
}

// people makes a record of n different persons in the vendor's columns.
func (d *dialect) people(n int) arrow.Record {
	d.t.Helper()
	b := rows.NewBuilder(d.mem, rows.RawSchema(d.mapping.Fields("contacts")))
	defer b.Release()
	for i := range n {
		if refusal := b.Append(fmt.Appendf(nil, `{"full_name":"A B","whatsapp":"8613800%06d"}`, i)); refusal != nil {
			d.t.Fatal(refusal)
		}
	}
	in := b.NewRecord()
	defer in.Release()
	plans, err := d.mapping.Plans("contacts", in.Schema())
	if err != nil {
		d.t.Fatal(err)
	}
	out, err := plans[0].Apply(context.Background(), in, nil)
	if err != nil || len(out.Rejected) > 0 {
		d.t.Fatal(err, out.Rejected)
	}
	return out.Rows
}
