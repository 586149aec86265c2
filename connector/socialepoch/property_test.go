package socialepoch_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/connectortest"
	"github.com/sluicehq/sluice/connector/socialepoch"
	sesandbox "github.com/sluicehq/sluice/connector/socialepoch/sandbox"
)

// The columns of a drawn row, in the vendor's words.
var drawnColumns = []string{"agentAccount", "whatsApp", "friendName", "desc", "stage", "tabName", "cancelTabName"}

const (
	atAgent, atNumber = 0, 1
	atName, atDesc    = 2, 3
	atStage           = 4
	atTags, atCancel  = 5, 6
)

// history is one drawn case: rows in batches, what befalls the calls, and the form of the answers.
type history struct {
	connectortest.Play
	mode    string
	options sesandbox.Options
}

func drawHistory(rt *rapid.T) *history {
	yes := func(what string) bool { return rapid.IntRange(0, 3).Draw(rt, what) == 0 }
	h := &history{
		mode: rapid.SampledFrom([]string{"import", "pool_append"}).Draw(rt, "mode"),
	}
	h.Seed, h.Concurrency = rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(1, 3).Draw(rt, "concurrency")
	h.Faults = rapid.SampledFrom([]string{
		"", "latency@1ms..900ms=60%", "latency@5ms..400ms=50%,429@1s=5%,5xx=5%,drop-before=3%,drop=6%,5xx-after=4%,malformed=4%,truncate=4%", "drop=x3,truncate=x2",
	}).Draw(rt, "faults")
	h.options.Lock = yes("locks")
	h.options.Quirks = sesandbox.Quirks{
		NoPhone: yes("errPhone empty"), Collapsed: yes("collapsed"), StringCode: yes("code as text"), TrailingComma: yes("commas"),
		StringData: yes("data as text"), Msg: yes("msg"), TopLevel: yes("top level"),
	}
	numbers, bad := rapid.IntRange(1, 50).Draw(rt, "numbers"), rapid.SampledFrom([]int{0, 0, 20, 40}).Draw(rt, "one bad in")
	n := 0
	for range rapid.IntRange(1, 5).Draw(rt, "batches") {
		batch := make([]connectortest.PlayRow, rapid.SampledFrom([]int{1, 2, 7, 20, 101}).Draw(rt, "rows"))
		for i := range batch {
			batch[i] = drawRow(rt, n, numbers, bad)
			n++
		}
		h.Batches = append(h.Batches, batch)
	}
	return h
}

func drawRow(rt *rapid.T, n, numbers, bad int) (r connectortest.PlayRow) {
	v := make([]string, len(drawnColumns))
	v[atAgent] = rapid.SampledFrom([]string{"agent101", "agent102"}).Draw(rt, "agent")
	v[atNumber] = fmt.Sprintf("86139%04d", rapid.IntRange(1, numbers).Draw(rt, "number"))
	given := rapid.IntRange(0, 31).Draw(rt, "given")
	for bit, text := range []string{fmt.Sprintf("n%d", n), fmt.Sprintf("d%d", n), "Won", fmt.Sprintf("t%d,vip", n), fmt.Sprintf("t%d,t%d,vip", n-1, n-2)} {
		if given>>bit&1 == 1 {
			v[atName+bit] = text
		}
	}
	if bad > 0 && rapid.IntRange(1, bad).Draw(rt, "bad") == 1 {
		switch n % 3 {
		case 0:
			v[atNumber], r.Code = "", connector.CodeNoIdentifier
		case 1:
			v[atStage], r.Code = "Lost", "15"
		default:
			v[atNumber], r.Code = fmt.Sprintf("86x%d", n), "28"
		}
	}
	r.Values = v
	return r
}

// model is the vendor's rule in a few lines: a contact is known by agent and number; what is given replaces what was, tags
// are added, and taken away by an import into customers.
func (h *history) model() (want []string) {
	type contact struct {
		values [7]string
		tags   map[string]bool
	}
	all := map[string]*contact{}
	for _, batch := range h.Batches {
		for i := range batch {
			r := &batch[i]
			if r.Code != "" {
				continue
			}
			key := r.Values[atAgent] + "/" + r.Values[atNumber]
			if all[key] == nil {
				all[key] = &contact{tags: map[string]bool{}}
			}
			c := all[key]
			for at, v := range r.Values[:atTags] {
				if v != "" {
					c.values[at] = v
				}
			}
			for tag := range strings.SplitSeq(r.Values[atTags], ",") {
				c.tags[tag] = tag != ""
			}
			if h.mode == "import" {
				for tag := range strings.SplitSeq(r.Values[atCancel], ",") {
					delete(c.tags, tag)
				}
			}
		}
	}
	for _, c := range all {
		var tags []string
		for tag, has := range c.tags {
			if has {
				tags = append(tags, tag)
			}
		}
		slices.Sort(tags)
		want = append(want, fmt.Sprint(c.values[:atTags], tags))
	}
	return want
}

// stored is what the CRM holds, in the model's form. A store of the other mode has no place in it.
func stored(service *sesandbox.Service, mode string) (got []string) {
	for _, c := range service.State().Contacts {
		line := fmt.Sprint([]string{c.Agent, c.Number, c.Fields["friendName"], c.Fields["desc"], c.Fields["stage"]}, c.Tags)
		if (c.Store == "pool") != (mode == "pool_append") {
			line = "in " + c.Store + ": " + line
		}
		got = append(got, line)
	}
	return got
}

// run delivers the case and says what is wrong.
func (h *history) run(t *testing.T) []string {
	service := sesandbox.New(h.options)
	h.Codec = func(stream string, schema *arrow.Schema) (connector.Codec, error) {
		return socialepoch.SocialEpoch.Codec(settings(), stream, h.mode, schema)
	}
	h.Service, h.Columns, h.Want = service, drawnColumns, h.model
	h.Stored = func() []string { return stored(service, h.mode) }
	return h.Run(t)
}

// TestWhatIsSentIsThere: whatever rows come, in whatever batches, whatever befalls the calls and in whatever form the
// vendor answers, each row is delivered or refused for what is wrong with it, and the CRM holds what a serial sender would
// have left there. pool_replace has a property of its own.
func TestWhatIsSentIsThere(t *testing.T) {
	t.Parallel()
	cases, rows := map[string]int{}, 0
	rapid.Check(t, func(rt *rapid.T) {
		h := drawHistory(rt)
		for _, fault := range h.run(t) {
			rt.Error(fault)
		}
		cases[h.mode]++
		rows += h.Rows()
	})
	t.Logf("cases %v, %d rows", cases, rows)
}
