package nx_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/connectortest"
	"github.com/sluicehq/sluice/connector/nx"
	nxsandbox "github.com/sluicehq/sluice/connector/nx/sandbox"
	"github.com/sluicehq/sluice/internal/config"
)

// The columns of a drawn row, in the vendor's words, and their places.
var drawnColumns = []string{"first_name", "last_name", "full_name", "whats_app_phone", "sms_phone", "email", "remark", "country", "tagStr"}

const (
	atName, atLast, atFull      = 0, 1, 2
	atWhatsApp, atSMS, atEmail  = 3, 4, 5
	atRemark, atCountry, atTags = 6, 7, 8
)

// history is one drawn case: rows in batches, and what befalls the calls.
type history struct {
	connectortest.Play
	endpoint, mode string
}

// endpoints are the three forms of the interface: vendor and contract.
var endpoints = map[string]struct {
	vendor connector.Vendor
	more   map[string]any
}{
	"sea": {nx.NXLink, nil},
	"old": {nx.NXCloud, map[string]any{"contract": "old"}},
	"new": {nx.NXCloud, map[string]any{"contract": "new"}},
}

func drawHistory(rt *rapid.T) *history {
	h := &history{
		endpoint: rapid.SampledFrom([]string{"sea", "old", "new"}).Draw(rt, "endpoint"),
		mode:     rapid.SampledFrom([]string{"upsert", "replace", "insert"}).Draw(rt, "mode"),
	}
	h.Seed, h.Concurrency = rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(1, 5).Draw(rt, "concurrency")
	h.Faults = rapid.SampledFrom([]string{
		"", "latency@1ms..900ms=60%", "latency@5ms..400ms=50%,429@1s=5%,5xx=5%,drop-before=3%,drop=6%,5xx-after=4%,malformed=4%,truncate=4%", "drop=x3,truncate=x2,partial=x2",
	}).Draw(rt, "faults")
	persons := rapid.IntRange(1, 60).Draw(rt, "persons")
	bad := rapid.SampledFrom([]int{0, 0, 20, 40}).Draw(rt, "one bad in")
	n := 0
	for range rapid.IntRange(1, 5).Draw(rt, "batches") {
		batch := make([]connectortest.PlayRow, rapid.SampledFrom([]int{1, 2, 7, 20, 101}).Draw(rt, "rows"))
		for i := range batch {
			batch[i] = drawRow(rt, n, persons, bad)
			n++
		}
		h.Batches = append(h.Batches, batch)
	}
	return h
}

func drawRow(rt *rapid.T, n, persons, bad int) (r connectortest.PlayRow) {
	p := rapid.IntRange(1, persons).Draw(rt, "person")
	v := make([]string, len(drawnColumns))
	v[atName], v[atLast], v[atFull] = "A", fmt.Sprintf("n%d", n), "A B"
	known := rapid.IntRange(1, 7).Draw(rt, "known by")
	for bit, value := range []string{fmt.Sprintf("86139%04d", p), fmt.Sprintf("86138%04d", p), fmt.Sprintf("P%d@example.com", p)} {
		if known>>bit&1 == 1 {
			v[atWhatsApp+bit] = value
		}
	}
	if n%2 == 1 {
		v[atEmail] = strings.ToLower(v[atEmail]) // the vendor takes both spellings for one
	}
	given := rapid.IntRange(0, 7).Draw(rt, "given")
	for bit, text := range []string{fmt.Sprintf("r%d", n), "China", fmt.Sprintf("t%d,vip", n)} {
		if given>>bit&1 == 1 {
			v[atRemark+bit] = text
		}
	}
	if bad > 0 && rapid.IntRange(1, bad).Draw(rt, "bad") == 1 {
		if n%3 == 0 {
			v[atWhatsApp], v[atSMS], v[atEmail], r.Code = "", "", "", connector.CodeNoIdentifier
		} else {
			v[atTags], v[atCountry], r.Code = "", strings.Repeat("x", 500), "1002"
		}
	}
	r.Values = v
	return r
}

// customer is a record of the model.
type customer struct {
	values [9]string
	since  [9]int // when the value came
}

// model is the vendor's rule in a few lines: a row means the customer found by its WhatsApp number, else by its other
// number, else by its address, else a new one.
func (h *history) model() (want []string) {
	var all []*customer
	find := func(r *connectortest.PlayRow) *customer {
		for _, at := range []int{atWhatsApp, atSMS, atEmail} {
			var found *customer
			for _, c := range all {
				if r.Values[at] != "" && strings.EqualFold(c.values[at], r.Values[at]) && (found == nil || c.since[at] < found.since[at]) {
					found = c // of several that hold the value, the one that got it first
				}
			}
			if found != nil {
				return found
			}
		}
		return nil
	}
	now := 0
	for _, batch := range h.Batches {
		for i := range batch {
			r := &batch[i]
			if now++; r.Code != "" {
				continue
			}
			c := find(r)
			if c != nil && h.mode == "insert" {
				continue
			}
			if c == nil {
				c = &customer{}
				all = append(all, c)
			}
			for at, v := range r.Values {
				if v == "" && h.mode != "replace" {
					continue
				}
				if !strings.EqualFold(c.values[at], v) {
					c.since[at] = now
				}
				c.values[at] = v
			}
		}
	}
	for _, c := range all {
		want = append(want, lineOf(func(name string) string { return c.values[slices.Index(drawnColumns, name)] }))
	}
	return want
}

func lineOf(value func(name string) string) string {
	var parts []string
	for _, name := range drawnColumns {
		parts = append(parts, value(name))
	}
	return strings.Join(parts, "|")
}

// run delivers the case and says what is wrong.
func (h *history) run(t *testing.T) []string {
	e := endpoints[h.endpoint]
	both := nxsandbox.New(nxsandbox.Options{})
	service, base := both.Cloud, "http://127.0.0.1/"+h.endpoint
	if h.endpoint == "sea" {
		service, base = both.Link, "http://127.0.0.1"
	}
	more := map[string]any{"base_url": base, "mode": h.mode}
	maps.Copy(more, e.more)
	cfg := decoded(t, e.vendor, account(more))
	h.Codec = func(stream string, schema *arrow.Schema) (connector.Codec, error) {
		return e.vendor.Codec(cfg, stream, h.mode, schema)
	}
	h.Service, h.Columns, h.Want = service, drawnColumns, h.model
	h.Stored = func() (got []string) {
		for _, scope := range service.State().Scopes {
			for _, r := range scope.Records {
				got = append(got, lineOf(func(name string) string { return r.Fields[name] }))
			}
		}
		return got
	}
	return h.Run(t)
}

func decoded(t *testing.T, v connector.Vendor, values map[string]any) connector.Config {
	t.Helper()
	data, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	cfg := v.NewConfig()
	if err := config.Decode("test", data, v.Fields, cfg); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// TestWhatIsSentIsThere: whatever rows come, in whatever batches, and whatever befalls the calls, each row is delivered or
// refused for what is wrong with it, and the CRM holds what a serial sender would have left there.
func TestWhatIsSentIsThere(t *testing.T) {
	t.Parallel()
	cases, rows := map[string]int{}, 0
	rapid.Check(t, func(rt *rapid.T) {
		h := drawHistory(rt)
		for _, fault := range h.run(t) {
			rt.Error(fault)
		}
		cases[h.endpoint+" "+h.mode]++
		rows += h.Rows()
	})
	t.Logf("cases %v, %d rows", cases, rows)
}
