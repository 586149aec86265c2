package sandbox_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	nx "github.com/sluicehq/sluice/connector/nx/sandbox"
)

// send posts rows to nxcloud; full_name is added where a row has none.
func (w *world) send(kind int, rows ...string) {
	w.t.Helper()
	for i, r := range rows {
		if !strings.Contains(r, "full_name") {
			rows[i] = `{"full_name":"n",` + r[1:]
		}
	}
	accepted(w.t, w.do(call{path: platPath, body: batch(kind, rows...)}))
}

func TestStateMachine(t *testing.T) {
	type step struct {
		kind int
		row  string
	}
	first := `{"full_name":"old","whats_app_phone":"1","email":"a@x","gender":1,"remark":"r","tagStr":"t","customize_field":"{\"a\":1,\"b\":\"x\"}"}`
	tests := []struct {
		name    string
		steps   []step
		fields  map[string]string
		custom  string
		history nx.History
	}{
		{"merge adds and replaces given fields", []step{{1, first}, {1, `{"full_name":"new","whats_app_phone":"1","gender":0,"country":"c","customize_field":"{\"b\":2,\"c\":null}"}`}},
			map[string]string{"full_name": "new", "whats_app_phone": "1", "email": "a@x", "gender": "0", "remark": "r", "tagStr": "t", "country": "c"},
			`{"a":1,"b":2}`, nx.History{Inserted: 1, Merged: 1}},
		{"merge leaves what is empty or null", []step{{1, first}, {1, `{"full_name":"old","whats_app_phone":"1","email":"","remark":null,"gender":null,"tagStr":"","customize_field":""}`}},
			map[string]string{"full_name": "old", "whats_app_phone": "1", "email": "a@x", "gender": "1", "remark": "r", "tagStr": "t"},
			`{"a":1,"b":"x"}`, nx.History{Inserted: 1, Merged: 1}},
		{"replace drops everything else", []step{{1, first}, {0, `{"full_name":"new","whats_app_phone":"1","remark":""}`}},
			map[string]string{"full_name": "new", "whats_app_phone": "1"}, `null`, nx.History{Inserted: 1, Replaced: 1}},
		{"insert keeps the old record", []step{{2, first}, {2, `{"full_name":"new","whats_app_phone":"1","country":"c"}`}},
			map[string]string{"full_name": "old", "whats_app_phone": "1", "email": "a@x", "gender": "1", "remark": "r", "tagStr": "t"},
			`{"a":1,"b":"x"}`, nx.History{Inserted: 1, Kept: 1}},
		{"replace of nobody inserts", []step{{0, `{"full_name":"n","email":"e"}`}},
			map[string]string{"full_name": "n", "email": "e"}, `null`, nx.History{Inserted: 1}},
		{"found by e-mail in another case, takes the phone", []step{{1, `{"full_name":"n","email":"A@x"}`}, {1, `{"full_name":"n","whats_app_phone":"9","email":"a@X"}`}, {1, `{"full_name":"m","whats_app_phone":"9"}`}},
			map[string]string{"full_name": "m", "whats_app_phone": "9", "email": "a@X"}, `null`, nx.History{Inserted: 1, Merged: 2}},
		{"found by sms phone when whatsapp is new", []step{{1, `{"full_name":"n","sms_phone":"5","whats_app_phone":"1"}`}, {1, `{"full_name":"n","sms_phone":"5","whats_app_phone":"2"}`}, {2, `{"full_name":"z","whats_app_phone":"2"}`}},
			map[string]string{"full_name": "n", "sms_phone": "5", "whats_app_phone": "2"}, `null`, nx.History{Inserted: 1, Merged: 1, Kept: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, nx.Options{})
			for _, s := range tt.steps {
				w.send(s.kind, s.row)
			}
			got := records(w.nx.Cloud)
			if len(got) != 1 {
				t.Fatalf("got %d records, want 1: %+v", len(got), got)
			}
			custom, err := json.Marshal(got[0].Custom)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got[0].Fields, tt.fields) || string(custom) != tt.custom || got[0].History != tt.history {
				t.Errorf("got  %v %s %+v\nwant %v %s %+v", got[0].Fields, custom, got[0].History, tt.fields, tt.custom, tt.history)
			}
		})
	}
}

func TestMatching(t *testing.T) {
	w := newWorld(t, nx.Options{})
	// A phone is not looked up among the other kind of phones.
	w.send(1, `{"whats_app_phone":"1"}`, `{"sms_phone":"1"}`)
	// Two records get one address: the one that got it first is found, until it gives the address up.
	w.send(1, `{"whats_app_phone":"1","email":"e"}`, `{"sms_phone":"1","email":"e"}`)
	w.send(1, `{"email":"e","country":"first"}`)
	w.send(0, `{"whats_app_phone":"1"}`)
	w.send(1, `{"email":"e","country":"second"}`)
	// Channels that are not matched make a new record each time.
	w.send(1, `{"zalo":"7"}`)
	w.send(1, `{"zalo":"7"}`)
	var got []string
	for _, r := range records(w.nx.Cloud) {
		got = append(got, fmt.Sprint(r.ID, r.Fields))
	}
	want := []string{
		"1 map[full_name:n whats_app_phone:1]",
		"2 map[country:second email:e full_name:n sms_phone:1]",
		"3 map[full_name:n zalo:7]", "4 map[full_name:n zalo:7]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestScopesAndServicesAreApart(t *testing.T) {
	w := newWorld(t, nx.Options{Accounts: []nx.Account{
		{AccessKey: "sandbox-key", AccessSecret: "sandbox-secret", Tenants: []nx.Tenant{{ID: 144, AppKeys: []string{"sandbox=app", "two"}}, {ID: 7, AppKeys: []string{"two"}}}},
		{AccessKey: "other", AccessSecret: "secret", Tenants: []nx.Tenant{{ID: 8, AppKeys: []string{"x"}}}},
	}})
	body := batch(1, `{"full_name":"n","first_name":"a","last_name":"b","email":"e"}`)
	accepted(t, w.do(call{path: platPath, body: body}))
	accepted(t, w.do(call{path: platPath, body: strings.Replace(body, "sandbox=app", "two", 1)}))
	accepted(t, w.do(call{path: platPath, body: strings.Replace(strings.Replace(body, "sandbox=app", "two", 1), "144", "7", 1)}))
	accepted(t, w.do(call{path: seaPath, body: body}))
	rejected(t, w.do(call{path: platPath, body: strings.Replace(body, "144", "8", 1)}), 22020, "8")
	if cloud, link := w.nx.Cloud.State(), w.nx.Link.State(); len(cloud.Scopes) != 3 || len(link.Scopes) != 1 || cloud.Records != 3 || link.Records != 1 {
		t.Errorf("got %+v and %+v", cloud, link)
	}
	if got := w.nx.Dump().(map[string]any); len(got) != 2 {
		t.Errorf("got %v", got)
	}
	w.server.Reset()
	if got := w.nx.Cloud.State(); got.Records != 0 || got.Requests != 0 {
		t.Errorf("after a reset got %+v", got)
	}
}

func TestHistoryAndTimes(t *testing.T) {
	w := newWorld(t, nx.Options{})
	w.send(1, `{"email":"e"}`, `{"email":"e"}`)
	w.now = w.now.Add(time.Hour)
	w.send(2, `{"email":"e"}`)
	w.send(0, `{"email":"e"}`)
	r := records(w.nx.Cloud)[0]
	if want := (nx.History{Inserted: 1, Merged: 1, Kept: 1, Replaced: 1}); r.History != want || !r.Created.Equal(start) || !r.Updated.Equal(w.now) {
		t.Errorf("got %+v", r)
	}
	got := w.nx.Cloud.Summary().(nx.Totals)
	if want := (nx.Totals{Requests: 3, Rows: 4, History: nx.History{Inserted: 1, Merged: 1, Kept: 1, Replaced: 1}, Records: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// slow is the state machine written the obvious way: a list that is searched from its start.
type slow struct{ records []map[string]string }

func (s *slow) apply(kind int, row map[string]string) {
	var hit map[string]string
	for _, f := range []string{"whats_app_phone", "sms_phone", "email"} {
		for _, r := range s.records {
			if hit == nil && row[f] != "" && r[f] == row[f] {
				hit = r
			}
		}
	}
	switch {
	case hit == nil:
		s.records = append(s.records, maps.Clone(row))
	case kind == 0:
		clear(hit)
		maps.Copy(hit, row)
	case kind == 1:
		maps.Copy(hit, row)
	}
}

// holdsOnce reports whether no identifier stands in two records; only then does the obvious way agree, which knows
// nothing of who got a value first.
func (s *slow) holdsOnce() bool {
	seen := map[string]bool{}
	for _, r := range s.records {
		for _, f := range []string{"whats_app_phone", "sms_phone", "email"} {
			if k := f + r[f]; r[f] != "" && seen[k] {
				return false
			}
			seen[f+r[f]] = true
		}
	}
	return true
}

func TestAgainstTheObviousWay(t *testing.T) {
	moved := 0
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		w, model := newWorld(t, nx.Options{}), &slow{}
		for model.holdsOnce() && moved < 1<<20 {
			row := map[string]string{"full_name": fmt.Sprint(rng.IntN(100))}
			for _, f := range []string{"whats_app_phone", "sms_phone", "email"} {
				if rng.IntN(2) == 0 {
					row[f] = fmt.Sprint(rng.IntN(12))
				}
			}
			if len(row) == 1 {
				continue
			}
			line, err := json.Marshal(row)
			if err != nil {
				t.Fatal(err)
			}
			kind := rng.IntN(3)
			model.apply(kind, row)
			if !model.holdsOnce() {
				break
			}
			w.send(kind, string(line))
			moved++
			var got []map[string]string
			for _, r := range records(w.nx.Cloud) {
				got = append(got, r.Fields)
			}
			if !reflect.DeepEqual(got, model.records) {
				t.Fatalf("seed %d after type %d %s:\ngot  %v\nwant %v", seed, kind, line, got, model.records)
			}
		}
	}
	if moved < 200 {
		t.Errorf("only %d rows were compared", moved)
	}
}

func TestConcurrentRequests(t *testing.T) {
	w := newWorld(t, nx.Options{})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				e, err := w.try(call{path: platPath, body: batch(1, fmt.Sprintf(`{"full_name":"n","email":"%d-%d"}`, i, j), `{"full_name":"n","email":"shared"}`)})
				if err != nil || e.Code != 0 {
					t.Errorf("got %+v, %v", e, err)
				}
				_ = w.nx.Cloud.Contents()
			}
		})
	}
	wg.Wait()
	if got := w.nx.Cloud.State(); got.Records != 161 || got.Inserted != 161 || got.Merged != 159 || got.Rows != 320 {
		t.Errorf("got %+v", got.Totals)
	}
	entries, _ := w.server.Journal()
	seen := map[int64]bool{}
	for _, e := range entries {
		seen[e.Commit] = true
	}
	if len(seen) != 160 || seen[0] {
		t.Errorf("got %d commit numbers, want 1 to 160 once each", len(seen))
	}
}

func TestContents(t *testing.T) {
	a, b := newWorld(t, nx.Options{}), newWorld(t, nx.Options{})
	a.send(1, `{"email":"1","customize_field":"{\"y\":1,\"x\":2}"}`, `{"email":"2"}`)
	b.send(1, `{"email":"2"}`, `{"email":"1","customize_field":"{\"x\":2,\"y\":1}"}`, `{"email":"2"}`)
	if got, want := b.nx.Cloud.Contents(), a.nx.Cloud.Contents(); !slices.Equal(got, want) || len(got) != 2 {
		t.Errorf("got %v, want %v", got, want)
	}
	b.send(1, `{"email":"2","gender":0}`)
	if slices.Equal(a.nx.Cloud.Contents(), b.nx.Cloud.Contents()) {
		t.Error("a changed field does not show")
	}
}
