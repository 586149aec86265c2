package outcall_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/outcall"
	crm "github.com/sluicehq/sluice/connector/outcall/sandbox"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/rows"
	"github.com/sluicehq/sluice/internal/sandbox"
	"github.com/sluicehq/sluice/transforms"
)

// trip is a codec before a sandbox whose clock the test moves.
type trip struct {
	t       *testing.T
	mem     *memory.CheckedAllocator
	cfg     connector.Config
	mapping *transforms.Mapping
	service *crm.Service
	rt      http.RoundTripper
	now     time.Time
	calls   []string // method and endpoint name, as sent

	rejected []connector.RowResult // of the last batch delivered
	server   *sandbox.Server       // that it went to
}

func newTrip(t *testing.T, o crm.Options, settings map[string]any) *trip {
	t.Helper()
	tr := &trip{t: t, mem: memory.NewCheckedAllocator(memory.DefaultAllocator), service: crm.New(o), now: time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)}
	t.Cleanup(func() { tr.mem.AssertSize(t, 0) })
	tr.rt = sandbox.Transport(sandbox.New(sandbox.Options{Clock: func() time.Time { return tr.now }, Seed: 3}, tr.service))
	data, err := json.Marshal(account(settings))
	if err != nil {
		t.Fatal(err)
	}
	tr.cfg = outcall.Vendor.NewConfig()
	if err := config.Decode("test", data, outcall.Vendor.Fields, tr.cfg); err != nil {
		t.Fatal(err)
	}
	if err := tr.cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	text, err := outcall.Vendor.Preset(tr.cfg)
	if err != nil {
		t.Fatal(err)
	}
	preset, err := transforms.Parse("preset.yaml", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	tr.mapping, err = transforms.Compile(nil, transforms.Options{Preset: preset, Identifiers: outcall.Vendor.MatchKeys, Alloc: tr.mem})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// apply maps contacts, each a JSON object.
func (tr *trip) apply(contacts ...string) connector.Applied {
	tr.t.Helper()
	b := rows.NewBuilder(tr.mem, rows.RawSchema(tr.mapping.Fields("contacts")))
	defer b.Release()
	for _, c := range contacts {
		if refusal := b.Append([]byte(c)); refusal != nil {
			tr.t.Fatal(refusal)
		}
	}
	in := b.NewRecord()
	defer in.Release()
	plans, err := tr.mapping.Plans("contacts", in.Schema())
	if err != nil {
		tr.t.Fatal(err)
	}
	out, err := plans[0].Apply(context.Background(), in, nil)
	if err != nil {
		tr.t.Fatal(err)
	}
	tr.t.Cleanup(out.Rows.Release)
	return out
}

func (tr *trip) codec(rec arrow.Record) connector.Codec {
	tr.t.Helper()
	c, err := outcall.Vendor.Codec(tr.cfg, "contacts", outcall.Vendor.Mode(tr.cfg), rec.Schema())
	if err != nil {
		tr.t.Fatal(err)
	}
	return c
}

// call signs and sends a request; nil is a lost reply.
func (tr *trip) call(signer any, req *connector.Request, fault string) *connector.Response {
	tr.t.Helper()
	if err := signer.(connector.Signer).Sign(req, tr.now); err != nil {
		tr.t.Fatal(err)
	}
	tr.calls = append(tr.calls, req.Method+" "+req.Endpoint)
	hr, err := http.NewRequestWithContext(context.Background(), req.Method, req.URL, bytes.NewReader(req.Body))
	if err != nil {
		tr.t.Fatal(err)
	}
	hr.Header = req.Header.Clone()
	if fault != "" {
		hr.Header.Set(sandbox.FaultHeader, fault)
	}
	resp, err := tr.rt.RoundTrip(hr)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil
	}
	return &connector.Response{Status: resp.StatusCode, Header: resp.Header, Body: body}
}

// send makes one request; a lost reply is Ambiguous.
func (tr *trip) send(c connector.Codec, rec arrow.Record, fault string) connector.Outcome {
	tr.t.Helper()
	req := &connector.Request{}
	if err := c.AppendRequest(req, rec); err != nil {
		tr.t.Fatal(err)
	}
	resp := tr.call(c, req, fault)
	if resp == nil {
		return connector.Outcome{Verdict: connector.VerdictAmbiguous}
	}
	o, err := c.ParseResponse(resp, rec)
	if err != nil {
		return connector.Outcome{Verdict: connector.VerdictAmbiguous, Message: err.Error()}
	}
	return o
}

// settle polls until no row is pending, a second between polls that lead nowhere, and returns the verdict of each row.
func (tr *trip) settle(c connector.Codec, rec arrow.Record, o connector.Outcome) []string {
	tr.t.Helper()
	verdicts := make([]string, rec.NumRows())
	open := make([]int32, rec.NumRows())
	for i := range open {
		open[i] = int32(i)
	}
	token := o.Token
	for range 60 {
		var left []int32
		for i, row := range open {
			v, code := o.Verdict, o.Code
			if at := slices.IndexFunc(o.Rows, func(r connector.RowResult) bool { return r.Row == i }); at >= 0 {
				v, code = o.Rows[at].Verdict, o.Rows[at].Code
			}
			if v == connector.VerdictPending || v == connector.VerdictAmbiguous && o.Rows == nil {
				left = append(left, row)
				continue
			}
			verdicts[row] = strings.TrimSpace(v.String() + " " + strings.TrimPrefix(code, "200"))
		}
		if open = left; len(open) == 0 || o.Stop != connector.KindNone {
			return verdicts
		}
		if o.Token == "" {
			tr.now = tr.now.Add(time.Second)
		} else {
			token = o.Token
		}
		part := rows.Take(tr.mem, []rows.Part{{Rec: rec, Rows: open}})
		o = tr.poll(c, token, part)
		part.Release()
	}
	tr.t.Fatalf("no verdict after 60 polls: %v", tr.calls)
	return nil
}

func (tr *trip) poll(c connector.Codec, token string, part arrow.Record) connector.Outcome {
	tr.t.Helper()
	req := &connector.Request{}
	if err := c.(connector.Poller).AppendPoll(req, token, part); err != nil {
		tr.t.Fatal(err)
	}
	o, err := c.(connector.Poller).ParsePoll(tr.call(c, req, ""), token, part)
	if err != nil {
		tr.t.Fatalf("token %q: %v", token, err)
	}
	return o
}

func contact(i int) string {
	return fmt.Sprintf(`{"phone":"+86 138 0000 %04d","full_name":"人%d","external_id":"row-%d"}`, i, i, i)
}

func contacts(from, to int) (all []string) {
	for i := from; i < to; i++ {
		all = append(all, contact(i))
	}
	return all
}

// others are rows of the same numbers with other keys.
func others(all []string) []string {
	out := make([]string, len(all))
	for i := range all {
		out[i] = strings.Replace(all[i], "row-", "other-", 1)
	}
	return out
}

// nameless are rows of the same numbers without keys.
func nameless(all []string) []string {
	out := make([]string, len(all))
	for i := range all {
		out[i] = strings.Replace(all[i], "external_id", "profession", 1)
	}
	return out
}

func count(verdicts []string) map[string]int {
	n := map[string]int{}
	for _, v := range verdicts {
		n[v]++
	}
	return n
}

// A full request is accepted, imported later, and settled by the list of what got in and a search for the rest.
func TestImportIsAwaited(t *testing.T) {
	for _, suffix := range []bool{false, true} {
		tr := newTrip(t, crm.Options{}, map[string]any{"number_add_suffix": suffix})
		first := tr.apply(contacts(0, 3)...).Rows
		c := tr.codec(first)
		if got := count(tr.settle(c, first, tr.send(c, first, ""))); got["delivered"] != 3 {
			t.Fatalf("%v", got)
		}
		tr.calls = nil
		rec := tr.apply(append(others(contacts(1, 2)), contacts(2, 201)...)...).Rows // two are there already, one of another row
		o := tr.send(c, rec, "")
		if before := len(tr.service.Contents()); o.Verdict != connector.VerdictPending || before != 3 {
			t.Fatalf("%+v, %d numbers; want the import to come later", o, before)
		}
		got, want := count(tr.settle(c, rec, o)), map[string]int{"delivered": 199, "rejected in_task": 1}
		if suffix {
			want = map[string]int{"delivered": 200}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("suffix %v: %v, want %v", suffix, got, want)
		}
		steps := "POST task/" + crm.TaskID + ",GET identification,GET identification,GET identification,GET download-number"
		if detail := ",GET task/" + crm.TaskID + "/detail"; !suffix {
			steps += detail + detail
		}
		if strings.Join(tr.calls, ",") != steps {
			t.Errorf("calls %v", tr.calls)
		}
	}
}

// A reply that is lost is looked up: what is in the task is delivered, what is not is sent again, none twice.
func TestLostReplies(t *testing.T) {
	for _, tc := range []struct {
		mode, fault, want string
		stored            int
	}{
		{"async", "drop", "delivered", 150}, {"async", "5xx-after@502", "delivered", 150}, {"async", "malformed", "delivered", 150}, {"async", "truncate", "delivered", 150},
		{"async", "drop-before", "retry", 0}, {"async", "5xx@503", "retry", 0}, {"async", "html", "retry", 0},
		{"sync", "drop", "delivered", 100}, {"sync", "5xx@500", "retry", 0},
	} {
		tr := newTrip(t, crm.Options{}, map[string]any{"mode": tc.mode})
		rec := tr.apply(contacts(0, max(tc.stored, 20))...).Rows
		c := tr.codec(rec)
		o := tr.send(c, rec, tc.fault)
		if o.Verdict != connector.VerdictAmbiguous {
			t.Errorf("%s %s: %+v", tc.mode, tc.fault, o)
			continue
		}
		tr.now = tr.now.Add(time.Minute) // an accepted import may not be in yet
		got := count(tr.settle(c, rec, o))
		if got[tc.want] != int(rec.NumRows()) || len(tr.service.Contents()) != tc.stored {
			t.Errorf("%s %s: %v with %d stored", tc.mode, tc.fault, got, len(tr.service.Contents()))
		}
		if tc.want != "retry" {
			continue
		}
		got = count(tr.settle(c, rec, tr.send(c, rec, "")))
		if d := tr.service.State(); got["delivered"] != int(rec.NumRows()) || d.Imported != rec.NumRows() || d.Twice+d.RowsTwice != 0 {
			t.Errorf("%s %s, sent again: %v, %+v", tc.mode, tc.fault, got, d.Totals)
		}
	}
}

// With suffixes a look-up tells rows apart by their keys; without keys it proves only that a number is not there.
func TestLostReplyWithSuffixes(t *testing.T) {
	for _, tc := range []struct {
		rows func([]string) []string
		want string
	}{{nameless, "[ambiguous ambiguous retry]"}, {others, "[retry retry]"}, {slices.Clone[[]string], "[delivered retry]"}} {
		tr := newTrip(t, crm.Options{}, map[string]any{"number_add_suffix": true})
		first := tr.apply(contacts(0, 1)...).Rows
		c := tr.codec(first)
		tr.settle(c, first, tr.send(c, first, ""))
		rec := tr.apply(tc.rows(contacts(0, 2))...).Rows
		c = tr.codec(rec)
		if got := fmt.Sprint(tr.settle(c, rec, tr.send(c, rec, "drop-before"))); got != tc.want {
			t.Errorf("%v, want %s", got, tc.want)
		}
	}
}

func TestRunningTask(t *testing.T) {
	tr := newTrip(t, crm.Options{}, nil)
	rec := tr.apply(contact(1)).Rows
	c := tr.codec(rec)
	tr.service.SetRunning(crm.TaskID, true)
	o := tr.send(c, rec, "")
	if o.Verdict != connector.VerdictRetry || !o.Throttled || o.RetryAfter != 0 || o.Code != "6007" || o.Stop != connector.KindNone {
		t.Errorf("%+v", o)
	}
	tr.service.SetRunning(crm.TaskID, false)
	if got := tr.settle(c, rec, tr.send(c, rec, "")); got[0] != "delivered" {
		t.Errorf("%v", got)
	}
}

// A sync request with a number that is there already is refused whole, so that it can be halved.
func TestSyncRefusal(t *testing.T) {
	tr := newTrip(t, crm.Options{}, map[string]any{"mode": "sync"})
	one := tr.apply(contact(1)).Rows
	c := tr.codec(one)
	if o := tr.send(c, one, ""); o.Verdict != connector.VerdictDelivered {
		t.Fatalf("%+v", o)
	}
	o := tr.send(c, tr.apply(contacts(0, 3)...).Rows, "")
	if o.Verdict != connector.VerdictSuspect || o.Code != "422" || len(tr.service.Contents()) != 1 {
		t.Errorf("%+v with %d stored", o, len(tr.service.Contents()))
	}
}

// What each canonical column becomes in the task.
func TestWholeContact(t *testing.T) {
	tr := newTrip(t, crm.Options{ImportDelay: -1}, map[string]any{
		"sources":    map[string]any{"fair": 3},
		"components": map[string]any{"vip": crm.ComponentText, "remark": crm.ComponentAge},
	})
	rec := tr.apply(`{"phone":"+86 130-1212-1211","full_name":"张三","email":" a@example.com ","company":"X & Y","gender":"Female","source":"fair","industry":"2",
		"stage":"won","external_id":7,"remark":17,"custom":{"vip":"gold"},"tags":["a"],"owner":"seat"}`).Rows
	c := tr.codec(rec)
	if got := tr.settle(c, rec, tr.send(c, rec, "")); got[0] != "delivered" {
		t.Fatal(got)
	}
	want := `["` + crm.TaskID + `",{"number":"","phone":"13012121211","user_id":"` + crm.UserID + `","unique_id":"","in_pool":true,"name":"张三","email":"a@example.com",` +
		`"company":"X \u0026 Y","sex":2,"source_id":3,"industry_id":2,"extra":"7","components":{"` + crm.ComponentText + `":"gold","` + crm.ComponentAge + `":"17"},` +
		`"imported_at":"0001-01-01T00:00:00Z"}]`
	if got := tr.service.Contents(); len(got) != 1 || got[0] != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// What the preset refuses.
func TestPresetRefusals(t *testing.T) {
	tr := newTrip(t, crm.Options{}, nil)
	for in, want := range map[string]string{
		`{"full_name":"x"}`: connector.CodeNoIdentifier, `{"phone":"call me"}`: connector.CodeBadPhone,
		`{"phone":"13012121211","gender":"1"}`: connector.CodeUnmapped, `{"phone":"13012121211","custom":{"vip":1}}`: connector.CodeUnknownField,
		`{"phone":"13012121211","gender":"未知","custom":{"` + crm.ComponentAge + `":1}}`: "",
	} {
		code := ""
		if out := tr.apply(in); len(out.Rejected) > 0 {
			code = out.Rejected[0].Code
		}
		if code != want {
			t.Errorf("%s: %q, want %q", in, code, want)
		}
	}
	open := newTrip(t, crm.Options{}, map[string]any{"phone_format": "any"})
	if out := open.apply(`{"phone":" +1 (555) 0100 x "}`); len(out.Rejected) > 0 || !strings.Contains(string(rows.AppendJSON(nil, out.Rows, 0)), `"+1 (555) 0100 x"`) {
		t.Errorf("%+v", out.Rejected)
	}
}
