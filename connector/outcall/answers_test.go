package outcall

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
)

const acceptedBody = `{"code":200,"status":"success","message":"ok","data":{"unique_id":"f2c7aa27-55be-4b96-835b-18cf38edd29e"}}`

// what is the part of an outcome that decides, as text.
func what(o connector.Outcome, err error) string {
	if err != nil {
		return "unreadable"
	}
	s := o.Verdict.String()
	if o.Code != "" {
		s += " " + o.Code
	}
	if o.Stop != connector.KindNone {
		s += " stop:" + o.Stop.String()
	}
	if o.Throttled {
		s += " throttled"
	}
	if o.RetryAfter > 0 {
		s += " " + o.RetryAfter.String()
	}
	if o.Token != "" {
		s += " token=" + o.Token
	}
	for _, r := range o.Rows {
		s += fmt.Sprintf(" [%d %s %s]", r.Row, r.Verdict, r.Code)
	}
	return s
}

// Every answer to a request.
func TestAnswers(t *testing.T) {
	const running = `{"code":6007,"status":"error","message":"2.0任务启动中，请先停止任务","data":[]}`
	envelope := func(code string) string {
		return `{"code":` + code + `,"status":"error","message":"m","data":[]}`
	}
	for _, tc := range []struct {
		status int
		body   string
		header []string
		want   string
	}{
		{200, acceptedBody, nil, "pending 200 token=id:f2c7aa27-55be-4b96-835b-18cf38edd29e"},
		{202, strings.Replace(acceptedBody, "200", `"200"`, 1), nil, "pending 200 token=id:f2c7aa27-55be-4b96-835b-18cf38edd29e"},
		{200, `{"code":200,"data":{"unique_id":7}}`, nil, "pending 200 token=id:7"},
		// An acceptance that cannot be followed up is a lost reply; so is what is no answer of the vendor.
		{200, `{"code":200,"status":"success","data":[]}`, nil, "unreadable"},
		{200, `{"code":200,"status":"success","data":{"unique_id":""}}`, nil, "unreadable"},
		{200, `{"code":200,"status":"success","data":{"unique_id":"../../token"}}`, nil, "unreadable"},
		{200, acceptedBody[:40], nil, "unreadable"}, {200, "", nil, "unreadable"}, {200, "null", nil, "unreadable"}, {200, "[]", nil, "unreadable"},
		{200, `{"message":"hello"}`, nil, "unreadable"}, {200, "<html>login</html>", nil, "unreadable"}, {204, "", nil, "unreadable"},
		{200, running, nil, "retry 6007 throttled"}, {200, strings.Replace(running, "，", ",", 1), nil, "retry 6007 throttled"},
		{200, running, []string{"Retry-After", "90"}, "retry 6007 throttled 1m30s"}, {400, running, nil, "retry 6007 throttled"},
		{401, envelope("401"), nil, "retry 401 stop:config"}, {200, envelope("401"), nil, "retry 401 stop:config"},
		{401, `{"message":"Unauthenticated."}`, nil, "retry 401 stop:config"}, {401, "", nil, "retry 401 stop:config"},
		{403, "<html>", nil, "retry 403 stop:config"}, {200, envelope("404"), nil, "retry 404 stop:config"},
		{401, envelope("31337"), nil, "retry 31337 stop:config"},
		{404, "<html>", nil, "retry http_path stop:config"}, {405, "", nil, "retry http_path stop:config"}, {302, "", nil, "retry http_path stop:config"},
		{422, `{"message":"The given data was invalid.","errors":{"data.0.phone":["bad"]}}`, nil, "suspect 422"},
		{422, envelope("422"), nil, "suspect 422"}, {200, envelope("31337"), nil, "suspect 31337"}, {400, "bad", nil, "suspect http_4xx"}, {413, "", nil, "suspect http_413"},
		{200, `{"code":200,"status":"error","message":"m","data":[]}`, nil, "suspect no_success"},
		{429, "", []string{"Retry-After", "2"}, "retry 429 throttled 2s"}, {429, envelope("429"), nil, "retry 429 throttled"},
		{429, envelope("31337"), []string{"Retry-After", "3"}, "retry 31337 throttled 3s"}, {200, envelope("429"), nil, "retry 429 throttled"},
		{429, "", []string{"Retry-After", "Wed, 21 Oct 2026 07:28:09 GMT", "Date", "Wed, 21 Oct 2026 07:28:00 GMT"}, "retry 429 throttled 9s"},
		{429, "", []string{"Retry-After", "soon"}, "retry 429 throttled"},
		// Nobody knows whether the numbers were taken.
		{500, "", nil, "ambiguous http_5xx"}, {502, "<html>", nil, "ambiguous http_5xx"}, {503, acceptedBody, nil, "ambiguous http_5xx"},
		{504, envelope("200"), nil, "ambiguous http_5xx"}, {200, envelope("500"), nil, "ambiguous http_5xx"}, {500, envelope("31337"), nil, "ambiguous http_5xx"},
		{408, "", nil, "ambiguous http_5xx"},
	} {
		c := mustCodec(t, goodConfig())
		o, err := c.ParseResponse(respond(tc.status, tc.body, tc.header...), nil)
		if got := what(o, err); got != tc.want {
			t.Errorf("%d %s: %s, want %s", tc.status, tc.body, got, tc.want)
		}
		if _, ok := Vendor.Explain(o.Code); err == nil && !ok && o.Code != "31337" {
			t.Errorf("code %s is not explained", o.Code)
		}
		if err == nil && o.Stop == connector.KindConfig && strings.HasPrefix(o.Code, "401") && !strings.Contains(o.Message, "token was refused") {
			t.Errorf("%d %s: the message %q does not name the token", tc.status, tc.body, o.Message)
		}
	}
}

// A success is a verdict at once where settle is accepted, and in mode sync.
func TestAcceptedIsDelivered(t *testing.T) {
	c := mustCodec(t, goodConfig(func(c *Config) { c.Settle = settleAccepted }))
	o, err := c.ParseResponse(respond(200, acceptedBody), nil)
	if what(o, err) != "delivered 200" || !strings.Contains(o.Message, "not confirmed") || o.RequestID == "" {
		t.Errorf("%+v, %v", o, err)
	}
	c = mustCodec(t, goodConfig(func(c *Config) { c.Mode = modeSync }))
	for _, data := range []string{`[]`, `{}`, `null`, `{"anything":1}`} {
		o, err := c.ParseResponse(respond(200, `{"code":200,"status":"success","message":"m","data":`+data+`}`), nil)
		if what(o, err) != "delivered 200" {
			t.Errorf("data %s: %+v, %v", data, o, err)
		}
	}
}

func TestMessages(t *testing.T) {
	c := mustCodec(t, goodConfig())
	o, _ := c.ParseResponse(respond(422, `{"message":"invalid","errors":{"data.0.phone":["bad `+testToken+`"]}}`), nil)
	if !strings.Contains(o.Message, "data.0.phone") || strings.Contains(o.Message, testToken) {
		t.Errorf("message %q", o.Message)
	}
	o, _ = c.ParseResponse(respond(400, strings.Repeat("x", 190)+testToken+"\xff"+strings.Repeat("y", 9000)), nil)
	if len(o.Message) > 300 || strings.Contains(o.Message, "sandbox-") {
		t.Errorf("message %q", o.Message)
	}
	for _, v := range []any{c, c.signer, goodConfig()} {
		if s := fmt.Sprintf("%v %+v %#v %s %x", v, v, v, v, v); strings.Contains(s, testToken) || strings.Contains(s, fmt.Sprintf("%x", testToken)) {
			t.Errorf("%T shows the token: %s", v, s)
		}
	}
}

func TestCheck(t *testing.T) {
	p, err := newCheck(goodConfig(func(c *Config) { c.SubUserID = testTask }))
	if err != nil {
		t.Fatal(err)
	}
	req := &connector.Request{}
	if err := p.AppendRequest(req); err != nil || !strings.HasSuffix(req.URL, "/task/"+testTask+"/number?page=1&per_page=1&sub_user_id="+testTask) || req.Method != "GET" {
		t.Errorf("%s %s, %v", req.Method, req.URL, err)
	}
	if err := p.(connector.Signer).Sign(req, time.Time{}); err != nil || req.Header.Get("Authorization") != "Bearer "+testToken {
		t.Errorf("%v, %v", req.Header, err)
	}
	for _, tc := range []struct {
		status int
		body   string
		kind   connector.Kind
		want   string
	}{
		{200, `{"code":200,"status":"success","data":[]}`, connector.KindNone, ""},
		{401, `{"message":"Unauthenticated."}`, connector.KindConfig, "token was refused"},
		{200, `{"code":404,"status":"error","data":[]}`, connector.KindConfig, "user_id"},
		{404, "", connector.KindConfig, "base_url"}, {200, "<html>", connector.KindConfig, "base_url"},
		{503, "", connector.KindTransient, "cannot answer"}, {429, "", connector.KindThrottled, "cannot answer"},
		{200, `{"code":31337,"status":"error","message":"why","data":[]}`, connector.KindConfig, "why"},
	} {
		err := p.ParseResponse(respond(tc.status, tc.body))
		if connector.KindOf(err) != tc.kind || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%d %s: %v (%v), want %v %q", tc.status, tc.body, err, connector.KindOf(err), tc.kind, tc.want)
		}
	}
}

// Each code of the table comes from some answer, so that none is there for show.
func TestEveryCodeIsAnswered(t *testing.T) {
	got := map[string]bool{}
	note := func(o connector.Outcome, err error) {
		if err == nil {
			got[o.Code] = true
			for _, r := range o.Rows {
				got[r.Code] = true
			}
		}
	}
	c := mustCodec(t, goodConfig())
	rec := record(t, []any{"13012121211", nil, nil, nil, "k1"})
	for _, code := range []string{"200", "401", "403", "404", "422", "429", "6007"} {
		note(c.ParseResponse(respond(200, `{"code":`+code+`,"status":"error","message":"m","data":[]}`), rec))
	}
	note(c.ParseResponse(respond(200, acceptedBody), rec))
	for _, status := range []int{404, 413, 418, 502} {
		note(c.ParseResponse(respond(status, "<html>"), rec))
	}
	note(c.ParsePoll(respond(200, `{"url":"https://elsewhere.example/x"}`), "id:1", rec))
	note(c.ParsePoll(respond(200, `{"code":404,"status":"error","data":[]}`), "left:number:13012121211", rec))
	note(c.ParsePoll(respond(200, `{"code":200,"status":"success","data":{"phone":"13012121211","extra":"k2"}}`), "left:number:13012121211", rec))
	for _, e := range vendorErrors {
		if !got[e.Code] {
			t.Errorf("nothing is ever answered with code %s", e.Code)
		}
	}
}
