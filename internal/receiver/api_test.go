package receiver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/inbox"
	"github.com/sluicehq/sluice/internal/receiver/client"
)

// fill stores requests at two endpoints, some of them quarantined.
func fill(t *testing.T, w *world, n int) {
	t.Helper()
	for i := range n {
		e := inbox.Endpoint{Name: "a", Vendor: "v", Account: "1", Type: "x"}
		if i%3 == 0 {
			e.Name = "b"
		}
		req := inbox.Request{Endpoint: e, Method: "POST", Header: http.Header{"Content-Type": {"text/plain"}}, Body: fmt.Appendf(nil, "body %d", i), Keys: []string{fmt.Sprint(i), fmt.Sprint(i / 2)}}
		if i%7 == 6 {
			req.Quarantine = TokenReuse
		}
		if _, err := w.box.Append(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
}

// A client is told what a reader on the folder is told.
func TestClientReadsAsReaderDoes(t *testing.T) {
	w := start(t, t.TempDir(), nil)
	fill(t, w, 50)
	var far, near inbox.Log = w.client(), w.box.Reader()
	onlyA := func(e inbox.Endpoint) bool { return e.Name == "a" }
	for _, q := range []inbox.Query{
		{}, {After: 10}, {After: 49}, {After: 50}, {After: 10, Head: 20}, {Rows: 7}, {Bytes: 300}, {Quarantined: true}, {Endpoint: onlyA}, {Endpoint: onlyA, Rows: 5, After: 3, Quarantined: true},
	} {
		got, err := far.Read(t.Context(), q)
		want, err2 := near.Read(t.Context(), q)
		if err != nil || err2 != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v: %v, %v\n%+v, want\n%+v", q, err, err2, got, want)
		}
	}
	for name, ask := range map[string]func(inbox.Log) (int64, error){
		"head":  func(l inbox.Log) (int64, error) { return l.Head(t.Context()) },
		"floor": func(l inbox.Log) (int64, error) { return l.Floor(t.Context()) },
	} {
		got, err := ask(far)
		want, err2 := ask(near)
		if got != want || err != nil || err2 != nil {
			t.Errorf("%s: %d, %d, %v, %v", name, got, want, err, err2)
		}
	}
	c, r := w.client(), w.box.Reader()
	same(t, "endpoints", c.Endpoints, r.Endpoints)
	same(t, "quarantined", func(ctx context.Context) ([]inbox.Quarantined, error) { return c.Quarantined(ctx, 7, 3) },
		func(ctx context.Context) ([]inbox.Quarantined, error) { return r.Quarantined(ctx, 7, 3) })
	same(t, "record", func(ctx context.Context) (inbox.Record, error) { return c.Get(ctx, 7) }, func(ctx context.Context) (inbox.Record, error) { return r.Get(ctx, 7) })
	id, err := c.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.SetCursor(t.Context(), id, "a source/of ours", 17), c.SetCursor(t.Context(), id, "other", 3), c.DropConsumer(t.Context(), "other")); err != nil {
		t.Fatal(err)
	}
	same(t, "consumers", c.Consumers, r.Consumers)
	if list, err := c.Consumers(t.Context()); err != nil || len(list) != 1 || list[0].Seq != 17 || list[0].Name != "a source/of ours" {
		t.Error(list, err)
	}
}

func same[T any](t *testing.T, what string, far, near func(context.Context) (T, error)) {
	t.Helper()
	got, err := far(t.Context())
	want, err2 := near(t.Context())
	if err != nil || err2 != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %v, %v\n%+v, want\n%+v", what, err, err2, got, want)
	}
}

// Errors keep what callers tell them apart by.
func TestClientErrors(t *testing.T) {
	w := start(t, t.TempDir(), nil)
	fill(t, w, 7)
	c := w.client()
	get := func(seq int64) error { _, err := c.Get(t.Context(), seq); return err }
	release := func(seq int64) error { _, err := c.Release(t.Context(), seq); return err }
	replay := func(seq int64) error { _, err := c.Replay(t.Context(), seq); return err }
	for name, v := range map[string]struct{ got, want error }{
		"no such record":          {get(99), inbox.ErrNotFound},
		"release of none":         {release(99), inbox.ErrNotFound},
		"release of a good one":   {release(1), inbox.ErrNotHeld},
		"replay of a quarantined": {replay(7), inbox.ErrNotHeld},
	} {
		if !errors.Is(v.got, v.want) {
			t.Errorf("%s: %v", name, v.got)
		}
	}
	if err := replay(1); err != nil {
		t.Error(err)
	}
	if err := release(7); err != nil {
		t.Error(err)
	}
	if err := release(7); !errors.Is(err, inbox.ErrNotHeld) {
		t.Error(err)
	}
	id, err := c.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetCursor(t.Context(), id, "far", 1000); connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), "is not in the inbox, which ends at") {
		t.Error(err)
	}
	if err := c.SetCursor(t.Context(), id+1, "far", 1); connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), (id+1).String()) {
		t.Error(err)
	}
	if list, err := c.Consumers(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("a refused cursor made %v known, %v", list, err)
	}
	other, err := client.New(client.Config{URL: "http://" + w.admin, Token: connector.NewSecret("guess")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	if _, err := other.Head(t.Context()); connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), "token") {
		t.Error(err)
	}
	w.close()
	if _, err := c.Head(t.Context()); connector.KindOf(err) != connector.KindTransient {
		t.Error(err)
	}
	for _, bad := range []client.Config{{}, {URL: "receiver:9465"}, {URL: "ftp://x", Token: connector.NewSecret("x")}, {URL: "http://x"}, {URL: "http://x", Token: connector.NewSecret("x"), CAFile: "missing"}} {
		if _, err := client.New(bad); connector.KindOf(err) != connector.KindConfig {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func (w *world) get(path string, header http.Header) (int, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, "http://"+w.admin+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header = header
	resp, err := w.http.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestHealthAndMetrics(t *testing.T) {
	w := start(t, t.TempDir(), nil)
	if status, body := w.get("/healthz", nil); status != 200 || body != "ok\n" {
		t.Error(status, body)
	}
	if status, body := w.get("/readyz", nil); status != 200 || body != "ready\n" {
		t.Error(status, body)
	}
	w.send(ask{header: signed(secret, time.Now()), body: item("a")})
	w.send(ask{header: signed("guess", time.Now()), body: item("a")})
	w.send(ask{path: "/what-a-stranger-types", body: item("a")})
	_, text := w.get("/metrics", nil)
	for _, want := range []string{
		`sluice_receiver_requests_total{endpoint="main/portrait",outcome="stored"} 1`, `sluice_receiver_requests_total{endpoint="main/portrait",outcome="forged"} 1`,
		`sluice_receiver_requests_total{endpoint="",outcome="unknown_path"} 1`, "sluice_inbox_head 1", "sluice_receiver_token_reuse_total 0", "sluice_receiver_ack_seconds_count 1",
		"sluice_inbox_refusing 0", "sluice_receiver_connections ", "sluice_inbox_disk_free_bytes ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, path[:8]) || strings.Contains(text, "stranger") {
		t.Error("metrics hold a path")
	}
	w.r.opts.MinFree = 1 << 62
	if status, body := w.get("/readyz", nil); status != 503 || !strings.Contains(body, "MiB left") {
		t.Error(status, body)
	}
	w.r.opts.MinFree = 1
	if err := w.box.Close(); err != nil {
		t.Fatal(err)
	}
	if status, body := w.get("/readyz", nil); status != 503 || !strings.Contains(body, "inbox") {
		t.Error(status, body)
	}
	for _, h := range []http.Header{nil, {"Authorization": {"Bearer guess"}}, {"Authorization": {apiToken}}, {"Authorization": {"Bearer "}}} {
		if status, body := w.get("/v1/bounds", h); status != 401 || !strings.Contains(body, "token") {
			t.Error(h, status, body)
		}
	}
	w.r.opts.Token = connector.Secret{}
}

// Without a token in the configuration there is no API, not even for an empty one.
func TestNoToken(t *testing.T) {
	w := start(t, t.TempDir(), func(o *Options) { o.Token = connector.Secret{} })
	if status, body := w.get("/v1/bounds", http.Header{"Authorization": {"Bearer "}}); status != 403 || !strings.Contains(body, "admin.token") {
		t.Error(status, body)
	}
}
