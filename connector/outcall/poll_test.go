package outcall

import (
	"strings"
	"testing"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/restapi"
)

const keyURL = "https://ai.api.longlonglong.cn/agent-api/download-number?key=RUhhPQ"

// The address of each step, by its token.
func TestPollRequests(t *testing.T) {
	const user = "https://ai.api.longlonglong.cn/agent-api/user/" + testUser
	for _, tc := range []struct{ sub, token, want string }{
		{"", "id:f2c7", user + "/identification/f2c7"},
		{testTask, "id:f2c7", user + "/identification/f2c7?sub_user_id=" + testTask},
		{"", "url:" + keyURL, keyURL},
		{"", "", user + "/task/" + testTask + "/number?page=1&per_page=1000"},
		{testTask, "page:3", user + "/task/" + testTask + "/number?page=3&per_page=1000&sub_user_id=" + testTask},
		{"", "page:0", "internal"}, {"", "page:x", "internal"}, {"", "id:", "internal"}, {"", "id:../x", "internal"}, {"", "what", "internal"},
	} {
		c := mustCodec(t, goodConfig(func(c *Config) { c.SubUserID = tc.sub }))
		req := &connector.Request{}
		err := c.AppendPoll(req, tc.token, nil)
		got := req.Method + " " + req.URL
		if err != nil {
			got = "GET " + connector.KindOf(err).String()
		}
		if got != "GET "+tc.want || err == nil && (len(req.Body) > 0 || req.Endpoint == "" || req.Endpoint == "task/"+testTask) {
			t.Errorf("token %q: %s on %q, want %s", tc.token, got, req.Endpoint, tc.want)
		}
	}
}

// What comes out of data is called only where it is of the configured host.
func TestAddressesOfOtherHostsAreRefused(t *testing.T) {
	const path = "/agent-api/download-number?key=x"
	for _, tc := range []struct {
		base, address string
		passes        bool
	}{
		{host, host + path, true}, {host, "https://ai.api.longlonglong.cn:443" + path, true}, {host, "HTTPS://AI.api.longlonglong.cn" + path, true},
		{"http://127.0.0.1:8080/base", "http://127.0.0.1:8080" + path, true},
		{host, "http://ai.api.longlonglong.cn" + path, false}, {host, "https://evil.example" + path, false}, {host, "https://ai.api.longlonglong.cn.evil.example" + path, false},
		{host, "https://ai.api.longlonglong.cn:8443" + path, false}, {host, "https://ai.api.longlonglong.cn@evil.example" + path, false},
		{host, "https://u:p@ai.api.longlonglong.cn" + path, false}, {host, "//ai.api.longlonglong.cn" + path, false}, {host, path, false},
		{host, "http://169.254.169.254/latest/meta-data", false}, {host, "file:///etc/passwd", false}, {host, "https:ai.api.longlonglong.cn", false}, {host, "://", false}, {host, "https://\x00", false},
		{"http://127.0.0.1:8080", "http://127.0.0.1:9090" + path, false}, {"http://127.0.0.1:8080", "http://localhost:8080" + path, false},
	} {
		c := mustCodec(t, goodConfig(func(c *Config) { c.BaseURL = tc.base }))
		o := c.byAddress(tc.address)
		err := c.AppendPoll(&connector.Request{}, tokenAddress+tc.address, nil)
		if tc.passes {
			if err != nil || o.Token != tokenAddress+tc.address || o.Stop != connector.KindNone {
				t.Errorf("%s at %s: %v, %+v; want it called", tc.address, tc.base, err, o)
			}
			continue
		}
		if connector.KindOf(err) != connector.KindConfig || o.Stop != connector.KindConfig || o.Token != "" || !strings.Contains(o.Message, "base_url") {
			t.Errorf("%s at %s: %v, %+v; want it refused", tc.address, tc.base, err, o)
		}
	}
}

// Every answer to a poll for the rows 13012121211, 13012121212 and 8613012121213.
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
	const one = `[{"phone":"13012121212","name":"x"},{"number":13012121299}]`
	for _, tc := range []struct {
		suffix bool
		status int
		body   string
		want   string
	}{
		// Not done yet, or not known yet.
		{false, 200, ok(`[]`), "pending 200"}, {false, 200, ok(`null`), "pending 200"}, {false, 200, ok(`{}`), "pending 200"}, {false, 200, ok(payload(`{}`)), "pending 200"},
		{false, 200, `{"code":404,"status":"error","message":"m","data":[]}`, "pending 404"},
		{false, 500, "", "pending http_5xx"}, {false, 429, "", "pending 429 throttled"}, {false, 200, `{"code":31337,"status":"error","data":[]}`, "pending 31337"},
		// Refused.
		{false, 401, `{"message":"Unauthenticated."}`, "pending 401 stop:config"}, {false, 404, "<html>", "pending http_path stop:config"},
		// The address.
		{false, 200, ok(payload(`{"url":"` + keyURL + `"}`)), "pending token=url:" + keyURL}, {false, 200, ok(`{"url":"` + keyURL + `"}`), "pending token=url:" + keyURL},
		{false, 200, payload(`{"url":"` + keyURL + `"}`), "pending token=url:" + keyURL},
		{false, 200, ok(payload(`{"url":"http://10.0.0.1/x"}`)), "pending foreign_address stop:config"},
		// The numbers.
		{false, 200, `{"numbers":["13012121211","13012121212","13012121213"]}`, "delivered"},
		{false, 200, `{"numbers":[13012121211,"13012121213","13999999999"]}`, "delivered [1 rejected not_imported]"},
		{false, 200, `{"numbers":[]}`, "delivered [0 rejected not_imported] [1 rejected not_imported] [2 rejected not_imported]"},
		{false, 200, ok(payload(`{"numbers":["13012121211"]}`)), "delivered [1 rejected not_imported] [2 rejected not_imported]"},
		{false, 200, ok(payload(`{"number":"13012121213"}`)), "delivered [0 rejected not_imported] [1 rejected not_imported]"},
		{false, 200, `{"numbers":["13012121211_ab12","13012121212","13012121213"]}`, "delivered [0 rejected not_imported]"},
		{true, 200, `{"numbers":["13012121211_ab12","13012121212_9","13012121213"]}`, "delivered"},
		{true, 200, `{"numbers":["13012121211_ab12","13012121211_ab13"]}`, "delivered [1 rejected not_imported] [2 rejected not_imported]"},
		{false, 200, `{"numbers":[null]}`, "unreadable"}, {false, 200, `{"numbers":[{}]}`, "unreadable"}, {false, 200, `{"numbers":"x"}`, "unreadable"},
		// The numbers of the task, after a lost reply.
		{false, 200, page("1", "3", one), "pending token=page:2 [1 delivered ]"}, {false, 200, page(`"2"`, `"3"`, `[]`), "pending token=page:3"},
		{false, 200, page("1", "1", one), "retry [1 delivered ]"}, {false, 200, page("1", "0", `[]`), "retry"},
		{false, 200, page("3", "3", one), "ambiguous ambiguous [1 delivered ]"}, {false, 200, page("4", "3", `[]`), "ambiguous ambiguous"},
		{true, 200, page("1", "1", `[{"phone":"13012121212_ab12"}]`), "retry [1 ambiguous ambiguous]"},
		{false, 200, page("1", "null", one), "unreadable"}, {false, 200, page("1", "1", `{}`), "unreadable"}, {false, 200, page("1", "1", `[{"name":"x"}]`), "unreadable"},
		{false, 200, page("-1", "1", one), "unreadable"},
		// Noise.
		{false, 200, "", "unreadable"}, {false, 200, "<html>", "unreadable"}, {false, 200, "[]", "unreadable"}, {false, 200, "{}", "unreadable"}, {false, 200, `{"numbers":["130`, "unreadable"},
		{false, 204, "", "unreadable"},
	} {
		c := mustCodec(t, goodConfig(func(c *Config) { c.NumberAddSuffix = tc.suffix }))
		o, err := c.ParsePoll(respond(tc.status, tc.body), "", phones(t, "13012121211", "13012121212", "8613012121213"))
		if got := what(o, err); got != tc.want {
			t.Errorf("suffix %v, %d %s: %s, want %s", tc.suffix, tc.status, tc.body, got, tc.want)
		}
		if _, ok := Vendor.Explain(o.Code); o.Code != "" && o.Code != "31337" && !ok {
			t.Errorf("code %s is not explained", o.Code)
		}
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add(200, acceptedBody)
	f.Add(200, `{"code":200,"data":{"data":{"url":"https://x/y"}}}`)
	f.Add(200, `{"meta":{"current_page":1,"last_page":2},"data":[{"phone":"13012121211"}],"numbers":[1]}`)
	f.Add(422, `{"message":"x","errors":{"a":["b"]}}`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		c := mustCodec(t, goodConfig())
		rec := phones(t, "13012121211", "13012121212")
		for _, parse := range []func() (connector.Outcome, error){
			func() (connector.Outcome, error) { return c.ParseResponse(respond(status, body), rec) },
			func() (connector.Outcome, error) { return c.ParsePoll(respond(status, body), "", rec) },
		} {
			o, err := parse()
			if err != nil {
				continue
			}
			if !restapi.Succeeded(status) && o.Verdict == connector.VerdictDelivered || o.Stop != connector.KindNone && o.Verdict == connector.VerdictDelivered {
				t.Errorf("%d %q: %+v", status, body, o)
			}
			for i, r := range o.Rows {
				if r.Row < 0 || r.Row > 1 || i > 0 && r.Row <= o.Rows[i-1].Row {
					t.Errorf("rows %+v", o.Rows)
				}
			}
			if o.Token != "" {
				if err := c.AppendPoll(&connector.Request{}, o.Token, rec); err != nil {
					t.Errorf("%d %q gives the token %q, which is refused: %v", status, body, o.Token, err)
				}
			}
		}
	})
}
