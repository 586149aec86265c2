package outcall_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/connectortest"
	crm "github.com/sluicehq/sluice/connector/outcall/sandbox"
)

const (
	importID = "5e7d2764-27fc-41b9-b19e-d06f91d82614"
	golden   = `{"mode":"batch","type":"api_customer_to_task","unique_id":"` + importID + `","user_id":"f00c","task_id":"289b","data":{"url":"https://ai.api.longlonglong.cn/agent-api/download-number?key=RUhh&PQ=="}}`
)

func hookOf(t testing.TB, settings map[string]any) connector.Hook {
	t.Helper()
	h, err := source.Webhooks[0].Hook(sourceConfig(t, settings))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// decode gives the rows of a body; seen says whether it was stored before.
func decode(t testing.TB, h connector.Hook, body string, seen bool) []connectortest.Row {
	t.Helper()
	sink := connectortest.NewSink(t, source)
	sink.Request = 3
	err := h.Decode(&connector.Received{
		Seq: 3, At: time.Date(2026, 1, 6, 12, 0, 0, 0, time.UTC), Tenant: crm.UserID, Body: []byte(body), Seen: func(int) bool { return seen },
	}, sink)
	if err != nil {
		t.Fatal(err)
	}
	sink.Close()
	return sink.Rows["import_results"]
}

func TestGoldenCallbacks(t *testing.T) {
	h := hookOf(t, map[string]any{"imports": []any{map[string]any{"unique_id": importID, "numbers": []string{"13012121212", "+86 130-1212-1213", "13012121212"}}}})
	withList := strings.Replace(golden, `"data":{`, `"data":{"numbers":["13012121212",13012121214],`, 1)
	for _, tc := range []struct{ body, key, numbers, missing string }{
		{golden, "api_customer_to_task/" + importID, "", ""},
		{withList, "api_customer_to_task/" + importID + "/numbers", `["13012121212","13012121214"]`, `["+86 130-1212-1213","13012121212"]`},
		{strings.Replace(withList, "api_customer_to_task", "del_number", 1), "del_number/" + importID + "/numbers", `["13012121212","13012121214"]`, ""},
		{`{"mode":"single","type":"import_number","unique_id":"u","data":{"number":"13012121212"}}`, "import_number/u/13012121212", `["13012121212"]`, ""},
		{`{"mode":"single","type":"del_number","data":{"number":13012121212}}`, "", `["13012121212"]`, ""},
		{`{"mode":"batch","type":"import_number","unique_id":"` + importID + `","data":{"numbers":[]}}`, "import_number/" + importID, `[]`, `["13012121212","+86 130-1212-1213","13012121212"]`},
		{`{"type":"later","unique_id":"u","data":[]}`, "later/u", "", ""},
		{`{}`, "", "", ""},
	} {
		items, err := h.Split([]byte(tc.body))
		if err != nil || len(items) != 1 || items[0].Key != tc.key || string(items[0].Bytes) != tc.body {
			t.Errorf("%s: %+v %v", tc.body, items, err)
		}
		rows := decode(t, h, tc.body, false)
		if len(rows) != 1 {
			t.Errorf("%s: %d rows", tc.body, len(rows))
			continue
		}
		r := rows[0]
		if string(r["numbers"]) != tc.numbers || string(r["missing"]) != tc.missing || string(r["raw"]) != tc.body || r.Text("tenant_id") != crm.UserID ||
			r.Text("vendor") != "outcall" || r.Text("received_at") != "2026-01-06T12:00:00Z" || string(r["seq"]) != fmt.Sprint(3<<16) || tc.key != "" && r.Text("event_id") != tc.key {
			t.Errorf("%s: %s", tc.body, r)
		}
		if again := decode(t, h, tc.body, true); len(again) != 0 {
			t.Errorf("%s: a repeat gives %v", tc.body, again)
		}
	}
	for _, bad := range []string{``, `null`, `[]`, `"x"`, `{"type":`, `{"data":{"numbers":[{}]}}`, `{"data":{"numbers":[""]}}`} {
		if items, err := h.Split([]byte(bad)); err == nil {
			t.Errorf("%s: %v", bad, items)
		}
		if err := h.Decode(&connector.Received{Body: []byte(bad)}, nil); err == nil {
			t.Errorf("%s is decoded", bad)
		}
	}
}

func TestVerify(t *testing.T) {
	const one, two = "0123456789abcdef", "&=secret with %/?"
	now := time.Date(2026, 1, 6, 12, 0, 0, 0, time.UTC)
	plain := hookOf(t, nil)
	ticket, err := plain.Verify(&connector.Request{URL: "/hooks/x"}, now)
	if want := (connector.Ticket{Tenant: crm.UserID}); err != nil || ticket != want {
		t.Errorf("without secrets: %+v %v", ticket, err)
	}
	two64 := strings.ReplaceAll(two, " ", "-")
	h := hookOf(t, map[string]any{"callback_secrets": []string{one, two64}})
	for url, good := range map[string]bool{
		"/hooks/x?secret=" + one:                      true,
		"https://me.test/h?a=b&secret=" + one:         true,
		"/hooks/x?secret=%26%3Dsecret-with-%25%2F%3F": true,
		"/hooks/x?secret=" + one + "0":                false,
		"/hooks/x?secret=" + one[1:]:                  false,
		"/hooks/x?secret=":                            false,
		"/hooks/x":                                    false,
		"/hooks/x?Secret=" + one:                      false,
		"/hooks/x?secret=" + one + "&secret=" + one:   false,
		"/hooks/%zz?secret=" + one:                    false,
		"":                                            false,
	} {
		ticket, err := h.Verify(&connector.Request{URL: url, Header: http.Header{"Secret": {one}}, Body: []byte(golden)}, now)
		if (err == nil) != good || !good && (!errors.Is(err, connector.ErrForged) || ticket != connector.Ticket{}) || good && ticket.Token != "" {
			t.Errorf("%q: %+v %v", url, ticket, err)
		}
		if err != nil && strings.Contains(err.Error(), one) {
			t.Errorf("%q: the secret is told: %v", url, err)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, h); strings.Contains(text, one) || strings.Contains(text, crm.Token) {
			t.Errorf("%s tells a secret: %s", verb, text)
		}
	}
}

func TestReply(t *testing.T) {
	h := hookOf(t, nil)
	for err, want := range map[error]string{
		nil: `200 {"code":200,"status":"success"}`, connector.ErrForged: `403 {"code":403,"status":"error"}`, errors.New("the disk is full"): `503 {"code":503,"status":"error"}`,
	} {
		if r := h.Reply(err); fmt.Sprintf("%d %s", r.Status, r.Body) != want || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%v: %+v", err, r)
		}
	}
}

// TestFetchedList: what a callback points to is fetched from the sandbox and comes as a row of its own.
func TestFetchedList(t *testing.T) {
	o := newOffice(t)
	id := o.submit("", "13012121211", "not a number", "13012121212")
	o.now = o.now.Add(crm.ImportDelay)
	p := puller(t, "imports", map[string]any{"imports": []any{map[string]any{"unique_id": id}}})
	page, _, err := connectortest.Ask(t, p, o.rt, o.now, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var position struct{ Callback json.RawMessage }
	if err := json.Unmarshal(page.Next, &position); err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{crm.Token, ""} { // the key in the address is enough
		h := hookOf(t, map[string]any{"token": token})
		f := h.(connector.Fetcher)
		var req connector.Request
		if lacks, err := f.AppendFetch(&req, position.Callback); !lacks || err != nil {
			t.Fatal(lacks, err)
		}
		whole, out, err := f.ParseFetch([]byte("before"), connectortest.Send(t, h, o.rt, o.now, &req), position.Callback)
		if err != nil || out.Verdict != connector.VerdictDelivered {
			t.Fatalf("%+v %v", out, err)
		}
		body := strings.TrimPrefix(string(whole), "before")
		rows := decode(t, h, body, false)
		if len(rows) != 1 || string(rows[0]["numbers"]) != `["13012121211","13012121212"]` || rows[0].Text("url") == "" || rows[0].Text("event_id") != "api_customer_to_task/"+id+"/numbers" {
			t.Errorf("%v", rows)
		}
		if lacks, err := f.AppendFetch(&req, []byte(body)); lacks || err != nil {
			t.Errorf("it would be fetched again: %v", err)
		}
	}
}

// TestAddressesOutOfData: only the configured host is called.
func TestAddressesOutOfData(t *testing.T) {
	f := hookOf(t, nil).(connector.Fetcher)
	for url, good := range map[string]bool{
		"https://ai.api.longlonglong.cn/agent-api/download-number?key=a": true,
		"http://ai.api.longlonglong.cn/x":                                true, // called by https
		"https://ai.api.longlonglong.cn.evil.test/x":                     false,
		"https://ai.api.longlonglong.cn@evil.test/x":                     false,
		"https://u:p@ai.api.longlonglong.cn/x":                           false,
		"https://ai.api.longlonglong.cn:8443/x":                          false,
		"http://169.254.169.254/latest/meta-data":                        false,
		"https://127.0.0.1/x":                                            false,
		"file:///etc/passwd":                                             false,
		"//ai.api.longlonglong.cn/x":                                     false,
		"/agent-api/download-number?key=a":                               false,
		"https:ai.api.longlonglong.cn":                                   false,
		"https://%zz":                                                    false,
	} {
		body, err := json.Marshal(map[string]any{"unique_id": "u", "data": map[string]string{"url": url}})
		if err != nil {
			t.Fatal(err)
		}
		var req connector.Request
		asks, err := f.AppendFetch(&req, body)
		if asks != good || (err == nil) != good || good && !strings.HasPrefix(req.URL, "https://ai.api.longlonglong.cn/") || !good && (req.URL != "" || connector.KindOf(err) != connector.KindConfig) {
			t.Errorf("%s: %v %v %q", url, asks, err, req.URL)
		}
	}
}

// TestListsThatCannotBeRead: nothing is appended unless it is a list of numbers.
func TestListsThatCannotBeRead(t *testing.T) {
	f := hookOf(t, nil).(connector.Fetcher)
	for _, tc := range []struct {
		status  int
		body    string
		verdict connector.Verdict
		failed  bool
	}{
		{200, `{"numbers":[]}`, connector.VerdictDelivered, false}, {200, `{"code":200,"status":"success","data":{"numbers":["1"]}}`, connector.VerdictDelivered, false},
		{200, `{"numbers":[null]}`, 0, true}, {200, `{"numbers":"1"}`, 0, true}, {200, `[]`, 0, true}, {200, `{}`, 0, true}, {200, `<html>`, 0, true}, {200, ``, 0, true}, {200, `{"numbers":["1"`, 0, true},
		{200, `{"code":404,"status":"error","message":"gone","data":[]}`, connector.VerdictRejected, false}, {404, `not found`, connector.VerdictRejected, false},
		{401, `{"message":"Unauthenticated."}`, connector.VerdictRetry, false}, {429, ``, connector.VerdictRetry, false}, {502, `bad gateway`, connector.VerdictRetry, false},
		{200, `{"code":200,"status":"error","message":"no"}`, connector.VerdictRejected, false}, {400, `{"code":400}`, connector.VerdictRejected, false},
	} {
		dst, o, err := f.ParseFetch([]byte("x"), &connector.Response{Status: tc.status, Header: http.Header{}, Body: []byte(tc.body)}, []byte(golden))
		if (err != nil) != tc.failed || err == nil && o.Verdict != tc.verdict {
			t.Errorf("%d %s: %+v %v", tc.status, tc.body, o, err)
		}
		if delivered := err == nil && o.Verdict == connector.VerdictDelivered; delivered == (string(dst) == "x") {
			t.Errorf("%d %s: appended %q", tc.status, tc.body, dst)
		}
	}
}

// FuzzCallback: whatever comes, rows fit their stream, and what Split takes Decode takes.
func FuzzCallback(f *testing.F) {
	f.Add(golden, `{"numbers":["1",2]}`)
	f.Add(`{"type":"\ud800","data":{"number":1e9}}`, `{"data":{"numbers":[]}}`)
	f.Add(`{"unique_id":7,"data":{"url":"https://ai.api.longlonglong.cn/x","numbers":null}}`, `<html>`)
	f.Add("{\"data\":{\"url\":\"https://ai.api.longlonglong.cn/\xff\"}}", `{"numbers":["\ud800"]}`)
	h := hookOf(f, nil)
	fetcher := h.(connector.Fetcher)
	f.Fuzz(func(t *testing.T, body, list string) {
		sink := connectortest.NewSink(t, source)
		items, splitErr := h.Split([]byte(body))
		in := &connector.Received{Tenant: crm.UserID, Body: []byte(body)}
		if err := h.Decode(in, sink); (err == nil) != (splitErr == nil) || len(sink.Rows["import_results"]) != len(items) {
			t.Fatalf("split %v %v, decode %v", items, splitErr, err)
		}
		whole, o, err := fetcher.ParseFetch(nil, &connector.Response{Status: 200, Body: []byte(list)}, []byte(body))
		if err == nil && o.Verdict == connector.VerdictDelivered {
			if err := h.Decode(&connector.Received{Tenant: crm.UserID, Body: whole}, sink); err != nil {
				t.Fatalf("%q of %q and %q: %v", whole, body, list, err)
			}
		}
		sink.Close()
	})
}
