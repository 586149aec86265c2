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

// The vendor as it is by default, and in each way that changes when a row is settled or how often a number may be there.
// Where an acceptance is taken for the deed, the sandbox imports at once: nothing would wait for it.
func TestContract(t *testing.T) {
	for name, more := range map[string]map[string]any{
		"default": {}, "sync": {"mode": "sync", "sub_user_id": sandbox.SubUserID}, "suffix": {"number_add_suffix": true},
		"accepted": {"settle": "accepted"},
	} {
		delay := sandbox.ImportDelay
		if more["settle"] == "accepted" {
			delay = -1
		}
		more["components"], more["sources"] = map[string]any{"nickname": sandbox.ComponentText}, map[string]any{"fair": 3}
		sb := connectortest.Sandbox{
			New:    func() connectortest.Service { return sandbox.New(sandbox.Options{ImportDelay: delay}) },
			Config: account(more),
			Contact: map[string]any{
				"custom": map[string]any{"nickname": "aa", sandbox.ComponentAge: 17}, "source": "fair", "industry": "2", "stage": "1",
			},
		}
		t.Run(name, func(t *testing.T) { connectortest.Run(t, outcall.Vendor, sb) })
	}
}

func TestSource(t *testing.T) { connectortest.Source(t, ".") }
