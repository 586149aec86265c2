package sandbox_test

import (
	"testing"

	crm "github.com/sluicehq/sluice/connector/outcall/sandbox"
)

// TestLeave: who left is out of the pool and stays in the task; ids are not given twice.
func TestLeave(t *testing.T) {
	w := newWorld(t, crm.Options{ImportDelay: -1})
	w.do("POST", taskPath+"/async_number", `{"data":[{"phone":"13012121211","sort":0},{"phone":"13012121212","sort":0}]}`)
	first := w.crm.State().Pool[1].ID
	if n := w.crm.Leave("13012121211"); n != 1 {
		t.Errorf("%d left", n)
	}
	if n := w.crm.Leave("13012121211"); n != 0 {
		t.Errorf("%d left, and nobody was there", n)
	}
	w.do("POST", taskPath+"/async_number", `{"data":[{"phone":"13012121213","sort":0}]}`)
	state, held := w.crm.State(), 0
	for _, task := range state.Tasks {
		held += len(task.Numbers)
	}
	if len(state.Pool) != 2 || state.Pool[0].ID != first || state.Pool[1].ID == first || held != 3 {
		t.Errorf("%+v", state)
	}
}
