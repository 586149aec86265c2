package events_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/connector"
	sesandbox "github.com/sluicehq/sluice/connector/socialepoch/sandbox"
	"github.com/sluicehq/sluice/internal/events"
	"github.com/sluicehq/sluice/internal/inbox"
)

// logs gathers what was logged.
type logs struct{ b bytes.Buffer }

func newLog() *logs                   { return &logs{} }
func (l *logs) logger() *slog.Logger  { return slog.New(slog.NewTextHandler(&l.b, nil)) }
func (l *logs) text() string          { return l.b.String() }
func (l *logs) warnings(n string) int { return strings.Count(l.text(), n) }

// spoiled is a log of which requests are damaged or gone.
type spoiled struct {
	inbox.Log
	damaged []int64
	trimmed int64
}

func (s spoiled) Read(ctx context.Context, q inbox.Query) (inbox.Page, error) {
	after := q.After
	q.After = max(q.After, s.trimmed)
	page, err := s.Log.Read(ctx, q)
	if after < s.trimmed {
		page.Trimmed = s.trimmed
	}
	for _, seq := range s.damaged {
		if seq > q.After && seq <= page.Last {
			page.Damaged = append(page.Damaged, inbox.Damage{From: seq, To: seq, Reason: "its checksum does not match"})
			page.Records = slices.DeleteFunc(page.Records, func(r inbox.Record) bool { return r.Seq == seq })
		}
	}
	return page, err
}

// What the inbox has lost is told with its numbers, or ends the read; everything else comes.
func TestLosses(t *testing.T) {
	w := newWorld(t, sesandbox.Webhooks{MaxItems: 1})
	w.change(20)
	whole := mustRead(t, w.config(connector.StreamRawEvents), nil)
	c := w.config(connector.StreamRawEvents)
	log := newLog()
	c.Log, c.Logger = spoiled{Log: w.box.Reader(), damaged: []int64{3, 7}}, log.logger()
	g := mustRead(t, c, nil)
	if len(g.rows) != len(whole.rows)-2 || string(g.last()) != string(whole.last()) {
		t.Errorf("%d rows up to %s, want %d up to %s", len(g.rows), g.last(), len(whole.rows)-2, whole.last())
	}
	for _, want := range []string{"from=3 to=3", "from=7 to=7", "requests_lost_or_removed=2", "checksum"} {
		if !strings.Contains(log.text(), want) {
			t.Errorf("the log lacks %q: %s", want, log.text())
		}
	}
	c.Strict = true
	if _, err := read(t, c, nil); connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), "3 to 3") {
		t.Errorf("strict: %v", err)
	}
}

// A beginning that is gone is no loss for who begins; for who has been there it is.
func TestTrimmed(t *testing.T) {
	w := newWorld(t, sesandbox.Webhooks{MaxItems: 1})
	w.change(20)
	whole := mustRead(t, w.config(connector.StreamRawEvents), nil)
	c := w.config(connector.StreamRawEvents)
	log := newLog()
	c.Log, c.Logger, c.Strict = spoiled{Log: w.box.Reader(), trimmed: 10}, log.logger(), true
	if g := mustRead(t, c, nil); !slices.Equal(g.rows, whole.rows[10:]) || !strings.Contains(log.text(), "requests_removed=10") || log.warnings("WARN") > 0 {
		t.Errorf("%d rows from the beginning: %s", len(g.rows), log.text())
	}
	behind5 := connector.Position(fmt.Sprintf(`{"seq":%d,"v":1}`, inbox.RowSeq(5, 65535)))
	if _, err := read(t, c, behind5); connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), "5 requests, 6 to 10") {
		t.Errorf("strict: %v", err)
	}
	c.Strict = false
	if g := mustRead(t, c, behind5); !slices.Equal(g.rows, whole.rows[10:]) || !strings.Contains(log.text(), "from=6 to=10 requests=5") {
		t.Errorf("%d rows: %s", len(g.rows), log.text())
	}
}

// broken is a decoder that fails at an item, one way or another.
type broken struct {
	connector.Hook
	item int
	how  string
}

func (b broken) Decode(in *connector.Received, out connector.Events) error {
	return b.Hook.Decode(in, breaking{b, in, out, new(int)})
}

type breaking struct {
	broken
	in  *connector.Received
	out connector.Events
	n   *int
}

func (b breaking) AppendEvent(stream string, item int, object []byte) error {
	if item != b.item {
		return b.out.AppendEvent(stream, item, object)
	}
	switch b.how {
	case "panic":
		panic("an item of another kind")
	case "error":
		return errors.New("an item of another kind")
	case "type":
		object = bytes.Replace(object, []byte(`,"vendor":"socialepoch"`), []byte(`,"vendor":{"x":1}`), 1)
	case "text":
		object = append(bytes.Clone(object[:len(object)-1]), '\xff')
	}
	return b.out.AppendEvent(stream, item, object)
}

// A decoder that breaks down loses nothing: the request, or the row, comes as it is, and is told.
func TestBrokenDecoder(t *testing.T) {
	w := newWorld(t, sesandbox.Webhooks{MaxItems: 4})
	w.change(24)
	w.bulk(5)
	w.bulk(1)
	good := mustRead(t, w.config("profile_changes"), nil)
	for _, how := range []string{"panic", "error", "type", "text"} {
		c := w.config("profile_changes")
		c.BatchRows = 2
		log := newLog()
		c.Logger = log.logger()
		c.Webhooks = slices.Clone(w.hooks)
		for i := range c.Webhooks {
			c.Webhooks[i].Hook = broken{c.Webhooks[i].Hook, 1, how}
		}
		g := mustRead(t, c, nil)
		for _, row := range good.rows { // by its own text, inside the raw of another
			var r struct {
				New string `json:"new_value"`
			}
			if err := json.Unmarshal([]byte(row), &r); err != nil {
				t.Fatal(err)
			}
			key, _ := json.Marshal(r.New)
			inner := strings.Trim(string(key), `"`)
			if r.New != "" && !slices.ContainsFunc(g.rows, func(s string) bool {
				return strings.Contains(strings.ReplaceAll(s, `\`, ""), strings.ReplaceAll(inner, `\`, ""))
			}) {
				t.Errorf("%s: %q is lost", how, r.New)
			}
		}
		if !strings.Contains(log.text(), "requests_not_understood") {
			t.Errorf("%s: the log is %s", how, log.text())
		}
		for _, m := range g.marks {
			if rest := mustRead(t, c, m.pos); !slices.Equal(rest.rows, g.rows[m.rows:]) {
				t.Errorf("%s: from %s came %d rows, want %d", how, m.pos, len(rest.rows), len(g.rows)-m.rows)
			}
		}
		c.Stream = events.Raw()
		log = newLog()
		c.Logger = log.logger()
		raw := mustRead(t, c, nil)
		if strings.Contains(log.text(), "requests_not_understood") {
			t.Errorf("%s: raw_events has every request, and the log is %s", how, log.text())
		}
		failed := 0
		for _, row := range raw.rows {
			if strings.Contains(row, `"error":`) {
				failed++
			}
		}
		if want := how == "panic" || how == "error"; (failed > 0) != want {
			t.Errorf("%s: %d rows of raw_events tell of it", how, failed)
		}
	}
}

// A body that is no JSON, or not even text, is a row of the first stream of its webhook and of raw_events, byte for byte.
func TestUnreadableBodies(t *testing.T) {
	w := newWorld(t, sesandbox.Webhooks{})
	bodies := []string{"", "hello", "\xff\xfe{", `{"data":5}`, `[1`, "\x00\x01"}
	for _, b := range bodies {
		if err := w.store(&w.hooks[0], []byte(b), ""); err != nil {
			t.Fatal(err)
		}
	}
	if g := mustRead(t, w.config("profile_changes"), nil); len(g.rows) != len(bodies) || !strings.Contains(g.rows[1], `"raw":"hello"`) || !strings.Contains(g.rows[3], `"raw":{"data":5}`) {
		t.Errorf("got %q", g.rows)
	}
	if g := mustRead(t, w.config("follow_ups"), nil); len(g.rows) != 0 {
		t.Errorf("a body without items is in two streams: %q", g.rows)
	}
	g := mustRead(t, w.config(connector.StreamRawEvents), nil)
	for i, row := range g.rows {
		var r struct {
			Body   string
			Base64 []byte `json:"body_base64"`
			Error  string
			Heads  map[string][]string `json:"headers"`
		}
		if err := json.Unmarshal([]byte(row), &r); err != nil {
			t.Fatal(err)
		}
		if r.Base64 != nil {
			r.Body = string(r.Base64)
		}
		if r.Body != bodies[i] || r.Error == "" || len(r.Heads) != 1 {
			t.Errorf("%q became %s", bodies[i], row)
		}
	}
}

// What is quarantined comes when a person releases it, under the name of the request that it was.
func TestReleased(t *testing.T) {
	w := newWorld(t, sesandbox.Webhooks{})
	if err := w.store(&w.hooks[0], []byte(`{"data":[{"id":"a1","type":1,"field":"desc"}]}`), "token_reuse"); err != nil {
		t.Fatal(err)
	}
	w.change(2)
	before := mustRead(t, w.config(connector.StreamRawEvents), nil)
	if strings.Contains(strings.Join(before.rows, ""), "a1") {
		t.Errorf("a quarantined request is served: %q", before.rows)
	}
	if _, err := w.box.Release(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{connector.StreamRawEvents, "profile_changes"} {
		after := mustRead(t, w.config(name), before.last())
		if len(after.rows) != 1 || !strings.Contains(after.rows[0], "a1") {
			t.Fatalf("%s: released: %q", name, after.rows)
		}
		if name == connector.StreamRawEvents && (!strings.Contains(after.rows[0], `"event_id":"request-1"`) || !strings.Contains(after.rows[0], `"replay_of":1`)) {
			t.Errorf("got %s", after.rows[0])
		}
	}
}

// Endpoints of other vendors and those that were not asked for are other streams' matter.
func TestEndpoints(t *testing.T) {
	w := newWorld(t, sesandbox.Webhooks{})
	w.change(4)
	if _, err := w.box.Append(t.Context(), inbox.Request{Endpoint: inbox.Endpoint{Name: "x", Vendor: "other", Type: w.hooks[0].Name}, Body: []byte(`{"data":[]}`)}); err != nil {
		t.Fatal(err)
	}
	all := mustRead(t, w.config(connector.StreamRawEvents), nil)
	c := w.config(connector.StreamRawEvents)
	c.Endpoint = func(e inbox.Endpoint) bool { return e.Type == w.hooks[1].Name }
	some := mustRead(t, c, nil)
	if len(some.rows) == 0 || len(some.rows) >= len(all.rows) || strings.Contains(strings.Join(all.rows, ""), `"vendor":"other"`) || string(some.last()) != string(all.last()) {
		t.Errorf("%d and %d rows, up to %s and %s", len(all.rows), len(some.rows), all.last(), some.last())
	}
}
