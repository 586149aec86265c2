package nx_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/connectortest"
)

const goldenCustomer = `{"id":693301,"full_name":"Zhang San","first_name":"Zhang","last_name":"San","sms_phone":"+86 181-6372-5558","whats_app_phone":"8618667728886",
 "country":"China","email":"a@example.com","address":"Guizhou","birthday":"1976-04-12","remark":"vip","time_zone":"GMT+8","gender":0,"source_type":6,"belong_seat_user":"seat-1",
 "customize_field":"{\"customize_1_14\":\"aa\"}","line":"","zalo":null,"created_at":"2024-05-07 10:00:00","updated_at":"2024-05-08 11:12:13","tags":[{"id":1,"tag_name":"test"},{"id":2,"tag_name":"99"}]}`

const goldenRow = `{"tenant_id":"144","app_key":"sandbox=app","id":"693301","created_at":"2024-05-07T10:00:00+08:00","updated_at":"2024-05-08T11:12:13+08:00",` +
	`"phone":"8618163725558","whatsapp":"8618667728886","full_name":"Zhang San","first_name":"Zhang","last_name":"San","email":"a@example.com","gender":"female","birthday":"1976-04-12",` +
	`"address":"Guizhou","country":"China","remark":"vip","tags":["test","99"],"source":"third-party API","time_zone":"GMT+8","owner":"seat-1","custom":{"customize_1_14":"aa"}}`

func envelope(data string) string {
	return `{"code":0,"message":"","data":` + data + `,"traceId":"56bf81643292cd6a89ecde64ae00db13"}`
}

func parse(t testing.TB, p connector.Puller, from connector.Position, body string) (*connectortest.Sink, connector.Page, error) {
	t.Helper()
	sink := connectortest.NewSink(t, source)
	page, o, err := p.ParsePage(&connector.Response{Status: 200, Header: http.Header{"Date": {"Wed, 08 May 2024 04:00:00 GMT"}}, Body: []byte(body)}, from, sink)
	if err == nil && o.Verdict != connector.VerdictDelivered {
		t.Fatalf("%s: %+v", body, o)
	}
	sink.Close()
	return sink, page, err
}

func newPuller(t testing.TB, settings map[string]any) connector.Puller {
	t.Helper()
	p, err := source.Puller(sourceConfig(t, settings), "contacts")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestGoldenPage: the page of the vendor's documents, and the forms in which its gaps may be filled.
func TestGoldenPage(t *testing.T) {
	p := newPuller(t, nil)
	const began = `"began":"2024-05-08 12:00:00","top":"2024-05-08 11:12:13"}`
	for name, tc := range map[string]struct{ data, next string }{
		"golden":         {`{"paging":{"after":693324,"before":693300,"total":2},"customers":[` + goldenCustomer + `]}`, `"after":693324,`},
		"texts":          {`{"paging":{"after":"693324"},"list":[` + strings.Replace(goldenCustomer, "693301", `"693301"`, 1) + `]}`, `"after":693324,`},
		"next":           {`{"paging":{"next":693324},"records":[` + goldenCustomer + `]}`, `"after":693324,`},
		"next_cursor":    {`{"paging":{"next_cursor":"693324"},"data":[` + goldenCustomer + `]}`, `"after":693324,`},
		"no cursor":      {`{"paging":{"total":1},"customers":[` + goldenCustomer + `]}`, `"after":693301,`},
		"a list":         {`[` + goldenCustomer + `]`, `"after":693301,`},
		"cursor of zero": {`{"paging":{"after":0},"customers":[` + goldenCustomer + `]}`, `"after":693301,`},
		"broken paging":  {`{"paging":"none","items":[` + goldenCustomer + `]}`, `"after":693301,`},
	} {
		sink, page, err := parse(t, p, nil, envelope(tc.data))
		if err != nil || len(sink.Rows["contacts"]) != 1 {
			t.Errorf("%s: %v, %d rows", name, err, len(sink.Rows["contacts"]))
			continue
		}
		row := sink.Rows["contacts"][0]
		var want connectortest.Row
		if err := json.Unmarshal([]byte(goldenRow), &want); err != nil {
			t.Fatal(err)
		}
		for column, value := range want {
			if string(row[column]) != string(value) {
				t.Errorf("%s: %s is %s, want %s", name, column, row[column], value)
			}
		}
		if len(row) != len(want)+1 || !strings.Contains(string(row["raw"]), `"customize_field":"{\"customize_1_14\":\"aa\"}"`) {
			t.Errorf("%s: %v", name, row)
		}
		if want := `{"of":"144/sandbox=app",` + tc.next + began; string(page.Next) != want || !page.More {
			t.Errorf("%s: next %s, want %s", name, page.Next, want)
		}
	}
}

// TestPagesThatEnd: a page without contacts ends the walk; the bound of the next is known.
func TestPagesThatEnd(t *testing.T) {
	p := newPuller(t, nil)
	from := connector.Position(`{"of":"144/sandbox=app","after":693324,"began":"2024-05-08 12:00:00","top":"2024-05-08 11:12:13","zone":"Asia/Shanghai"}`)
	for _, data := range []string{`{"paging":{"after":0},"customers":[]}`, `{"customers":null}`, `[]`, `{}`, `null`, `""`} {
		sink, page, err := parse(t, p, from, envelope(data))
		if err != nil || len(sink.Rows) > 0 || page.More || string(page.Next) != `{"of":"144/sandbox=app","since":"2024-05-08 11:45:00","zone":"Asia/Shanghai"}` {
			t.Errorf("%s: %+v %v", data, page, err)
		}
	}
	// What lies before the bound was read, so the bound does not go back.
	from = connector.Position(`{"of":"144/sandbox=app","since":"2024-05-08 11:50:00","after":1,"began":"2024-05-08 12:00:00","zone":"Asia/Shanghai"}`)
	if _, page, err := parse(t, p, from, envelope(`[]`)); err != nil || string(page.Next) != `{"of":"144/sandbox=app","since":"2024-05-08 11:50:00","zone":"Asia/Shanghai"}` {
		t.Errorf("%s %v", page.Next, err)
	}
}

// TestPagesThatCannotBeRead: what would silently end a walk, or go in a circle, is an error.
func TestPagesThatCannotBeRead(t *testing.T) {
	p := newPuller(t, nil)
	from := connector.Position(`{"of":"144/sandbox=app","after":693301}`)
	for _, body := range []string{
		``, `<html>`, `{"code":0,"data":{"customers":[{"id":1}`, envelope(`{"rows":[{"id":1}]}`), envelope(`{"customers":"many"}`), envelope(`"later"`), envelope(`7`),
		envelope(`{"paging":{"after":693301},"customers":[` + goldenCustomer + `]}`), envelope(`{"customers":[{"name":"x"}]}`), envelope(`{"customers":[7]}`),
	} {
		sink, page, err := parse(t, p, from, body)
		if err == nil || len(sink.Rows) > 0 || page.Next != nil || page.More {
			t.Errorf("%s: %+v, %v", body, page, err)
		}
	}
}

// TestValuesInOtherForms: a value in a form that the documents do not show is read where its meaning is plain; where it
// is not, its column stays empty and raw has it. No contact is left out.
func TestValuesInOtherForms(t *testing.T) {
	p := newPuller(t, map[string]any{"name_order": "nx_surname_first"})
	for _, tc := range []struct{ customer, column, want string }{
		{`{"id":"9","gender":"1"}`, "gender", `"male"`}, {`{"id":9,"gender":"女"}`, "gender", `"female"`}, {`{"id":9,"gender":2}`, "gender", ""}, {`{"id":9,"gender":null}`, "gender", ""},
		{`{"id":9,"first_name":"张","last_name":"三"}`, "last_name", `"张"`}, {`{"id":9,"first_name":"张","last_name":"三"}`, "first_name", `"三"`},
		{`{"id":9,"birthday":"1976/04/12"}`, "birthday", `"1976-04-12"`}, {`{"id":9,"birthday":"spring"}`, "birthday", ""},
		{`{"id":9,"updated_at":"2024-05-08T03:12:13Z"}`, "updated_at", `"2024-05-08T11:12:13+08:00"`}, {`{"id":9,"updated_at":"0000-00-00 00:00:00"}`, "updated_at", ""},
		{`{"id":9,"tags":["a"," a","b,c"]}`, "tags", `["a","b,c"]`}, {`{"id":9,"tags":"a，b, c"}`, "tags", `["a","b","c"]`}, {`{"id":9,"tagStr":"a,b","tags":null}`, "tags", `["a","b"]`},
		{`{"id":9,"tags":[{"name":"x"},{"tag_name":null},7,null,[]]}`, "tags", `["x","7"]`},
		{`{"id":9,"sms_phone":8618163725558}`, "phone", `"8618163725558"`}, {`{"id":9,"whats_app_phone":"861@c.us"}`, "whatsapp", `"861"`}, {`{"id":9,"whatsApp_phone":"862"}`, "whatsapp", `"862"`},
		{`{"id":9,"source":"fair","source_type":2}`, "source", `"fair"`}, {`{"id":9,"source_type":0}`, "source", ""}, {`{"id":9,"source_type":99}`, "source", ""},
		{`{"id":9,"customize_field":{"customize_1_14":"x"},"customize_2_16":3}`, "custom", `{"customize_1_14":"x","customize_2_16":3}`},
		{`{"id":9,"customize_field":"not JSON"}`, "custom", ""}, {`{"id":9,"customize_field":"{\"customize_1_14\":\"\"}"}`, "custom", ""},
		{`{"id":9,"email":{"a":1}}`, "email", ""}, {`{"id":9,"remark":" x\u0000\ud800 "}`, "remark", `"x\u0000` + "\uFFFD" + `"`},
		{`{"name":"no id"}`, "id", `"sha256-b33bbe7d35ed8ea8d1f2d9e0f9c5b3d8"`}, {`"text"`, "raw", `"text"`}, {`null`, "raw", `null`},
	} {
		// The last contact has an id, so that the page has a next one.
		sink, _, err := parse(t, p, nil, envelope(`{"customers":[`+tc.customer+`,{"id":10}]}`))
		if err != nil || len(sink.Rows["contacts"]) != 2 {
			t.Errorf("%s: %v", tc.customer, err)
			continue
		}
		row := sink.Rows["contacts"][0]
		if tc.column == "id" && strings.HasPrefix(row.Text("id"), "sha256-") && len(row.Text("id")) == 39 {
			continue
		}
		if got := string(row[tc.column]); got != tc.want {
			t.Errorf("%s: %s is %s, want %s", tc.customer, tc.column, got, tc.want)
		}
	}
}

// FuzzParsePage: whatever the vendor answers, rows fit their stream, and where a page is read its position can be.
func FuzzParsePage(f *testing.F) {
	for _, seed := range []string{
		envelope(`{"paging":{"after":693324},"customers":[` + goldenCustomer + `]}`), envelope(`[]`), envelope(`[null,7,"x",{"id":1}]`), `{"code":1004}`, `<html>`,
		envelope(`{"customers":[{"id":"9","tags":{},"customize_field":"{\"a\":[1e999]}","remark":"\ud800"}]}`),
	} {
		f.Add(seed, `{"of":"144/sandbox=app","after":7}`)
	}
	p := newPuller(f, nil)
	f.Fuzz(func(t *testing.T, body, position string) {
		for _, from := range []connector.Position{nil, connector.Position(position)} {
			sink := connectortest.NewSink(t, source)
			page, o, err := p.ParsePage(&connector.Response{Status: 200, Body: []byte(body)}, from, sink)
			sink.Close()
			if (err != nil || o.Verdict != connector.VerdictDelivered) && (len(sink.Rows) > 0 || page.More || page.Next != nil) {
				t.Fatalf("%+v %+v %v with %d rows", page, o, err, len(sink.Rows))
			}
			if err != nil || page.Next == nil {
				continue
			}
			var req connector.Request
			if err := p.AppendQuery(&req, page.Next); err != nil || !json.Valid(req.Body) {
				t.Fatalf("next %s: %v, %s", page.Next, err, req.Body)
			}
		}
	})
}
