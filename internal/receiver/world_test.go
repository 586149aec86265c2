package receiver

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/socialepoch"
	"github.com/sluicehq/sluice/internal/inbox"
	"github.com/sluicehq/sluice/internal/receiver/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	tenant   = "82"
	secret   = "the-secret-of-the-vendor"
	retired  = "the-secret-before-that-one"
	path     = "kq3v9x2m7w5t8z4c6b1n0p7r5s3d9f2h"
	apiToken = "a-token-for-the-api"
)

// world is a receiver at work on a folder.
type world struct {
	t      *testing.T
	dir    string
	opts   Options
	box    *inbox.Inbox
	r      *Receiver
	public string // address
	admin  string
	log    *syncBuffer
	http   *http.Client

	signed time.Time // requests up to then were signed by honest
	stop   context.CancelFunc
	done   chan error
	closed sync.Once
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func portraitHook(t testing.TB) connector.Hook {
	t.Helper()
	c := socialepoch.SocialEpoch.Source.NewConfig().(*socialepoch.SourceConfig)
	c.TenantID = 82
	c.WebhookSecrets = []connector.Secret{connector.NewSecret(secret), connector.NewSecret(retired)}
	h, err := socialepoch.SocialEpoch.Source.Webhooks[0].Hook(c)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func portrait(t testing.TB) Endpoint {
	return Endpoint{Name: "main/portrait", Vendor: "socialepoch", Type: "user_sync_portrait", Path: connector.NewSecret(path), Hook: portraitHook(t)}
}

// start runs a receiver on a folder; edit may change its options.
func start(t *testing.T, dir string, edit func(*Options)) *world {
	t.Helper()
	return startAt(t, inbox.Options{Dir: dir}, listen(t), listen(t), edit)
}

// startAt is start with an inbox and listeners of the caller's choice.
func startAt(t *testing.T, box inbox.Options, public, admin net.Listener, edit func(*Options)) *world {
	t.Helper()
	w := &world{t: t, dir: box.Dir, log: &syncBuffer{}, done: make(chan error, 1), http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	log := slog.New(slog.NewTextHandler(w.log, nil))
	box.Log = log
	var err error
	if w.box, err = inbox.Open(t.Context(), box); err != nil {
		t.Fatal(err)
	}
	w.opts = Options{
		Inbox: w.box, Dir: box.Dir, Log: log, Endpoints: []Endpoint{portrait(t)}, Token: connector.NewSecret(apiToken),
		MinFree: 1, Limits: Limits{Rate: -1},
	}
	if edit != nil {
		edit(&w.opts)
	}
	if w.r, err = New(t.Context(), w.opts); err != nil {
		t.Fatal(err)
	}
	w.r.later.pause = time.Millisecond
	w.public, w.admin = public.Addr().String(), admin.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	go func() { w.done <- w.r.Serve(ctx, Listeners{Public: public, Admin: admin}) }()
	t.Cleanup(w.close)
	return w
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// close stops the receiver in order.
func (w *world) close() {
	w.closed.Do(func() {
		w.http.CloseIdleConnections()
		w.stop()
		if err := <-w.done; err != nil {
			w.t.Errorf("serve: %v", err)
		}
		if err := w.box.Close(); err != nil {
			w.t.Errorf("close: %v", err)
		}
	})
}

// client of the API.
func (w *world) client() *client.Client {
	w.t.Helper()
	c, err := client.New(client.Config{URL: "http://" + w.admin, Token: connector.NewSecret(apiToken)})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Close() })
	return c
}

func token(key, tenant, stamp string) string {
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = io.WriteString(mac, tenant+stamp)
	return hex.EncodeToString(mac.Sum(nil))
}

// signed makes headers of a request signed at a time.
func signed(key string, at time.Time) http.Header {
	stamp := strconv.FormatInt(at.UnixMilli(), 10)
	return http.Header{"tenant_id": {tenant}, "timestamp": {stamp}, "access_token": {token(key, tenant, stamp)}, "Content-Type": {"application/json"}}
}

// ask is a request to be made.
type ask struct {
	method, path string
	header       http.Header
	body         []byte
	stream       io.Reader // instead of body: sent in chunks
}

func (w *world) url() string { return "http://" + w.public + (&w.opts.Endpoints[0]).Address() }

// send makes a request; a sender that is cut off gets status 0.
func (w *world) send(a ask) (status int, body string) {
	w.t.Helper()
	if a.method == "" {
		a.method = http.MethodPost
	}
	url := w.url()
	if a.path != "" {
		url = "http://" + w.public + a.path
	}
	in := a.stream
	if in == nil {
		in = bytes.NewReader(a.body)
	}
	req, err := http.NewRequestWithContext(context.Background(), a.method, url, in)
	if err != nil {
		w.t.Error(err)
		return 0, ""
	}
	if a.header != nil {
		req.Header = a.header
	}
	resp, err := w.http.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp.StatusCode, err.Error()
	}
	return resp.StatusCode, string(b)
}

// item is a body with one profile change.
func item(id string) []byte {
	return fmt.Appendf(nil, `{"data":[{"id":%q,"type":1,"friendWhatsId":"8615601882491","field":"Name","fieldType":0,"targetValue":"x"}]}`, id)
}

const accepted = `{"code":200,"message":"Success","data":""}`

// all reads the whole log, what is quarantined too.
func (w *world) all() []inbox.Record {
	w.t.Helper()
	p, err := w.box.Reader().Read(context.Background(), inbox.Query{Quarantined: true, Rows: 1 << 20, Bytes: 1 << 30})
	if err != nil || p.More || len(p.Damaged) > 0 {
		w.t.Fatalf("%v, %+v", err, p.Damaged)
	}
	return p.Records
}
