package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/all"
	"github.com/sluicehq/sluice/connector/all/sandboxes"
	"github.com/sluicehq/sluice/connector/connectortest"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/rows"
	"github.com/sluicehq/sluice/transforms"
)

// wayBack is how a CRM that gives contacts back is asked for them, and which columns survive the way there and back.
type wayBack struct {
	there    map[string]any // settings of the delivery beside the account's
	back     map[string]any // settings of the source
	columns  []string
	national string            // the country code that the CRM keeps no trace of
	gender   map[string]string // canonical → what comes back, where that is another
}

var waysBack = map[string]wayBack{
	"nxcloud": {
		columns: []string{"gender", "birthday", "tags", "phone", "whatsapp"}, gender: map[string]string{"unknown": ""}, // it has no code for unknown
	},
	"socialepoch": {
		back:    map[string]any{"whatsapp_accounts": []string{"86187272722"}},
		columns: []string{"gender", "birthday", "tags", "whatsapp"},
	},
	"outcall": {
		there:   map[string]any{"components": map[string]any{"birthday": "2a87347c-6dd5-4e22-97fe-9b8001dbcd17"}},
		back:    map[string]any{"components": map[string]any{"birthday": "2a87347c-6dd5-4e22-97fe-9b8001dbcd17"}},
		columns: []string{"gender", "birthday", "phone"}, national: "86",
	},
}

// contactOf makes a contact as careless sources write it, and its canonical form.
func contactOf(rng *rand.Rand, i int) (written string, canonical map[string]string) {
	one := func(list ...string) string { return list[rng.IntN(len(list))] }
	canonical = map[string]string{"gender": one("male", "female", "unknown")}
	gender := map[string][]string{"male": {"M", "男", " Mr. ", "Male", "先生"}, "female": {"f", "女士", "FEMALE", "Ｆ"}, "unknown": {"UNKOWNN", "未知", "n/a"}}[canonical["gender"]]
	day := time.Date(1930, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rng.IntN(30000))
	canonical["birthday"] = day.Format(time.DateOnly)
	number := fmt.Sprintf("1%d%02d%07d", 3+rng.IntN(7), rng.IntN(100), i)
	canonical["phone"], canonical["whatsapp"] = "86"+number, "86"+number
	var tags []string
	for _, tag := range []string{"vip", "老客户", "do not call", "🔥 hot", "A/B"} {
		if rng.IntN(2) == 0 {
			tags = append(tags, tag)
		}
	}
	canonical["tags"] = strings.Join(tags, "|")
	list, _ := json.Marshal(tags)
	if tags == nil {
		list = []byte("[]")
	}
	contact, _ := json.Marshal(map[string]any{
		"full_name": fmt.Sprintf("Person %d", i), "gender": one(gender...),
		"birthday": day.Format(one("2006-01-02", "2006/1/2", "20060102", "2006年1月2日", "2 January 2006", "2006-01-02T00:00:00+08:00")),
		"phone":    one("+86 ", "0086-", "86") + number, "whatsapp": one("+86-", "86", "0086 ") + one(number, number[:3]+" "+number[3:]),
		"tags": one(strings.Join(tags, ","), strings.Join(tags, " ， "), "["+strings.Join(tags, ",")+"]", string(list)),
	})
	return string(contact), canonical
}

// TestThereAndBack: what goes to a CRM through its dialect comes back through its source in canonical form.
func TestThereAndBack(t *testing.T) {
	for _, v := range all.Vendors {
		way, known := waysBack[v.Name]
		if v.Source == nil {
			continue
		}
		if !known {
			t.Errorf("how %s gives contacts back is not said", v.Name)
			continue
		}
		t.Run(v.Name, func(t *testing.T) {
			for seed := range uint64(3) {
				way.goThere(t, v, rand.New(rand.NewPCG(seed, 1)))
			}
		})
	}
}

func (w wayBack) goThere(t *testing.T, v connector.Vendor, rng *rand.Rand) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	cfg := v.NewConfig()
	decodeInto(t, v.Name, cfg, v.Fields, w.there)
	dialect, err := v.Preset(cfg)
	if err != nil {
		t.Fatal(err)
	}
	preset, err := transforms.Parse(v.Name, dialect)
	if err != nil {
		t.Fatal(err)
	}
	m, err := transforms.Compile(nil, transforms.Options{Preset: preset, Identifiers: v.MatchKeys, Alloc: mem})
	if err != nil {
		t.Fatal(err)
	}
	schema := rows.RawSchema(m.Fields("contacts"))
	b := rows.NewBuilder(mem, schema)
	defer b.Release()
	want := map[string]map[string]string{}
	for i := range 60 {
		line, canonical := contactOf(rng, i)
		if r := b.Append([]byte(line)); r != nil {
			t.Fatal(r)
		}
		want[canonical["phone"]] = canonical
	}
	rec := b.NewRecord()
	defer rec.Release()
	plans, err := m.Plans("contacts", schema)
	if err != nil {
		t.Fatal(err)
	}
	out, err := plans[0].Apply(context.Background(), rec, nil)
	if err != nil || len(out.Rejected) > 0 {
		t.Fatal(err, out.Rejected)
	}
	rejected, _ := deliverAll(t, v, cfg, out.Rows, mem, func(crm http.RoundTripper) { w.comeBack(t, v, crm, want) })
	if len(rejected) > 0 {
		t.Errorf("refused: %v", rejected[0])
	}
}

// comeBack asks for all contacts and compares.
func (w wayBack) comeBack(t *testing.T, v connector.Vendor, crm http.RoundTripper, want map[string]map[string]string) {
	src := v.Source.NewConfig()
	decodeInto(t, v.Name, src, v.Source.Fields, w.back)
	puller, err := v.Source.Puller(src, "contacts")
	if err != nil {
		t.Fatal(err)
	}
	sink := connectortest.NewSink(t, v.Source)
	defer sink.Close()
	for from, more := connector.Position(nil), true; more; {
		page, o, err := connectortest.Ask(t, puller, crm, time.Now(), from, sink)
		if err != nil || o.Verdict != connector.VerdictDelivered {
			t.Fatal(o, err)
		}
		from, more = page.Next, page.More
	}
	sink.Close()
	for _, row := range sink.Rows["contacts"] {
		number := row.Text("whatsapp")
		if number == "" {
			number = w.national + row.Text("phone")
		}
		contact := want[number]
		if contact == nil {
			t.Errorf("%q is nobody, or came twice", number)
			continue
		}
		delete(want, number)
		for _, column := range w.columns {
			w.compare(t, column, contact[column], row)
		}
	}
	if len(want) > 0 {
		t.Errorf("%d contacts did not come back", len(want))
	}
}

func (w wayBack) compare(t *testing.T, column, want string, row connectortest.Row) {
	got := row.Text(column)
	switch column {
	case "tags":
		var list []string
		_ = json.Unmarshal(row[column], &list) // none: no tags
		got = strings.Join(list, "|")
	case "phone":
		got = w.national + got
	case "gender":
		if other, ok := w.gender[want]; ok {
			want = other
		}
	}
	if got != want {
		t.Errorf("%s came back as %q, want %q: %s", column, got, want, row["raw"])
	}
}

// decodeInto reads the settings of the sandbox's account, as far as the table knows them, and more.
func decodeInto(t *testing.T, crm string, cfg connector.Config, fields []connector.Field, more map[string]any) {
	t.Helper()
	settings := map[string]any{"base_url": "http://127.0.0.1"}
	for _, a := range sandboxes.Accounts() {
		for _, s := range a.Settings {
			if a.Vendor == crm && slices.ContainsFunc(fields, func(f connector.Field) bool { return f.Name == s.Name }) {
				settings[s.Name] = s.Value
			}
		}
	}
	maps.Copy(settings, more)
	text, err := json.Marshal(settings)
	if err == nil {
		err = config.Decode("settings", text, fields, cfg)
	}
	if err != nil {
		t.Fatal(err)
	}
}
