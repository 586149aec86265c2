package socialepoch_test

import (
	"fmt"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/connectortest"
	"github.com/sluicehq/sluice/connector/socialepoch"
	sesandbox "github.com/sluicehq/sluice/connector/socialepoch/sandbox"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// TestThroughput: at 50 calls a minute it matters that requests are full.
func TestThroughput(t *testing.T) {
	rows := 40_000
	if underRace {
		rows = 20_000
	}
	connectortest.Throughput(t, connectortest.Load{
		Codec: func(stream string, schema *arrow.Schema) (connector.Codec, error) {
			return socialepoch.SocialEpoch.Codec(settings(), stream, "import", schema)
		},
		Service: func() sandbox.Service { return sesandbox.New(sesandbox.Options{}) },
		Pace:    socialepoch.SocialEpoch.Pace,
		Columns: []string{"agentAccount", "whatsApp"},
		Row:     func(i int) []string { return []string{sesandbox.Agent, fmt.Sprintf("86139%06d", i)} },
		Rows:    rows, Latency: "latency@800ms",
	})
}
