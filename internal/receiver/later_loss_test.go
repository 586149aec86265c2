package receiver

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/outcall"
	ocsandbox "github.com/sluicehq/sluice/connector/outcall/sandbox"
	"github.com/sluicehq/sluice/internal/inbox"
	"github.com/sluicehq/sluice/internal/sandbox"
	"github.com/sluicehq/sluice/internal/ssrf"
)

// confirmed stands where webhooks want to be confirmed and counts how often each of their items was.
type confirmed struct {
	url, host string
	mu        sync.Mutex
	items     map[string]int
}

func confirming(t *testing.T) *confirmed {
	c := &confirmed{items: map[string]int{}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			SuccessData []string `json:"successData"`
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		c.mu.Lock()
		for _, id := range in.SuccessData {
			c.items[id]++
		}
		c.mu.Unlock()
		_, _ = w.Write([]byte(`{"code":200}`))
	}))
	t.Cleanup(srv.Close)
	c.url, c.host = srv.URL, strings.TrimPrefix(srv.URL, "http://")
	return c
}

func (c *confirmed) times(id string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.items[id]
}

// hangs is a network on which no connection comes about until it is opened.
type hangs struct{ open chan struct{} }

func (h hangs) dial(ctx context.Context, network, address string) (net.Conn, error) {
	select {
	case <-h.open:
		return new(net.Dialer).DialContext(ctx, network, address)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// calling makes endpoints of both vendors whose webhooks ask for calls: SocialEpoch's first.
func calling(t *testing.T, base string) []Endpoint {
	t.Helper()
	c := outcall.Vendor.Source.NewConfig().(*outcall.SourceConfig)
	c.UserID, c.Token, c.BaseURL = ocsandbox.UserID, connector.NewSecret(ocsandbox.Token), base
	hook, err := outcall.Vendor.Source.Webhooks[0].Hook(c)
	if err != nil {
		t.Fatal(err)
	}
	return []Endpoint{portrait(t), {Name: "calls", Vendor: "outcall", Type: outcall.Vendor.Source.Webhooks[0].Name, Path: connector.NewSecret("c4ll3v9x2m7w5t8z4c6b1n0p7r5s3d9f"), Hook: hook}}
}

// outcallWorld is the sandbox of the CRM whose lists are fetched.
func outcallWorld(t *testing.T) (crm *ocsandbox.Service, base string) {
	t.Helper()
	crm = ocsandbox.New(ocsandbox.Options{ImportDelay: -1})
	run, err := sandbox.New(sandbox.Options{Seed: 1}, crm).Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = run.Stop() })
	return crm, run.URL
}

// photograph copies the folder of a receiver at work, as its sudden death would leave it. Another process does it: one
// that closes a file of a database drops the locks that it holds on it.
func photograph(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "photograph")
	if out, err := exec.Command("cp", "-r", dir, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return to
}

// open returns what is still to be done.
func (w *world) open() []int64 {
	w.t.Helper()
	list, err := w.box.Reader().FollowUps(context.Background(), nil, 0, 10_000)
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// A receiver dies between its acknowledgement and the calls that the webhooks ask for: the next one makes them.
func TestCallsAfterCrash(t *testing.T) {
	host := confirming(t)
	crm, base := outcallWorld(t)
	never := hangs{}
	w := start(t, t.TempDir(), func(o *Options) {
		o.Endpoints = calling(t, base)
		o.Calls = guard(t, ssrf.Policy{Private: true, Dial: never.dial})
		o.Confirms = guard(t, ssrf.Policy{Hosts: []string{host.host}, Private: true, Dial: never.dial})
	})
	crm.SetCallback(ocsandbox.Callback{URL: "http://" + w.public + (&w.opts.Endpoints[1]).Address()})
	imported(t, base)
	crm.WaitCallbacks()
	if _, body := w.send(ask{header: signed(secret, time.Now()), body: asking(host.url, "a")}); body != accepted {
		t.Fatal(body)
	}
	dead := photograph(t, w.dir)
	w.close()
	if got := w.log.String(); strings.Contains(got, "did not come through") {
		t.Error("the end of the process counts as a failure:", got)
	}

	w = start(t, dead, func(o *Options) {
		o.Endpoints = calling(t, base)
		o.Calls = guard(t, ssrf.Policy{Private: true})
		o.Confirms = guard(t, ssrf.Policy{Hosts: []string{host.host}, Private: true})
	})
	if n := len(w.open()); n != 2 && host.times("a") == 0 {
		t.Errorf("%d records are on the list", n)
	}
	w.counted("confirm", "done", 1)
	w.counted("fetch", "done", 1)
	if host.times("a") != 1 {
		t.Errorf("confirmed %d times", host.times("a"))
	}
	recs := w.all()
	if len(recs) != 3 || !strings.Contains(string(recs[2].Body), "13012121212") {
		t.Errorf("%d records, %+v", len(recs), recs)
	}
	w.close()
	r, err := inbox.OpenReader(dead)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if list, err := r.FollowUps(t.Context(), nil, 0, 10); err != nil || len(list) != 0 {
		t.Errorf("still on the list: %v, %v", list, err)
	}
}

// More webhooks ask for calls than a lane looks at in one go, while none comes through: all are acknowledged, and all
// calls are made in the end, each once. Another endpoint's are made meanwhile.
func TestCallsPileUp(t *testing.T) {
	const requests, senders = 5 * laterChunk, 16
	host := confirming(t)
	crm, base := outcallWorld(t)
	stuck := hangs{open: make(chan struct{})}
	w := start(t, t.TempDir(), func(o *Options) {
		o.Endpoints = calling(t, base)
		o.Calls = guard(t, ssrf.Policy{Private: true})
		o.Confirms = guard(t, ssrf.Policy{Hosts: []string{host.host}, Private: true, Dial: stuck.dial})
	})
	now := time.Now()
	var work sync.WaitGroup
	for s := range senders {
		work.Go(func() {
			for i := s; i < requests; i += senders {
				at := now.Add(time.Duration(i-requests/2) * time.Millisecond)
				if _, body := w.send(ask{header: signed(secret, at), body: asking(host.url, fmt.Sprint("e", i))}); body != accepted {
					t.Errorf("%d: %s", i, body)
				}
			}
		})
	}
	work.Wait()
	if n := len(w.open()); n != requests {
		t.Errorf("%d are on the list", n)
	}
	crm.SetCallback(ocsandbox.Callback{URL: "http://" + w.public + (&w.opts.Endpoints[1]).Address()})
	imported(t, base)
	crm.WaitCallbacks()
	w.counted("fetch", "done", 1)
	close(stuck.open)
	w.counted("confirm", "done", requests)
	for i := range requests {
		if n := host.times(fmt.Sprint("e", i)); n != 1 {
			t.Fatalf("request %d was confirmed %d times", i, n)
		}
	}
	w.r.later.flush(t.Context())
	if list := w.open(); len(list) != 0 {
		t.Errorf("still on the list: %v", list)
	}
}

// A call that does not come through is made again until it does, and the log has one line of it.
func TestCallsAgain(t *testing.T) {
	busy := `{"code":509}`
	url, calls := recorder(t, busy, "<html>", busy, busy, busy, `{"code":200}`)
	w := start(t, t.TempDir(), func(o *Options) {
		o.Confirms = guard(t, ssrf.Policy{Hosts: []string{strings.TrimPrefix(url, "http://")}, Private: true})
	})
	w.send(ask{header: signed(secret, time.Now()), body: asking(url, "a")})
	w.counted("confirm", "done", 1)
	w.counted("confirm", "retry", 5)
	if n := len(calls); n != 6 {
		t.Errorf("%d calls", n)
	}
	if got := strings.Count(w.log.String(), "did not come through"); got != 1 {
		t.Errorf("%d lines in the log:\n%s", got, w.log)
	}
}

// After a day nobody waits for a call any more: it is given up, counted and told. A person may have it made after all.
func TestCallsGivenUp(t *testing.T) {
	host := confirming(t)
	dir := t.TempDir()
	confirms := func(p ssrf.Policy) func(*Options) {
		p.Hosts, p.Private = []string{host.host}, true
		return func(o *Options) { o.Confirms = guard(t, p) }
	}
	w := start(t, dir, confirms(ssrf.Policy{Dial: hangs{}.dial}))
	for i, id := range []string{"a", "b"} {
		w.send(ask{header: signed(secret, time.Now().Add(time.Duration(i)*time.Millisecond)), body: asking(host.url, id)})
	}
	w.close()
	w = start(t, dir, func(o *Options) {
		confirms(ssrf.Policy{})(o)
		o.Clock = func() time.Time { return time.Now().Add(giveUpAfter + time.Minute) }
	})
	w.counted(anyCall, "given_up", 2)
	if log := w.log.String(); !strings.Contains(log, "requests=2 first=1 last=2") || strings.Count(log, "in a day") != 1 {
		t.Error(log)
	}
	if _, err := w.client().Replay(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	w.counted("confirm", "done", 1)
	if host.times("a") != 0 || host.times("b") != 1 {
		t.Errorf("confirmed %d and %d times", host.times("a"), host.times("b"))
	}
}

// What is quarantined is confirmed only when a person has let it through.
func TestCallsOfReleased(t *testing.T) {
	host := confirming(t)
	w := start(t, t.TempDir(), func(o *Options) { o.Confirms = guard(t, ssrf.Policy{Hosts: []string{host.host}, Private: true}) })
	h := signed(secret, time.Now())
	w.send(ask{header: h, body: asking(host.url, "a")})
	w.counted("confirm", "done", 1)
	w.send(ask{header: h, body: asking(host.url, "b")})
	if list := w.open(); host.times("b") != 0 || len(list) > 0 && list[len(list)-1] > 1 {
		t.Error("confirmed, or about to be:", list)
	}
	if _, err := w.client().Release(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	w.counted("confirm", "done", 2)
	if host.times("b") != 1 {
		t.Error("not confirmed")
	}
}

// panics breaks where the call is to be made.
type panics struct{ connector.Hook }

func (panics) AppendConfirm(*connector.Request, []byte, time.Time) (bool, error) {
	panic("a case nobody thought of")
}
func (panics) ParseConfirm(*connector.Response) (connector.Outcome, error) {
	return connector.Outcome{}, nil
}

// A hook that breaks keeps no request from being stored and acknowledged, and no other call from being made.
func TestCallsPanic(t *testing.T) {
	w := start(t, t.TempDir(), func(o *Options) { o.Endpoints[0].Hook = panics{o.Endpoints[0].Hook} })
	for i := range 2 {
		if _, body := w.send(ask{header: signed(secret, time.Now().Add(time.Duration(i)*time.Millisecond)), body: item(fmt.Sprint(i))}); body != accepted {
			t.Fatal(body)
		}
	}
	w.counted(anyCall, "internal", 2)
	if !strings.Contains(w.log.String(), "a case nobody thought of") {
		t.Error("the log says nothing of it")
	}
}
