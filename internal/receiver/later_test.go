package receiver

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/outcall"
	ocsandbox "github.com/sluicehq/sluice/connector/outcall/sandbox"
	"github.com/sluicehq/sluice/internal/sandbox"
	"github.com/sluicehq/sluice/internal/ssrf"
)

// recorder stands where a webhook says that it wants to be confirmed.
func recorder(t *testing.T, answers ...string) (url string, calls chan string) {
	t.Helper()
	calls = make(chan string, 100)
	next := make(chan string, len(answers))
	for _, a := range answers {
		next <- a
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, <-next)
		calls <- string(b)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, calls
}

func guard(t *testing.T, p ssrf.Policy) *ssrf.Guard {
	t.Helper()
	g, err := ssrf.New(p, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

// counted waits until so many calls have come to an end.
func (w *world) counted(kind, outcome string, n int) {
	w.t.Helper()
	want := fmt.Sprintf("sluice_receiver_calls_total{kind=%q,outcome=%q} %d\n", kind, outcome, n)
	for {
		if _, text := w.get("/metrics", nil); strings.Contains(text, want) {
			return
		}
		<-time.After(time.Millisecond)
	}
}

func asking(url, id string) []byte {
	return fmt.Appendf(nil, `{"callBackUrl":%q,"data":[{"id":%q}]}`, url, id)
}

// A sender that wants to be told is told, once, with a signature of its own, again where that may help, and only where a
// person has listed its host.
func TestConfirms(t *testing.T) {
	url, calls := recorder(t, `{"code":509}`, `{"code":200}`, `{"code":507}`)
	host := strings.TrimPrefix(url, "http://")
	w := start(t, t.TempDir(), func(o *Options) { o.Confirms = guard(t, ssrf.Policy{Hosts: []string{host}, Private: true}) })
	now := time.Now()
	for i := range 3 { // sent three times: confirmed once
		if _, body := w.send(ask{header: signed(secret, now.Add(time.Duration(i)*time.Millisecond)), body: asking(url+"/cb", "a")}); body != accepted {
			t.Fatal(body)
		}
	}
	w.counted("confirm", "done", 1)
	for range 2 {
		if got := <-calls; !strings.Contains(got, `"successData":["a"],"failData":[]`) || !strings.Contains(got, `"tenantId":82`) {
			t.Error(got)
		}
	}
	w.send(ask{header: signed(secret, now.Add(time.Second)), body: asking(url, "b")})
	w.counted("confirm", "failed", 1) // refused for good: not tried again
	<-calls
	for i, other := range []string{"http://127.0.0.1:1/", "http://169.254.169.254/latest/meta-data/", "https://" + host, "http://user@" + host, "file:///etc/passwd"} {
		w.send(ask{header: signed(secret, now.Add(2*time.Second+time.Duration(i)*time.Millisecond)), body: asking(other, fmt.Sprint("c", i))})
	}
	w.counted("confirm", "failed", 5)
	if n := len(w.open()); n == 0 { // the host that is listed, but speaks no TLS: that may pass
		t.Error("nothing is left to be done")
	}
	if len(calls) != 0 {
		t.Errorf("%d calls too many", len(calls))
	}
	if log := w.log.String(); strings.Contains(log, "meta-data") {
		t.Error("the log holds an address out of data")
	}
}

// Without a list of hosts nobody is called, and requests are acknowledged all the same.
func TestConfirmsNobody(t *testing.T) {
	url, calls := recorder(t)
	w := start(t, t.TempDir(), nil)
	if _, body := w.send(ask{header: signed(secret, time.Now()), body: asking(url, "a")}); body != accepted {
		t.Fatal(body)
	}
	w.counted("confirm", "failed", 1)
	if len(calls) != 0 || !strings.Contains(w.log.String(), "callback_hosts") {
		t.Error(len(calls), w.log)
	}
}

// A callback that only says where its numbers are: the list is fetched from the CRM and stored as a request behind it.
func TestFetches(t *testing.T) {
	crm := ocsandbox.New(ocsandbox.Options{ImportDelay: -1})
	run, err := sandbox.New(sandbox.Options{Seed: 1}, crm).Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = run.Stop() }()
	c := outcall.Vendor.Source.NewConfig().(*outcall.SourceConfig)
	c.UserID, c.Token, c.BaseURL = ocsandbox.UserID, connector.NewSecret(ocsandbox.Token), run.URL
	hook, err := outcall.Vendor.Source.Webhooks[0].Hook(c)
	if err != nil {
		t.Fatal(err)
	}
	e := Endpoint{Name: "calls", Vendor: "outcall", Type: outcall.Vendor.Source.Webhooks[0].Name, Path: connector.NewSecret(NewPath()), Hook: hook}
	w := start(t, t.TempDir(), func(o *Options) {
		o.Endpoints, o.Calls = []Endpoint{e}, guard(t, ssrf.Policy{Private: true})
	})
	crm.SetCallback(ocsandbox.Callback{URL: w.url()})
	imported(t, run.URL)
	crm.WaitCallbacks()
	w.counted("fetch", "done", 1)
	recs := w.all()
	if len(recs) != 2 || recs[0].Quarantine != "" || !strings.Contains(string(recs[0].Body), "download-number") || !strings.Contains(string(recs[1].Body), "13012121212") {
		t.Fatalf("%d records: %+v", len(recs), recs)
	}
	if recs[1].Endpoint != recs[0].Endpoint || !strings.Contains(recs[1].Note, "fetched") {
		t.Errorf("%+v", recs[1])
	}
	// The same callback again makes no record, and nothing is fetched for it; replayed by a person it is fetched again, and
	// what is fetched is known.
	if status, _ := w.send(ask{body: recs[0].Body}); status != 200 {
		t.Error(status)
	}
	if n := len(w.all()); n != 2 {
		t.Errorf("%d records after a repeat", n)
	}
	if _, err := w.client().Replay(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	w.counted("fetch", "done", 2)
	if n := len(w.all()); n != 3 {
		t.Errorf("%d records after a replay", n)
	}
	// An address elsewhere is not called, whatever it holds.
	w.send(ask{body: []byte(`{"type":"import_number","mode":"batch","unique_id":"x","data":{"url":"http://127.0.0.1:1/agent-api/download-number?key=a"}}`)})
	w.counted("fetch", "failed", 1)
}

// imported puts one number into a task of the sandbox.
func imported(t *testing.T, base string) {
	t.Helper()
	body := `{"data":[{"phone":"13012121212","sort":0,"name":"A","sex":1,"extra":"x"}]}`
	url := base + "/agent-api/user/" + ocsandbox.UserID + "/task/" + ocsandbox.TaskID + "/async_number"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer " + ocsandbox.Token}, "Content-Type": {"application/json"}}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %s, %v", resp.StatusCode, answer, err)
	}
}
