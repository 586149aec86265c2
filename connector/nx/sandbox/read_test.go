package sandbox_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	nx "github.com/sluicehq/sluice/connector/nx/sandbox"
)

func TestFields(t *testing.T) {
	w := newWorld(t, nx.Options{})
	get := func(query string) []map[string]any {
		t.Helper()
		e := w.do(call{method: "GET", path: fieldsPath + query})
		accepted(t, e)
		var list []map[string]any
		if err := json.Unmarshal(e.Data, &list); err != nil {
			t.Fatalf("%s: %v", e.Data, err)
		}
		return list
	}
	const scope = "?tenant_id=144&app_key=sandbox%3Dapp"
	all, preset, custom := get(scope), get(scope+"&is_preset=true"), get(scope+"&is_preset=false")
	if len(all) != len(preset)+len(custom) || len(custom) != len(nx.DefaultCustomFields) {
		t.Errorf("got %d fields, %d preset, %d custom", len(all), len(preset), len(custom))
	}
	infos := map[string]any{}
	for _, f := range all {
		infos[f["name"].(string)] = f["field_type_info"]
		if f["tenantId"] != 144.0 || f["required"] != false {
			t.Errorf("got %v", f)
		}
	}
	want := map[string]any{
		"customize_1_14": nil, "birthday": `{"formatter": "yyyy-MM-dd"}`, "customize_6_20": `{"formatter": "yyyy-MM-dd HH:mm:ss"}`,
		"gender":         `[{"id": "0", "name": "女"}, {"id": "1", "name": "男"}]`,
		"customize_3_17": `[{"id": "1", "name": "Web"}, {"id": "2", "name": "Store"}, {"id": "3", "name": "Partner"}]`,
	}
	for name, info := range want {
		if infos[name] != info {
			t.Errorf("%s: got %v, want %v", name, infos[name], info)
		}
	}
	for query, code := range map[string]int{
		"": 21058, "?app_key=sandbox%3Dapp": 21058, "?tenant_id=144": 21059, "?tenant_id=1&app_key=x": 22020,
		"?tenant_id=144&app_key=x": 22124, "?tenant_id=x&app_key=x": 1002, scope + "&is_preset=yes": 1002,
	} {
		if e := w.do(call{method: "GET", path: fieldsPath + query}); e.Code != code {
			t.Errorf("%q: got code %d, want %d", query, e.Code, code)
		}
	}
}

type page struct {
	Paging struct {
		After, Before int64
		Total         int
	}
	Customers []map[string]any
}

func (w *world) find(members string) page {
	w.t.Helper()
	e := w.do(call{path: queryPath, body: `{"tenant_id":144,"app_key":"sandbox=app",` + members + `}`})
	accepted(w.t, e)
	var p page
	if err := json.Unmarshal(e.Data, &p); err != nil {
		w.t.Fatalf("%s: %v", e.Data, err)
	}
	return p
}

func TestQueryPaging(t *testing.T) {
	w := newWorld(t, nx.Options{})
	for i := range 7 {
		w.send(1, fmt.Sprintf(`{"email":"e%d"}`, i))
	}
	walk := func(start, member string, next func(page) int64) (ids []float64) {
		for cursor, rounds := start, 0; rounds < 10; rounds++ {
			p := w.find(cursor + `"limit":3`)
			if p.Paging.Total != 7 {
				t.Errorf("got total %d", p.Paging.Total)
			}
			if len(p.Customers) == 0 {
				return ids
			}
			var here []float64
			for _, c := range p.Customers {
				here = append(here, c["id"].(float64))
			}
			if member == "before" {
				ids = append(here, ids...)
			} else {
				ids = append(ids, here...)
			}
			cursor = fmt.Sprintf(`"%s":%d,`, member, next(p))
		}
		return nil
	}
	want := []float64{1, 2, 3, 4, 5, 6, 7}
	if got := walk("", "after", func(p page) int64 { return p.Paging.After }); !slices.Equal(got, want) {
		t.Errorf("forward: got %v, want %v", got, want)
	}
	if got := walk(`"before":9223372036854775807,`, "before", func(p page) int64 { return p.Paging.Before }); !slices.Equal(got, want) {
		t.Errorf("backward: got %v, want %v", got, want)
	}
	if p := w.find(`"after":9223372036854775807,"limit":50`); len(p.Customers) != 0 {
		t.Errorf("behind the end: got %v", p.Customers)
	}
}

func TestQueryFilters(t *testing.T) {
	w := newWorld(t, nx.Options{})
	w.send(1, `{"full_name":"甲","first_name":"A","whats_app_phone":"1","sms_phone":"2","email":"E@x","gender":0,"tagStr":"red, blue","customize_field":"{\"customize_2_16\":3,\"customize_1_14\":\"v\"}"}`)
	w.now = w.now.Add(time.Hour) // 21:00 in UTC+8
	w.send(1, `{"full_name":"乙","first_name":"B","viber_phone":"3","tagStr":"blue"}`)
	one := w.find(`"email":"e@X","limit":1`).Customers[0]
	for field, want := range map[string]any{
		"id": 1.0, "full_name": "甲", "gender": 0.0, "created_at": "2026-01-06 20:00:00", "updated_at": "2026-01-06 20:00:00",
		"customize_field": `{"customize_1_14":"v","customize_2_16":3}`,
	} {
		if one[field] != want {
			t.Errorf("%s: got %v, want %v", field, one[field], want)
		}
	}
	if got := fmt.Sprint(one["tags"]); got != "[map[id:1 tag_name:red] map[id:2 tag_name:blue]]" {
		t.Errorf("got tags %s", got)
	}
	tests := []struct {
		members string
		want    string // names found
	}{
		{`"limit":50`, "A B"}, {`"name":"A","limit":50`, "A"}, {`"whatsApp_phone":"1","limit":50`, "A"}, {`"sms_phone":"2","limit":50`, "A"},
		{`"viber_phone":"3","limit":50`, "B"}, {`"sms_phone":"3","limit":50`, ""},
		{`"start_time":"2026-01-06 20:00:01","limit":50`, "B"}, {`"end_time":"2026-01-06 20:00:00","limit":50`, "A"},
		{`"start_time":"2026-01-06 20:00:00","end_time":"2026-01-06 21:00:00","limit":50`, "A B"},
		{`"tags":[1],"limit":50`, "A"}, {`"tags":[{"id":2,"tag_name":"blue"}],"limit":50`, "A B"},
		{`"tags":[1,2],"tags_logic_type":"and","limit":50`, "A"}, {`"tags":[1,2],"tags_logic_type":"or","limit":50`, "A B"},
		{`"tags":[9],"limit":50`, ""}, {`"his_tags":[1],"limit":50`, ""}, {`"source_type":6,"limit":50`, "A B"}, {`"source_type":2,"limit":50`, ""},
		{`"source_channel_key":"k","limit":50`, ""},
	}
	for _, tt := range tests {
		var names []string
		for _, c := range w.find(tt.members).Customers {
			names = append(names, c["first_name"].(string))
		}
		if got := strings.Join(names, " "); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.members, got, tt.want)
		}
	}
}

func TestQueryRefused(t *testing.T) {
	w := newWorld(t, nx.Options{})
	const scope = `"tenant_id":144,"app_key":"sandbox=app",`
	tests := []struct {
		body    string
		code    int
		message string
	}{
		{`{` + scope + `"after":1}`, 1002, "limit must be"}, {`{` + scope + `"limit":0}`, 1002, "limit"}, {`{` + scope + `"limit":51}`, 1002, "limit"},
		{`{` + scope + `"limit":"5"}`, 1002, "limit must not be a string"}, {`{"limit":5,"app_key":"sandbox=app"}`, 21058, ""},
		{`{"limit":5,"tenant_id":144}`, 21059, ""}, {`{` + scope + `"limit":5,"after":1,"before":2}`, 1002, "exclude"},
		{`{` + scope + `"limit":5,"whatsapp_phone":"1"}`, 1002, "whatsapp_phone is not"}, {`{` + scope + `"limit":5,"start_time":"2026-01-06"}`, 1002, "start_time"},
		{`{` + scope + `"limit":5,"tags_logic_type":"xor"}`, 1002, "tags_logic_type"}, {`{` + scope + `"limit":5,"tags":["red"]}`, 1002, "tags"},
		{`[]`, 1002, "object"}, {``, 1002, "JSON"}, {`{`, 1002, "JSON"}, {`null`, 21058, ""},
	}
	for _, tt := range tests {
		e := w.do(call{path: queryPath, body: tt.body})
		if e.Code != tt.code || !strings.Contains(e.Message, tt.message) {
			t.Errorf("%s: got %d %q, want %d %q", tt.body, e.Code, e.Message, tt.code, tt.message)
		}
	}
	lenient := newWorld(t, nx.Options{Lenient: true})
	accepted(t, lenient.do(call{path: queryPath, body: `{"tenant_id":144,"limit":5,"more":1}`}))
	rejected(t, w.do(call{path: queryPath, body: `{}`, header: map[string]string{"sign": "00"}}), 1003, "")
}

func TestDoc(t *testing.T) {
	doc := nx.Doc()
	if got := strings.Count(doc, "(assumed)"); got != len(nx.Assumptions) || !strings.Contains(doc, "HTTP 200") {
		t.Errorf("got %d assumptions:\n%s", got, doc)
	}
}
