package sandbox_test

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	nx "github.com/sluicehq/sluice/connector/nx/sandbox"
	"github.com/sluicehq/sluice/internal/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	seaPath    = "/saas/sea/cdp/openapi/customers/batch_create"
	platPath   = "/saas/cdp/openapi/customers/batch_create"
	fieldsPath = "/saas/cdp/openapi/customers/fields"
	queryPath  = "/saas/cdp/openapi/customers/query"
)

var start = time.Date(2026, 1, 6, 12, 0, 0, 0, time.UTC)

// world is a sandbox in process with a clock that the test moves.
type world struct {
	t      *testing.T
	nx     *nx.Sandbox
	server *sandbox.Server
	now    time.Time
}

func newWorld(t *testing.T, o nx.Options) *world {
	w := &world{t: t, nx: nx.New(o), now: start}
	w.server = sandbox.New(sandbox.Options{Clock: func() time.Time { return w.now }, Seed: 1}, w.nx)
	return w
}

// call is one request; empty parts are filled so that it succeeds.
type call struct {
	method, host, path, body string
	header                   map[string]string // beyond the signed ones; "-" removes one
	fault                    string
}

type envelope struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
	TraceID string          `json:"traceId"`
}

func (w *world) do(c call) envelope {
	w.t.Helper()
	e, err := w.try(c)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

func (w *world) try(c call) (envelope, error) {
	w.t.Helper()
	resp, err := sandbox.Transport(w.server).RoundTrip(w.request(c))
	if err != nil {
		return envelope{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return envelope{}, err
	}
	if resp.StatusCode != http.StatusOK {
		return envelope{}, fmt.Errorf("status %d: %s", resp.StatusCode, body)
	}
	var e envelope
	if err := json.Unmarshal(body, &e); err != nil {
		return envelope{}, fmt.Errorf("%s: %w", body, err)
	}
	return e, nil
}

func (w *world) request(c call) *http.Request {
	w.t.Helper()
	if c.method == "" {
		c.method = http.MethodPost
	}
	if c.host == "" {
		c.host = "sandbox.test"
	}
	var body io.Reader
	if c.body != "" {
		body = strings.NewReader(c.body)
	}
	req, err := http.NewRequestWithContext(context.Background(), c.method, "http://"+c.host+c.path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	values := map[string]string{
		"accessKey": "sandbox-key", "ts": strconv.FormatInt(w.now.UnixMilli(), 10), "bizType": "2", "action": "mt",
		"Content-Type": "application/json",
	}
	for name, v := range c.header {
		values[name] = v
	}
	if _, given := values["sign"]; !given {
		values["sign"] = signature(values, c.body, "sandbox-secret")
	}
	for name, v := range values {
		if v != "-" {
			req.Header.Set(name, v)
		}
	}
	if c.fault != "" {
		req.Header.Set(sandbox.FaultHeader, c.fault)
	}
	return req
}

func signature(h map[string]string, body, secret string) string {
	text := "accessKey=" + h["accessKey"] + "&action=" + h["action"] + "&bizType=" + h["bizType"] + "&ts=" + h["ts"]
	if body != "" {
		text += "&body=" + body
	}
	text += "&accessSecret=" + secret
	if strings.EqualFold(h["algorithm"], "sha256") {
		sum := sha256.Sum256([]byte(text))
		return hex.EncodeToString(sum[:])
	}
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// batch writes a batch_create body for the default account.
func batch(kind int, customers ...string) string {
	return fmt.Sprintf(`{"type":%d,"tenant_id":144,"app_key":"sandbox=app","customers":[%s]}`, kind, strings.Join(customers, ","))
}

// rejected fails the test unless the answer has that code and message.
func rejected(t *testing.T, e envelope, code int, message string) {
	t.Helper()
	if e.Code != code || !strings.Contains(e.Message, message) {
		t.Errorf("got code %d, message %q; want code %d, message with %q", e.Code, e.Message, code, message)
	}
}

func accepted(t *testing.T, e envelope) {
	t.Helper()
	if e.Code != 0 || e.Message != "" {
		t.Errorf("got code %d, message %q; want success", e.Code, e.Message)
	}
}

func records(s *nx.Service) []nx.Record {
	var all []nx.Record
	for _, scope := range s.State().Scopes {
		all = append(all, scope.Records...)
	}
	return all
}
