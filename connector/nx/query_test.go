package nx_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/connectortest"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// TestWalkMissesNobody: customers are added and changed between the pages of walk after walk, the clock moves on, page
// sizes and even wrong time zones vary. Every customer that was there throughout a walk is in it; what the rows of all
// walks say last of each customer is what the CRM holds in the end; and a walk taken up at any of its positions gives the
// rest of it.
func TestWalkMissesNobody(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		zone := rapid.SampledFrom([]string{"Asia/Shanghai", "+08:00", "+00:00", "-05:00", "+14:00"}).Draw(rt, "zone")
		slow := 10 * time.Minute // between pages, at most
		if zone == "+14:00" {    // ahead of the vendor's: then the overlap must cover a walk
			slow = time.Second
		}
		w := newReadWorld(t, map[string]any{
			"time_zone": zone, "page_size": rapid.IntRange(1, 4).Draw(rt, "page size"), "overlap_minutes": rapid.IntRange(2, 5).Draw(rt, "overlap"),
		})
		total, version := 0, 0
		change := func(i int) {
			version++
			w.send(contactOf(i, fmt.Sprintf(`,"remark":"v%d"`, version)))
		}
		grow := func(n int) {
			for range n {
				total++
				change(total)
			}
		}
		grow(rapid.IntRange(0, 9).Draw(rt, "customers"))
		mirror := map[string]string{} // id → remark, as the rows said it last
		var from connector.Position
		for walk := range rapid.IntRange(1, 3).Draw(rt, "walks") {
			w.now = w.now.Add(time.Duration(rapid.IntRange(0, 90).Draw(rt, "minutes between")) * time.Minute)
			before := total
			steps := 0
			told := &ledger{mirror: mirror}
			pages := w.walkInto(from, told, func() {
				w.now = w.now.Add(time.Duration(rapid.IntRange(0, int(slow/time.Second)).Draw(rt, "seconds")) * time.Second)
				if steps++; steps > 6 || total == 0 {
					return // changes without end would make a walk without end
				}
				grow(rapid.IntRange(0, 2).Draw(rt, "added"))
				for range rapid.IntRange(0, 3).Draw(rt, "changed") {
					change(rapid.IntRange(1, total).Draw(rt, "who"))
				}
			})
			for id := 1; walk == 0 && id <= before; id++ {
				if !slices.Contains(told.ids, strconv.Itoa(id)) {
					rt.Fatalf("customer %d was there all the time and is not in %s", id, told.ids)
				}
			}
			from = pages[len(pages)-1]
			w.resume(rt, pages)
		}
		// Now nothing changes any more: one walk later, the rows must have told everything.
		w.walkInto(from, &ledger{mirror: mirror}, nothing)
		held := map[string]string{}
		for _, scope := range w.service.State().Scopes {
			for _, r := range scope.Records {
				held[strconv.FormatInt(r.ID, 10)] = r.Fields["remark"]
			}
		}
		if !maps.Equal(mirror, held) {
			rt.Fatalf("the rows say %v, the CRM holds %v", mirror, held)
		}
	})
}

// resume takes a walk up at one of its positions and at the next: the former gives what the latter gives, and a page more.
func (w *readWorld) resume(rt *rapid.T, pages []connector.Position) {
	if len(pages) < 3 { // the last is the beginning of another walk
		return
	}
	i := rapid.IntRange(0, len(pages)-3).Draw(rt, "resumed at")
	all, rest := &ledger{mirror: map[string]string{}}, &ledger{mirror: map[string]string{}}
	w.walkInto(pages[i], all, nothing)
	w.walkInto(pages[i+1], rest, nothing)
	more := len(all.ids) - len(rest.ids)
	if more < 0 || !slices.Equal(all.ids[more:], rest.ids) || more == 0 && len(all.ids) > 0 {
		rt.Fatalf("from %s: %s; from %s: %s", pages[i], all.ids, pages[i+1], rest.ids)
	}
}

// ledger notes what rows tell: whom they are about, in order, and the remark that each customer had last.
type ledger struct {
	ids    []string
	mirror map[string]string
}

func (l *ledger) AppendJSON(_ string, object []byte) error {
	var row struct{ ID, Remark string }
	if err := json.Unmarshal(object, &row); err != nil {
		return err
	}
	l.ids = append(l.ids, row.ID)
	l.mirror[row.ID] = row.Remark
	return nil
}

// TestEqualTimesAtTheEdge: a customer changed in the very second in which a walk began is in the next one.
func TestEqualTimesAtTheEdge(t *testing.T) {
	w := newReadWorld(t, map[string]any{"page_size": 1, "overlap_minutes": 1})
	w.send(contactOf(1, ""), contactOf(2, ""), contactOf(3, ""))
	first := true
	_, pages := w.walk(nil, func() {
		if !first {
			w.send(contactOf(1, `,"remark":"late"`)) // 1 was read
		}
		first = false
	})
	last := pages[len(pages)-1]
	if want := `{"of":"144/sandbox=app","since":"2026-01-06 19:59:00","zone":"Asia/Shanghai"}`; string(last) != want {
		t.Errorf("position %s, want %s", last, want)
	}
	w.now = w.now.Add(24 * time.Hour)
	rows, pages := w.walk(last, nothing)
	if ids(rows) != "1 2 3" || rows[0].Text("remark") != "late" {
		t.Errorf("got %s, %s", ids(rows), rows[0].Text("remark"))
	}
	// Nothing changed for a day, and the zone is known to be right: the bound has moved on.
	if again, _ := w.walk(pages[len(pages)-1], nothing); len(again) != 0 {
		t.Errorf("got %s", ids(again))
	}
}

// TestUnprovenZone: as long as no answer has shown that time_zone is right, the bound stays at the latest change seen,
// because the vendor's times may lie behind what they are taken for.
func TestUnprovenZone(t *testing.T) {
	w := newReadWorld(t, map[string]any{"time_zone": "+14:00"}) // it is +08:00
	w.send(contactOf(1, ""))
	var from connector.Position
	for range 3 {
		w.now = w.now.Add(time.Hour)
		rows, pages := w.walk(from, nothing)
		if from = pages[len(pages)-1]; ids(rows) != "1" || string(from) != `{"of":"144/sandbox=app","since":"2026-01-06 19:45:00"}` {
			t.Errorf("got %s, then %s", ids(rows), from)
		}
	}
	w.configure(nil) // mended
	w.send(contactOf(2, ""))
	rows, pages := w.walk(from, nothing)
	if want := `{"of":"144/sandbox=app","since":"2026-01-06 22:45:00","zone":"Asia/Shanghai"}`; ids(rows) != "1 2" || string(pages[len(pages)-1]) != want {
		t.Errorf("got %s, then %s, want %s", ids(rows), pages[len(pages)-1], want)
	}
}

// TestStartAndWholeWalks: start_time bounds the first walk; without incremental each walk is whole.
func TestStartAndWholeWalks(t *testing.T) {
	w := newReadWorld(t, map[string]any{"start_time": "2026-01-06T12:30:00Z"})
	w.send(contactOf(1, ""))
	w.now = w.now.Add(time.Hour)
	w.send(contactOf(2, ""))
	rows, pages := w.walk(nil, nothing)
	if ids(rows) != "2" {
		t.Errorf("since 12:30: %s", ids(rows))
	}
	old := pages[len(pages)-1]
	w.configure(map[string]any{"incremental": false})
	for _, from := range []connector.Position{nil, old} {
		rows, pages = w.walk(from, nothing)
		if ids(rows) != "1 2" || pages[len(pages)-1] != nil {
			t.Errorf("whole: %s, then %s", ids(rows), pages[len(pages)-1])
		}
	}
}

// TestEmptyAccount: there is nothing to go by, so the next walk is whole again.
func TestEmptyAccount(t *testing.T) {
	w := newReadWorld(t, nil)
	rows, pages := w.walk(nil, nothing)
	if len(rows) != 0 || len(pages) != 1 || pages[0] != nil {
		t.Errorf("got %v, %q", rows, pages)
	}
}

// TestForeignPositions: a position of another account, or of nothing known, would skip customers; it is refused.
func TestForeignPositions(t *testing.T) {
	w := newReadWorld(t, nil)
	for _, bad := range []string{`{"of":"145/sandbox=app","after":7}`, `{"after":7}`, `{"of":"144/sandbox=app","page":2}`, `[]`, `7`, `"x"`, `{`, ``, `null x`,
		`{"of":"144/sandbox=app","since":"yesterday"}`, `{"of":"144/sandbox=app"} {}`, `{"of":"144/sandbox=app","top":"2026-01-06T00:00:00Z"}`} {
		var req connector.Request
		err := w.puller.AppendQuery(&req, connector.Position(bad))
		if connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), connector.ReadAnew) {
			t.Errorf("%q: %v", bad, err)
		}
		if _, _, err := w.puller.ParsePage(&connector.Response{Status: 200}, connector.Position(bad), nil); connector.KindOf(err) != connector.KindConfig {
			t.Errorf("an answer for %q: %v", bad, err)
		}
	}
}

// TestQueryFaults: what the sandbox's faults make of an answer is read as an import's answer would be, and never yields rows.
func TestQueryFaults(t *testing.T) {
	for _, tc := range []struct {
		fault    string
		settings map[string]any
		skew     time.Duration
		verdict  connector.Verdict
		check    func(o connector.Outcome) bool
	}{
		{"", map[string]any{"access_secret": "wrong-secret"}, 0, connector.VerdictRetry, func(o connector.Outcome) bool { return o.Stop == connector.KindConfig && o.Code == "1003" }},
		{"", map[string]any{"access_key": "wrong-key"}, 0, connector.VerdictRetry, func(o connector.Outcome) bool { return o.Stop == connector.KindConfig && o.Code == "1005" }},
		{"", map[string]any{"app_key": "nobody"}, 0, connector.VerdictRetry, func(o connector.Outcome) bool { return o.Stop == connector.KindConfig && o.Code == "22124" }},
		{"", nil, 2 * time.Minute, connector.VerdictRetry, func(o connector.Outcome) bool { return o.Code == "1004" && !o.Clock.IsZero() }},
		{"429", nil, 0, connector.VerdictRetry, func(o connector.Outcome) bool { return o.Throttled }},
		{"503", nil, 0, connector.VerdictRetry, func(o connector.Outcome) bool { return o.Stop == connector.KindNone }},
	} {
		w := newReadWorld(t, tc.settings)
		var req connector.Request
		if err := w.puller.AppendQuery(&req, nil); err != nil {
			t.Fatal(err)
		}
		if tc.fault != "" {
			req.Header.Set(sandbox.FaultHeader, tc.fault)
		}
		sink := connectortest.NewSink(t, source)
		page, o, err := w.puller.ParsePage(connectortest.Send(t, w.puller, w.rt, w.now.Add(tc.skew), &req), nil, sink)
		if err != nil || o.Verdict != tc.verdict || !tc.check(o) || page.More || page.Next != nil || len(sink.Rows) > 0 {
			t.Errorf("%s %v: %+v %+v %v", tc.fault, tc.settings, page, o, err)
		}
		if strings.Contains(fmt.Sprintf("%+v %v", o, err), "wrong-secret") {
			t.Error("the secret is told")
		}
	}
	// A query that the vendor cannot take ends the stream, with its words.
	w := newReadWorld(t, nil)
	_, o, err := w.puller.ParsePage(&connector.Response{Status: 200, Body: []byte(`{"code":1002,"message":"limit must be sandbox-secret"}`)}, nil, nil)
	if err != nil || o.Verdict != connector.VerdictRejected || o.Code != "1002" || o.Message != "limit must be [REDACTED]" {
		t.Errorf("%+v %v", o, err)
	}
}

// TestBrokenPages: a page that broke off, or is none, is an error and leaves no row; asked again, it is there.
func TestBrokenPages(t *testing.T) {
	w := newReadWorld(t, nil)
	w.send(contactOf(1, ""), contactOf(2, ""))
	for _, fault := range []string{"truncate", "malformed"} {
		var req connector.Request
		if err := w.puller.AppendQuery(&req, nil); err != nil {
			t.Fatal(err)
		}
		req.Header.Set(sandbox.FaultHeader, fault)
		sink := connectortest.NewSink(t, source)
		if page, _, err := w.puller.ParsePage(connectortest.Send(t, w.puller, w.rt, w.now, &req), nil, sink); err == nil || len(sink.Rows) > 0 || page.Next != nil {
			t.Errorf("%s: %+v %v", fault, page, err)
		}
	}
	if rows, _ := w.walk(nil, nothing); ids(rows) != "1 2" {
		t.Errorf("got %s", ids(rows))
	}
}

// TestStreamOrderOfColumns: the stream has each column that a row may have, and a row has its key first.
func TestStreamOrderOfColumns(t *testing.T) {
	var names []string
	for _, c := range source.Streams[0].Columns {
		names = append(names, c.Name)
	}
	if !slices.Equal(names[:3], source.Streams[0].Key) || names[len(names)-1] != "raw" {
		t.Errorf("got %v", names)
	}
}
