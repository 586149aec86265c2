package socialepoch_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/socialepoch"
	sesandbox "github.com/sluicehq/sluice/connector/socialepoch/sandbox"
	"github.com/sluicehq/sluice/internal/rows"
	"github.com/sluicehq/sluice/internal/sandbox"
)

func sourceSettings() *socialepoch.SourceConfig {
	c := socialepoch.SocialEpoch.Source.NewConfig().(*socialepoch.SourceConfig)
	c.TenantID, c.APIKey = sesandbox.TenantID, connector.NewSecret(sesandbox.APIKey)
	c.WebhookSecrets = []connector.Secret{connector.NewSecret("old"), connector.NewSecret(sesandbox.WebhookSecret)}
	c.WhatsAppAccounts = []string{sesandbox.DefaultWhatsApp.Number}
	return c
}

// inbox is what stands between a vendor and a source, without the durability: it believes, splits, remembers and answers.
type inbox struct {
	t     *testing.T
	hooks map[string]connector.Hook
	fail  func(n int) bool // the n-th request is answered with a plea to send it again

	mu       sync.Mutex
	requests int
	refused  int
	stored   []arrival
	keys     map[string]bool
}

type arrival struct {
	hook string
	in   connector.Received
}

func newInbox(t *testing.T, c *socialepoch.SourceConfig) *inbox {
	b := &inbox{t: t, hooks: map[string]connector.Hook{}, keys: map[string]bool{}, fail: func(int) bool { return false }}
	for _, w := range socialepoch.SocialEpoch.Source.Webhooks {
		h, err := w.Hook(c)
		if err != nil {
			t.Fatal(err)
		}
		b.hooks["/"+w.Name] = h
	}
	return b
}

var errFull = errors.New("full")

func (b *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	hook := b.hooks[r.URL.Path]
	var ticket connector.Ticket
	if err == nil {
		ticket, err = hook.Verify(&connector.Request{Header: r.Header, Body: body}, time.Now())
	}
	b.mu.Lock()
	b.requests++
	switch {
	case err != nil:
		b.refused++
	case b.fail(b.requests):
		err = errFull
	default:
		b.store(r.URL.Path, ticket, body)
	}
	b.mu.Unlock()
	reply := hook.Reply(err)
	maps.Copy(w.Header(), reply.Header)
	w.WriteHeader(reply.Status)
	_, _ = w.Write(reply.Body)
}

func (b *inbox) store(path string, ticket connector.Ticket, body []byte) {
	items, err := b.hooks[path].Split(body)
	if err != nil {
		b.t.Errorf("%s: %v", body, err)
	}
	seen := make([]bool, len(items))
	for i, it := range items {
		seen[i] = b.keys[path+it.Key]
		b.keys[path+it.Key] = true
	}
	b.stored = append(b.stored, arrival{path, connector.Received{
		Seq: int64(len(b.stored)), At: time.Now(), Tenant: ticket.Tenant, Body: body, Seen: func(i int) bool { return seen[i] },
	}})
}

// rowsOf decodes all that was stored.
func (b *inbox) rowsOf(t fatal) *table {
	out := &table{}
	for i := range b.stored {
		if err := b.hooks[b.stored[i].hook].Decode(&b.stored[i].in, out); err != nil {
			t.Fatalf("%s: %v", b.stored[i].in.Body, err)
		}
	}
	return out
}

type fatal interface {
	Fatalf(format string, args ...any)
}

// table keeps rows by stream.
type table struct{ rows map[string][]map[string]any }

func (t *table) AppendJSON(stream string, object []byte) error {
	var row map[string]any
	if err := json.Unmarshal(object, &row); err != nil {
		return err
	}
	if t.rows == nil {
		t.rows = map[string][]map[string]any{}
	}
	t.rows[stream] = append(t.rows[stream], row)
	return nil
}

func (t *table) AppendEvent(stream string, item int, members []byte) error {
	return t.AppendJSON(stream, rows.AppendNumbered(nil, "seq", int64(item), members))
}

// outlet is the sandbox, telling an inbox of changes to one customer.
func outlet(t *testing.T, b *inbox, o sesandbox.Webhooks) *sesandbox.Service {
	o.Portrait, o.WriteFlow = "http://etl.test/user_sync_portrait", "http://etl.test/user_write_flow"
	o.Client = &http.Client{Transport: sandbox.Transport(b)}
	s := sesandbox.New(sesandbox.Options{Webhooks: o})
	seed(t, s, `{"agentAccount":"`+sesandbox.Agent+`","whatsApp":"8615266667780"}`)
	return s
}

// seed imports contacts, given as JSON objects.
func seed(t *testing.T, s *sesandbox.Service, contacts string) {
	t.Helper()
	codec, err := socialepoch.SocialEpoch.Check(settings())
	if err != nil {
		t.Fatal(err)
	}
	var req connector.Request
	if err := codec.AppendRequest(&req); err != nil {
		t.Fatal(err)
	}
	req.Body = fmt.Appendf(nil, `{"tenantId":%d,"data":[%s]}`, sesandbox.TenantID, contacts)
	if resp := call(t, sandbox.New(sandbox.Options{Clock: time.Now}, s), codec, &req); resp.Status != 200 {
		t.Fatalf("%s", resp.Body)
	}
}

// call signs and sends a request.
func call(t *testing.T, server *sandbox.Server, signedBy any, req *connector.Request) *connector.Response {
	t.Helper()
	if s, ok := signedBy.(connector.Signer); ok {
		if err := s.Sign(req, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	r, err := http.NewRequest(req.Method, req.URL, bytesReader(req.Body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = req.Header
	resp, err := sandbox.Transport(server).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &connector.Response{Status: resp.StatusCode, Header: resp.Header, Body: body}
}

// edit is a change in the sandbox and what must come out of it.
type edit struct {
	change sesandbox.Change
	stream string
	column string
	value  any // nil: the field was emptied
}

func drawEdit(t *rapid.T, i int) edit {
	text := rapid.StringMatching(`[a-zA-Z "\\{}<>&中文é\n]{1,12}x`).Draw(t, "text") + fmt.Sprint(i)
	one := func(values ...string) string { return rapid.SampledFrom(values).Draw(t, "value") }
	e := edit{change: sesandbox.Change{Agent: sesandbox.Agent, Number: "8615266667780"}, stream: "profile_changes"}
	set := func(field, value, column string, want any) {
		e.change.Field, e.change.Value, e.column, e.value = field, value, column, want
	}
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		set("friendName", text, "full_name", text)
	case 1:
		set("desc", text, "remark", text)
	case 2:
		v := one("male", "female", "unknown")
		set("sex", v, "gender", v)
	case 3:
		day := rapid.IntRange(1, 28).Draw(t, "day")
		set("birthday", fmt.Sprintf("2020/03/%02d", day), "birthday", fmt.Sprintf("2020-03-%02d", day))
	case 4:
		set("stage", one(sesandbox.DefaultStages...), "stage", nil)
		e.value = e.change.Value
	case 5:
		tags := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z中]{1,4}( [a-z]+)?`), 1, 4, rapid.ID[string]).Draw(t, "tags")
		joined, list := "", []any{}
		for _, tag := range tags {
			joined += tag + ","
			list = append(list, tag)
		}
		set("tabName", joined, "tags", list)
	case 6:
		set("Faction", text, "custom", map[string]any{"Faction": text})
	case 7:
		set("Interests", "Music,Sport", "custom", map[string]any{"Interests": []any{"Music", "Sport"}})
	case 8:
		set("email", "", "email", nil)
	default:
		e.change.Follow, e.stream, e.column, e.value = text, "follow_ups", "text", text
	}
	return e
}

// What is changed in the sandbox comes out as rows, each change once and in its canonical form, whatever the placement of
// the signature, the size and order of requests, repeats, refusals and the language of labels.
func TestChangesComeBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o := sesandbox.Webhooks{
			Placement: rapid.SampledFrom([]string{"header", "body", "both"}).Draw(rt, "placement"), Vary: rapid.Bool().Draw(rt, "vary"), Shuffle: rapid.Bool().Draw(rt, "shuffle"),
			Chinese: rapid.Bool().Draw(rt, "chinese"), Whole: rapid.Bool().Draw(rt, "whole"), MaxItems: rapid.IntRange(1, 50).Draw(rt, "size"),
			Repeat: rapid.IntRange(0, 3).Draw(rt, "repeat"), Attempts: 100, Seed: rapid.Uint64().Draw(rt, "seed"),
		}
		every := rapid.IntRange(2, 5).Draw(rt, "every")
		var edits []edit
		for i := range rapid.IntRange(0, 40).Draw(rt, "changes") {
			edits = append(edits, drawEdit(rt, i))
		}
		synctest.Test(t, func(t *testing.T) {
			b := newInbox(t, sourceSettings())
			b.fail = func(n int) bool { return n%every == 0 }
			s := outlet(t, b, o)
			defer s.Close()
			var want []string
			for _, e := range edits {
				told := s.WebhookTotals().Items
				if err := s.Change(e.change); err != nil {
					rt.Fatalf("%+v: %v", e.change, err)
				}
				for range s.WebhookTotals().Items - told { // none where nothing changed; a follow-up goes to both
					want = append(want, fmt.Sprintf("%s %s %v", e.stream, e.column, e.value))
				}
			}
			if err := s.Drain(context.Background()); err != nil {
				rt.Fatalf("%v", err)
			}
			s.Redeliver(3)
			if err := s.Drain(context.Background()); err != nil {
				rt.Fatalf("%v", err)
			}
			got, ids := read(b.rowsOf(rt))
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(got, want) || b.refused > 0 || len(ids) != len(want) {
				rt.Fatalf("got %q\nwant %q\n%d refused, %d events", got, want, b.refused, len(ids))
			}
		})
	})
}

// read says what each row is about.
func read(out *table) (said []string, ids map[string]bool) {
	ids = map[string]bool{}
	for stream, list := range out.rows {
		for _, row := range list {
			ids[row["event_id"].(string)] = true
			column := "text"
			if stream == "profile_changes" {
				if column = row["field"].(string); row["field_type"] == "extension" {
					column = "custom"
				}
			}
			said = append(said, fmt.Sprintf("%s %s %v", stream, column, row[column]))
		}
	}
	return said, ids
}

// A reader can tell that a follow-up came twice, once by each webhook.
func TestFollowUpByBothWebhooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newInbox(t, sourceSettings())
		s := outlet(t, b, sesandbox.Webhooks{})
		defer s.Close()
		if err := s.Change(sesandbox.Change{Agent: sesandbox.Agent, Number: "8615266667780", Follow: "called, no answer", URLs: []string{"http://f/1"}}); err != nil {
			t.Fatal(err)
		}
		if err := s.Drain(context.Background()); err != nil {
			t.Fatal(err)
		}
		list := b.rowsOf(t).rows["follow_ups"]
		if len(list) != 2 || list[0]["content_id"] != list[1]["content_id"] || list[0]["event_id"] == list[1]["event_id"] || list[0]["webhook"] == list[1]["webhook"] {
			t.Fatalf("got %v", list)
		}
		for _, row := range list {
			if row["text"] != "called, no answer" || !reflect.DeepEqual(row["urls"], []any{"http://f/1"}) || row["repaired"] != (row["webhook"] == "user_write_flow") {
				t.Errorf("got %v", row)
			}
		}
	})
}

// A secret that is not known, or a clock that is wrong, gets nothing in; the vendor hears why.
func TestForgedWebhooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newInbox(t, sourceSettings())
		s := outlet(t, b, sesandbox.Webhooks{Secret: "guessed"})
		defer s.Close()
		if err := s.Change(sesandbox.Change{Agent: sesandbox.Agent, Number: "8615266667780", Field: "friendName", Value: "x"}); err != nil {
			t.Fatal(err)
		}
		if err := s.Drain(context.Background()); err != nil {
			t.Fatal(err)
		}
		if totals := s.WebhookTotals(); len(b.stored) != 0 || b.refused != 3 || totals.GivenUp != 1 {
			t.Errorf("%d stored, %d refused, %+v", len(b.stored), b.refused, totals)
		}
	})
}
