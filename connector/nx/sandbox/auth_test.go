package sandbox_test

import (
	"regexp"
	"strconv"
	"testing"
	"time"

	nx "github.com/sluicehq/sluice/connector/nx/sandbox"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// The wire fixtures: keys and digests were computed apart from this program.
const (
	fixtureTS   = 1655710885431
	fixtureBody = `{"type":1,"tenant_id":144,"app_key":"46oKF=os","customers":[{"first_name":"Zhang","last_name":"San","whats_app_phone":"8618667728886","gender":1}]}`
	fixtureMD5  = "31140869c39d13529da4c3d03be9398c"
	fixtureSHA  = "bab243142c6421e022249ed04d2b1ece1bdf92f56ff4ad34c27853bf059820a2"
	fixtureGET  = "948ab46c078bff467f1b17c24a0ecc37"
)

var fixtureAccount = nx.Account{
	AccessKey: "fme2na3kdi3ki", AccessSecret: "abciiiko2k3", Tenants: []nx.Tenant{{ID: 144, AppKeys: []string{"46oKF=os"}}},
}

func fixtureWorld(t *testing.T) *world {
	w := newWorld(t, nx.Options{Accounts: []nx.Account{fixtureAccount}})
	w.now = time.UnixMilli(fixtureTS)
	return w
}

func fixtureHeader(overrides ...string) map[string]string {
	h := map[string]string{"accessKey": "fme2na3kdi3ki", "ts": strconv.Itoa(fixtureTS), "sign": fixtureMD5}
	for i := 0; i < len(overrides); i += 2 {
		h[overrides[i]] = overrides[i+1]
	}
	return h
}

func TestFixtures(t *testing.T) {
	tests := []struct {
		name   string
		body   string
		header map[string]string
		skew   time.Duration // of the sandbox's clock
		code   int
	}{
		{name: "md5", header: fixtureHeader()},
		{name: "md5 named", header: fixtureHeader("algorithm", "MD5")},
		{name: "sha256", header: fixtureHeader("algorithm", "sha256", "sign", fixtureSHA)},
		{name: "charset", header: fixtureHeader("Content-Type", "application/json; charset=UTF-8")},
		{name: "escaped body", body: `{"type":1,"tenant_id":144,"app_key":"k","customers":[{"first_name":"A\u0026B \u003cx\u003e","last_name":"李","email":"a@b.c"}]}`,
			header: fixtureHeader("sign", "d3ec7ea4ff17f7e862b32a052d4c4299"), code: 22124},
		{name: "unescaped body", body: `{"type":1,"tenant_id":144,"app_key":"k","customers":[{"first_name":"A&B <x>","last_name":"李","email":"a@b.c"}]}`,
			header: fixtureHeader("sign", "b9212b130631e879bf04b624113c787d"), code: 22124},
		{name: "clock ahead, edge", header: fixtureHeader(), skew: 60_000 * time.Millisecond},
		{name: "clock behind, edge", header: fixtureHeader(), skew: -60_000 * time.Millisecond},
		{name: "clock ahead", header: fixtureHeader(), skew: 60_001 * time.Millisecond, code: 1004},
		{name: "clock behind", header: fixtureHeader(), skew: -60_001 * time.Millisecond, code: 1004},
		{name: "ts in seconds", header: fixtureHeader("ts", "1655710885"), code: 1004},
		{name: "ts not a number", header: fixtureHeader("ts", "now"), code: 1004},
		{name: "no sign", header: fixtureHeader("sign", "-"), code: 1001},
		{name: "no ts", header: fixtureHeader("ts", "-"), code: 1001},
		{name: "no accessKey", header: fixtureHeader("accessKey", "-"), code: 1001},
		{name: "no bizType", header: fixtureHeader("bizType", "-"), code: 1001},
		{name: "no action", header: fixtureHeader("action", "-"), code: 1001},
		{name: "bizType 1", header: fixtureHeader("bizType", "1"), code: 1002},
		{name: "action send", header: fixtureHeader("action", "send"), code: 1002},
		{name: "unknown algorithm", header: fixtureHeader("algorithm", "sha1"), code: 1002},
		{name: "one more space", header: fixtureHeader(), code: 1003,
			body: `{"type":1,"tenant_id":144,"app_key":"46oKF=os", "customers":[{"first_name":"Zhang","last_name":"San","whats_app_phone":"8618667728886","gender":1}]}`},
		{name: "the space signed", header: fixtureHeader("sign", "0cd82491f0490993ce1ff679744c85c4"),
			body: `{"type":1,"tenant_id":144,"app_key":"46oKF=os", "customers":[{"first_name":"Zhang","last_name":"San","whats_app_phone":"8618667728886","gender":1}]}`},
		{name: "upper-case sign", header: fixtureHeader("sign", "31140869C39D13529DA4C3D03BE9398C"), code: 1003},
		{name: "the pages' placeholder", header: fixtureHeader("sign", "6e9506557d1f289501d333ee2c365826"), code: 1003},
		{name: "md5 called sha256", header: fixtureHeader("algorithm", "sha256"), code: 1003},
		{name: "Content-Type text", header: fixtureHeader("Content-Type", "text/plain"), code: 1003},
		{name: "Content-Type missing", header: fixtureHeader("Content-Type", "-"), code: 1003},
		{name: "Content-Type in another charset", header: fixtureHeader("Content-Type", "application/json; charset=gbk"), code: 1003},
		{name: "unknown accessKey", header: fixtureHeader("accessKey", "nobody"), code: 1005},
		// The order of checks: the earlier fault answers.
		{name: "bizType before accessKey", header: fixtureHeader("bizType", "1", "accessKey", "nobody"), code: 1002},
		{name: "accessKey before ts", header: fixtureHeader("accessKey", "nobody"), skew: time.Hour, code: 1005},
		{name: "ts before sign", header: fixtureHeader("sign", "00"), skew: time.Hour, code: 1004},
		{name: "sign before body", header: fixtureHeader(), body: "{", code: 1003},
	}
	trace := regexp.MustCompile(`^[0-9a-f]{32}$`)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := fixtureWorld(t)
			w.now = w.now.Add(tt.skew)
			body := tt.body
			if body == "" {
				body = fixtureBody
			}
			e := w.do(call{path: seaPath, body: body, header: tt.header})
			if e.Code != tt.code {
				t.Errorf("got code %d (%s), want %d", e.Code, e.Message, tt.code)
			}
			if string(e.Data) != `""` || !trace.MatchString(e.TraceID) {
				t.Errorf("got data %s and traceId %q, want \"\" and 32 hex digits", e.Data, e.TraceID)
			}
			want := 0
			if tt.code == 0 {
				want = 1
			}
			if got := len(records(w.nx.Link)); got != want {
				t.Errorf("got %d records, want %d", got, want)
			}
		})
	}
}

func TestFieldsFixture(t *testing.T) {
	w := fixtureWorld(t)
	e := w.do(call{method: "GET", path: fieldsPath + "?tenant_id=144&app_key=46oKF%3Dos", header: fixtureHeader("sign", fixtureGET, "Content-Type", "-")})
	accepted(t, e)
	e = w.do(call{method: "GET", path: fieldsPath + "?tenant_id=144&app_key=46oKF%3Dos", header: fixtureHeader()})
	rejected(t, e, 1003, "Invalid signature")
}

func TestHeaderNamesInAnyCase(t *testing.T) {
	w := fixtureWorld(t)
	req := w.request(call{path: seaPath, body: fixtureBody, header: fixtureHeader()})
	for _, name := range []string{"accessKey", "bizType", "ts", "sign"} {
		v := req.Header.Get(name)
		req.Header.Del(name)
		req.Header[name] = []string{v} // as written, not in Go's form
	}
	resp, err := sandbox.Transport(w.server).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := len(records(w.nx.Link)); got != 1 {
		t.Errorf("got %d records, want 1", got)
	}
	if got, want := resp.Header.Get("Date"), "Mon, 20 Jun 2022 07:41:25 GMT"; got != want {
		t.Errorf("got Date %q, want the sandbox's clock, %q", got, want)
	}
}

func TestJournalHoldsNoSecret(t *testing.T) {
	w := fixtureWorld(t)
	w.do(call{path: seaPath, body: fixtureBody, header: fixtureHeader()})
	entries, _ := w.server.Journal()
	e := entries[0]
	if e.Header["Accesskey"] != "[REDACTED]" || e.Header["Sign"] != "[REDACTED]" || e.Header["Ts"] != strconv.Itoa(fixtureTS) {
		t.Errorf("got header %v, want accessKey and sign masked and ts kept", e.Header)
	}
	if e.Service != "nxlink" || e.Endpoint != "batch_create" || e.Code != "0" || e.Rows != 1 || !e.Committed || e.Commit != 1 ||
		len(e.Keys) != 1 || e.Keys[0] != "8618667728886" {
		t.Errorf("got %+v", e)
	}
}
