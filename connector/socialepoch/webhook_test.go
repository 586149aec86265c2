package socialepoch

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

const testSecret = "f9a40a4780f5e1306c46f1c8daecee3b"

// listening is a configuration that hears company 82.
func listening(change ...func(*SourceConfig)) *SourceConfig {
	c := source.NewConfig().(*SourceConfig)
	c.TenantID, c.WebhookSecrets = 82, []connector.Secret{connector.NewSecret(testSecret)}
	for _, f := range change {
		f(c)
	}
	return c
}

func hookFor(t testing.TB, webhook string, c *SourceConfig) connector.Hook {
	t.Helper()
	for _, w := range source.Webhooks {
		if w.Name == webhook {
			h, err := w.Hook(c)
			if err != nil {
				t.Fatal(err)
			}
			return h
		}
	}
	t.Fatalf("no webhook %s", webhook)
	return nil
}

// sign is written anew from the vendor's page.
func sign(secret, tenant, stamp string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(tenant + stamp))
	return hex.EncodeToString(mac.Sum(nil))
}

func request(header map[string]string, body string) *connector.Request {
	req := &connector.Request{Header: http.Header{}, Body: []byte(body)}
	for name, v := range header {
		req.Header[name] = []string{v}
	}
	return req
}

func inBodyMode(token, tenant, stamp string) string {
	return fmt.Sprintf(`{"accessToken":"%s","tenantId":%s,"timestamp":%s,"data":[]}`, token, tenant, stamp)
}

// The one triple that the vendor's page shows with its secret, and those of its two examples.
func TestVerifyGolden(t *testing.T) {
	for _, v := range []struct{ tenant, stamp, token string }{
		{"500975", "1666942813620", "df98eda524132837317c5ea7e4f67ef4224dedc3f01548b6cb211b08eb0328c5"},
		{"500975", "1667293135274", "1b6e59c3e1171834adc72c6acb8522027bcb65d9e603d9262d7a54c80c7b2ee4"},
		{"82", "1667295870936", "2b2b3495f42553885ce93de04f2bde683eee319bda82d9643154c4ef8c37792f"},
	} {
		ms, _ := strconv.ParseInt(v.stamp, 10, 64)
		tenant, _ := strconv.ParseInt(v.tenant, 10, 64)
		for _, webhook := range []string{hookPortrait, hookFollow} {
			h := hookFor(t, webhook, listening(func(c *SourceConfig) { c.TenantID = tenant }))
			header := map[string]string{"Tenant_id": v.tenant, "Timestamp": v.stamp, "Access_token": v.token}
			for name, req := range map[string]*connector.Request{"header": request(header, "{}"), "body": request(nil, inBodyMode(v.token, v.tenant, v.stamp))} {
				ticket, err := h.Verify(req, time.UnixMilli(ms))
				want := connector.Ticket{Tenant: v.tenant, Signed: time.UnixMilli(ms), Expires: time.UnixMilli(ms).Add(defaultWindow * time.Second), Token: v.token}
				if err != nil || ticket != want {
					t.Errorf("%s, %s: got %+v, %v", name, v.stamp, ticket, err)
				}
			}
		}
	}
}

func TestVerify(t *testing.T) {
	const tenant, stamp = "82", "1667295870936"
	now := time.UnixMilli(1667295870936)
	good := sign(testSecret, tenant, stamp)
	bad := sign("another", tenant, stamp)
	head := func(token, tenant, stamp string) map[string]string {
		return map[string]string{"Access_token": token, "Tenant_id": tenant, "Timestamp": stamp}
	}
	at := func(off time.Duration) (string, string) {
		s := strconv.FormatInt(now.Add(off).UnixMilli(), 10)
		return s, sign(testSecret, tenant, s)
	}
	onTime, onTimeToken := at(-300 * time.Second)
	early, earlyToken := at(300*time.Second + time.Millisecond)
	late, lateToken := at(-300*time.Second - time.Millisecond)
	minute, minuteToken := at(-time.Minute)
	over, overToken := at(-time.Minute - time.Millisecond)
	ahead, aheadToken := at(time.Minute + time.Millisecond)
	window := func(seconds int64) func(*SourceConfig) { return func(c *SourceConfig) { c.WindowSeconds = seconds } }
	rotated := func(c *SourceConfig) {
		c.WebhookSecrets = []connector.Secret{connector.NewSecret("new"), connector.NewSecret(testSecret), connector.NewSecret("old")}
	}
	strict := func(c *SourceConfig) { c.Strict = true }
	for _, tt := range []struct {
		name   string
		header map[string]string
		body   string
		config func(*SourceConfig)
		want   error
	}{
		{"upper case token", head(strings.ToUpper(good), tenant, stamp), "", nil, nil},
		{"second of three secrets", head(good, tenant, stamp), "", rotated, nil},
		{"first secret", head(sign("new", tenant, stamp), tenant, stamp), "", rotated, nil},
		{"last secret", nil, inBodyMode(sign("old", tenant, stamp), tenant, stamp), rotated, nil},
		{"a secret that is gone", head(bad, tenant, stamp), "", rotated, connector.ErrForged},
		{"forged", head(bad, tenant, stamp), "", nil, connector.ErrForged},
		{"forged in the body", nil, inBodyMode(bad, tenant, stamp), nil, connector.ErrForged},
		{"short token", head(good[:62], tenant, stamp), "", nil, connector.ErrForged},
		{"long token", head(good+"00", tenant, stamp), "", nil, connector.ErrForged},
		{"token and rubbish", head(good+"zz", tenant, stamp), "", nil, connector.ErrForged},
		{"the page's token of 38 digits", head("e6e18763d8d5a756d45c01486d7ad6742152ac", tenant, stamp), "", nil, connector.ErrForged},
		{"no token", map[string]string{"Tenant_id": tenant, "Timestamp": stamp}, "{}", nil, connector.ErrForged},
		{"nothing", nil, "", nil, connector.ErrForged},
		{"no time", map[string]string{"Tenant_id": tenant, "Access_token": sign(testSecret, tenant, "")}, "{}", nil, connector.ErrForged},
		{"time is no number", head(sign(testSecret, tenant, "now"), tenant, "now"), "", nil, connector.ErrForged},
		{"another company", head(sign(testSecret, "83", stamp), "83", stamp), "", nil, connector.ErrForged},
		{"digits moved from time to company", head(sign(testSecret, "821", stamp[1:]), "821", stamp[1:]), "", nil, connector.ErrForged},
		{"digits moved from company to time", head(sign(testSecret, "8", "2"+stamp), "8", "2"+stamp), "", nil, connector.ErrForged},
		{"just in time", head(onTimeToken, tenant, onTime), "", nil, nil},
		{"late", head(lateToken, tenant, late), "", nil, connector.ErrStale},
		{"early", head(earlyToken, tenant, early), "", nil, connector.ErrStale},
		{"just in a minute", head(minuteToken, tenant, minute), "", window(60), nil},
		{"late for a minute", head(overToken, tenant, over), "", window(60), connector.ErrStale},
		{"early for a minute", head(aheadToken, tenant, ahead), "", window(60), connector.ErrStale},
		{"late, but not for an hour", head(lateToken, tenant, late), "", window(3600), nil},
		{"late in the body", nil, inBodyMode(lateToken, tenant, late), nil, connector.ErrStale},
		{"both", head(good, tenant, stamp), inBodyMode(good, tenant, stamp), strict, nil},
		{"header good, body forged", head(good, tenant, stamp), inBodyMode(bad, tenant, stamp), nil, nil},
		{"header forged, body good", head(bad, tenant, stamp), inBodyMode(good, tenant, stamp), nil, nil},
		{"header good, body forged, strict", head(good, tenant, stamp), inBodyMode(bad, tenant, stamp), strict, connector.ErrForged},
		{"header forged, body good, strict", head(bad, tenant, stamp), inBodyMode(good, tenant, stamp), strict, connector.ErrForged},
		{"header good, body late, strict", head(good, tenant, stamp), inBodyMode(lateToken, tenant, late), strict, connector.ErrStale},
		{"one alone, strict", head(good, tenant, stamp), "{}", strict, nil},
		{"both wrong, one late", head(lateToken, tenant, late), inBodyMode(bad, tenant, stamp), nil, connector.ErrForged},
		{"company and time in the body only", map[string]string{"Token": good}, `{"tenantId":82,"timestamp":"1667295870936"}`, nil, nil},
		{"company and time in headers only", map[string]string{"Tenant_id": tenant, "Timestamp": stamp}, `{"accessToken":"` + good + `"}`, nil, nil},
		{"body is cut, header good", head(good, tenant, stamp), `{"data":[{`, nil, nil},
		{"body is cut behind its token", nil, inBodyMode(good, tenant, stamp)[:len(inBodyMode(good, tenant, stamp))-2], nil, nil},
		{"token twice in the body", nil, `{"accessToken":"` + good + `","tenantId":82,"timestamp":1667295870936,"accessToken":"` + good + `"}`, nil, connector.ErrForged},
		{"token is null", head("", tenant, stamp), `{"accessToken":null,"tenantId":82,"timestamp":1667295870936}`, nil, connector.ErrForged},
	} {
		c := listening()
		if tt.config != nil {
			tt.config(c)
		}
		_, err := hookFor(t, hookPortrait, c).Verify(request(tt.header, tt.body), now)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
		if err != nil && (strings.Contains(err.Error(), testSecret) || strings.Contains(err.Error(), good)) {
			t.Errorf("%s: the error tells a secret: %v", tt.name, err)
		}
	}
	twice := request(head(good, tenant, stamp), "")
	twice.Header["Access_token"] = []string{good, bad}
	if _, err := hookFor(t, hookPortrait, listening()).Verify(twice, now); !errors.Is(err, connector.ErrForged) {
		t.Errorf("two tokens in one header: %v", err)
	}
}

// The pages name no headers, and proxies change them.
func TestVerifyHeaderNames(t *testing.T) {
	const tenant, stamp = "82", "1667295870936"
	now, good := time.UnixMilli(1667295870936), sign(testSecret, tenant, stamp)
	h := hookFor(t, hookFollow, listening())
	for _, token := range []string{"Access_token", "access_token", "ACCESS-TOKEN", "Access-Token", "accessToken", "Accesstoken", "token", "Token"} {
		for _, company := range []string{"Tenant_id", "tenant_id", "Tenant-Id", "tenantId", "TENANTID"} {
			for _, clock := range []string{"Timestamp", "timestamp"} {
				if _, err := h.Verify(request(map[string]string{token: good, company: tenant, clock: stamp}, "{}"), now); err != nil {
					t.Errorf("%s, %s, %s: %v", token, company, clock, err)
				}
			}
		}
	}
	// A short name counts only where the long one is missing.
	if _, err := h.Verify(request(map[string]string{"Token": "x", "Access-Token": good, "Tenant-Id": tenant, "Timestamp": stamp}, ""), now); err != nil {
		t.Error(err)
	}
}

func TestReply(t *testing.T) {
	h := hookFor(t, hookPortrait, listening())
	for _, tt := range []struct {
		err          error
		status, code int
	}{
		{nil, 200, 200},
		{fmt.Errorf("x: %w", connector.ErrForged), 401, 401},
		{fmt.Errorf("x: %w", connector.ErrStale), 400, 400},
		{errors.New("disk full"), 200, 500},
	} {
		r := h.Reply(tt.err)
		var got struct {
			Code          *int
			Message, Data *string
		}
		if err := json.Unmarshal(r.Body, &got); err != nil || got.Code == nil || got.Message == nil || got.Data == nil {
			t.Fatalf("%v: %s: %v", tt.err, r.Body, err)
		}
		if r.Status != tt.status || *got.Code != tt.code || r.Header.Get("Content-Type") != "application/json" || strings.Contains(string(r.Body), "disk") {
			t.Errorf("%v: %d %s", tt.err, r.Status, r.Body)
		}
	}
}

func keys(items []connector.Item) (list []string) {
	for _, it := range items {
		list = append(list, it.Key)
	}
	return list
}

func TestSplit(t *testing.T) {
	portrait, follow := hookFor(t, hookPortrait, listening()), hookFor(t, hookFollow, listening())
	body := func(stamp, items string) []byte {
		return []byte(`{"accessToken":"` + stamp + `x","callBackUrl":"","tenantId":82,"timestamp":` + stamp + `,"data":[` + items + `]}`)
	}
	const items = `{"id":"a1","type":1}, {"type":2,"id":"b}2"} ,{"id":""},{"id":null},{"id":"` + "\u00e9" + `"},{"id":7},{"id":0},{"id":"x","id":"y"}`
	first, err := portrait.Split(body("1", items))
	if err != nil || len(first) != 8 {
		t.Fatalf("%d items, %v", len(first), err)
	}
	got := keys(first)
	if got[0] != "a1" || got[1] != "b}2" || got[5] != "7" || got[7] != "x" {
		t.Errorf("keys %q", got)
	}
	seen := map[string]bool{}
	for i, it := range first {
		if it.Key == "" || seen[it.Key] {
			t.Errorf("item %d: key %q is empty or repeated", i, it.Key)
		}
		seen[it.Key] = true
	}
	// A request that is signed anew carries the same events.
	again, err := portrait.Split(body("2", items))
	if err != nil || !slices.Equal(keys(again), got) {
		t.Errorf("signed again: %q, %v", keys(again), err)
	}
	// Without ids, an event is its bytes and the company; a member named id means nothing there.
	const flows = `{"friendWhatsId":"1","id":"1","follow":"a"},{"friendWhatsId":"1","id":"1","follow":"b"},{"friendWhatsId":"1","id":"1","follow":"a"}`
	a, err := follow.Split(body("1", flows))
	if err != nil || len(a) != 3 || a[0].Key == a[1].Key || a[0].Key != a[2].Key || len(a[0].Key) != 64 {
		t.Errorf("%q, %v", keys(a), err)
	}
	if b, err := follow.Split(body("9", flows)); err != nil || !slices.Equal(keys(a), keys(b)) {
		t.Errorf("signed again: %q, %v", keys(b), err)
	}
	other := hookFor(t, hookFollow, listening(func(c *SourceConfig) { c.TenantID = 83 }))
	if b, err := other.Split(body("1", flows)); err != nil || b[0].Key == a[0].Key {
		t.Errorf("two companies share a key: %v", err)
	}

	for _, tt := range []struct {
		body  string
		items int // -1: cannot be split
	}{
		{`{"data":[]}`, 0}, {` {"data" : [ ] } `, 0}, {`[{"id":"a"}]`, 1}, {`{"data":{"id":"a"}}`, 1}, {`{"data":[1,"x",null,[2],{}]}`, 5}, {`{"data":[{"id":"a"},]}`, 1},
		{`{"data":[{x},{"id":"b"}]}`, 2},
		{``, -1}, {`null`, -1}, {`{}`, -1}, {`{"data":null}`, -1}, {`{"data":""}`, -1}, {`{"data":[{]}`, -1}, {`{"data":[{}`, -1}, {`{"data":[]`, -1}, {`{"data":[]}x`, -1}, {`{"data":[],"data":[]}`, -1},
		{`{"data":[1 2]}`, -1}, {`{"data":[,1]}`, -1}, {`[1`, -1}, {`<html>`, -1}, {`{"data":[}]}`, -1}, {`{"a" 1,"data":[]}`, -1}, {`{"a":,"data":[]}`, -1}, {`{data:[]}`, -1},
	} {
		got, err := portrait.Split([]byte(tt.body))
		n := len(got)
		if err != nil {
			n = -1
		}
		if n != tt.items {
			t.Errorf("%s: %d items (%v), want %d", tt.body, n, err, tt.items)
		}
	}
}

// lastOf counts rows and keeps the last one.
type lastOf struct {
	n   int
	row []byte
}

func (l *lastOf) AppendEvent(_ string, item int, members []byte) error {
	l.n, l.row = l.n+1, rows.AppendNumbered(nil, "seq", int64(item), members)
	return nil
}

// What stands behind the numbered items of a monstrous request is one last item, and a row.
func TestTooManyItems(t *testing.T) {
	h := hookFor(t, hookPortrait, listening())
	body := []byte(`{"data":[` + strings.Repeat(`{},`, 70_000) + `{"id":"z"}]}`)
	items, err := h.Split(body)
	if err != nil || len(items) != 1<<16 {
		t.Fatalf("%d items, %v", len(items), err)
	}
	out := &lastOf{}
	if err := h.Decode(&connector.Received{Seq: 1, Tenant: "82", Body: body}, out); err != nil || out.n != 1<<16 {
		t.Fatalf("%d rows, %v", out.n, err)
	}
	var last map[string]any
	if err := json.Unmarshal(out.row, &last); err != nil {
		t.Fatal(err)
	}
	raw, _ := last["raw"].(string)
	if !strings.HasSuffix(raw, `,{"id":"z"}`) || strings.Count(raw, "{}") != 70_000-(1<<16-1) || last["event_id"] != items[len(items)-1].Key {
		t.Errorf("the last row holds %d bytes", len(raw))
	}
}

// Eight bytes at once are judged as each of them alone.
func TestPlainID(t *testing.T) {
	for c := range 256 {
		for at := range 20 {
			id := []byte("0123456789abcdefghij")
			id[at] = byte(c)
			if want := c > ' ' && c < 0x7f && c != '"' && c != '\\'; plainID(id) != want {
				t.Fatalf("%q: %t", id, !want)
			}
		}
	}
}
