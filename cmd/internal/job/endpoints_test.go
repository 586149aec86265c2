package job

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/sluicehq/sluice/connector/all"
	sesandbox "github.com/sluicehq/sluice/connector/socialepoch/sandbox"
	"github.com/sluicehq/sluice/internal/inbox"
)

// A relay and the Airbyte source choose the same endpoints by the same names.
func TestEndpointsChoose(t *testing.T) {
	for _, tc := range []struct {
		names []string
		name  string
		want  bool
	}{
		{[]string{"main"}, "main/flow", true}, {[]string{"main/flow"}, "main/flow", true}, {[]string{"main/flow"}, "main/other", false},
		{[]string{"main"}, "mainly/flow", false}, {[]string{"x", "se"}, "se", true}, {[]string{"flow"}, "main/flow", false},
	} {
		if got := (&endpoints{names: tc.names}).choose()(inbox.Endpoint{Name: tc.name}); got != tc.want {
			t.Errorf("%v of %s: %v", tc.names, tc.name, got)
		}
	}
	if e := (&endpoints{}); e.choose() != nil || e.await(nil) != nil {
		t.Error("no names choose")
	}
}

// run has the Airbyte source carry out a command: its records, its last states, and its warnings.
func (w *told) run(command, config, state string) (records []string, after, log string) {
	w.t.Helper()
	catalog := catalogOf("profile_changes", "raw_events")
	if command == "check" {
		catalog = ""
	}
	code, lines := source(w.t, AirbyteSource(all.Vendors), command, config, catalog, state)
	if code != 0 {
		w.t.Errorf("%s with %s: exit code %d: %s", command, config, code, lines)
	}
	var states []string
	for _, l := range lines {
		var m struct {
			State json.RawMessage
			Log   struct{ Level, Message string }
		}
		if err := json.Unmarshal([]byte(l), &m); err != nil {
			w.t.Error(err)
		}
		if m.State != nil {
			states = append(states, string(m.State))
		}
		if m.Log.Level == "WARN" {
			log += m.Log.Message + "\n"
		}
	}
	return w.records(lines), "[" + strings.Join(states, ",") + "]", log
}

// Of an inbox with several accounts of one CRM a source reads its own. With an account of which nothing is there it reads
// nothing, says so and keeps its position.
func TestSourceReadsItsAccount(t *testing.T) {
	w := newTold(t)
	w.change(3)
	rec, err := w.box.Reader().Get(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	other := inbox.Endpoint{Name: "other", Vendor: "socialepoch", Account: "83", Type: rec.Endpoint.Type}
	if _, err := w.box.Append(t.Context(), inbox.Request{Endpoint: other, Method: "POST", Body: rec.Body}); err != nil {
		t.Fatal(err)
	}
	head, err := w.box.Reader().Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	as := func(command, tenant, state string) (records []string, after, log string) {
		t.Helper()
		return w.run(command, strings.Replace(w.config(), fmt.Sprintf(`"tenant_id":%d`, sesandbox.TenantID), `"tenant_id":`+tenant, 1), state)
	}
	of := func(records []string, tenant string) bool {
		return len(records) > 0 && !slices.ContainsFunc(records, func(r string) bool { return !strings.Contains(r, `"tenant_id":"`+tenant+`"`) })
	}
	own, state, log := as("read", fmt.Sprint(sesandbox.TenantID), "")
	if raw := strings.Count(strings.Join(own, "\n"), `"webhook":`); !of(own, fmt.Sprint(sesandbox.TenantID)) || int64(raw) != head-1 || log != "" {
		t.Errorf("%d requests of %d: %s\n%s", raw, head-1, own, log)
	}
	if more, _, _ := as("read", fmt.Sprint(sesandbox.TenantID), state); len(more) > 0 {
		t.Errorf("again: %s", more)
	}
	if theirs, _, log := as("read", "83", ""); !of(theirs, "83") || log != "" {
		t.Errorf("%s\n%s", theirs, log)
	}
	none, _, log := as("read", "28", "")
	if len(none) > 0 || !strings.Contains(log, fmt.Sprintf("the account %d, 83, and none of 28, which is configured. Nothing is read", sesandbox.TenantID)) {
		t.Errorf("%s\n%s", none, log)
	}
	if _, _, log := as("check", "28", ""); !strings.Contains(log, "none of 28") {
		t.Errorf("check says %q", log)
	}
}

// A name that is none of the inbox's is told with those that are. While all are such the position stays where it is, so
// that what came in meanwhile is read once the name is mended.
func TestSourceMistypedEndpoint(t *testing.T) {
	w := newTold(t)
	w.change(3)
	run := func(command, names, state string) (records []string, after, log string) {
		t.Helper()
		return w.run(command, strings.Replace(w.config(), `"_limit":1`, `"endpoints":[`+names+`]`, 1), state)
	}
	for _, begun := range []bool{false, true} {
		before, state := []string{}, ""
		if begun {
			before, state, _ = run("read", `"se"`, "")
		}
		w.change(3)
		got, after, log := run("read", `"es"`, state)
		if len(got) > 0 || strings.Count(log, `names "es" (did you mean se?), where nothing came in yet. The inbox has se. Nothing is read and the position stays`) != 1 {
			t.Errorf("%d records\n%s", len(got), log)
		}
		got, _, log = run("read", `"se"`, after)
		all, _, _ := run("read", `"se"`, "")
		if slices.Sort(got); len(got) == 0 || len(before)+len(got) != len(all) || log != "" {
			t.Errorf("%d records came before a mistyped name and %d behind it, of %d\n%s", len(before), len(got), len(all), log)
		}
		if got, _, log := run("read", `"es","se"`, ""); len(got) != len(all) || !strings.Contains(log, `names "es"`) || strings.Contains(log, "position stays") {
			t.Errorf("with one name of two: %d records of %d\n%s", len(got), len(all), log)
		}
	}
	if _, _, log := run("check", `"es"`, ""); !strings.Contains(log, `names "es" (did you mean se?)`) {
		t.Errorf("check says %q", log)
	}
	if _, _, log := run("check", `"se"`, ""); log != "" {
		t.Errorf("check says %q", log)
	}
}

// The same of a relay: the run warns and keeps its position, the check has a note.
func TestRelayMistypedEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, 1, "", sesandbox.Webhooks{})
		defer p.close()
		p.begin()
		from, log, pos := p.there.input.Source.from, &strings.Builder{}, p.there.pos
		p.there.input.Source.log = slog.New(slog.NewTextHandler(log, nil))
		from.Endpoints = []string{"es"}
		p.inSE(1, 0, "Li Wei")
		p.drain()
		if n := p.there.run(t.Context(), false).Read; n != 0 || string(p.there.pos) != string(pos) || !strings.Contains(log.String(), "did you mean se?") {
			t.Errorf("%d rows, position %s, was %s\n%s", n, p.there.pos, pos, log)
		}
		_, notes, err := p.there.input.Check(t.Context(), p.there.target)
		if err != nil || !slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, "did you mean se?") }) {
			t.Errorf("%q, %v", notes, err)
		}
		from.Endpoints = []string{"se"}
		p.settle()
		p.wrote(1, 0)
	})
}

// A relay hands on nothing of another account.
func TestRelayReadsItsAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, 1, "", sesandbox.Webhooks{})
		defer p.close()
		p.begin()
		before := p.there.run(t.Context(), false).Read
		p.inSE(1, 0, "Li Wei")
		p.drain()
		rec, err := p.box.Reader().Get(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		other := inbox.Endpoint{Name: "other", Vendor: rec.Endpoint.Vendor, Account: "83", Type: rec.Endpoint.Type}
		if _, err := p.box.Append(t.Context(), inbox.Request{Endpoint: other, Method: "POST", Body: rec.Body}); err != nil {
			t.Fatal(err)
		}
		if n := p.there.run(t.Context(), false).Read; before != 0 || n != 1 {
			t.Errorf("%d rows before the change and %d of it", before, n)
		}
	})
}
