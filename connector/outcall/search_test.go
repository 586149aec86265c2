package outcall

import (
	"strings"
	"testing"
)

// Every answer to a poll for the rows 13012121211 (key k1), 13012121212 (key k2) and 8613012121213 (no key).
func TestPollAnswers(t *testing.T) {
	payload := func(data string) string {
		return `{"mode":"batch","type":"any","unique_id":"u","data":` + data + `}`
	}
	ok := func(data string) string {
		return `{"code":200,"status":"success","message":"m","data":` + data + `}`
	}
	page := func(current, last, data string) string {
		return `{"code":200,"status":"success","meta":{"current_page":` + current + `,"last_page":` + last + `},"data":` + data + `}`
	}
	const (
		one = `[{"phone":"13012121212","name":"x"},{"number":13012121299}]`

		missing = `{"code":404,"status":"error","message":"m","data":[]}`
		all     = "delivered [0 rejected not_imported] [1 rejected not_imported] [2 rejected not_imported]"
		number2 = "number:13012121212"
	)
	for _, tc := range []struct {
		suffix bool
		status int
		token  string
		body   string
		want   string
	}{
		// Not done yet, or not known yet.
		{false, 200, "id:u", ok(`[]`), "pending 200"}, {false, 200, "id:u", ok(`null`), "pending 200"}, {false, 200, "id:u", ok(`{}`), "pending 200"}, {false, 200, "id:u", ok(payload(`{}`)), "pending 200"},
		{false, 200, "id:u", missing, "pending 404"}, {false, 404, "id:u", missing, "pending 404"}, {false, 200, "url:" + keyURL, missing, "pending 404"},
		{false, 500, "id:u", "", "pending http_5xx"}, {false, 429, "id:u", "", "pending 429 throttled"}, {false, 200, "id:u", `{"code":31337,"status":"error","data":[]}`, "pending 31337"},
		{false, 500, "", "", "pending http_5xx"}, {false, 429, "left:" + number2, "", "pending 429 throttled"}, {false, 500, number2, missing, "pending 404"}, {false, 502, number2, "", "pending http_5xx"},
		// Refused.
		{false, 401, "id:u", `{"message":"Unauthenticated."}`, "pending 401 stop:config"}, {false, 404, "id:u", "<html>", "pending http_path stop:config"},
		{false, 401, number2, `{"message":"Unauthenticated."}`, "pending 401 stop:config"}, {false, 200, "", missing, "pending 404 stop:config"}, {false, 404, "page:2", "<html>", "pending http_path stop:config"},
		// The address.
		{false, 200, "id:u", ok(payload(`{"url":"` + keyURL + `"}`)), "pending token=url:" + keyURL}, {false, 200, "id:u", ok(`{"url":"` + keyURL + `"}`), "pending token=url:" + keyURL},
		{false, 200, "id:u", payload(`{"url":"` + keyURL + `"}`), "pending token=url:" + keyURL},
		{false, 200, "id:u", ok(payload(`{"url":"` + strings.Replace(keyURL, "https", "http", 1) + `"}`)), "pending token=url:" + keyURL},
		{false, 200, "id:u", ok(payload(`{"url":"http://10.0.0.1/x"}`)), "pending foreign_address stop:config"},
		// The numbers. What is missing is searched for.
		{false, 200, "url:" + keyURL, `{"numbers":["13012121211","13012121212","13012121213"]}`, "delivered"},
		{false, 200, "url:" + keyURL, `{"numbers":[13012121211,"13012121213","13999999999"]}`, "delivered token=left:number:13012121212 [1 pending ]"},
		{false, 200, "url:" + keyURL, `{"numbers":[]}`, "delivered token=left:number:13012121211 [0 pending ] [1 pending ] [2 pending ]"},
		{false, 200, "id:u", ok(payload(`{"numbers":["13012121211"]}`)), "delivered token=left:number:13012121212 [1 pending ] [2 pending ]"},
		{false, 200, "id:u", ok(payload(`{"number":"13012121213"}`)), "delivered token=left:number:13012121211 [0 pending ] [1 pending ]"},
		{false, 200, "url:" + keyURL, `{"numbers":["13012121211_ab12","13012121212","13012121213"]}`, "delivered token=left:number:13012121211 [0 pending ]"},
		{true, 200, "url:" + keyURL, `{"numbers":["13012121211_ab12","13012121212_9","13012121213"]}`, "delivered"},
		{true, 200, "url:" + keyURL, `{"numbers":["13012121211_ab12","13012121211_ab13"]}`, "delivered [1 rejected not_imported] [2 rejected not_imported]"},
		{false, 200, "id:u", `{"numbers":[null]}`, "unreadable"}, {false, 200, "id:u", `{"numbers":[{}]}`, "unreadable"}, {false, 200, "id:u", `{"numbers":"x"}`, "unreadable"},
		// The numbers of the task, after a lost reply: the last page decides.
		{false, 200, "", page("1", "3", one), "pending token=page:2 [1 delivered ]"}, {false, 200, "page:2", page(`"2"`, `"3"`, `[]`), "pending token=page:3"},
		{false, 200, "", page("1", "1", one), "retry [1 delivered ]"}, {false, 200, "", page("1", "0", `[]`), "retry"},
		{false, 200, "page:3", page("3", "3", one), "retry [1 delivered ]"}, {false, 200, "page:4", page("4", "3", `[]`), "retry"},
		{false, 200, "", page("1", "9", one), "pending token=number:13012121211 [1 delivered ]"},
		{false, 200, "", page("1", "9", `[{"phone":"13012121211","extra":"k1"},{"phone":"13012121212","extra":"k2"},{"phone":"13012121213"}]`), "pending [0 delivered ] [1 delivered ] [2 delivered ]"},
		{false, 200, "", page("1", "1", `[{"phone":"13012121211","extra":"k1"},{"phone":"13012121212","extra":"k9"},{"phone":"13012121213","extra":"k9"}]`), "pending [0 delivered ] [1 rejected in_task] [2 delivered ]"},
		// With suffixes, a key tells whose the number is.
		{true, 200, "", page("1", "1", `[{"phone":"13012121212_ab12"}]`), "retry [1 ambiguous ambiguous]"}, {true, 200, "", page("1", "9", `[]`), "pending token=page:2"},
		{true, 200, "", page("1", "1", `[{"phone":"13012121212_ab12","extra":"k2"},{"phone":"13012121211_9","extra":"k9"},{"phone":"13012121213_9","extra":"k9"}]`), "retry [1 delivered ] [2 ambiguous ambiguous]"},
		{true, 200, "", page("1", "1", `[{"phone":"13012121212_1"},{"phone":"13012121212_2","extra":"k2"}]`), "retry [1 delivered ]"},
		// The same, for what an import left out.
		{false, 200, "left:page:1", page("1", "2", one), "pending token=left:page:2 [1 rejected in_task]"}, {false, 200, "left:page:1", page("1", "9", `[]`), "pending token=left:number:13012121211"},
		{false, 200, "left:page:2", page("2", "2", `[{"phone":"13012121212","extra":"k2"}]`), "delivered [0 rejected not_imported] [1 delivered ] [2 rejected not_imported]"},
		{false, 200, "left:page:1", page("1", "1", `[]`), all},
		// One number.
		{false, 200, number2, missing, "pending token=number:13012121213"}, {false, 404, number2, missing, "pending token=number:13012121213"}, {false, 200, "number:13012121213", missing, "retry"},
		{false, 200, "left:number:13012121213", missing, all},
		{false, 200, number2, ok(`{"phone":"13012121212","extra":"k2"}`), "pending token=number:13012121213 [1 delivered ]"}, {false, 200, number2, ok(`{"status":0}`), "pending token=number:13012121213 [1 delivered ]"},
		{false, 200, number2, ok(`[{"number":13012121212,"extra":"k9"}]`), "pending token=number:13012121213 [1 rejected in_task]"},
		{false, 200, "left:" + number2, ok(`{"phone":"13012121212","extra":"k2"}`), "pending token=left:number:13012121213 [1 delivered ]"},
		{false, 200, "left:" + number2, ok(`{"phone":"13012121212"}`), "pending token=left:number:13012121213 [1 rejected in_task]"},
		{false, 200, number2, ok(`[]`), "pending token=number:13012121213"}, {false, 200, number2, ok(`{}`), "pending token=number:13012121213"}, {false, 200, number2, ok(`null`), "pending token=number:13012121213"},
		{false, 404, number2, "<html>", "pending token=number:13012121213 [1 ambiguous ambiguous]"}, {false, 404, "left:" + number2, `{"message":"No query results"}`, "pending token=left:number:13012121213"},
		{false, 200, number2, ok(`{"phone":"13012121213"}`), "unreadable"}, {false, 200, number2, ok(`7`), "unreadable"}, {false, 200, "number:13999999999", missing, "unreadable"},
		// Noise.
		{false, 200, "", page("1", "null", one), "unreadable"}, {false, 200, "", page("1", "1", `{}`), "unreadable"}, {false, 200, "", page("1", "1", `null`), "unreadable"},
		{false, 200, "", page("1", "1", `[{"name":"x"}]`), "unreadable"}, {false, 200, "", page("-1", "1", one), "unreadable"}, {false, 200, "page:2", page("1", "3", one), "unreadable"}, {false, 200, "", ok(`[]`), "unreadable"},
		{false, 200, "id:u", "", "unreadable"}, {false, 200, "id:u", "<html>", "unreadable"}, {false, 200, "id:u", "[]", "unreadable"}, {false, 200, "id:u", "{}", "unreadable"}, {false, 200, "id:u", `{"numbers":["130`, "unreadable"},
		{false, 204, "id:u", "", "unreadable"}, {false, 200, "", "", "unreadable"}, {false, 200, number2, "<html>", "unreadable"}, {false, 200, "what", ok(`[]`), "unreadable"},
	} {
		c := mustCodec(t, goodConfig(func(c *Config) { c.NumberAddSuffix = tc.suffix }))
		rec := record(t, []any{"13012121211", nil, nil, nil, "k1"}, []any{"13012121212", nil, nil, nil, "k2"}, []any{"8613012121213"})
		o, err := c.ParsePoll(respond(tc.status, tc.body), tc.token, rec)
		if got := what(o, err); got != tc.want {
			t.Errorf("suffix %v, token %q, %d %s: %s, want %s", tc.suffix, tc.token, tc.status, tc.body, got, tc.want)
		}
		if _, ok := Vendor.Explain(o.Code); o.Code != "" && o.Code != "31337" && !ok {
			t.Errorf("code %s is not explained", o.Code)
		}
		for _, r := range o.Rows {
			if _, ok := Vendor.Explain(r.Code); r.Code != "" && !ok || r.Code != "" && r.Message == "" {
				t.Errorf("%+v is not explained", r)
			}
		}
	}
}

// A reject names the row that came first.
func TestRejectsNameTheRowInTheTask(t *testing.T) {
	c := mustCodec(t, goodConfig())
	o, err := c.ParsePoll(respond(200, `{"code":200,"status":"success","data":{"phone":"13012121211","extra":"row-7"}}`), "left:number:13012121211", phones(t, "13012121211"))
	if err != nil || len(o.Rows) != 1 || !strings.Contains(o.Rows[0].Message, `row "row-7"`) || o.Rows[0].Field != colPhone {
		t.Errorf("%+v, %v", o, err)
	}
}
