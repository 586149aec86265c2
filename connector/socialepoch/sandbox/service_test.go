package sandbox_test

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	se "github.com/sluicehq/sluice/connector/socialepoch/sandbox"
	"github.com/sluicehq/sluice/internal/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	importPath  = "/wscrm-bus-api/customer/api/batchImport"
	appendPath  = "/wscrm-bus-api/customer/api/batchImportAppendV2"
	replacePath = "/wscrm-bus-api/customer/api/batchImportWhatsContact"
)

// world is a sandbox in process with a clock that the test moves.
type world struct {
	t       *testing.T
	service *se.Service
	server  *sandbox.Server
	now     time.Time
}

func newWorld(t *testing.T, o se.Options) *world {
	w := &world{t: t, service: se.New(o), now: time.Date(2026, 1, 6, 12, 0, 0, 0, time.UTC)}
	w.server = sandbox.New(sandbox.Options{Clock: func() time.Time { return w.now }, Seed: 1}, w.service)
	return w
}

// post sends a body; header overrides the signed ones, "-" removes one.
func (w *world) post(path, body string, header map[string]string) string {
	w.t.Helper()
	values := map[string]string{"tenant_id": "82", "timestamp": strconv.FormatInt(w.now.UnixMilli(), 10), "Content-Type": "application/json"}
	for name, v := range header {
		values[name] = v
	}
	if _, given := values["token"]; !given {
		sum := md5.Sum([]byte(values["tenant_id"] + values["timestamp"] + se.APIKey))
		values["token"] = hex.EncodeToString(sum[:])
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://sandbox.test"+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for name, v := range values {
		if v != "-" {
			req.Header.Set(name, v)
		}
	}
	resp, err := sandbox.Transport(w.server).RoundTrip(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

// rows makes a body of contacts of the default agent.
func rows(members ...string) string {
	list := make([]string, len(members))
	for i, m := range members {
		list[i] = `{"agentAccount":"kubrick101",` + m + `}`
	}
	return `{"tenantId":82,"data":[` + strings.Join(list, ",") + `]}`
}

func TestRequests(t *testing.T) {
	good := rows(`"whatsApp":"8615266667780"`)
	many := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf(`"whatsApp":"86152%06d"`, i)
		}
		return rows(list...)
	}
	at := func(off time.Duration) map[string]string {
		return map[string]string{"timestamp": strconv.FormatInt(time.Date(2026, 1, 6, 12, 0, 0, 0, time.UTC).Add(off).UnixMilli(), 10)}
	}
	for _, tc := range []struct {
		name, body string
		header     map[string]string
		want       string
	}{
		{"good", good, nil, `"successCount":1,"errCount":0`},
		{"no tenant", good, map[string]string{"tenant_id": "-"}, "TenantId Is Null"},
		{"other tenant", good, map[string]string{"tenant_id": "83"}, `{"code":-1,"message":"token error"`},
		{"no token", good, map[string]string{"token": "-"}, "token error"},
		{"upper case token", good, map[string]string{"token": strings.ToUpper("5487b56a4639953f4eb219348c1699a4")}, "token error"},
		{"no timestamp", good, map[string]string{"timestamp": "-"}, "token error"},
		{"no content type", good, map[string]string{"Content-Type": "text/plain"}, "Content-Type"},
		{"just in time", good, at(-5 * time.Minute), `"successCount":1`},
		{"late", good, at(-5*time.Minute - time.Millisecond), "timestamp expired"},
		{"early", good, at(5*time.Minute + time.Millisecond), "timestamp expired"},
		{"no JSON", `{"tenantId":82,"data":[],}`, nil, "not valid JSON"},
		{"list", `[]`, nil, "must be an object"},
		{"tenant missing", `{"data":[{}]}`, nil, "TenantId Is Null"},
		{"tenant of another", strings.Replace(good, "82", "83", 1), nil, "token error"},
		{"tenant as text", strings.Replace(good, "82", `"82"`, 1), nil, "tenantId must be a number"},
		{"no data", `{"tenantId":82}`, nil, `{"code":-1,"message":"Data Is Null","data":null}`},
		{"empty data", rows(), nil, "Data Is Null"},
		{"number for text", rows(`"whatsApp":8615266667780`), nil, "data[0].whatsApp must be a text"},
		{"full", many(10_000), nil, `"successCount":10000,"errCount":0`},
		{"too many", many(10_001), nil, `"errCode":19}],"successCount":0,"errCount":10001`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, se.Options{})
			if got := w.post(importPath, tc.body, tc.header); !strings.Contains(got, tc.want) {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			if strings.Contains(tc.want, "successCount") != (len(w.service.Contents()) > 0) && tc.name != "too many" {
				t.Errorf("%d contacts are stored", len(w.service.Contents()))
			}
		})
	}
}

func TestContacts(t *testing.T) {
	const phone = `"whatsApp":"8615266667780",`
	long := strings.Repeat("长", 501)
	urls := strings.TrimSuffix(strings.Repeat("http://a.b/c,", 11), ",")
	w := newWorld(t, se.Options{Required: []string{"friendName"}})
	for _, tc := range []struct {
		members string
		code    int
	}{
		{`"sex":"Male"`, 10}, {`"sex":"unknown"`, 0}, {`"source":"nowhere"`, 14}, {`"stage":"10"`, 15}, {`"languageTag":"zh"`, 16},
		{`"Faction":"` + long + `"`, 21}, {`"Faction":"` + long[:1500] + `"`, 0}, {`"friendName":""`, 22}, {`"friendName":null`, 22},
		{`"Points":"x"`, 23}, {`"Points":1.5`, 0}, {`"Points":"1.5"`, 0},
		{`"birthday":"2020-03-08"`, 24}, {`"birthday":"2020/02/30"`, 24}, {`"birthday":"2020/3/8"`, 24}, {`"birthday":"2020/03/08"`, 0},
		{`"Signed on":"8.3.2020"`, 24}, {`"Signed on":"2020-03-08"`, 0}, {`"Signed on":"2020/03/08"`, 0},
		{`"Call at":"9:00"`, 25}, {`"Call at":"09:00:00"`, 0},
		{`"Channel":"Moon"`, 26}, {`"Channel":"Web,Store"`, 26}, {`"Channel":"[\"Web\",\"Store\"]"`, 26}, {`"Channel":"Web"`, 0}, {`"Channel":"[\"Web\"]"`, 0}, {`"Channel":["Web"]`, 0},
		{`"Interests":"Music,Moon"`, 27}, {`"Interests":"Music,Sport"`, 0}, {`"whatsApp":"86-abc"`, 28}, {`"whatsApp":""`, 29},
		{`"country":""`, 51}, {`"country":"Atlantis"`, 51}, {`"country":"China"`, 0},
		{`"Files":"` + urls + `"`, 58}, {`"Files":"ftp://a"`, 59}, {`"Files":"http://a/oversize"`, 60}, {`"Files":"http://a/b,https://c/d"`, 0},
		{`"unheard of":1`, 0}, {`"agentAccount":""`, 22},
	} {
		got := w.post(importPath, rows(phone+`"friendName":"A",`+tc.members), nil)
		var answer struct {
			Code int
			Data struct {
				ErrExcel []struct {
					ErrPhone, ErrInfo string
					ErrCode           int
				}
				SuccessCount, ErrCount int
			}
		}
		if err := json.Unmarshal([]byte(got), &answer); err != nil || answer.Code != 200 {
			t.Fatalf("%s: %s", tc.members, got)
		}
		code := 0
		for _, e := range answer.Data.ErrExcel {
			code = e.ErrCode
		}
		if code != tc.code || answer.Data.SuccessCount+answer.Data.ErrCount != 1 {
			t.Errorf("%.80s: got %.200s, want %d", tc.members, got, tc.code)
		}
	}
	if ignored := w.service.State().Ignored; ignored != 1 {
		t.Errorf("%d values were ignored, want 1", ignored)
	}
}

// The example of the vendor's page for the appending pool, agents kept apart, tags added and taken away.
func TestStores(t *testing.T) {
	w := newWorld(t, se.Options{})
	w.post(appendPath, rows(`"whatsApp":"861821733142"`, `"whatsApp":"861272562622"`), nil)
	w.post(appendPath, rows(`"whatsApp":"861272562623"`), nil)
	w.post(importPath, rows(`"whatsApp":"861821733142","friendName":"A","tabName":"a,b","email":"a@b.cn"`), nil)
	w.post(importPath, rows(`"whatsApp":"861821733142","friendName":"B","tabName":"c","cancelTabName":"a,x"`), nil)
	w.post(importPath, strings.Replace(rows(`"whatsApp":"861821733142","friendName":"C"`), "kubrick101", "other", 1), nil)
	want := []string{
		`{"store":"customers","tenant_id":82,"agentAccount":"kubrick101","whatsApp":"861821733142","fields":{"email":"a@b.cn","friendName":"B"},"tags":["b","c"],"times":0}`,
		`{"store":"customers","tenant_id":82,"agentAccount":"other","whatsApp":"861821733142","fields":{"friendName":"C"},"times":0}`,
		`{"store":"pool","tenant_id":82,"agentAccount":"kubrick101","whatsApp":"861272562622","fields":{},"times":0}`,
		`{"store":"pool","tenant_id":82,"agentAccount":"kubrick101","whatsApp":"861272562623","fields":{},"times":0}`,
		`{"store":"pool","tenant_id":82,"agentAccount":"kubrick101","whatsApp":"861821733142","fields":{},"times":0}`,
	}
	if got := w.service.Contents(); !slices.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
	w.server.Reset()
	if got := w.service.Contents(); len(got) != 0 || w.service.Summary() != (se.Totals{}) {
		t.Errorf("after a reset there are %v, %+v", got, w.service.Summary())
	}
}

func TestLock(t *testing.T) {
	w := newWorld(t, se.Options{Lock: true})
	body := rows(`"whatsApp":"861821733142"`)
	for _, step := range []struct {
		wait time.Duration
		want string
	}{{0, `"errCount":0`}, {59999 * time.Millisecond, `"errCode":56`}, {time.Millisecond, `"errCount":0`}, {time.Second, `"errCode":56`}} {
		w.now = w.now.Add(step.wait)
		if got := w.post(importPath, body, nil); !strings.Contains(got, step.want) {
			t.Errorf("after %v: %s, want %s", step.wait, got, step.want)
		}
	}
}

func TestQuirks(t *testing.T) {
	const entry = `{"errPhone":"1x","errInfo":"PHONE_ERROR","errCode":28}`
	const tail = `"notFollowSuccessCount":"","notFollowSuccessExcels":[]}}`
	for _, tc := range []struct {
		quirks se.Quirks
		want   string
	}{
		{se.Quirks{}, `{"code":200,"message":"Success","data":{"successExcel":[],"errExcel":[` + entry + `,` + strings.Replace(entry, "1x", "2x", 1) + `],"successCount":0,"errCount":2,` + tail},
		{se.Quirks{Collapsed: true, TrailingComma: true}, `{"code":200,"message":"Success","data":{"successExcel":[],"errExcel":[` + strings.Replace(entry, "1x", "", 1) + `,],"successCount":0,"errCount":2,` + tail},
		{se.Quirks{StringCode: true, TopLevel: true, Msg: true}, `{"code":"28","msg":"PHONE_ERROR","data":null}`},
	} {
		if got := newWorld(t, se.Options{Quirks: tc.quirks}).post(importPath, rows(`"whatsApp":"1x"`, `"whatsApp":"2x"`), nil); got != tc.want {
			t.Errorf("got  %s\nwant %s", got, tc.want)
		}
	}
}

func TestDoc(t *testing.T) {
	if doc := se.Doc(); strings.Count(doc, "\n") != len(se.Assumptions) || !strings.Contains(doc, "**Lock** (assumed)") {
		t.Errorf("doc: %s", doc)
	}
}

// The example of the vendor's page for the replacing interface: who is not in the request is gone, and nobody else is.
func TestReplacedPool(t *testing.T) {
	w := newWorld(t, se.Options{})
	w.post(appendPath, rows(`"whatsApp":"861821733142"`, `"whatsApp":"861272562622"`), nil)
	w.post(appendPath, strings.ReplaceAll(rows(`"whatsApp":"861821733142"`), "kubrick101", "other"), nil)
	w.post(importPath, rows(`"whatsApp":"861821733142","friendName":"A"`), nil)
	w.post(replacePath, rows(`"whatsApp":"861272562622","tabName":"a,b","cancelTabName":"a"`, `"whatsApp":"nobody"`), nil)
	want := []string{
		`{"store":"customers","tenant_id":82,"agentAccount":"kubrick101","whatsApp":"861821733142","fields":{"friendName":"A"},"times":0}`,
		`{"store":"pool","tenant_id":82,"agentAccount":"kubrick101","whatsApp":"861272562622","fields":{},"tags":["b"],"times":0}`,
		`{"store":"pool","tenant_id":82,"agentAccount":"other","whatsApp":"861821733142","fields":{},"times":0}`,
	}
	if got := w.service.Contents(); !slices.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
	w.post(replacePath, rows(`"whatsApp":"nobody"`), nil)
	if got := w.service.Contents(); len(got) != 2 {
		t.Errorf("a request without a good contact leaves %v", got)
	}
}
