package job

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/all"
	"github.com/sluicehq/sluice/connector/connectortest"
	"github.com/sluicehq/sluice/connector/socialepoch"
	sesandbox "github.com/sluicehq/sluice/connector/socialepoch/sandbox"
	"github.com/sluicehq/sluice/internal/inbox"
	"github.com/sluicehq/sluice/internal/sandbox"
	"github.com/sluicehq/sluice/wire/airbyte"
	"github.com/sluicehq/sluice/wire/wiretest"
)

// told is a SocialEpoch sandbox whose webhooks go into an inbox.
type told struct {
	t   *testing.T
	dir string
	box *inbox.Inbox
	crm *sesandbox.Service
	n   int
}

func newTold(t *testing.T) *told {
	t.Helper()
	w := &told{t: t, dir: t.TempDir()}
	var err error
	if w.box, err = inbox.Open(t.Context(), inbox.Options{Dir: w.dir}); err != nil {
		t.Fatal(err)
	}
	cfg := socialepoch.SocialEpoch.Source.NewConfig().(*socialepoch.SourceConfig)
	cfg.TenantID, cfg.WebhookSecrets = sesandbox.TenantID, []connector.Secret{connector.NewSecret(sesandbox.WebhookSecret)}
	client := &http.Client{Transport: sandbox.Transport(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		at := slices.IndexFunc(socialepoch.SocialEpoch.Source.Webhooks, func(h connector.Webhook) bool { return "/"+h.Name == r.URL.Path })
		hook, err := socialepoch.SocialEpoch.Source.Webhooks[at].Hook(cfg)
		if err != nil {
			t.Error(err)
		}
		_, err = w.box.Append(context.Background(), inbox.Request{
			Endpoint: inbox.Endpoint{Name: "se", Vendor: "socialepoch", Account: fmt.Sprint(sesandbox.TenantID), Type: r.URL.Path[1:]}, Method: "POST", Body: body,
		})
		reply := hook.Reply(err)
		out.WriteHeader(reply.Status)
		_, _ = out.Write(reply.Body)
	}))}
	w.crm = sesandbox.New(sesandbox.Options{Webhooks: sesandbox.Webhooks{
		Portrait: "http://etl.test/user_sync_portrait", WriteFlow: "http://etl.test/user_write_flow", MaxItems: 7, Client: client, Imports: true,
	}})
	t.Cleanup(func() {
		w.crm.Close()
		if err := w.box.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// change has a customer changed n times, by imports, which the sandbox tells of.
func (w *told) change(n int) {
	w.t.Helper()
	for range n {
		w.n++
		w.send(fmt.Sprintf(`{"agentAccount":%q,"whatsApp":"8615266667780","friendName":"Name %d","desc":"说 %d"}`, sesandbox.Agent, w.n, w.n))
	}
	if err := w.crm.Drain(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// send imports a contact.
func (w *told) send(contact string) {
	w.t.Helper()
	cfg := socialepoch.SocialEpoch.NewConfig().(*socialepoch.Config)
	cfg.TenantID, cfg.APIKey, cfg.BaseURL = sesandbox.TenantID, connector.NewSecret(sesandbox.APIKey), "http://se.test"
	probe, err := socialepoch.SocialEpoch.Check(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	var req connector.Request
	if err := probe.AppendRequest(&req); err != nil {
		w.t.Fatal(err)
	}
	req.Body = fmt.Appendf(nil, `{"tenantId":%d,"data":[%s]}`, sesandbox.TenantID, contact)
	server := sandbox.Transport(sandbox.New(sandbox.Options{Clock: time.Now}, w.crm))
	if resp := connectortest.Send(w.t, probe, server, time.Now(), &req); resp.Status != http.StatusOK {
		w.t.Fatalf("%s", resp.Body)
	}
}

func (w *told) config() string {
	return fmt.Sprintf(`{"crm":{"vendor":"socialepoch","tenant_id":%d,"webhook_secrets":[%q]},"inbox":{"at":"folder","path":%q},"_limit":1}`, sesandbox.TenantID, sesandbox.WebhookSecret, w.dir)
}

// source runs a command of the source; catalog and state may be empty.
func source(t *testing.T, src airbyte.Source, command, config, catalog, state string) (code int, lines []string) {
	t.Helper()
	args := []string{command}
	for name, text := range map[string]string{"config": config, "catalog": catalog, "state": state} {
		if text == "" {
			continue
		}
		path := filepath.Join(t.TempDir(), name+".json")
		if err := os.WriteFile(path, []byte(text), 0o400); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--"+name, path)
	}
	var out, errs bytes.Buffer
	code = airbyte.MainSource(t.Context(), args, &out, &errs, src)
	if errs.Len() > 0 {
		t.Errorf("standard error: %s", &errs)
	}
	return code, strings.Split(strings.TrimSpace(out.String()), "\n")
}

func catalogOf(names ...string) string {
	var streams []string
	for _, n := range names {
		streams = append(streams, fmt.Sprintf(`{"stream":{"name":%q,"json_schema":{}},"sync_mode":"incremental","destination_sync_mode":"append"}`, n))
	}
	return `{"streams":[` + strings.Join(streams, ",") + `]}`
}

// Webhooks of a sandbox come out as the protocol wants them, and go on from every state.
func TestSourceReadsAnInbox(t *testing.T) {
	w := newTold(t)
	w.change(12)
	src := AirbyteSource(all.Vendors)
	src.StateRows = 5
	names := []string{"profile_changes", "follow_ups", "raw_events"}
	wiretest.RunSource(t, wiretest.SourceHarness{Streams: names, Read: func(state []byte) ([]string, int) {
		code, lines := source(t, src, "read", w.config(), catalogOf(names...), string(state))
		return lines, code
	}})
	code, lines := source(t, src, "read", w.config(), catalogOf("profile_changes"), "")
	last := lines[len(lines)-2]
	var m struct{ State json.RawMessage }
	if err := json.Unmarshal([]byte(last), &m); err != nil || code != 0 {
		t.Fatalf("%v, exit code %d: %s", err, code, last)
	}
	first := len(w.records(lines))
	w.change(5)
	_, lines = source(t, src, "read", w.config(), catalogOf("profile_changes"), "["+string(m.State)+"]")
	_, whole := source(t, src, "read", w.config(), catalogOf("profile_changes"), "")
	if next := w.records(lines); len(next) == 0 || !slices.Equal(next, w.records(whole)[first:]) {
		t.Errorf("%d records came after %d of %d", len(next), first, len(w.records(whole)))
	}
}

// records are the data of the records among lines.
func (w *told) records(lines []string) (list []string) {
	for _, l := range lines {
		var m struct {
			Type   string
			Record struct{ Data json.RawMessage }
		}
		if json.Unmarshal([]byte(l), &m) == nil && m.Type == "RECORD" {
			list = append(list, string(m.Record.Data))
		}
	}
	return list
}

func TestSourceChecks(t *testing.T) {
	w := newTold(t)
	src := AirbyteSource(all.Vendors)
	for _, tc := range []struct {
		name, config, says string
	}{
		{"works", w.config(), `"SUCCEEDED"`},
		{"no inbox there", strings.Replace(w.config(), w.dir, w.dir+"/none", 1), "inbox.path: there is no inbox"},
		{"no crm", `{"inbox":{"at":"folder","path":"/x"}}`, "crm"},
		{"unknown member", strings.Replace(w.config(), `"path"`, `"paht"`, 1), `did you mean`},
		{"no secrets", `{"crm":{"vendor":"socialepoch","tenant_id":82,"whatsapp_accounts":["86187272722"],"api_key":"k"},"inbox":{"at":"folder","path":"/x"}}`, "webhook_secrets"},
		{"vendor without webhooks", `{"crm":{"vendor":"nxcloud","access_key":"k","access_secret":"s","tenant_id":1,"app_key":"a"},"inbox":{"at":"folder","path":"/x"}}`, "sends no webhooks"},
		{"nothing to read", `{"crm":{"vendor":"socialepoch","tenant_id":82,"webhook_secrets":["s"]}}`, "neither an inbox nor anything to query"},
		{"receiver's address", fmt.Sprintf(`{"crm":{"vendor":"socialepoch","tenant_id":82,"webhook_secrets":["s"]},"inbox":{"at":"receiver","url":"receiver","token":%q}}`, "0123456789abcdef"), "inbox: the address of the receiver"},
		{"receiver's address with a path", fmt.Sprintf(`{"crm":{"vendor":"socialepoch","tenant_id":82,"webhook_secrets":["s"]},"inbox":{"at":"receiver","url":"http://127.0.0.1:9465/v1","token":%q}}`, "0123456789abcdef"),
			"Give its admin address without a path: http://127.0.0.1:9465"},
	} {
		code, lines := source(t, src, "check", tc.config, "", "")
		if code != 0 || len(lines) != 1 || !strings.Contains(lines[0], tc.says) || tc.name != "works" && !strings.Contains(lines[0], `"FAILED"`) || strings.Contains(lines[0], sesandbox.WebhookSecret) {
			t.Errorf("%s: exit code %d, %s", tc.name, code, lines)
		}
	}
}

// A query is read like the webhooks: the friends of an account that the sandbox holds.
func TestSourceQueries(t *testing.T) {
	w := newTold(t)
	for i := range 30 {
		w.send(fmt.Sprintf(`{"agentAccount":%q,"whatsApp":"86152666677%02d","friendName":"Name %d"}`, sesandbox.Agent, i, i))
	}
	src := airbyteSource(all.Vendors, sandbox.Transport(sandbox.New(sandbox.Options{Clock: time.Now}, w.crm)))
	config := fmt.Sprintf(`{"crm":{"vendor":"socialepoch","tenant_id":%d,"api_key":%q,"whatsapp_accounts":[%q],"base_url":"http://127.0.0.1:1"},"delivery":{"requests_per_second":1000}}`,
		sesandbox.TenantID, sesandbox.APIKey, sesandbox.DefaultWhatsApp.Number)
	if code, lines := source(t, src, "check", config, "", ""); code != 0 || !strings.Contains(lines[0], "SUCCEEDED") {
		t.Fatalf("exit code %d, %s", code, lines)
	}
	_, lines := source(t, src, "discover", config, "", "")
	if !strings.Contains(lines[0], `"name":"contacts"`) || strings.Contains(lines[0], "raw_events") {
		t.Errorf("got %s", lines)
	}
	code, lines := source(t, src, "read", config, catalogOf("contacts"), "")
	all := strings.Join(lines, "\n")
	if got := w.records(lines); code != 0 || len(got) < 30 || !strings.Contains(all, "__ab_full_refresh_sync_complete") || strings.Contains(all, sesandbox.APIKey) {
		t.Errorf("exit code %d, %d records\n%s", code, len(got), lines[len(lines)-1])
	}
	if code, lines := source(t, src, "check", strings.Replace(config, sesandbox.APIKey, "wrong-key", 1), "", ""); code != 0 || !strings.Contains(lines[0], "FAILED") {
		t.Errorf("with a wrong key: exit code %d, %s", code, lines)
	}
}

func TestSourceSpec(t *testing.T) {
	code, lines := source(t, AirbyteSource(all.Vendors), "spec", "", "", "")
	var m struct {
		Spec struct {
			Schema struct {
				Properties map[string]json.RawMessage
			} `json:"connectionSpecification"`
			Docs string `json:"documentationUrl"`
		}
	}
	if err := json.Unmarshal([]byte(lines[0]), &m); err != nil || code != 0 || m.Spec.Docs == "" || len(m.Spec.Schema.Properties) != len(SourceFields(all.Vendors)) {
		t.Errorf("%v, exit code %d: %.200s", err, code, lines)
	}
	if !json.Valid(sluice.Spec) {
		t.Error("spec.json is no JSON")
	}
}
