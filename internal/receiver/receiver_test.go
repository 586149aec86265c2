package receiver

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/inbox"
)

func TestStoresAndAnswers(t *testing.T) {
	w := start(t, t.TempDir(), nil)
	now := time.Now()
	for i, a := range []ask{
		{header: signed(secret, now), body: item("a")},
		{header: signed(retired, now.Add(-time.Minute)), body: item("b")},
		{header: signed(secret, now.Add(time.Millisecond)), body: []byte(`{"data":[]}`)},
		{header: signed(secret, now.Add(2*time.Millisecond)), body: []byte("no JSON at all \x00\xff")},
		{header: signed(secret, now.Add(3*time.Millisecond)), body: []byte{}},
		{header: signed(secret, now.Add(4*time.Millisecond)), stream: strings.NewReader(string(item("c")))},
	} {
		if status, body := w.send(a); status != 200 || body != accepted {
			t.Errorf("%d: %d %s", i, status, body)
		}
	}
	recs := w.all()
	if len(recs) != 6 {
		t.Fatalf("%d records", len(recs))
	}
	want := inbox.Endpoint{Name: "main/portrait", Vendor: "socialepoch", Account: tenant, Type: "user_sync_portrait"}
	for i := range recs {
		h := recs[i].Header()
		if recs[i].Endpoint != want || recs[i].Quarantine != "" || h.Get("Content-Type") != "application/json" || len(h) != 3 || h.Get(TicketHeader) == "" {
			t.Errorf("record %+v, headers %v", recs[i], h)
		}
	}
	if string(recs[3].Body) != "no JSON at all \x00\xff" || !strings.Contains(recs[3].Note, "split") {
		t.Errorf("%q, %q", recs[3].Body, recs[3].Note)
	}
	// The same items again, signed anew: acknowledged, and no record made.
	if status, body := w.send(ask{header: signed(secret, now.Add(5*time.Millisecond)), body: append(item("a"), ' ')}); status != 200 || body != accepted {
		t.Error(status, body)
	}
	if n := len(w.all()); n != 6 {
		t.Errorf("%d records after a repeat", n)
	}
}

// What is refused is not stored, and its sender is told what the vendor's protocol has for that.
func TestRefuses(t *testing.T) {
	strict := portrait(t)
	strict.Name, strict.Path = "elsewhere", connector.NewSecret(NewPath())
	strict.AllowFrom = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	w := start(t, t.TempDir(), func(o *Options) { o.Endpoints = append(o.Endpoints, strict); o.Limits.Body = 1000 })
	now := time.Now()
	good := func() http.Header { return signed(secret, now) }
	with := func(name, value string) http.Header {
		h := good()
		h[name] = []string{value}
		return h
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write(item("a"))
	_ = z.Close()
	for name, c := range map[string]struct {
		ask    ask
		status int
		says   string
	}{
		"unsigned":          {ask{body: item("a")}, 401, "signature incorrect"},
		"another secret":    {ask{header: signed("guess", now), body: item("a")}, 401, "signature incorrect"},
		"another company":   {ask{header: with("tenant_id", "83"), body: item("a")}, 401, "signature incorrect"},
		"another time":      {ask{header: with("timestamp", "1"), body: item("a")}, 401, "signature incorrect"},
		"stale":             {ask{header: signed(secret, now.Add(-time.Hour)), body: item("a")}, 400, "timestamp timeout"},
		"of the future":     {ask{header: signed(secret, now.Add(time.Hour)), body: item("a")}, 400, "timestamp timeout"},
		"unknown path":      {ask{path: "/hooks/socialepoch/user_sync_portrait/" + NewPath(), header: good(), body: item("a")}, 404, "Not Found"},
		"start of a path":   {ask{path: "/hooks/socialepoch/user_sync_portrait/" + path[:31], header: good(), body: item("a")}, 404, "Not Found"},
		"root":              {ask{path: "/", method: "GET"}, 404, "Not Found"},
		"admin on public":   {ask{path: "/metrics", method: "GET"}, 404, "Not Found"},
		"get":               {ask{method: "GET", header: good()}, 405, "Method Not Allowed"},
		"zipped":            {ask{header: with("Content-Encoding", "gzip"), body: zipped.Bytes()}, 415, "Unsupported"},
		"too long":          {ask{header: good(), body: make([]byte, 1001)}, 413, "Too Large"},
		"too long, chunked": {ask{header: good(), stream: io.LimitReader(zeros{}, 1<<20)}, 413, "Too Large"},
		"huge header":       {ask{header: with("X-Padding", strings.Repeat("x", 20<<10)), body: item("a")}, 431, ""},
		"not from there":    {ask{path: strict.Address(), header: good(), body: item("a")}, 404, "Not Found"},
	} {
		status, body := w.send(c.ask)
		if status != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%s: %d %q, want %d %s", name, status, body, c.status, c.says)
		}
	}
	if recs := w.all(); len(recs) != 0 {
		t.Errorf("%d requests were stored", len(recs))
	}
	if log := w.log.String(); strings.Contains(log, path[5:]) || strings.Contains(log, secret) {
		t.Error("the log holds a secret")
	}
	// The longest body that is allowed, both ways.
	long := append(item("long"), bytes.Repeat([]byte{' '}, 1000-len(item("long")))...)
	if status, _ := w.send(ask{header: good(), body: long}); status != 200 {
		t.Error(status)
	}
	if status, _ := w.send(ask{header: good(), stream: io.MultiReader(bytes.NewReader(long))}); status != 200 {
		t.Error(status)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A ticket is good for one body. Another one is kept aside, also by a receiver that was started in between.
func TestTokenReuse(t *testing.T) {
	dir := t.TempDir()
	w := start(t, dir, nil)
	h := signed(secret, time.Now())
	post := func(body []byte) {
		t.Helper()
		if status, text := w.send(ask{header: h, body: body}); status != 200 || text != accepted {
			t.Fatal(status, text)
		}
	}
	post(item("a"))
	post(item("a"))
	post(item("forged"))
	held := func() (list []int64) {
		for _, r := range w.all() {
			if r.Quarantine == TokenReuse {
				list = append(list, r.Seq)
			} else if r.Quarantine != "" || strings.Contains(string(r.Body), "forged") {
				t.Errorf("%+v", r)
			}
		}
		return list
	}
	if got := held(); len(got) != 1 || len(w.all()) != 2 {
		t.Fatalf("quarantined %v of %d", got, len(w.all()))
	}
	if log := w.log.String(); !strings.Contains(log, "used for another body") {
		t.Error("no alarm in the log:", log)
	}
	w.close()
	w = start(t, dir, nil)
	post(item("forged too"))
	post(item("a"))
	if got := held(); len(got) != 2 || len(w.all()) != 3 {
		t.Fatalf("after a start: quarantined %v of %d", got, len(w.all()))
	}
	// What a person releases comes in as any other, once.
	c, first := w.client(), held()[0]
	r, err := c.Release(t.Context(), first)
	if err != nil || r.Seq != 4 {
		t.Fatal(r, err)
	}
	if page, err := c.Read(t.Context(), inbox.Query{}); err != nil || len(page.Records) != 2 || page.Held != 2 || page.Records[1].Origin != first {
		t.Fatalf("%+v, %v", page, err)
	}
}

// Whatever keeps a request from the disk asks for it again, and says so neither with a success nor for good.
func TestNotStored(t *testing.T) {
	w := start(t, t.TempDir(), func(o *Options) { o.Limits.Bodies = 1 << 20 })
	again := func(why string) {
		t.Helper()
		if status, body := w.send(ask{header: signed(secret, time.Now()), body: item("a")}); status != 200 || !strings.Contains(body, `"code":500`) {
			t.Errorf("%s: %d %s", why, status, body)
		}
	}
	w.r.slots.take(w.r.slots.most)
	again("too many in flight")
	w.r.slots.free(w.r.slots.most)
	w.r.bodies.take(1 << 20)
	again("too much in flight")
	w.r.bodies.free(1 << 20)
	w.r.rates.perSecond, w.r.rates.burst = 1e-9, 0
	again("too fast")
	w.r.rates.perSecond = -1
	if n := len(w.all()); n != 0 {
		t.Errorf("%d stored", n)
	}
	if status, body := w.send(ask{header: signed(secret, time.Now()), body: item("a")}); body != accepted {
		t.Error(status, body)
	}
	if err := w.box.Close(); err != nil {
		t.Fatal(err)
	}
	again("closed")
	if got := w.r.slots.held.Load() + w.r.bodies.held.Load(); got != 0 {
		t.Errorf("%d are not given back", got)
	}
}

// tiredHook answers as vendors do whose senders know the status of too many requests.
type tiredHook struct{ connector.Hook }

func (tiredHook) Reply(error) connector.Response {
	return connector.Response{Status: http.StatusTooManyRequests}
}

// Where the status asks for the request again, a header says when; where it does not, none is there.
func TestRetryAfter(t *testing.T) {
	w := start(t, t.TempDir(), func(o *Options) {
		o.Endpoints = calling(t, "http://127.0.0.1:1")
		tired := portrait(t)
		tired.Name, tired.Path, tired.Hook = "tired", connector.NewSecret(NewPath()), tiredHook{tired.Hook}
		o.Endpoints = append(o.Endpoints, tired)
	})
	for _, c := range []struct {
		endpoint int
		busy     bool
		status   int
		after    string
	}{
		{0, true, 200, ""}, // the code in the body says it
		{0, false, 401, ""},
		{1, true, 503, "1"},
		{1, false, 200, ""},
		{2, true, 429, "1"},
	} {
		if c.busy {
			w.r.slots.take(w.r.slots.most)
		}
		a := answered{header: http.Header{}}
		w.r.ServeHTTP(&a, httptest.NewRequest(http.MethodPost, w.opts.Endpoints[c.endpoint].Address(), strings.NewReader("{}")))
		if got := a.header.Get("Retry-After"); a.status != c.status || got != c.after {
			t.Errorf("%+v: %d, Retry-After %q", c, a.status, got)
		}
		if c.busy {
			w.r.slots.free(w.r.slots.most)
		}
	}
}

// brokenHook panics on what it was not made for.
type brokenHook struct{ connector.Hook }

func (brokenHook) Split([]byte) ([]connector.Item, error) { panic("a case nobody thought of") }

func TestPanickingHook(t *testing.T) {
	w := start(t, t.TempDir(), func(o *Options) { o.Endpoints[0].Hook = brokenHook{o.Endpoints[0].Hook} })
	if status, body := w.send(ask{header: signed(secret, time.Now()), body: item("a")}); status != 200 || !strings.Contains(body, `"code":500`) {
		t.Error(status, body)
	}
	if !strings.Contains(w.log.String(), "a case nobody thought of") {
		t.Error("the log says nothing of it")
	}
}

// What is in flight when the receiver is told to stop is stored and answered; what comes then finds nobody.
func TestStop(t *testing.T) {
	w := start(t, t.TempDir(), nil)
	in, out := io.Pipe()
	h := signed(secret, time.Now())
	body := item("late")
	type answer struct {
		status int
		body   string
	}
	got := make(chan answer)
	go func() {
		status, body := w.send(ask{header: h, stream: in})
		got <- answer{status, body}
	}()
	if _, err := out.Write(body[:10]); err != nil {
		t.Fatal(err)
	}
	for w.r.bodies.held.Load() == 0 { // until the handler reads
		<-time.After(time.Millisecond)
	}
	w.stop()
	<-w.r.stopping
	if _, err := out.Write(body[10:]); err != nil {
		t.Fatal(err)
	}
	_ = out.Close()
	if a := <-got; a.status != 200 || a.body != accepted {
		t.Error(a)
	}
	w.close()
	rd, err := inbox.OpenReader(w.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rd.Close() }()
	if head, err := rd.Head(t.Context()); head != 1 || err != nil {
		t.Error(head, err)
	}
}
