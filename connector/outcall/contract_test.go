package outcall_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/sluicehq/sluice/connector/connectortest"
	"github.com/sluicehq/sluice/connector/outcall"
	"github.com/sluicehq/sluice/connector/outcall/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func account(more map[string]any) map[string]any {
	values := map[string]any{"token": sandbox.Token, "user_id": sandbox.UserID, "task_id": sandbox.TaskID}
	for name, value := range more {
		values[name] = value
	}
	return values
}

// TestContract holds the vendor to the suite where its answers are verdicts and numbers may repeat, as the suite expects:
// it sends rows of a number over and over and never polls. What it so leaves out is tested in poll_test.go and
// trip_test.go.
func TestContract(t *testing.T) {
	service := func() connectortest.Service { return sandbox.New(sandbox.Options{ImportDelay: -1}) }
	sb := connectortest.Sandbox{New: service, Contact: map[string]any{
		"custom": map[string]any{"nickname": "aa", sandbox.ComponentAge: 17}, "source": "fair", "industry": "2", "stage": "1",
	}}
	for name, more := range map[string]map[string]any{"async": {}, "sync": {"mode": "sync", "sub_user_id": sandbox.SubUserID}} {
		more["settle"], more["number_add_suffix"] = "accepted", true
		more["components"], more["sources"] = map[string]any{"nickname": sandbox.ComponentText}, map[string]any{"fair": 3}
		sb.Config = account(more)
		t.Run(name, func(t *testing.T) { connectortest.Run(t, outcall.Vendor, sb) })
	}
}

func TestSource(t *testing.T) { connectortest.Source(t, ".") }
