package sandbox_test

import (
	"encoding/json"
	"strings"
	"testing"

	nx "github.com/sluicehq/sluice/connector/nx/sandbox"
)

const (
	seaRow = `{"first_name":"张","last_name":"三","whats_app_phone":"861"}`
	newRow = `{"full_name":"张三","whats_app_phone":"861"}`
)

func TestBodyRefused(t *testing.T) {
	many := strings.Repeat(seaRow+",", 100)
	tests := []struct {
		name, body string
		code       int
		message    string
	}{
		{"not JSON", `{"type":1,}`, 1002, "not valid JSON"},
		{"trailing text", batch(1, seaRow) + "x", 1002, "not valid JSON"},
		{"comment", `{"type":1 /* x */}`, 1002, "not valid JSON"},
		{"broken UTF-8", strings.Replace(batch(1, seaRow), "张", "\xe5\xbc", 1), 1002, "not valid JSON"},
		{"empty", "", 1002, "not valid JSON"},
		{"array", "[]", 1002, "must be a JSON object"},
		{"no tenant", `{"type":1,"app_key":"sandbox=app","customers":[` + seaRow + `]}`, 21058, "tenant_id"},
		{"null tenant", `{"type":1,"tenant_id":null,"app_key":"sandbox=app","customers":[` + seaRow + `]}`, 21058, "tenant_id"},
		{"tenant as text", `{"type":1,"tenant_id":"144","app_key":"sandbox=app","customers":[` + seaRow + `]}`, 1002, "tenant_id must be an integer"},
		{"tenant with fraction", `{"type":1,"tenant_id":144.0,"app_key":"sandbox=app","customers":[` + seaRow + `]}`, 1002, "tenant_id must be an integer"},
		{"no app_key", `{"type":1,"tenant_id":144,"customers":[` + seaRow + `]}`, 21059, "app_key"},
		{"empty app_key", `{"type":1,"tenant_id":144,"app_key":"","customers":[` + seaRow + `]}`, 21059, "app_key"},
		{"app_key a number", `{"type":1,"tenant_id":144,"app_key":1,"customers":[` + seaRow + `]}`, 1002, "app_key must be a string"},
		{"unknown tenant", `{"type":1,"tenant_id":145,"app_key":"sandbox=app","customers":[` + seaRow + `]}`, 22020, "145"},
		{"unknown app", `{"type":1,"tenant_id":144,"app_key":"other","customers":[` + seaRow + `]}`, 22124, "application"},
		{"no type", `{"tenant_id":144,"app_key":"sandbox=app","customers":[` + seaRow + `]}`, 1002, "type is required"},
		{"type 3", batch(3, seaRow), 1002, "type must be 0, 1 or 2"},
		{"type as text", strings.Replace(batch(1, seaRow), `"type":1`, `"type":"1"`, 1), 1002, "type must be an integer"},
		{"no customers", `{"type":1,"tenant_id":144,"app_key":"sandbox=app"}`, 1002, "must not be empty"},
		{"empty customers", batch(1), 1002, "must not be empty"},
		{"customers an object", `{"type":1,"tenant_id":144,"app_key":"sandbox=app","customers":{}}`, 1002, "customers must be an array"},
		{"a customer that is no object", batch(1, seaRow, `"x"`), 1002, "customers[1] must be an object"},
		{"101 customers", batch(1, many+seaRow), 1002, "101 entries"},
		{"strict_binding", strings.Replace(batch(1, seaRow), `"type"`, `"strict_binding":true,"type"`, 1), 1002, "strict_binding is not"},
		{"unknown parameter", strings.Replace(batch(1, seaRow), `"type"`, `"appkey":"x","type"`, 1), 1002, "appkey is not"},
		{"tenant before rows", strings.Replace(batch(1, `{}`), "144", "1", 1), 22020, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, nx.Options{})
			rejected(t, w.do(call{path: seaPath, body: tt.body}), tt.code, tt.message)
			if got := records(w.nx.Link); len(got) != 0 {
				t.Errorf("got %d records, want none", len(got))
			}
		})
	}
	w := newWorld(t, nx.Options{})
	accepted(t, w.do(call{path: seaPath, body: batch(1, many[:len(many)-1])}))
}

// long is n characters of three bytes each.
func long(n int) string { return strings.Repeat("长", n) }

func TestRowRules(t *testing.T) {
	row := func(base, field, value string) string {
		var m map[string]json.RawMessage
		if err := json.Unmarshal([]byte(base), &m); err != nil {
			t.Fatal(err)
		}
		m[field] = json.RawMessage(value)
		if value == "" {
			delete(m, field)
		}
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	text := func(s string) string { return `"` + s + `"` }
	digits := func(n int) string { return text(strings.Repeat("7", n)) }
	all := []string{"sea", "old", "new"}
	named := []string{"sea", "old"}
	fresh := []string{"new"}
	tests := []struct {
		contracts    []string
		field, value string
		message      string // "": taken
	}{
		{named, "first_name", "", "first_name is required"}, {named, "last_name", "", "last_name is required"},
		{named, "first_name", `""`, "first_name is required"}, {named, "last_name", "null", "last_name is required"},
		{named, "full_name", "", ""}, {fresh, "full_name", "", "full_name is required"}, {fresh, "first_name", "", ""},
		{all, "first_name", text(long(128)), ""}, {all, "first_name", text(long(129)), "first_name exceeds 128 characters"},
		{all, "last_name", text(long(129)), "last_name exceeds 128 characters"},
		{all, "full_name", text(long(255)), ""}, {all, "full_name", text(long(256)), "full_name exceeds 255 characters"},
		{all, "sms_phone", digits(30), ""}, {all, "sms_phone", digits(31), "sms_phone exceeds 30 characters"},
		{all, "whats_app_phone", digits(31), "whats_app_phone exceeds 30 characters"},
		{named, "whats_app_phone", `"+86 1"`, ""}, {fresh, "whats_app_phone", `"+86 1"`, "whats_app_phone must hold digits only"},
		{fresh, "sms_phone", `"86-1"`, "sms_phone must hold digits only"}, {fresh, "sms_phone", `"８６"`, "sms_phone must hold digits only"},
		{all, "viber_phone", `"+1"`, "viber_phone must hold digits only"}, {all, "viber_phone", digits(31), "viber_phone exceeds 30"},
		{all, "messenger", digits(32), ""}, {all, "messenger", digits(33), "messenger exceeds 32"}, {all, "messenger", `"x"`, "digits only"},
		{all, "instagram", digits(33), "instagram exceeds 32"}, {all, "zalo", digits(33), "zalo exceeds 32"}, {all, "zalo", digits(32), ""},
		{all, "line", text(long(50)), ""}, {all, "line", text(long(51)), "line exceeds 50"},
		{all, "country", text(long(50)), ""}, {all, "country", text(long(51)), "country exceeds 50"},
		{all, "email", text(long(50)), ""}, {all, "email", text(long(51)), "email exceeds 50"},
		{all, "address", text(long(100)), ""}, {all, "address", text(long(101)), "address exceeds 100"},
		{all, "remark", text(long(100)), ""}, {named, "remark", text(long(101)), "remark exceeds 100"},
		{fresh, "remark", text(long(2000)), ""}, {fresh, "remark", text(long(2001)), "remark exceeds 2000"},
		{all, "belong_seat_user", text(long(129)), "belong_seat_user exceeds 128"},
		{all, "birthday", `"1976-04-12"`, ""}, {all, "birthday", `"2020-02-29"`, ""}, {all, "birthday", `"2021-02-29"`, "birthday must be a date"},
		{all, "birthday", `"1976/04/12"`, "must be a date"}, {all, "birthday", `"1976-4-12"`, "must be a date"},
		{all, "birthday", `"1976-04-12 00:00:00"`, "must be a date"}, {all, "birthday", "19760412", "birthday must be a string"},
		{all, "gender", "0", ""}, {all, "gender", "1", ""}, {all, "gender", "null", ""}, {all, "gender", "2", "gender must be the number 0"},
		{all, "gender", `"1"`, "gender must be"}, {all, "gender", "1.0", "gender must be"}, {all, "gender", "-1", "gender must be"}, {all, "gender", "true", "gender must be"},
		{all, "tagStr", `"a,b"`, ""}, {all, "tagStr", `["a"]`, "tagStr must be a string"},
		{all, "time_zone", `"GMT+8"`, ""}, {all, "source", `"anything"`, ""},
		{all, "customize_field", `"{\"customize_1_14\": \"aa\"}"`, ""}, {all, "customize_field", `{"customize_1_14":"aa"}`, "customize_field must be a string"},
		{all, "customize_field", `"[1]"`, "customize_field must hold a JSON object"}, {all, "customize_field", `"{"`, "must hold a JSON object"},
		{all, "customize_field", `"{} {}"`, "must hold a JSON object"}, {all, "customize_field", `"\"x\""`, "must hold a JSON object"},
		{all, "whatsapp_phone", `"1"`, "whatsapp_phone is not a field"}, {all, "tags", `"a"`, "tags is not a field"},
		{all, "whats_app_phone", "", "has no identifier"}, {all, "whats_app_phone", `""`, "has no identifier"}, {all, "email", "null", ""},
	}
	for _, tt := range tests {
		for _, k := range tt.contracts {
			t.Run(k+"/"+tt.field+"/"+tt.message, func(t *testing.T) {
				w := newWorld(t, nx.Options{})
				path, base, s := seaPath, seaRow, w.nx.Link
				if k != "sea" {
					path, s = "/"+k+platPath, w.nx.Cloud
				}
				if k == "new" {
					base = newRow
				}
				e := w.do(call{path: path, body: batch(1, base, base, base, row(base, tt.field, tt.value))})
				if tt.message == "" {
					accepted(t, e)
					return
				}
				rejected(t, e, 1002, tt.message)
				if !strings.HasPrefix(e.Message, "customers[3]") {
					t.Errorf("got message %q, want it to name customers[3]", e.Message)
				}
				if n := len(records(s)); n != 0 {
					t.Errorf("got %d records of a refused request, want none", n)
				}
			})
		}
	}
}

func TestContractByPathHostAndOption(t *testing.T) {
	tests := []struct {
		option, host, prefix string
		isNew                bool
	}{
		{"", "", "", true}, {"old", "", "", false}, {"new", "", "", true},
		{"old", "", "/new", true}, {"new", "", "/old", false},
		{"new", "api.nxcloud.com", "", false}, {"old", "api-hk.nxlink.ai", "", true},
		{"old", "api-idn.nxlink.ai:443", "", true}, {"new", "api.nxcloud.com", "/new", true},
	}
	for _, tt := range tests {
		w := newWorld(t, nx.Options{Contract: tt.option})
		e := w.do(call{host: tt.host, path: tt.prefix + platPath, body: batch(1, newRow)})
		if isNew := e.Code == 0; isNew != tt.isNew {
			t.Errorf("option %q, host %q, prefix %q: new contract %t, want %t", tt.option, tt.host, tt.prefix, isNew, tt.isNew)
		}
	}
	w := newWorld(t, nx.Options{})
	accepted(t, w.do(call{path: platPath, body: strings.Replace(batch(1, newRow), `"type"`, `"strict_binding":true,"type"`, 1)}))
	rejected(t, w.do(call{path: platPath, body: strings.Replace(batch(1, newRow), `"type"`, `"strict_binding":1,"type"`, 1)}), 1002, "strict_binding must be")
}

func TestLenient(t *testing.T) {
	w := newWorld(t, nx.Options{Lenient: true})
	accepted(t, w.do(call{path: seaPath, body: `{"type":1,"tenant_id":144,"note":[1],"customers":[{"first_name":"a","last_name":"b","email":"e","nick":{}}]}`}))
	if got := w.nx.Link.State().Scopes[0].App; got != "sandbox=app" {
		t.Errorf("got application %q, want the tenant's first", got)
	}
}

func TestStrictCustom(t *testing.T) {
	w := newWorld(t, nx.Options{StrictCustom: true})
	accepted(t, w.do(call{path: platPath, body: batch(1, `{"full_name":"a","email":"e","customize_field":"{\"customize_1_14\":1}"}`)}))
	rejected(t, w.do(call{path: platPath, body: batch(1, `{"full_name":"a","email":"e","customize_field":"{\"customize_1_99\":1}"}`)}), 1002, "customize_1_99")
}

func TestPartialFailure(t *testing.T) {
	w := newWorld(t, nx.Options{})
	e := w.do(call{path: platPath, fault: "partial", body: batch(1, newRow, `{"full_name":"b","email":"x\"y"}`)})
	var data struct {
		SuccessCount, FailCount int
		FailList                []struct {
			Index               int
			Identifier, Message string
		}
	}
	if err := json.Unmarshal(e.Data, &data); err != nil {
		t.Fatalf("%s: %v", e.Data, err)
	}
	total := w.nx.Cloud.State().Totals
	if e.Code != 0 || data.FailCount == 0 || data.FailCount != len(data.FailList) || data.SuccessCount+data.FailCount != 2 ||
		int(total.Failed) != data.FailCount || total.Records != data.SuccessCount {
		t.Errorf("got code %d, data %s, totals %+v", e.Code, e.Data, total)
	}
}
