package events_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/connectortest"
	"github.com/sluicehq/sluice/connector/socialepoch"
	sesandbox "github.com/sluicehq/sluice/connector/socialepoch/sandbox"
	"github.com/sluicehq/sluice/internal/events"
	"github.com/sluicehq/sluice/internal/inbox"
	"github.com/sluicehq/sluice/internal/rows"
	"github.com/sluicehq/sluice/internal/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const vendor = "socialepoch"

// world is an inbox that a sandbox fills with webhooks.
type world struct {
	t     testing.TB
	dir   string
	box   *inbox.Inbox
	hooks []events.Webhook
	crm   *sesandbox.Service
	told  int
}

func newWorld(t testing.TB, o sesandbox.Webhooks) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	cfg := socialepoch.SocialEpoch.Source.NewConfig().(*socialepoch.SourceConfig)
	cfg.TenantID, cfg.WebhookSecrets = sesandbox.TenantID, []connector.Secret{connector.NewSecret(sesandbox.WebhookSecret)}
	for _, h := range socialepoch.SocialEpoch.Source.Webhooks {
		hook, err := h.Hook(cfg)
		if err != nil {
			t.Fatal(err)
		}
		w.hooks = append(w.hooks, events.Webhook{Name: h.Name, Streams: h.Streams, Hook: hook})
	}
	var err error
	if w.box, err = inbox.Open(t.Context(), inbox.Options{Dir: w.dir}); err != nil {
		t.Fatal(err)
	}
	o.Portrait, o.WriteFlow = "http://etl.test/user_sync_portrait", "http://etl.test/user_write_flow"
	o.Client = &http.Client{Transport: sandbox.Transport(http.HandlerFunc(w.receive))}
	w.crm = sesandbox.New(sesandbox.Options{Webhooks: o})
	t.Cleanup(func() {
		w.crm.Close()
		if err := w.box.Close(); err != nil {
			t.Error(err)
		}
	})
	w.seed()
	return w
}

// seed imports a customer whom agents can change.
func (w *world) seed() {
	w.t.Helper()
	cfg := socialepoch.SocialEpoch.NewConfig().(*socialepoch.Config)
	cfg.TenantID, cfg.APIKey = sesandbox.TenantID, connector.NewSecret(sesandbox.APIKey)
	probe, err := socialepoch.SocialEpoch.Check(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	var req connector.Request
	if err := probe.AppendRequest(&req); err != nil {
		w.t.Fatal(err)
	}
	req.Body = fmt.Appendf(nil, `{"tenantId":%d,"data":[{"agentAccount":%q,"whatsApp":"8615266667780"}]}`, sesandbox.TenantID, sesandbox.Agent)
	server := sandbox.Transport(sandbox.New(sandbox.Options{Clock: time.Now}, w.crm))
	if resp := connectortest.Send(w.t, probe, server, time.Now(), &req); resp.Status != http.StatusOK {
		w.t.Fatalf("%s", resp.Body)
	}
}

// receive is the least that a receiver does: believe, split, store, answer.
func (w *world) receive(out http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	at := slices.IndexFunc(w.hooks, func(h events.Webhook) bool { return "/"+h.Name == r.URL.Path })
	if err == nil {
		err = w.store(&w.hooks[at], body, "")
	}
	reply := w.hooks[at].Hook.Reply(err)
	out.WriteHeader(reply.Status)
	_, _ = out.Write(reply.Body)
}

func (w *world) store(h *events.Webhook, body []byte, quarantine string) error {
	items, err := h.Hook.Split(body)
	var keys []string
	for _, it := range items {
		keys = append(keys, it.Key)
	}
	note := ""
	if err != nil {
		note = err.Error()
	}
	_, err = w.box.Append(context.Background(), inbox.Request{
		Endpoint: inbox.Endpoint{Name: "se-" + h.Name, Vendor: vendor, Account: fmt.Sprint(sesandbox.TenantID), Type: h.Name},
		Method:   "POST", Header: http.Header{"Content-Type": {"application/json"}, "Sluice-Ticket": {"x"}}, Body: body, Keys: keys, Note: note, Quarantine: quarantine,
	})
	return err
}

// change makes the sandbox tell of n changes, half of them follow-ups, and waits until all of them arrived.
func (w *world) change(n int) {
	w.t.Helper()
	for range n {
		w.told++
		c := sesandbox.Change{Agent: sesandbox.Agent, Number: "8615266667780", Field: "desc", Value: fmt.Sprintf("remark \"%d\" 备注", w.told)}
		if w.told%2 == 0 {
			c.Field, c.Value, c.Follow = "", "", fmt.Sprintf("talk %d", w.told)
		}
		if err := w.crm.Change(c); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := w.crm.Drain(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// bulk stores a request of n changes, however fast the sandbox is.
func (w *world) bulk(n int) {
	w.t.Helper()
	body := []byte(`{"data":[`)
	for i := range n {
		w.told++
		if i > 0 {
			body = append(body, ',')
		}
		body = fmt.Appendf(body, `{"id":"bulk-%d","type":1,"userName":"a","friendWhatsId":"8615266667780","field":"Description","fieldType":0,"fieldConfig":2,"sourceValue":"","targetValue":"bulk %d","updateAt":"2026-11-23 11:48:10"}`, w.told, w.told)
	}
	if err := w.store(&w.hooks[0], append(body, `]}`...), ""); err != nil {
		w.t.Fatal(err)
	}
}

func stream(t testing.TB, name string) connector.Stream {
	t.Helper()
	if name == connector.StreamRawEvents {
		return events.Raw()
	}
	at := slices.IndexFunc(socialepoch.SocialEpoch.Source.Streams, func(s connector.Stream) bool { return s.Name == name })
	return socialepoch.SocialEpoch.Source.Streams[at]
}

func (w *world) config(name string) events.Config {
	return events.Config{Log: w.box.Reader(), Stream: stream(w.t, name), Vendor: vendor, Webhooks: w.hooks}
}

// got is what one read gave: rows as JSON, and after how many of them each position stood.
type got struct {
	rows  []string
	marks []mark
}

type mark struct {
	pos  connector.Position
	rows int
}

func (g got) last() connector.Position {
	if len(g.marks) == 0 {
		return nil
	}
	return g.marks[len(g.marks)-1].pos
}

// read reads until the end.
func read(t testing.TB, c events.Config, from connector.Position) (g got, err error) {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	c.Alloc = mem
	r := events.New(c)
	defer func() {
		if cerr := r.Close(); cerr != nil {
			t.Error(cerr)
		}
	}()
	if err := r.Open(t.Context(), from); err != nil {
		return g, err
	}
	for {
		b, err := r.Read(t.Context())
		if errors.Is(err, io.EOF) {
			return g, nil
		}
		if err != nil {
			return g, err
		}
		g.add(t, b)
	}
}

// add takes a batch over.
func (g *got) add(t testing.TB, b connector.Batch) {
	t.Helper()
	if len(b.Refused) > 0 || b.Bytes <= 0 || b.Rows != nil && b.Bytes < rows.Size(b.Rows) {
		t.Errorf("%d rows refused, priced at %d", len(b.Refused), b.Bytes)
	}
	for i := range b.NumRows() {
		g.rows = append(g.rows, string(rows.AppendJSON(nil, b.Rows, i)))
	}
	if b.Rows != nil {
		b.Rows.Release()
	}
	if b.Pos != nil {
		g.marks = append(g.marks, mark{b.Pos, len(g.rows)})
	}
}

func mustRead(t testing.TB, c events.Config, from connector.Position) got {
	t.Helper()
	g, err := read(t, c, from)
	if err != nil {
		t.Fatal(err)
	}
	return g
}
