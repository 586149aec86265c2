package socialepoch_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/connectortest"
	"github.com/sluicehq/sluice/connector/socialepoch"
	sesandbox "github.com/sluicehq/sluice/connector/socialepoch/sandbox"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/sandbox"
)

func bytesReader(b []byte) io.Reader { return bytes.NewReader(b) }

func puller(t *testing.T, c *socialepoch.SourceConfig) connector.Puller {
	t.Helper()
	p, err := socialepoch.SocialEpoch.Source.Puller(c, "contacts")
	if err != nil || p == nil {
		t.Fatal(p, err)
	}
	return p
}

// pull reads all pages, as a run does.
func pull(t *testing.T, c *socialepoch.SourceConfig, s *sesandbox.Service) []map[string]any {
	t.Helper()
	p, server, out := puller(t, c), sandbox.New(sandbox.Options{Clock: time.Now}, s), &table{}
	var from connector.Position
	for {
		var req connector.Request
		if err := p.AppendQuery(&req, from); err != nil {
			t.Fatal(err)
		}
		page, o, err := p.ParsePage(call(t, server, p, &req), from, out)
		if err != nil || o.Verdict != connector.VerdictDelivered {
			t.Fatalf("%+v, %v", o, err)
		}
		if !page.More {
			if page.Next != nil {
				t.Errorf("the stream is read whole each time, but ends at %s", page.Next)
			}
			return out.rows["contacts"]
		}
		from = page.Next
	}
}

const other = "8613800000000"

func TestContacts(t *testing.T) {
	for _, tt := range []struct {
		name  string
		query sesandbox.Query
	}{
		{"account echoed", sesandbox.Query{}}, {"account echoed, as a text", sesandbox.Query{StringData: true}}, {"the contact's number", sesandbox.Query{ContactNumber: true}},
	} {
		tt.query.Accounts = []sesandbox.WhatsApp{sesandbox.DefaultWhatsApp, {Tenant: sesandbox.TenantID, Number: other, Agent: "else"}}
		s := sesandbox.New(sesandbox.Options{Query: tt.query})
		seed(t, s, `{"agentAccount":"kubrick101","whatsApp":"861","friendName":"Feng","sex":"female","birthday":"2020/03/08","address":"a","email":"e","profession":"p","income":"i","desc":"d\ne",
			"country":"China","stage":"Won","source":"Default","tabName":"x,y","Faction":"f","Signed on":"2022/03/08","Points":12.50},
			{"agentAccount":"kubrick101","whatsApp":"862"},{"agentAccount":"kubrick101","whatsApp":"863"},{"agentAccount":"else","whatsApp":"861","friendName":"Feng"}`)
		c := sourceSettings()
		c.WhatsAppAccounts = []string{sesandbox.DefaultWhatsApp.Number, other, "1"}
		c.Stages = map[string]int64{"Won": 30}
		got := pull(t, c, s)
		if len(got) != 4 {
			t.Fatalf("%s: %d rows", tt.name, len(got))
		}
		seen := map[string]bool{}
		for i, row := range got {
			id := fmt.Sprint(row["account"], " ", row["contact_id"])
			if seen[id] || row["vendor"] != "socialepoch" || row["tenant_id"] != "82" {
				t.Errorf("%s: row %d has the key %s again: %v", tt.name, i, id, row)
			}
			seen[id] = true
			raw, _ := row["raw"].(map[string]any)
			if number := row["whatsapp"]; (number != nil) != tt.query.ContactNumber || number != nil && (number != row["contact_id"] || raw["whatsId"] != number) {
				t.Errorf("%s: whatsapp %v of contact %v", tt.name, number, row["contact_id"])
			}
		}
		first := got[0]
		for _, name := range []string{"contact_id", "whatsapp", "first_chat_at", "last_chat_at", "raw"} {
			delete(first, name)
		}
		want := map[string]any{
			"account": "86187272722", "vendor": "socialepoch", "tenant_id": "82", "full_name": "Feng", "gender": "female", "birthday": "2020-03-08", "address": "a", "email": "e", "profession": "p",
			"income": "i", "remark": "d\ne", "country": "China", "stage": "Won", "source": "20", "tags": []any{"x", "y"}, "custom": map[string]any{"Faction": "f", "Signed on": "2022/03/08", "Points": 12.5},
		}
		if !reflect.DeepEqual(first, want) {
			t.Errorf("%s: got %v\nwant %v", tt.name, first, want)
		}
		if bare := got[1]; bare["gender"] != nil || bare["stage"] != nil || bare["tags"] != nil || bare["custom"] != nil || !strings.HasSuffix(bare["first_chat_at"].(string), "Z") {
			t.Errorf("%s: %v", tt.name, bare)
		}
		again := pull(t, c, s)
		if !reflect.DeepEqual(again[1:], got[1:]) {
			t.Errorf("%s: a second reading differs", tt.name)
		}
	}
}

// The vendor's own example, and what its tables say instead.
func TestContactForms(t *testing.T) {
	const example = `{"whatsId": "86187272722","name": "","sex": null,"email": "","birthday": null,"stage": 10,"source": 10,"tabList": null,"firstChatTime": null,"extendMap": {"Date": "2024/07/08"}}`
	c := sourceSettings()
	c.Sources = map[string]int64{"Default": 10}
	p := puller(t, c)
	for _, tt := range []struct{ item, column, want string }{
		{example, "stage", "10"}, {example, "source", "Default"}, {example, "custom", "map[Date:2024/07/08]"}, {example, "full_name", "<nil>"}, {example, "whatsapp", "<nil>"},
		{`{"whatsId":"8615@c.us"}`, "whatsapp", "8615"}, {`{"whatsId":8615}`, "contact_id", "8615"}, {`{"whatsId":"+86 187272722"}`, "whatsapp", "<nil>"},
		{`{"sex":"UNKOWNN"}`, "gender", "unknown"}, {`{"sex":"1"}`, "gender", "<nil>"}, {`{"birthday":"2020-3-8"}`, "birthday", "2020-03-08"}, {`{"birthday":"soon"}`, "birthday", "<nil>"},
		{`{"tabList":"a,b"}`, "tags", "[a b]"}, {`{"tabList":["a",null,""]}`, "tags", "[a]"}, {`{"tabList":[]}`, "tags", "[]"}, {`{"stage":"Won"}`, "stage", "Won"}, {`{"stage":"10"}`, "stage", "10"},
		{`{"source":"10"}`, "source", "Default"}, {`{"lastChatTime":"2024-07-08 09:10:11"}`, "last_chat_at", "2024-07-08T01:10:11.000Z"}, {`{"lastChatTime":1720401011000}`, "last_chat_at", "2024-07-08T01:10:11.000Z"},
		{`{"extendMap":"{\"a\":1}"}`, "custom", "map[a:1]"}, {`{"extendMap":{"a":null,"b":""}}`, "custom", "<nil>"}, {`{"extendMap":[1]}`, "custom", "<nil>"},
		{`12`, "raw", "12"}, {`{"name":"cut \ud83d"}`, "full_name", "cut \uFFFD"}, {`{"name":"cut \ud83d"}`, "raw", `{"name":"cut \ud83d"}`},
	} {
		for _, form := range []string{`{"code":200,"message":"Success","data":[%s]}`, `{"code":"200","msg":"","data":[%s,]}`} {
			out := &table{}
			page, o, err := p.ParsePage(&connector.Response{Status: 200, Body: fmt.Appendf(nil, form, tt.item)}, nil, out)
			if err != nil || o.Verdict != connector.VerdictDelivered || page.More || len(out.rows["contacts"]) != 1 {
				t.Errorf("%s: %+v, %+v, %v", tt.item, page, o, err)
				continue
			}
			if got := fmt.Sprint(out.rows["contacts"][0][tt.column]); got != tt.want {
				t.Errorf("%s: %s is %s, want %s", tt.item, tt.column, got, tt.want)
			}
		}
	}
	for _, empty := range []string{`[]`, `null`, `""`, `"[]"`, `" "`} {
		out := &table{}
		if _, o, err := p.ParsePage(&connector.Response{Status: 200, Body: []byte(`{"code":200,"data":` + empty + `}`)}, nil, out); err != nil || o.Verdict != connector.VerdictDelivered || len(out.rows) != 0 {
			t.Errorf("%s: %+v, %v, %v", empty, o, err, out.rows)
		}
	}
}

func TestQueryAnswers(t *testing.T) {
	p := puller(t, sourceSettings())
	date := http.Header{"Date": {"Tue, 06 Jan 2026 12:00:00 GMT"}}
	for _, tt := range []struct {
		status int
		body   string
		want   connector.Outcome // of it Verdict, Stop, Throttled, RetryAfter and whether there is a Clock
		broken bool
	}{
		{200, `{"code":-1,"message":"token error"}`, connector.Outcome{Verdict: connector.VerdictRetry, Stop: connector.KindConfig, Code: "-1"}, false},
		{200, `{"code":-1,"message":"token error: timestamp expired"}`, connector.Outcome{Verdict: connector.VerdictRetry, Clock: time.Unix(1, 0), Code: "-1"}, false},
		{200, `{"code":500,"message":"x"}`, connector.Outcome{Verdict: connector.VerdictRetry, Code: "500"}, false},
		{200, `{"code":56,"message":"x"}`, connector.Outcome{Verdict: connector.VerdictRetry, Code: "56", RetryAfter: time.Minute}, false},
		{200, `{"code":51,"message":"x"}`, connector.Outcome{Verdict: connector.VerdictRejected, Code: "51"}, false},
		{429, ``, connector.Outcome{Verdict: connector.VerdictRetry, Throttled: true, Code: "http_429"}, false},
		{503, `busy`, connector.Outcome{Verdict: connector.VerdictRetry, Code: "http_5xx"}, false},
		{503, `{"code":200,"data":[]}`, connector.Outcome{Verdict: connector.VerdictRetry, Code: "http_5xx"}, false},
		{401, ``, connector.Outcome{Verdict: connector.VerdictRetry, Stop: connector.KindConfig, Code: "http_auth"}, false},
		{404, ``, connector.Outcome{Verdict: connector.VerdictRetry, Stop: connector.KindConfig, Code: "http_path"}, false},
		{400, ``, connector.Outcome{Verdict: connector.VerdictRejected, Code: "http_4xx"}, false},
		{200, `<html>`, connector.Outcome{}, true},
		{200, `{"code":200,"data":{}}`, connector.Outcome{}, true},
		{200, `{"code":200,"data":"none"}`, connector.Outcome{}, true},
		{200, `{"code":200,"data":[{}`, connector.Outcome{}, true},
		{200, `{"data":[]}`, connector.Outcome{}, true},
	} {
		out := &table{}
		_, o, err := p.ParsePage(&connector.Response{Status: tt.status, Header: date, Body: []byte(tt.body)}, nil, out)
		if len(out.rows) != 0 || (err != nil) != tt.broken {
			t.Errorf("%d %s: %v, rows %v", tt.status, tt.body, err, out.rows)
			continue
		}
		if err == nil && (o.Verdict != tt.want.Verdict || o.Stop != tt.want.Stop || o.Throttled != tt.want.Throttled || o.Code != tt.want.Code || o.RetryAfter != tt.want.RetryAfter || o.Clock.IsZero() != tt.want.Clock.IsZero()) {
			t.Errorf("%d %s: got %+v", tt.status, tt.body, o)
		}
		if _, known := socialepoch.SocialEpoch.Explain(o.Code); err == nil && !known {
			t.Errorf("nobody explains %q", o.Code)
		}
	}
	for _, from := range []string{`1`, `{"account":"999"}`, `{}`} {
		var req connector.Request
		if err := p.AppendQuery(&req, connector.Position(from)); connector.KindOf(err) != connector.KindConfig {
			t.Errorf("from %s: %v", from, err)
		}
	}
}

// The check asks like the query does, and tells a person what is wrong.
func TestSourceCheck(t *testing.T) {
	server := sandbox.New(sandbox.Options{Clock: time.Now}, sesandbox.New(sesandbox.Options{}))
	for _, tt := range []struct {
		change func(c *socialepoch.SourceConfig)
		want   string
	}{
		{func(*socialepoch.SourceConfig) {}, ""},
		{func(c *socialepoch.SourceConfig) { c.APIKey = connector.NewSecret("wrong-key") }, "token error"},
		{func(c *socialepoch.SourceConfig) { c.TenantID = 9 }, "token error"},
	} {
		c := sourceSettings()
		tt.change(c)
		p, err := socialepoch.SocialEpoch.Source.Check(c)
		if err != nil {
			t.Fatal(err)
		}
		var req connector.Request
		if err := p.AppendRequest(&req); err != nil {
			t.Fatal(err)
		}
		err = p.ParseResponse(call(t, server, p, &req))
		if (err == nil) != (tt.want == "") || err != nil && (!strings.Contains(err.Error(), tt.want) || connector.KindOf(err) != connector.KindConfig || strings.Contains(err.Error(), "wrong-key")) {
			t.Errorf("got %v, want %q", err, tt.want)
		}
		for status, kind := range map[int]connector.Kind{429: connector.KindThrottled, 500: connector.KindTransient, 403: connector.KindConfig, 200: connector.KindConfig} {
			if err := p.ParseResponse(&connector.Response{Status: status}); connector.KindOf(err) != kind {
				t.Errorf("%d: %v", status, err)
			}
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(verb, p) + fmt.Sprintf(verb, puller(t, c)) + fmt.Sprintf(verb, c); strings.Contains(text, c.APIKey.Reveal()) {
				t.Errorf("%s shows the key", verb)
			}
		}
	}
	none := sourceSettings()
	none.WhatsAppAccounts = nil
	if p, err := socialepoch.SocialEpoch.Source.Check(none); p != nil || err != nil {
		t.Errorf("nobody to ask: %v, %v", p, err)
	}
	if p, err := socialepoch.SocialEpoch.Source.Puller(none, "contacts"); p != nil || err != nil {
		t.Errorf("nobody to ask: %v, %v", p, err)
	}
	if p, err := socialepoch.SocialEpoch.Source.Puller(sourceSettings(), "follow_ups"); p != nil || err != nil {
		t.Errorf("a stream of webhooks: %v, %v", p, err)
	}
}

func TestSourceConfig(t *testing.T) {
	source := socialepoch.SocialEpoch.Source
	config.CheckTable(t, source.Fields, source.NewConfig())
	decode := func(text string) error { return config.Decode("test", []byte(text), source.Fields, source.NewConfig()) }
	for _, text := range []string{
		`{tenant_id: 82, webhook_secrets: [a]}`, `{tenant_id: 82, api_key: k, whatsapp_accounts: ["86187272722"]}`,
		`{tenant_id: 82, webhook_secrets: [a, b], time_zone: "+05:30", signature_window: 60, strict: true, friend_id: account, stages: {Won: 30, New: 10}}`,
	} {
		if err := decode(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, tt := range []struct {
		text string
		want []string // all of them at once
	}{
		{`{tenant_id: 82}`, []string{"neither webhook_secrets nor whatsapp_accounts"}},
		{`{webhook_secrets: [a]}`, []string{"tenant_id"}},
		{`{tenant_id: 82, webhook_secrets: ["", "a b"]}`, []string{"webhook_secrets[0] is empty", "webhook_secrets[1] holds a blank"}},
		{`{tenant_id: 82, whatsapp_accounts: ["+86", "1", "1"], base_url: "http://crm.example"}`, []string{`"+86" is not a WhatsApp number`, `"1" is repeated`, "api_key is missing", "unencrypted"}},
		{`{tenant_id: 82, webhook_secrets: [a], time_zone: Mars, stages: {a: 1, b: 1}, sources: {" ": 1}}`, []string{`time_zone "Mars"`, `stages: "a" and "b"`, "sources: 1 has no name"}},
		{`{tenant_id: 82, webhook_secrets: [a], signature_window: 0, friend_id: nobody}`, []string{"signature_window", "friend_id"}},
	} {
		err := decode(tt.text)
		for _, want := range tt.want {
			if connector.KindOf(err) != connector.KindConfig || !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("%s: got %v, want %s", tt.text, err, want)
			}
		}
	}
	c := sourceSettings()
	c.WebhookSecrets = nil
	for _, w := range source.Webhooks {
		if _, err := w.Hook(c); connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), "webhook_secrets") {
			t.Errorf("%s without a secret: %v", w.Name, err)
		}
		h, err := w.Hook(sourceSettings())
		if err != nil {
			t.Fatal(err)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(verb, h); strings.Contains(text, sesandbox.WebhookSecret) {
				t.Errorf("%s shows a secret: %s", verb, text)
			}
		}
	}
}

// Streams keep to the vocabulary, have the vendor's item, and those of webhooks begin as events do.
func TestStreams(t *testing.T) {
	source := socialepoch.SocialEpoch.Source
	connectortest.Streams(t, source)
	for _, s := range source.Streams {
		if !slices.ContainsFunc(s.Columns, func(c connector.StreamColumn) bool { return c.Name == "raw" }) {
			t.Errorf("%s has no column raw", s.Name)
		}
		if s.Name != "contacts" && (s.Cursor != "seq" || !reflect.DeepEqual(s.Columns[:len(connector.EventColumns)], connector.EventColumns)) {
			t.Errorf("%s does not begin with the columns of an event", s.Name)
		}
	}
	if _, err := json.Marshal(source.Fields); err != nil {
		t.Error(err)
	}
}
