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
		{testTask, "left:page:3", user + "/task/" + testTask + "/number?page=3&per_page=1000&sub_user_id=" + testTask},
		{"", "number:13012121211", user + "/task/" + testTask + "/number/detail/13012121211"},
		{testTask, "left:number:../a b", user + "/task/" + testTask + "/number/detail/%2E%2E%2Fa%20b?sub_user_id=" + testTask},
		{"", "left:", "internal"}, {"", "left:id:f2c7", "internal"}, {"", "left:url:" + keyURL, "internal"}, {"", "number:", "internal"}, {"", "left:left:page:1", "internal"},
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
		{host, "http://ai.api.longlonglong.cn:8080" + path, false}, {host, "http://ai.api.longlonglong.cn:443" + path, false}, {host, "http://evil.example" + path, false},
		{"https://ai.api.longlonglong.cn:8443", "http://ai.api.longlonglong.cn" + path, false}, {"http://127.0.0.1:8080", "https://127.0.0.1:8080" + path, false},
		{host, "http://u@ai.api.longlonglong.cn" + path, false}, {host, "https://evil.example" + path, false}, {host, "https://ai.api.longlonglong.cn.evil.example" + path, false},
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

// An address of the right host with http, as in the vendor's example, is called by https where base_url says so.
func TestAddressesAreUpgraded(t *testing.T) {
	for _, address := range []string{"http://ai.api.longlonglong.cn/agent-api/download-number?key=RUhhPQ", "HTTP://ai.api.LongLongLong.cn:80/agent-api/download-number?key=RUhhPQ"} {
		c := mustCodec(t, goodConfig())
		req := &connector.Request{}
		if o := c.byAddress(address); o.Token != tokenAddress+keyURL || c.AppendPoll(req, tokenAddress+address, nil) != nil || req.URL != keyURL {
			t.Errorf("%s: %+v, %s", address, o, req.URL)
		}
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add(200, "", acceptedBody)
	f.Add(200, "id:1", `{"code":200,"data":{"data":{"url":"https://x/y"}}}`)
	f.Add(200, "", `{"code":200,"meta":{"current_page":1,"last_page":2},"data":[{"phone":"13012121211"}],"numbers":[1]}`)
	f.Add(200, "left:number:13012121212", `{"code":200,"data":{"phone":"13012121212"}}`)
	f.Add(422, "number:13012121212", `{"message":"x","errors":{"a":["b"]}}`)
	f.Fuzz(func(t *testing.T, status int, token, body string) {
		c := mustCodec(t, goodConfig())
		rec := phones(t, "13012121211", "13012121212")
		for _, parse := range []func() (connector.Outcome, error){
			func() (connector.Outcome, error) { return c.ParseResponse(respond(status, body), rec) },
			func() (connector.Outcome, error) { return c.ParsePoll(respond(status, body), token, rec) },
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
