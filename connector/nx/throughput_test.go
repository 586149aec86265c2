package nx_test

import (
	"fmt"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/connectortest"
	"github.com/sluicehq/sluice/connector/nx"
	nxsandbox "github.com/sluicehq/sluice/connector/nx/sandbox"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// TestThroughput: requests are full, and the pace is used, whatever the size of the input batches.
func TestThroughput(t *testing.T) {
	cfg := decoded(t, nx.NXLink, account(nil))
	connectortest.Throughput(t, connectortest.Load{
		Codec: func(stream string, schema *arrow.Schema) (connector.Codec, error) {
			return nx.NXLink.Codec(cfg, stream, "upsert", schema)
		},
		Service: func() sandbox.Service { return nxsandbox.New(nxsandbox.Options{}).Link },
		Pace:    nx.NXLink.Pace,
		Columns: []string{"first_name", "last_name", "whats_app_phone"},
		Row:     func(i int) []string { return []string{"A", "B", fmt.Sprintf("86139%06d", i)} },
		Rows:    10_000, Latency: "latency@200ms",
	})
}
