package outcall_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/connectortest"
	"github.com/sluicehq/sluice/connector/outcall"
	crm "github.com/sluicehq/sluice/connector/outcall/sandbox"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// TestThroughput: requests are full, and the pace is used, whatever the size of the input batches.
func TestThroughput(t *testing.T) {
	for _, mode := range []string{"async", "sync"} {
		t.Run(mode, func(t *testing.T) {
			cfg := outcall.Vendor.NewConfig().(*outcall.Config)
			cfg.Token, cfg.UserID, cfg.TaskID = connector.NewSecret(crm.Token), crm.UserID, crm.TaskID
			cfg.Mode = mode
			connectortest.Throughput(t, connectortest.Load{
				Codec: func(stream string, schema *arrow.Schema) (connector.Codec, error) {
					return outcall.Vendor.Codec(cfg, stream, mode, schema)
				},
				Service: func() sandbox.Service { return crm.New(crm.Options{}) },
				Pace:    outcall.Vendor.Pace,
				Columns: []string{"phone", "name"},
				Row:     func(i int) []string { return []string{fmt.Sprintf("139%08d", i), "A"} },
				Rows:    5_000, Latency: "latency@200ms", Late: 5 * time.Second, // imports are asked for after 1, 2 and 4 s
			})
		})
	}
}
