//go:build e2e

package container

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/socialepoch"
	"github.com/sluicehq/sluice/internal/inbox"
	"github.com/sluicehq/sluice/internal/receiver"
)

// startReceiver serves an inbox as `sluice receive` does and returns the address of its API.
func startReceiver(t *testing.T, box *inbox.Inbox, dir, token string) string {
	t.Helper()
	cfg := socialepoch.SocialEpoch.Source.NewConfig().(*socialepoch.SourceConfig)
	cfg.TenantID, cfg.WebhookSecrets = 82, []connector.Secret{connector.NewSecret("webhook-secret")}
	webhook := socialepoch.SocialEpoch.Source.Webhooks[0]
	hook, err := webhook.Hook(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r, err := receiver.New(t.Context(), receiver.Options{
		Inbox: box, Dir: dir, Log: slog.New(slog.DiscardHandler), Token: connector.NewSecret(token),
		Endpoints: []receiver.Endpoint{{Name: "main/" + webhook.Name, Vendor: "socialepoch", Type: webhook.Name, Path: connector.NewSecret(strings.Repeat("0123456789abcdef", 2)), Hook: hook}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var on [2]net.Listener
	for i := range on {
		if on[i], err = new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Serve(ctx, receiver.Listeners{Public: on[0], Admin: on[1]}) }()
	t.Cleanup(func() {
		if stop(); <-done != nil {
			t.Error("the receiver did not end in order")
		}
	})
	return "http://" + on[1].Addr().String()
}

// TestReadFromReceiver: a source in a container has no folder to read; it asks the receiver, which hears from it how far it
// has come.
func TestReadFromReceiver(t *testing.T) {
	const token, items = "the-token-of-the-API-of-this-receiver", 3
	dir := t.TempDir()
	box, err := inbox.Open(t.Context(), inbox.Options{Dir: filepath.Join(dir, "inbox")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = box.Close() }()
	url := startReceiver(t, box, filepath.Join(dir, "inbox"), token)
	for n := range items {
		body := fmt.Sprintf(`{"data":[{"id":"%d","type":1,"friendWhatsId":"8615266667780","field":"Name","fieldType":0,"targetValue":"Li %d"}]}`, n, n)
		if _, err := box.Append(t.Context(), inbox.Request{
			Endpoint: inbox.Endpoint{Name: "main/user_sync_portrait", Vendor: "socialepoch", Account: "82", Type: "user_sync_portrait"},
			Method:   "POST", Body: []byte(body), Keys: []string{fmt.Sprint(n)},
		}); err != nil {
			t.Fatal(err)
		}
	}
	config, err := json.Marshal(map[string]any{
		"crm":   map[string]any{"vendor": "socialepoch", "tenant_id": 82, "webhook_secrets": []string{"webhook-secret"}},
		"inbox": map[string]any{"at": "receiver", "url": url, "token": token, "consumer": "boxed"},
	})
	if err != nil {
		t.Fatal(err)
	}
	catalog := `{"streams":[{"stream":{"name":"profile_changes","json_schema":{},"supported_sync_modes":["full_refresh","incremental"]},"sync_mode":"incremental","destination_sync_mode":"append","cursor_field":["seq"]}]}`
	share := filepath.Join(dir, "share")
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(share, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(share, 0o755); err != nil {
		t.Fatal(err)
	}
	write("config.json", string(config))
	write("catalog.json", catalog)
	read := func(more ...string) (records, names int, state string) {
		t.Helper()
		args := append([]string{"read", "--config", "config.json", "--catalog", "catalog.json"}, more...)
		out, err := podmanOf(t, sourceImage, []string{"--network", "host", "--volume", share + ":/source:ro", "--workdir", "/source"}, "", args...)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for line := range strings.Lines(out) {
			var m struct {
				Type  string
				State json.RawMessage
			}
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			switch m.Type {
			case "RECORD":
				records++
				names += strings.Count(line, `"full_name":"Li `)
			case "STATE":
				state = string(m.State)
			}
		}
		return records, names, state
	}
	records, names, state := read()
	if records != items || names != items || state == "" {
		t.Fatalf("%d records, %d with their names, state %s", records, names, state)
	}
	write("state.json", "["+state+"]")
	if again, _, _ := read("--state", "state.json"); again != 0 {
		t.Errorf("%d records came again", again)
	}
	list, err := box.Reader().Consumers(t.Context())
	if err != nil || len(list) != 1 || list[0].Name != "boxed" || list[0].Seq != items {
		t.Errorf("consumers %+v, %v", list, err)
	}
}
