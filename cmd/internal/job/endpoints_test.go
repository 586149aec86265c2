package job

import (
	"encoding/json"
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

// A name that is none of the inbox's is told with those that are. While all are such the position stays where it is, so
// that what came in meanwhile is read once the name is mended.
func TestSourceMistypedEndpoint(t *testing.T) {
	w := newTold(t)
	w.change(3)
	run := func(command, names, state string) (records []string, after, log string) {
		config := strings.Replace(w.config(), `"_limit":1`, `"endpoints":[`+names+`]`, 1)
		catalog := catalogOf("profile_changes", "raw_events")
		if command == "check" {
			catalog = ""
		}
		code, lines := source(t, AirbyteSource(all.Vendors), command, config, catalog, state)
		if code != 0 {
			t.Errorf("%s of %s: exit code %d: %s", command, names, code, lines)
		}
		var states []string
		for _, l := range lines {
			var m struct {
				State json.RawMessage
				Log   struct{ Level, Message string }
			}
			if err := json.Unmarshal([]byte(l), &m); err != nil {
				t.Error(err)
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
