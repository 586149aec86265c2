package outcall_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/connectortest"
	crm "github.com/sluicehq/sluice/connector/outcall/sandbox"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// TestImports: imports that are done, that wait and that nobody knows, each with its row; and a walk taken up at each of
// its positions gives the rest.
func TestImports(t *testing.T) {
	o := newOffice(t)
	done := o.submit("", "13012121211", "not a number", "13012121212")
	again := o.submit(`"number_add_suffix":true,`, "13012121211", "13012121211")
	o.now = o.now.Add(crm.ImportDelay)
	none := o.submit("", "12")
	o.now = o.now.Add(crm.ImportDelay)
	waits := o.submit("", "13012121213")
	p := puller(t, "imports", map[string]any{"number_add_suffix": true, "imports": []any{
		map[string]any{"unique_id": waits, "numbers": []string{"13012121213"}},
		map[string]any{"unique_id": done, "numbers": []string{"+86 13012121211", "not a number", "13012121212"}},
		map[string]any{"unique_id": "nobody-knows"},
		map[string]any{"unique_id": again, "numbers": []string{"13012121211", "13012121211", "13012121211"}},
		map[string]any{"unique_id": none},
	}})
	rows, pages := o.walk(p, "imports", nil, nothing)
	want := []struct{ id, state, missing string }{
		{waits, "waiting", ""}, {done, "imported", `["not a number"]`}, {"nobody-knows", "unknown", ""}, {again, "imported", `["13012121211"]`}, {none, "imported", ""},
	}
	if len(rows) != len(want) || pages[len(pages)-1] != nil {
		t.Fatalf("%d rows, then %s", len(rows), pages[len(pages)-1])
	}
	for i, w := range want {
		if r := rows[i]; r.Text("unique_id") != w.id || r.Text("state") != w.state || string(r["missing"]) != w.missing || (w.state == "imported") != (r["numbers"] != nil) {
			t.Errorf("%+v: %s", w, r)
		}
	}
	if string(rows[1]["numbers"]) != `["13012121211","13012121212"]` || string(rows[4]["numbers"]) != `[]` || rows[1].Text("task_id") != crm.TaskID {
		t.Errorf("%s", rows)
	}
	for i, from := range pages[:len(pages)-1] {
		rest, _ := o.walk(p, "imports", from, nothing)
		if len(rest) == 0 || fmt.Sprint(rest) != fmt.Sprint(rows[len(rows)-len(rest):]) {
			t.Errorf("from %d, %s: %v", i, from, rest)
		}
	}
}

// ask makes a call with a fault and reads the answer.
func (o *office) ask(p connector.Puller, from connector.Position, fault string) (connector.Page, connector.Outcome, *connectortest.Sink, error) {
	o.t.Helper()
	var req connector.Request
	if err := p.AppendQuery(&req, from); err != nil {
		o.t.Fatal(err)
	}
	if fault != "" {
		req.Header.Set(sandbox.FaultHeader, fault)
	}
	sink := connectortest.NewSink(o.t, source)
	page, out, err := p.ParsePage(connectortest.Send(o.t, p, o.rt, o.now, &req), from, sink)
	return page, out, sink, err
}

// TestQueriesUnderFaults: refusals are read as those of imports are; broken answers are errors; neither leaves a row.
func TestQueriesUnderFaults(t *testing.T) {
	o := newOffice(t)
	id := o.submit("", "13012121211")
	o.now = o.now.Add(crm.ImportDelay)
	one := map[string]any{"imports": []any{map[string]any{"unique_id": id}}}
	for _, stream := range []string{"imports", "contacts"} {
		for _, tc := range []struct {
			fault, token string
			check        func(o connector.Outcome) bool
		}{
			{"", "another-token", func(o connector.Outcome) bool { return o.Stop == connector.KindConfig && o.Code == "401" }},
			{"429", crm.Token, func(o connector.Outcome) bool { return o.Throttled }},
			{"503", crm.Token, func(o connector.Outcome) bool { return o.Stop == connector.KindNone && !o.Throttled }},
		} {
			one["token"] = tc.token
			page, out, sink, err := o.ask(puller(t, stream, one), nil, tc.fault)
			if err != nil || out.Verdict != connector.VerdictRetry || !tc.check(out) || len(sink.Rows) > 0 || page.More || page.Next != nil {
				t.Errorf("%s %s: %+v %+v %v", stream, tc.fault, page, out, err)
			}
		}
		for _, fault := range []string{"truncate", "malformed", "html"} {
			if page, _, sink, err := o.ask(puller(t, stream, one), nil, fault); err == nil || len(sink.Rows) > 0 || page.More || page.Next != nil {
				t.Errorf("%s %s: %+v %v", stream, fault, page, err)
			}
		}
	}
}

// TestImportAnswers: the forms in which the vendor may tell what became of an import; its page shows none.
func TestImportAnswers(t *testing.T) {
	p := puller(t, "imports", map[string]any{"imports": []any{map[string]any{"unique_id": importID, "numbers": []string{"1", "2"}}}})
	const address = `"url":"https://ai.api.longlonglong.cn/x"`
	for body, want := range map[string]string{
		`{"code":200,"status":"success","data":` + golden + `}`: "list",
		golden: "list",
		`{"code":200,"status":"success","data":{` + address + `}}`: "list",
		`{` + address + `}`:                     "list",
		`{"code":200,"data":{"numbers":["1"]}}`: `imported ["1"] ["2"]`,
		`{"numbers":["1"]}`:                     `imported ["1"] ["2"]`,
		`{"code":200,"data":{"mode":"single","type":"import_number","data":{"number":2}}}`: `imported ["2"] ["1"]`,
		`{"code":200,"status":"success","data":[]}`:                                        "waiting  ",
		`{"code":200,"status":"success","data":{}}`:                                        "waiting  ",
		`{"code":200,"status":"success"}`:                                                  "waiting  ",
		`{"code":200,"data":{"type":"import_number","unique_id":"other"}}`:                 "waiting  ",
		`{"code":404,"status":"error","message":"none"}`:                                   "unknown  ",
		`{"code":422,"status":"error","message":"no"}`:                                     "rejected",
		`{"code":200,"data":{"url":"https://evil.test/x"}}`:                                "foreign",
		`[]`: "error", `{}`: "error", `7`: "error", ``: "error",
		`{"code":200,"data":{` + address + `,"x":"` + strings.Repeat("x", 9000) + `"}}`: "error",
	} {
		sink := connectortest.NewSink(t, source)
		page, o, err := p.ParsePage(&connector.Response{Status: 200, Header: http.Header{}, Body: []byte(body)}, nil, sink)
		sink.Close()
		got := ""
		switch rows := sink.Rows["imports"]; {
		case err != nil:
			got = "error"
		case o.Verdict == connector.VerdictRejected:
			got = "rejected"
			if o.Stop == connector.KindConfig && o.Code == "foreign_address" {
				got = "foreign"
			}
		case page.More:
			got = "list"
		case len(rows) == 1 && rows[0].Text("unique_id") == importID:
			got = fmt.Sprintf("%s %s %s", rows[0].Text("state"), rows[0]["numbers"], rows[0]["missing"])
		}
		if got != want {
			t.Errorf("%.120s: %q, want %q (%+v %v)", body, got, want, o, err)
		}
	}
}

func TestForeignPositions(t *testing.T) {
	own := fmt.Sprintf("%q", crm.UserID)
	for stream, positions := range map[string][]string{
		"imports":  {`{"of":` + own + `,"id":"other"}`, `{"of":"x","id":"` + importID + `"}`, `{"of":` + own + `,"id":"` + importID + `","callback":{}}`, `{"page":1}`, `[]`, ``, `{"of":` + own + `,"id":"` + importID + `"} 1`},
		"contacts": {`{"of":"x","page":1,"size":10}`, `{"of":` + own + `,"page":0,"size":10}`, `{"of":` + own + `,"page":1,"size":0}`, `{"of":` + own + `,"page":1,"size":1001}`, `{"id":"x"}`, `7`},
	} {
		p := puller(t, stream, map[string]any{"imports": []any{map[string]any{"unique_id": importID}}})
		for _, bad := range positions {
			var req connector.Request
			if err := p.AppendQuery(&req, connector.Position(bad)); connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), connector.ReadAnew) {
				t.Errorf("%s %s: %v", stream, bad, err)
			}
		}
		for _, verb := range []string{"%v", "%+v", "%#v"} {
			if strings.Contains(fmt.Sprintf(verb, p), crm.Token) {
				t.Errorf("%s: %s tells the token", stream, verb)
			}
		}
	}
}
