package receiver

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/socialepoch"
	sesandbox "github.com/sluicehq/sluice/connector/socialepoch/sandbox"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// Changes in the CRM's sandbox arrive, whatever the placement of the signature and the size and order of requests: each
// event is there once as new, and all of its repeats are marked.
func TestSandboxSends(t *testing.T) {
	for _, place := range []string{sesandbox.PlaceHeader, sesandbox.PlaceBody, sesandbox.PlaceBoth} {
		t.Run(place, func(t *testing.T) {
			c := socialepoch.SocialEpoch.Source.NewConfig().(*socialepoch.SourceConfig)
			c.TenantID, c.WebhookSecrets = sesandbox.TenantID, []connector.Secret{connector.NewSecret(sesandbox.WebhookSecret)}
			var list []Endpoint
			for _, hook := range socialepoch.SocialEpoch.Source.Webhooks {
				h, err := hook.Hook(c)
				if err != nil {
					t.Fatal(err)
				}
				list = append(list, Endpoint{Name: "main/" + hook.Name, Vendor: "socialepoch", Type: hook.Name, Path: connector.NewSecret(NewPath()), Hook: h})
			}
			w := start(t, t.TempDir(), func(o *Options) { o.Endpoints = list })
			base := "http://" + w.public
			crm := sesandbox.New(sesandbox.Options{Webhooks: sesandbox.Webhooks{
				Portrait: base + list[0].Address(), WriteFlow: base + list[1].Address(), Placement: place,
				Vary: true, Shuffle: true, Repeat: 2, MaxItems: 7, RetryWait: time.Millisecond, Attempts: 100, Client: w.http,
			}})
			defer func() { _ = crm.Close() }()
			contact(t, crm)
			for i := range 60 {
				if err := crm.Change(sesandbox.Change{Agent: sesandbox.Agent, Number: "8615266667780", Field: "friendName", Value: fmt.Sprint("name ", i)}); err != nil {
					t.Fatal(err)
				}
			}
			if err := crm.Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			told := crm.WebhookTotals()
			if told.Delivered != told.Items || told.GivenUp > 0 || told.Failures > 0 || told.Repeats == 0 {
				t.Errorf("the sandbox says %+v", told)
			}
			if got := fresh(t, w); got != told.Items {
				t.Errorf("%d events came in as new, the sandbox told of %d", got, told.Items)
			}
		})
	}
}

// fresh counts the items that had not come before. Requests without items are one item with no event.
func fresh(t *testing.T, w *world) (n int64) {
	t.Helper()
	hook := portraitHook(t)
	for _, r := range w.all() {
		items, err := hook.Split(r.Body)
		if err != nil || r.Quarantine != "" {
			t.Errorf("%v, %q: %s", err, r.Quarantine, r.Body)
		}
		for i := range items {
			if !r.Seen(i) {
				n++
			}
		}
	}
	return n
}

// rising is a clock that never shows one millisecond twice: a time that was signed for two requests is suspicious.
func rising() func() time.Time {
	var mu sync.Mutex
	var last time.Time
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		if next := last.Add(time.Millisecond); now.Before(next) {
			now = next
		}
		last = now
		return now
	}
}

// contact imports the one customer whose changes are told of.
func contact(t *testing.T, crm *sesandbox.Service) {
	t.Helper()
	cfg := socialepoch.SocialEpoch.NewConfig().(*socialepoch.Config)
	cfg.TenantID, cfg.APIKey = sesandbox.TenantID, connector.NewSecret(sesandbox.APIKey)
	probe, err := socialepoch.SocialEpoch.Check(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var req connector.Request
	if err := probe.AppendRequest(&req); err != nil {
		t.Fatal(err)
	}
	req.Body = fmt.Appendf(nil, `{"tenantId":%d,"data":[{"agentAccount":%q,"whatsApp":"8615266667780"}]}`, sesandbox.TenantID, sesandbox.Agent)
	if s, ok := probe.(connector.Signer); ok {
		if err := s.Sign(&req, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	out, err := http.NewRequestWithContext(t.Context(), req.Method, req.URL, bodyOf(req.Body))
	if err != nil {
		t.Fatal(err)
	}
	out.Header = req.Header
	resp, err := sandbox.Transport(sandbox.New(sandbox.Options{Clock: rising()}, crm)).RoundTrip(out)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
	_ = resp.Body.Close()
}
