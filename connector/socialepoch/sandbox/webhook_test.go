package sandbox_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	se "github.com/sluicehq/sluice/connector/socialepoch/sandbox"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// heard is one webhook request as it arrived.
type heard struct {
	path   string
	header http.Header
	body   struct {
		AccessToken string
		TenantID    int64
		Timestamp   int64
		Data        []map[string]any
	}
	raw string
}

// listener is the receiving side: it keeps what it hears and answers as told.
type listener struct {
	t      *testing.T
	answer func(n int) (status int, body string, after time.Duration) // of the n-th request, from 1
	mu     sync.Mutex
	heard  []heard
}

const success = `{"code":200,"message":"Success","data":""}`

func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	h := heard{path: r.URL.Path, header: r.Header, raw: string(raw)}
	if err := errors.Join(err, json.Unmarshal(raw, &h.body)); err != nil {
		l.t.Errorf("%s: %v", raw, err)
	}
	l.mu.Lock()
	l.heard = append(l.heard, h)
	n := len(l.heard)
	l.mu.Unlock()
	status, body, after := 200, success, time.Duration(0)
	if l.answer != nil {
		status, body, after = l.answer(n)
	}
	if after > 0 {
		<-time.After(after)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func (l *listener) items(path string) (list []map[string]any) {
	for _, h := range l.heard {
		if h.path == path {
			list = append(list, h.body.Data...)
		}
	}
	return list
}

// told makes a service with one customer that tells a listener of changes. It runs in a bubble.
func told(t *testing.T, o se.Options, answer func(n int) (int, string, time.Duration)) (*se.Service, *world, *listener) {
	l := &listener{t: t, answer: answer}
	o.Webhooks.Portrait, o.Webhooks.WriteFlow = "http://etl.test/portrait", "http://etl.test/flow"
	o.Webhooks.Client = &http.Client{Transport: sandbox.Transport(l)}
	w := newWorld(t, o)
	w.now = time.Now()
	t.Cleanup(func() { _ = w.service.Close() })
	if got := w.post(importPath, rows(`"whatsApp":"861","friendName":"A","sex":"male","birthday":"2020/03/08","tabName":"x,y","Signed on":"2022/03/08","Points":12.5`), nil); !strings.Contains(got, `"successCount":1`) {
		t.Fatal(got)
	}
	return w.service, w, l
}

func change(field, value string) se.Change {
	return se.Change{Agent: se.Agent, Number: "861", Field: field, Value: value}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWebhookForm(t *testing.T) {
	for _, place := range []string{"", se.PlaceHeader, se.PlaceBody, se.PlaceBoth} {
		synctest.Test(t, func(t *testing.T) {
			s, w, l := told(t, se.Options{Webhooks: se.Webhooks{Placement: place}}, nil)
			defer s.Close()
			must(t, s.Change(change("sex", "unknown")))
			must(t, s.Drain(context.Background()))
			must(t, s.Change(se.Change{Agent: se.Agent, Number: "861", Follow: "called", URLs: []string{"http://f/1"}}))
			must(t, s.Drain(context.Background()))
			if len(l.heard) != 3 {
				t.Fatalf("%d requests", len(l.heard))
			}
			for _, h := range l.heard {
				stamp := strconv.FormatInt(w.now.UnixMilli(), 10)
				mac := hmac.New(sha256.New, []byte(se.WebhookSecret))
				fmt.Fprintf(mac, "82%s", stamp)
				token := hex.EncodeToString(mac.Sum(nil))
				inHeader, inBody := place != se.PlaceBody, place == se.PlaceBody || place == se.PlaceBoth
				if got := h.header.Get("access_token") == token && h.header.Get("tenant_id") == "82" && h.header.Get("timestamp") == stamp; got != inHeader {
					t.Errorf("%q: headers %v", place, h.header)
				}
				if (h.body.AccessToken == token) != inBody || h.body.TenantID != 82 || h.body.Timestamp != w.now.UnixMilli() {
					t.Errorf("%q: body %s", place, h.raw)
				}
			}
			item := l.heard[0].body.Data[0]
			want := map[string]any{"type": 1.0, "userName": se.Agent, "friendWhatsId": "861", "field": "Gender", "fieldType": 0.0, "fieldConfig": 3.0, "sourceValue": "MALE", "targetValue": "UNKOWNN",
				"updateAt": w.now.In(time.FixedZone("", 8*3600)).Format(time.DateTime), "id": item["id"]}
			if id, _ := item["id"].(string); fmt.Sprint(item) != fmt.Sprint(want) || len(id) != 32 {
				t.Errorf("got %v\nwant %v", item, want)
			}
			follow, flow := l.items("/portrait")[1], l.items("/flow")[0]
			if follow["type"] != 2.0 || follow["targetValue"] != `{"data":{"text":"called","url":["http://f/1"]},"dataTypeMap":{"writeFollow":"Write follow-up"}}` {
				t.Errorf("portrait: %v", follow)
			}
			if flow["follow"] != `{"data":{"text":"called","url":["http://f/1"]}` || flow["username"] != se.Agent || flow["id"] != nil {
				t.Errorf("write flow: %v", flow)
			}
		})
	}
}

func TestImportsTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, w, l := told(t, se.Options{Webhooks: se.Webhooks{Imports: true, Chinese: true}}, nil)
		defer s.Close()
		must(t, s.Drain(context.Background()))
		var got []string
		for _, it := range l.items("/portrait") {
			got = append(got, fmt.Sprintf("%v:%v>%v", it["field"], it["sourceValue"], it["targetValue"]))
		}
		want := []string{"姓名:>A", "性别:>MALE", "生日:>2020-03-08", "标签:>[x,y]", "Points:>12.5", "Signed on:>2022-03-08"}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		n := len(l.heard)
		w.post(importPath, rows(`"whatsApp":"861","friendName":"A","cancelTabName":"x"`, `"whatsApp":"bad"`), nil)
		w.post(appendPath, rows(`"whatsApp":"861","friendName":"Pool"`), nil)
		must(t, s.Drain(context.Background()))
		if items := l.items("/portrait")[6:]; len(items) != 1 || items[0]["sourceValue"] != "[x,y]" || items[0]["targetValue"] != "[y]" || len(l.heard) != n+1 {
			t.Errorf("got %v", items)
		}
	})
}

// Late, wrong and missing answers are failures: the request is signed anew and sent again, and given up in the end.
func TestWebhookRetries(t *testing.T) {
	for _, tt := range []struct {
		name     string
		answer   func(n int) (int, string, time.Duration)
		requests int
		failures int64
		givenUp  int64
	}{
		{"just in time", func(int) (int, string, time.Duration) { return 200, success, 3*time.Second - 1 }, 1, 0, 0},
		{"late once", func(n int) (int, string, time.Duration) {
			return 200, success, time.Duration(2-n) * (3*time.Second + 1)
		}, 2, 1, 0},
		{"asks for it again", func(n int) (int, string, time.Duration) {
			if n < 3 {
				return 200, `{"code":500,"message":"later","data":""}`, 0
			}
			return 200, success, 0
		}, 3, 2, 0},
		{"never", func(int) (int, string, time.Duration) { return 503, success, 0 }, 3, 3, 1},
		{"no code", func(int) (int, string, time.Duration) { return 200, `{"message":"","data":""}`, 0 }, 3, 3, 1},
		{"no data", func(int) (int, string, time.Duration) { return 200, `{"code":200,"message":""}`, 0 }, 3, 3, 1},
		{"no JSON", func(int) (int, string, time.Duration) { return 200, `success`, 0 }, 3, 3, 1},
		{"redirect", func(int) (int, string, time.Duration) { return 302, success, 0 }, 3, 3, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, w, l := told(t, se.Options{}, tt.answer)
				defer s.Close()
				w.server = sandbox.New(sandbox.Options{Clock: time.Now}, s) // the clock runs
				must(t, s.Change(change("friendName", "B")))
				must(t, s.Drain(context.Background()))
				totals := s.WebhookTotals()
				if len(l.heard) != tt.requests || totals.Failures != tt.failures || totals.GivenUp != tt.givenUp || totals.Delivered != 1-tt.givenUp {
					t.Errorf("%d requests, %+v", len(l.heard), totals)
				}
				for i := 1; i < len(l.heard); i++ {
					if l.heard[i].body.Timestamp <= l.heard[i-1].body.Timestamp || l.heard[i].header.Get("access_token") == l.heard[i-1].header.Get("access_token") {
						t.Error("the second attempt is not signed anew")
					}
				}
			})
		})
	}
}

func TestWebhookBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, w, l := told(t, se.Options{Webhooks: se.Webhooks{Vary: true, Shuffle: true, Repeat: 3, Seed: 7, Imports: true}}, nil)
		defer s.Close()
		var members []string
		for i := range 2000 {
			members = append(members, fmt.Sprintf(`"whatsApp":"86%d","friendName":"N%d"`, i, i))
		}
		w.post(importPath, rows(members...), nil)
		must(t, s.Drain(context.Background()))
		empty, repeated, most := 0, 0, 0
		times, order := map[string]int{}, []string{}
		for i, h := range l.heard {
			n := len(h.body.Data)
			if most = max(most, n); n == 0 {
				empty++
			}
			if i > 0 && h.raw == l.heard[i-1].raw && n > 0 {
				repeated++
			}
			for _, it := range h.body.Data {
				id := it["id"].(string)
				if times[id]++; times[id] == 1 {
					order = append(order, id)
				}
			}
		}
		totals := s.WebhookTotals()
		if len(times) != int(totals.Items) || totals.Delivered != totals.Items || totals.Items < 2000 || totals.Waiting != 0 {
			t.Errorf("%d items heard, %+v", len(times), totals)
		}
		if empty == 0 || repeated == 0 || int64(repeated) > totals.Repeats || most > 50 || most < 40 || slices.IsSorted(order) {
			t.Errorf("%d empty, %d repeated, at most %d items, in order: %v", empty, repeated, most, slices.IsSorted(order))
		}
		n := len(l.heard)
		if s.Redeliver(2) != 2 || s.Redeliver(-1) != 0 {
			t.Error("two requests should be sent again")
		}
		must(t, s.Drain(context.Background()))
		if len(l.heard) != n+2 || s.WebhookTotals().Delivered != totals.Delivered {
			t.Errorf("%d more requests", len(l.heard)-n)
		}
	})
}

func TestWebhookQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s, _, l := told(t, se.Options{Webhooks: se.Webhooks{Queue: 5, MaxItems: 1}}, func(int) (int, string, time.Duration) {
			<-release
			return 200, success, 0
		})
		must(t, s.Change(change("friendName", "0")))
		synctest.Wait() // it is on its way
		for i := range 9 {
			must(t, s.Change(change("friendName", strconv.Itoa(i+1))))
		}
		if totals := s.WebhookTotals(); totals.Items != 10 || totals.Dropped != 4 || totals.Waiting != 5 {
			t.Errorf("%+v", totals)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if s.Drain(ctx) == nil {
			t.Error("nothing waits")
		}
		close(release)
		must(t, s.Drain(context.Background()))
		if len(l.heard) != 6 {
			t.Errorf("%d requests", len(l.heard))
		}
		// After Close nothing is sent any more, and nothing breaks.
		must(t, s.Close())
		must(t, s.Close())
		must(t, s.Change(change("friendName", "z")))
		if s.Redeliver(1) != 0 || len(l.heard) != 6 {
			t.Error("it sends after Close")
		}
	})
}

// Close does not wait for an answer that never comes.
func TestCloseWhileSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, _ := told(t, se.Options{}, func(int) (int, string, time.Duration) { return 503, "", 0 })
		must(t, s.Change(change("friendName", "B")))
		synctest.Wait() // it waits for the next attempt
		must(t, s.Close())
	})
}

func TestChangesAreJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, w, l := told(t, se.Options{}, nil)
		defer s.Close()
		for _, c := range []se.Change{
			change("sex", "1"), change("birthday", "2020-03-08"), change("stage", "nowhere"), change("whatsApp", "862"), change("nothing", "x"), change("Channel", "Moon"),
			{Agent: "nobody", Number: "861", Field: "sex", Value: "male"}, {Agent: se.Agent, Number: "862", Follow: "x"}, {Tenant: 83, Agent: se.Agent, Number: "861", Follow: "x"},
		} {
			if err := s.Change(c); err == nil {
				t.Errorf("%+v is taken", c)
			}
		}
		must(t, s.Change(change("friendName", "A"))) // as it was
		must(t, s.Drain(context.Background()))
		if len(l.heard) != 0 {
			t.Errorf("%d requests", len(l.heard))
		}
		must(t, s.Change(change("Interests", "Music,Sport")))
		must(t, s.Change(change("tabName", "")))
		must(t, s.Change(change("Points", "")))
		must(t, s.Change(change("birthday", "")))
		must(t, s.Drain(context.Background()))
		var got []string
		for _, it := range l.items("/portrait") {
			got = append(got, fmt.Sprintf("%v:%v>%v", it["field"], it["sourceValue"], it["targetValue"]))
		}
		if want := []string{"Interests:>[Music,Sport]", "Tags:[x,y]>", "Points:12.5>", "DOB:2020-03-08>"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		for _, tt := range [][2]string{
			{`POST /_sandbox/socialepoch/change {"agentAccount":"kubrick101","whatsApp":"861","field":"friendName","value":"Z"}`, `"items":5`},
			{`POST /_sandbox/socialepoch/change {"agentAccount":"x","whatsApp":"861","field":"friendName","value":"Z"}`, `there is no such customer`},
			{`POST /_sandbox/socialepoch/change {"agentAccount":"kubrick101","whatsApp":"861","field":"sex","value":"Z"}`, `is refused with 10`},
			{`POST /_sandbox/socialepoch/change x`, `"error"`},
			{`POST /_sandbox/socialepoch/webhooks x`, `"error"`},
			{`POST /_sandbox/socialepoch/redeliver x`, `"error"`},
			{`POST /_sandbox/socialepoch/redeliver {"last":0}`, `"requests":0`},
			{`GET /_sandbox/socialepoch/webhooks `, `"delivered":`},
			{`POST /_sandbox/socialepoch/webhooks {"vary":true}`, `"delivered":`},
		} {
			method, rest, _ := strings.Cut(tt[0], " ")
			address, body, _ := strings.Cut(rest, " ")
			req, err := http.NewRequestWithContext(context.Background(), method, "http://sandbox.test"+address, strings.NewReader(body))
			must(t, err)
			resp, err := sandbox.Transport(w.server).RoundTrip(req)
			must(t, err)
			text, _ := io.ReadAll(resp.Body)
			if !strings.Contains(string(text), tt[1]) {
				t.Errorf("%s: %s", tt[0], text)
			}
		}
	})
}

const queryPath = "/wscrm-bus-api/open/customer/query"

func TestFriendQuery(t *testing.T) {
	w := newWorld(t, se.Options{})
	ask := func(body string, header map[string]string) string { return w.post(queryPath, body, header) }
	w.post(importPath, rows(`"whatsApp":"862","friendName":"B","sex":"male","stage":"Won","source":"Default","tabName":"x","birthday":"2020/03/08","Signed on":"2024/07/08"`, `"whatsApp":"861"`), nil)
	const query = `{"tenantId":82,"whatsId":"86187272722"}`
	for _, tt := range []struct{ body, header, want string }{
		{query, "", `{"code":200,"message":"Success","data":[{"whatsId":"86187272722","name":null,"sex":null,"email":null,"birthday":null,"address":null,"profession":null,"income":null,"desc":null,"country":null,"stage":null,"source":null,"tabList":null,"firstChatTime":"2026-01-06 20:00:00","lastChatTime":"2026-01-06 20:00:00","extendMap":{}},` +
			`{"whatsId":"86187272722","name":"B","sex":"MALE","email":null,"birthday":"2020/03/08","address":null,"profession":null,"income":null,"desc":null,"country":null,"stage":30,"source":20,"tabList":["x"],"firstChatTime":"2026-01-06 20:00:00","lastChatTime":"2026-01-06 20:00:00","extendMap":{"Signed on":"2024/07/08"}}]}`},
		{`{"whatsId":"86187272722"}`, "", `"data":[{`}, {`{"tenantId":82,"whatsId":"1"}`, "", `"data":[]`},
		{`{"tenantId":83,"whatsId":"1"}`, "", `"code":-1`}, {`{"tenantId":82}`, "", `WhatsId Is Null`}, {`{"tenantId":82,"whatsId":1}`, "", `"code":-1`}, {`{`, "", `"code":-1`}, {query, "x", "token error"},
	} {
		header := map[string]string{}
		if tt.header != "" {
			header["token"] = tt.header
		}
		if got := ask(tt.body, header); !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %s", tt.body, got)
		}
	}
	w = newWorld(t, se.Options{Query: se.Query{ContactNumber: true, StringData: true}})
	w.post(importPath, rows(`"whatsApp":"862"`), nil)
	if got := ask(query, nil); !strings.Contains(got, `"data":"[{\"whatsId\":\"862\"`) {
		t.Error(got)
	}
}
