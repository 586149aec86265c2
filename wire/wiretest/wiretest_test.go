package wiretest

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"

	"github.com/sluicehq/sluice/connector"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// modelHarness describes the model wire: 20 rows, one of them refused, and states at several distances.
func modelHarness(defect string, release chan struct{}) Harness {
	var last *model
	h := Harness{
		New: func(mem memory.Allocator, in io.Reader) connector.Reader {
			last = &model{defect: defect, release: release, mem: mem, in: in}
			return last
		},
		Emitted: func() []Emission {
			synctest.Wait()
			last.mu.Lock()
			defer last.mu.Unlock()
			return append([]Emission(nil), last.emitted...)
		},
		Positions: true,
		MaxRows:   modelRows, MaxBytes: 1 << 16, MaxAhead: 1 << 10, Age: modelAge,
	}
	var input strings.Builder
	for i := range 20 {
		line := fmt.Sprintf(`{"a":%d,"b":"row","c":[%d]}`, i, i)
		row := Row{Stream: "s", JSON: line}
		if i == 7 || i == 8 {
			line = `{"a":` // cut
			row = Row{Stream: "s", JSON: line, Code: connector.CodeBadJSON}
		}
		input.WriteString(line + "\n")
		h.Rows = append(h.Rows, row)
		for k := range map[int]int{0: 1, 4: 2, 5: 1, 12: 1, 19: 1}[i] {
			text := fmt.Sprintf(`{"id":%d,"big":9007199254740993,"extra":{"at":%d}}`, i*10+k, i)
			input.WriteString(`{"state":` + text + "}\n")
			h.States = append(h.States, State{Text: text, After: map[string]int{"s": i + 1}})
		}
	}
	h.Input = []byte(input.String())
	return h
}

// model's goroutine reads a pipe that the check closes, and may lag behind the check by a scheduling.
func runCheck(t *testing.T, name, defect string) (err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		h := modelHarness(defect, release)
		for _, c := range checks {
			if c.name == name {
				err = c.run(h)
			}
		}
		close(release)
	})
	return err
}

func TestModelPasses(t *testing.T) { RunReader(t, modelHarness("", nil)) }

// TestPlantedDefectsAreCaught: each defect is found by the check that is meant for it.
func TestPlantedDefectsAreCaught(t *testing.T) {
	for _, c := range []struct{ defect, check, says string }{
		{"drops the last batch", "rows", "missing"},
		{"skips a bad line", "rows", "refused"},
		{"hides a refusal", "rows", "refused"},
		{"misplaces a refusal", "rows", "refus"},
		{"loses the raw text", "rows", "want {\"a\":"},
		{"swaps rows", "rows", "got {\"a\":1"},
		{"batches without bound", "rows", "a batch of 20 rows"},
		{"no price", "rows", "priced at 1"},
		{"hides the end", "rows", "EOF"},
		{"leaks a record", "memory", "not released"},
		{"acks early", "states", "early"},
		{"settles a batch too much", "states", "early"},
		{"acks at the first row of a batch", "states", "counts"},
		{"states out of order", "states", "before an earlier one"},
		{"skips a state", "states", "before an earlier one"},
		{"gives a state back twice", "states", "twice"},
		{"loses a state's field", "states", "lost"},
		{"a number becomes a float", "states", "lost"},
		{"counts rejects as committed", "states", "counts"},
		{"counts from the start", "states", "counts"},
		{"loses a state when nothing more comes", "states", "never given back"},
		{"position is one too far", "resume", "from position"},
		{"position is one short", "resume", "from position"},
		{"position lags a batch", "resume", "position"},
		{"takes any position", "close", "foreign position"},
		{"hangs on cancel", "cancel", "still runs"},
		{"ignores a context that has ended", "cancel", "context that has ended"},
		{"loses rows on cancel", "cancel", "stream s"},
		{"never flushes", "idle", "missing"},
		{"hangs on close", "close", "Close still runs"},
		{"close fails", "close", "cannot close"},
		{"leaks a goroutine", "close", "after Close"},
		{"reads ahead without bound", "bounds", "were taken"},
	} {
		t.Run(c.defect, func(t *testing.T) {
			err := runCheck(t, c.check, c.defect)
			if err == nil {
				t.Fatalf("the check %q lets it pass", c.check)
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("caught, but as %q; want it to say %q", err, c.says)
			}
		})
	}
}
