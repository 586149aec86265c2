package outcall_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/connectortest"
	crm "github.com/sluicehq/sluice/connector/outcall/sandbox"
)

// TestPoolMissesNobody: customers join while the pool is read; who was there all the time is in it, whatever the size of
// the pages, and a walk taken up at any of its positions gives the rest.
func TestPoolMissesNobody(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o := newOffice(t)
		total := 0
		grow := func(n int) {
			var numbers []string
			for range n {
				total++
				numbers = append(numbers, fmt.Sprintf("130%08d", total))
			}
			if n > 0 {
				o.submit("", numbers...)
				o.now = o.now.Add(crm.ImportDelay)
			}
		}
		grow(rapid.IntRange(0, 12).Draw(rt, "customers"))
		before := total
		p := puller(t, "contacts", map[string]any{"page_size": rapid.IntRange(1, 5).Draw(rt, "page size")})
		steps := 0
		rows, pages := o.walk(p, "contacts", nil, func() {
			if steps++; steps < 4 {
				grow(rapid.IntRange(0, 2).Draw(rt, "joined"))
			}
		})
		seen := phonesOf(rows)
		for i := 1; i <= before; i++ {
			if want := fmt.Sprintf("130%08d", i); !strings.Contains(seen, want) {
				rt.Fatalf("%s was there all the time and is not in %s", want, seen)
			}
		}
		if pages[len(pages)-1] != nil {
			rt.Fatalf("the next walk begins at %s", pages[len(pages)-1])
		}
		if len(pages) > 1 {
			rest, _ := o.walk(p, "contacts", pages[rapid.IntRange(0, len(pages)-2).Draw(rt, "resumed at")], nothing)
			if len(rest) == 0 || !strings.HasSuffix(seen, phonesOf(rest)) {
				rt.Fatalf("the rest is %s of %s", phonesOf(rest), seen)
			}
		}
	})
}

func phonesOf(rows []connectortest.Row) string {
	var all []string
	for _, r := range rows {
		all = append(all, r.Text("phone"))
	}
	return strings.Join(all, " ")
}

// TestCustomersWhoLeave: who stays is read, although others leave between the pages and move those behind them forward.
func TestCustomersWhoLeave(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o := newOffice(t)
		var stay []string
		for i := range rapid.IntRange(1, 15).Draw(rt, "customers") {
			stay = append(stay, fmt.Sprintf("130%08d", i))
		}
		o.submit("", stay...)
		o.now = o.now.Add(crm.ImportDelay)
		p := puller(t, "contacts", map[string]any{"page_size": rapid.IntRange(1, 4).Draw(rt, "page size")})
		rows, _ := o.walk(p, "contacts", nil, func() {
			for range rapid.IntRange(0, 3).Draw(rt, "leave") {
				if len(stay) > 0 {
					i := rapid.IntRange(0, len(stay)-1).Draw(rt, "who")
					if o.service.Leave(stay[i]) != 1 {
						rt.Fatalf("%s is not in the pool", stay[i])
					}
					stay = append(stay[:i:i], stay[i+1:]...)
				}
			}
		})
		seen := phonesOf(rows)
		for _, phone := range stay {
			if !strings.Contains(seen, phone) {
				rt.Fatalf("%s stayed and is not in %s", phone, seen)
			}
		}
	})
}

const goldenCustomer = `{"id":"bb83e44b-0000","user_id":"f00c8abc","phone":"13012121212","company":"xxx公司","email":"123456@qq.com","sort":1,"created_at":"2021-06-30 13:01:03",` +
	`"updated_at":"2021-06-30 13:29:03","province_id":465,"city_id":629,"operator":1,"extra":null,"operator_name":"电信"}`

func TestGoldenCustomers(t *testing.T) {
	p := puller(t, "contacts", map[string]any{
		"components": map[string]string{"birthday": crm.ComponentText, "level": crm.ComponentAge}, "number_add_suffix": true,
		"sources": map[string]int64{"fair": 3}, "grades": map[string]int64{"A": 1, "best": 1},
	})
	row := func(customer string) connectortest.Row {
		t.Helper()
		sink := connectortest.NewSink(t, source)
		page, o, err := p.ParsePage(&connector.Response{Status: 200, Header: http.Header{}, Body: []byte(
			`{"code":200,"status":"success","message":"筛选客户公海列表成功","meta":{"has_pages":false,"total":6,"last_page":1,"current_page":1,"per_page":15},"data":[` + customer + `]}`)}, nil, sink)
		if err != nil || o.Verdict != connector.VerdictDelivered || page.More || page.Next != nil || len(sink.Rows["contacts"]) != 1 {
			t.Fatalf("%s: %+v %+v %v", customer, page, o, err)
		}
		sink.Close()
		return sink.Rows["contacts"][0]
	}
	want := map[string]string{
		"tenant_id": crm.UserID, "id": "bb83e44b-0000", "created_at": "2021-06-30T13:01:03+08:00", "updated_at": "2021-06-30T13:29:03+08:00", "phone": "13012121212",
		"company": "xxx公司", "email": "123456@qq.com", "owner": "f00c8abc", "raw": goldenCustomer,
	}
	got := row(goldenCustomer)
	for column, value := range want {
		if got.Text(column) != value {
			t.Errorf("%s: %s, want %s", column, got[column], value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s", got)
	}
	for _, tc := range []struct{ customer, column, want string }{
		{`{"id":1,"sex":0}`, "gender", `"unknown"`}, {`{"id":1,"sex":"1"}`, "gender", `"male"`}, {`{"id":1,"sex":2}`, "gender", `"female"`}, {`{"id":1,"sex":null}`, "gender", ""}, {`{"id":1,"sex":3}`, "gender", ""},
		{`{"id":1,"phone":"13012121212_a1b2"}`, "phone", `"13012121212"`}, {`{"id":1,"phone":13012121212}`, "phone", `"13012121212"`},
		{`{"id":1,"source_id":3}`, "source", `"fair"`}, {`{"id":1,"source_id":4}`, "source", `"4"`}, {`{"id":1,"source_id":0}`, "source", ""}, {`{"id":1,"grade_id":"1"}`, "stage", `"A"`},
		{`{"id":1,"user_id":"` + crm.UserID + `"}`, "owner", ""}, {`{"id":1,"extra":"row-1"}`, "external_id", `"row-1"`},
		{`{"id":1,"components":{"` + crm.ComponentText + `":"1990/01/02","` + crm.ComponentAge + `":17,"other":"x","none":""}}`, "custom", `{"level":17,"other":"x"}`},
		{`{"id":1,"components":{"` + crm.ComponentText + `":"1990/01/02"}}`, "birthday", `"1990-01-02"`},
		{`{"id":1,"components":[{"id":"` + crm.ComponentText + `","value":"spring"}]}`, "custom", `{"birthday":"spring"}`},
		{`{"id":1,"components":"none"}`, "custom", ""}, {`"text"`, "raw", `"text"`}, {`{"name":"张三"}`, "full_name", `"张三"`},
	} {
		if got := string(row(tc.customer)[tc.column]); got != tc.want {
			t.Errorf("%s: %s is %s, want %s", tc.customer, tc.column, got, tc.want)
		}
	}
	if id := row(`{"name":"no id"}`).Text("id"); len(id) != 39 {
		t.Errorf("got %s", id)
	}
}

// TestPagesOfThePool: without a word of the last page the walk ends at an empty one; another page than was asked for, or
// none at all, is an error.
func TestPagesOfThePool(t *testing.T) {
	p := puller(t, "contacts", nil)
	for body, want := range map[string]string{
		`{"code":200,"data":[{"id":1}]}`: "more", `{"code":200,"data":[]}`: "end", `{"code":200,"meta":{"last_page":"2"},"data":[{"id":1}]}`: "more",
		`{"code":200,"meta":{"current_page":2},"data":[{"id":1}]}`: "error", `{"code":200,"data":{}}`: "error", `{"code":200}`: "error", `{"code":200,"data":null}`: "error", `[]`: "error",
	} {
		page, _, err := p.ParsePage(&connector.Response{Status: 200, Header: http.Header{}, Body: []byte(body)}, nil, connectortest.NewSink(t, source))
		got := "end"
		switch {
		case err != nil:
			got = "error"
		case page.More:
			got = "more"
		}
		if got != want || (page.Next != nil) != (want == "more") {
			t.Errorf("%s: %s %s, want %s (%v)", body, got, page.Next, want, err)
		}
	}
}

// TestComponentNames: components go by the configured name, else by the CRM's, else by their id.
func TestComponentNames(t *testing.T) {
	o := newOffice(t)
	o.submit("", "13012121211")
	o.now = o.now.Add(crm.ImportDelay)
	cfg := sourceConfig(t, map[string]any{"lookup_components": true, "components": map[string]string{"years": crm.ComponentAge}})
	lookup, err := source.Lookup(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var req connector.Request
	if err := lookup.AppendRequest(&req); err != nil {
		t.Fatal(err)
	}
	if err := lookup.ParseResponse(connectortest.Send(t, lookup, o.rt, o.now, &req)); err != nil {
		t.Fatal(err)
	}
	p, err := source.Puller(cfg, "contacts")
	if err != nil {
		t.Fatal(err)
	}
	sink := connectortest.NewSink(t, source)
	if _, _, err := p.ParsePage(&connector.Response{Status: 200, Body: []byte(`{"code":200,"data":[{"id":1,"components":{"` + crm.ComponentText + `":"Al","` + crm.ComponentAge + `":"17"}}]}`)}, nil, sink); err != nil {
		t.Fatal(err)
	}
	if got := string(sink.Rows["contacts"][0]["custom"]); got != `{"nickname":"Al","years":"17"}` {
		t.Errorf("got %s", got)
	}
	for _, bad := range []string{`{"code":401}`, `{"code":200,"status":"success","data":7}`} {
		if err := lookup.ParseResponse(&connector.Response{Status: 200, Header: http.Header{}, Body: []byte(bad)}); connector.KindOf(err) != connector.KindConfig {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// FuzzPages: whatever the vendor answers, rows fit their stream, and where a page is read its position can be.
func FuzzPages(f *testing.F) {
	f.Add(`{"code":200,"meta":{"last_page":3,"total":6},"data":[`+goldenCustomer+`]}`, `{"of":"`+crm.UserID+`","page":2,"size":15,"total":9}`)
	f.Add(`{"code":200,"data":`+golden+`}`, `{"of":"`+crm.UserID+`","id":"`+importID+`","callback":`+golden+`}`)
	f.Add(`{"numbers":["1"]}`, `null`)
	f.Add(`{"code":200,"meta":{"total":-9223372036854775808},"data":[null,"\ud800",{"components":[{"id":"x","value":[1e999]}]}]}`, `{"of":"`+crm.UserID+`","page":9223372036854775807,"size":1000,"total":9223372036854775807}`)
	pullers := []connector.Puller{
		puller(f, "contacts", nil), puller(f, "imports", map[string]any{"imports": []any{map[string]any{"unique_id": importID, "numbers": []string{"1"}}, map[string]any{"unique_id": "b"}}}),
	}
	f.Fuzz(func(t *testing.T, body, position string) {
		for _, p := range pullers {
			for _, from := range []connector.Position{nil, connector.Position(position)} {
				sink := connectortest.NewSink(t, source)
				page, o, err := p.ParsePage(&connector.Response{Status: 200, Header: http.Header{}, Body: []byte(body)}, from, sink)
				sink.Close()
				if (err != nil || o.Verdict != connector.VerdictDelivered) && (len(sink.Rows) > 0 || page.More || page.Next != nil) {
					t.Fatalf("%+v %+v %v with rows of %d streams", page, o, err, len(sink.Rows))
				}
				var req connector.Request
				if err == nil && page.More && p.AppendQuery(&req, page.Next) != nil {
					t.Fatalf("next %s: %v", page.Next, p.AppendQuery(&req, page.Next))
				}
			}
		}
	})
}
