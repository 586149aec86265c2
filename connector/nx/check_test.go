package nx

import (
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// The fields call of the vendor's page: "=" of the app key is escaped in the URL, and nothing stands for the body.
func TestFixtureFields(t *testing.T) {
	check, err := newCheck(goodCloud(contractNew))
	if err != nil {
		t.Fatal(err)
	}
	req := &connector.Request{}
	if err := check.AppendRequest(req); err != nil {
		t.Fatal(err)
	}
	if err := check.(connector.Signer).Sign(req, time.UnixMilli(1655710885431)); err != nil {
		t.Fatal(err)
	}
	want := "GET https://api-hk.nxlink.ai/saas/cdp/openapi/customers/fields?tenant_id=144&app_key=46oKF%3Dos\n" +
		"Accesskey: " + testKey + "\nAction: mt\nBiztype: 2\nContent-Type: application/json\n" +
		"Sign: 948ab46c078bff467f1b17c24a0ecc37\nTs: 1655710885431\n\n"
	if got := dump(req); got != want {
		t.Errorf("request:\n%s\nwant:\n%s", got, want)
	}
}

func TestCheckRequests(t *testing.T) {
	old := goodCloud(contractOld)
	old.AppKey = "a&b c#é"
	sandbox := goodLink()
	sandbox.BaseURL = "http://127.0.0.1:8080/"
	for _, tc := range []struct {
		name              string
		cfg               connector.Config
		method, url, body string
	}{
		{"old", old, "GET", "https://api.nxcloud.com/saas/cdp/openapi/customers/fields?tenant_id=144&app_key=a%26b+c%23%C3%A9", ""},
		{"sea", sandbox, "POST", "http://127.0.0.1:8080/saas/sea/cdp/openapi/customers/batch_create", `{"type":2,"tenant_id":144,"app_key":"46oKF=os","customers":[]}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			check, err := newCheck(tc.cfg)
			if err != nil {
				t.Fatal(err)
			}
			req := &connector.Request{}
			if err := check.AppendRequest(req); err != nil {
				t.Fatal(err)
			}
			if req.Method != tc.method || req.URL != tc.url || string(req.Body) != tc.body {
				t.Errorf("got %s %s %s", req.Method, req.URL, req.Body)
			}
		})
	}
}

func TestCheckAnswers(t *testing.T) {
	link, cloud := connector.Config(goodLink()), connector.Config(goodCloud(contractNew))
	config, transient, throttled := connector.KindConfig, connector.KindTransient, connector.KindThrottled
	for _, tc := range []struct {
		name string
		cfg  connector.Config
		resp *connector.Response
		kind connector.Kind
		want []string // of the error
	}{
		{"cloud passes", cloud, answer(200, `{"code":0,"data":[{"name":"gender"}]}`), connector.KindNone, nil},
		{"link passes on an empty list", link, answer(200, envelopeOf("1002", "customers is empty")), connector.KindNone, nil},
		{"link passes on success", link, answer(200, envelopeOf("0", "")), connector.KindNone, nil},
		{"cloud fails on 1002", cloud, answer(200, envelopeOf("1002", "no")), config, []string{"tenant_id", "app_key", "1002 no", "trace 56bf"}},
		{"permission", link, answer(200, envelopeOf("1005", "Insufficient permissions")), config, []string{"access_key was refused", "1005 Insufficient permissions", "Check access_key"}},
		{"signature", link, answer(200, envelopeOf("1003", "Invalid signature")), config, []string{"access_secret", "algorithm"}},
		{"clock", cloud, answer(200, envelopeOf("1004", "x"), "Date", "Mon, 20 Jun 2022 07:41:25 GMT"), config, []string{"this machine's clock", "NTP"}},
		{"clock without a date", cloud, answer(200, envelopeOf("1004", "x")), config, []string{"this machine's clock"}},
		{"header", link, answer(200, envelopeOf("1001", "x")), config, []string{"header", "proxy"}},
		{"tenant", link, answer(200, envelopeOf("22020", "x")), config, []string{"tenant_id"}},
		{"tenant missing", link, answer(200, envelopeOf("21058", "x")), config, []string{"tenant_id"}},
		{"app", cloud, answer(200, envelopeOf("22124", "x")), config, []string{"app_key"}},
		{"app missing", cloud, answer(200, envelopeOf("21059", "x")), config, []string{"app_key"}},
		{"unknown code", cloud, answer(200, envelopeOf("31337", "x")), config, []string{"refused the check", "31337 x"}},
		{"html", cloud, answer(200, "<html>hello"), config, []string{"base_url", "<html>hello"}},
		{"not found", cloud, answer(404, ""), config, []string{"base_url"}},
		{"gateway", cloud, answer(403, ""), config, []string{"access_key", "base_url"}},
		{"down", cloud, answer(503, ""), transient, []string{"cannot answer now", "HTTP 503"}},
		{"failed", cloud, answer(200, envelopeOf("-1", "x")), transient, []string{"cannot answer now"}},
		{"busy", cloud, answer(429, ""), throttled, []string{"cannot answer now"}},
		{"echo", cloud, answer(200, envelopeOf("1005", testKey)), config, []string{"[REDACTED]"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			check, err := newCheck(tc.cfg)
			if err != nil {
				t.Fatal(err)
			}
			err = check.ParseResponse(tc.resp)
			if got := connector.KindOf(err); got != tc.kind {
				t.Fatalf("got %v (%v), want %v", err, got, tc.kind)
			}
			if err != nil {
				wantContains(t, err.Error(), tc.want...)
				if strings.Contains(err.Error(), testKey) {
					t.Errorf("%v shows the access key", err)
				}
			}
		})
	}
}
