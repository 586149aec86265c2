package outcall_test

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/connector"
	crm "github.com/sluicehq/sluice/connector/outcall/sandbox"
)

var cases = flag.Int("cases", 8, "cases of the delivery model per mode; up to -rapid.checks")

// entry is a row of the property test: numbers repeat, and some are none that the CRM calls.
type entry struct{ number, key string }

func (e entry) json() string {
	return fmt.Sprintf(`{"phone":%q,"external_id":%q}`, e.number, e.key)
}

func callable(number string) bool { return len(number) == 11 }

// load is what a case begins with and sends.
type load struct {
	before, rows []entry
	settings     map[string]any
	faults       string
	seed         uint64
	batch        int
	kills        []int // after so many calls
	share        float64
}

func drawLoad(rt *rapid.T, mode string) load {
	l := load{
		settings: map[string]any{"mode": mode, "phone_format": "digits", "number_add_suffix": rapid.Bool().Draw(rt, "suffix")},
		seed:     rapid.Uint64().Draw(rt, "seed"), batch: rapid.IntRange(1, 90).Draw(rt, "batch"),
		kills: rapid.SliceOfN(rapid.IntRange(1, 60), 0, 2).Draw(rt, "kills"), share: rapid.Float64Range(0, 0.5).Draw(rt, "lost"),
	}
	for _, f := range []struct {
		text string
		most int
	}{{"429@1s", 20}, {"5xx", 10}, {"drop-before", 10}, {"drop", 10}, {"5xx-after", 10}, {"malformed", 10}, {"truncate", 10}, {"html", 5}} {
		l.faults += fmt.Sprintf("%s=%d%%,", f.text, rapid.IntRange(0, f.most).Draw(rt, f.text))
	}
	l.faults += "latency@5ms..400ms=50%"
	n := rapid.IntRange(1, 150).Draw(rt, "rows")
	people := rapid.IntRange(1, 400).Draw(rt, "people") + n // so that most are of one row
	for i := range n {
		number := fmt.Sprintf("138%08d", rapid.IntRange(0, people).Draw(rt, "number"))
		if rapid.IntRange(0, 30).Draw(rt, "bad") == 0 {
			number = fmt.Sprintf("02%07d", i)
		}
		l.rows = append(l.rows, entry{number, fmt.Sprintf("row-%d", i)})
	}
	for i := range rapid.IntRange(0, 20).Draw(rt, "before") {
		l.before = append(l.before, entry{fmt.Sprintf("138%08d", i*7), fmt.Sprintf("before-%d", i)})
	}
	return l
}

func lines(entries []entry) (all []string) {
	for _, e := range entries {
		all = append(all, e.json())
	}
	return all
}

// play delivers a load and returns what is wrong.
func (l load) play(t *testing.T) (wrong []string) {
	accuse := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	tr := newTrials(t, l.settings, l.faults, l.seed, lines(l.rows), l.batch)
	if len(l.before) > 0 {
		if codes, err := tr.delivered("", 1, lines(l.before)); err != nil || len(codes) > 0 {
			accuse("before: %v, %v", codes, err)
		}
	}
	tr.way.share = l.share
	for _, after := range l.kills {
		if tr.run(after) == nil {
			break
		}
	}
	if err := tr.run(0); err != nil && tr.at < len(tr.rows) {
		accuse("the run ended: %v", err)
		return wrong
	}
	time.Sleep(2 * crm.ImportDelay) // of the bubble's time
	if len(tr.verdicts) != len(l.rows) {
		accuse("%d rows have %d verdicts", len(l.rows), len(tr.verdicts))
		return wrong
	}
	return append(wrong, l.judge(tr)...)
}

// judge compares the task and the journal with the model: a task holds a number once, by the row that came first, and
// with suffixes each row once.
func (l load) judge(tr *trials) (wrong []string) {
	accuse := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	suffix := l.settings["number_add_suffix"] == true
	d := tr.service.State()
	holds, byKey, rowsOf := map[string]int{}, map[string]int{}, map[string]int{}
	for _, task := range d.Tasks {
		for _, n := range task.Numbers {
			holds[n.Phone]++
			byKey[n.Extra]++
		}
	}
	for _, e := range slices.Concat(l.before, l.rows) {
		rowsOf[e.number]++
	}
	for number, n := range holds {
		if n > 1 && !suffix || n > rowsOf[number] {
			accuse("number %s is in the task %d times", number, n)
		}
	}
	for i, e := range l.rows {
		code, there := tr.verdicts[i], byKey[e.key]
		switch {
		case there > 1:
			accuse("row %s is in the task %d times", e.key, there)
		case code == connector.CodeAmbiguous: // nobody knows
		case code == "" && there == 0:
			accuse("row %s was called delivered and is not in the task", e.key)
		case code == "not_imported" && callable(e.number):
			accuse("row %s, %s, was rejected without a reason", e.key, e.number)
		case code == connector.CodeDuplicate || code == "in_task":
			if there > 0 || rowsOf[e.number] < 2 || suffix {
				accuse("row %s, %s, is called a repeat (%s) and is none", e.key, e.number, code)
			}
		case code != "" && there > 0:
			accuse("row %s was rejected as %s and is in the task", e.key, code)
		case code == "422" && callable(e.number) && (rowsOf[e.number] < 2 || suffix):
			accuse("row %s, %s, was refused for nothing", e.key, e.number)
		case !slices.Contains([]string{"", "422", "not_imported"}, code):
			accuse("row %s was rejected as %s", e.key, code)
		}
	}
	entries, _ := tr.server.Journal()
	sent := map[string]int{}
	for _, e := range entries {
		if !e.Committed {
			continue
		}
		for _, number := range e.Keys {
			// What the task does not take may be sent again: it is not there, and does no harm.
			if sent[number]++; sent[number] > rowsOf[number] && callable(number) {
				accuse("number %s went out %d times, for %d rows", number, sent[number], rowsOf[number])
			}
		}
	}
	return wrong
}

// TestDeliveryModel: whatever the vendor and the network do, and wherever runs are killed, every row has its true verdict,
// the task is what the model says, and no request that took effect is repeated.
func TestDeliveryModel(t *testing.T) {
	for _, mode := range []string{"async", "sync"} {
		t.Run(mode, func(t *testing.T) {
			played, failed := 0, false
			rapid.Check(t, func(rt *rapid.T) {
				if played++; played > *cases && !failed {
					return
				}
				l := drawLoad(rt, mode)
				var wrong []string
				synctest.Test(t, func(t *testing.T) { wrong = l.play(t) })
				if len(wrong) > 0 {
					failed = true
					rt.Errorf("%v %s: %s", l.settings, l.faults, strings.Join(wrong[:min(5, len(wrong))], "\n"))
				}
			})
		})
	}
}
