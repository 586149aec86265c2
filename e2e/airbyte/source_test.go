//go:build e2e

package airbyte

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// hub is a live receiver in a process of its own, into which a sandbox tells of changes.
type hub struct {
	public, admin, dir string
}

// customers is how many the sandbox has, from 8615266667780 on.
const customers = 25

const (
	adminToken   = "e2e-admin-token-0123456789"
	portraitPath = "b7k2mzq4xw9dpa3hft6ynr8cev5jgs1u"
	flowPath     = "q4xw9dpa3hb7k2mzft6ynr8cev5jgs1u"
)

func startReceiver(t *testing.T) *hub {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "receive.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, `listen: 127.0.0.1:0
admin: {listen: "127.0.0.1:0", token: %s}
accounts:
  - name: se
    crm: {socialepoch: {tenant_id: 82, webhook_secrets: [sandbox-webhook-secret]}}
    webhooks: {user_sync_portrait: %s, user_write_flow: %s}
`, adminToken, portraitPath, flowPath), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin.sluice, "receive", "-c", file)
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the receiver: %s", &log)
		}
	})
	h := &hub{dir: filepath.Join(dir, "inbox")}
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "inbox in ") {
		line := lines.Text()
		if url, ok := strings.CutPrefix(line, "listening on "); ok {
			h.public = url
		}
		if url, ok := strings.CutPrefix(line, "admin on "); ok {
			h.admin, _, _ = strings.Cut(url, " ")
		}
	}
	if h.public == "" || h.admin == "" {
		t.Fatalf("the receiver does not say where it is")
	}
	go func() { // it may print more
		for lines.Scan() {
		}
	}()
	return h
}

func (b *box) post(path string, body any) {
	b.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		b.t.Fatal(err)
	}
	resp, err := http.Post(b.url+path, "application/json", bytes.NewReader(data))
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b.t.Fatalf("POST %s: %s", path, resp.Status)
	}
}

// hears has the sandbox tell a receiver of changes to customers, of which it gets some by a run of Sluice.
func (b *box) hears(h *hub) {
	b.t.Helper()
	dir := b.t.TempDir()
	var contacts strings.Builder
	for i := range customers {
		fmt.Fprintf(&contacts, `{"whatsapp":"861526666%04d","full_name":"Name %d"}`+"\n", 7780+i, i)
	}
	pipeline := fmt.Sprintf("from: {file: {path: contacts.jsonl}}\nto:\n  socialepoch: {base_url: %q, tenant_id: 82, api_key: sandbox-api-key, default_owner: kubrick101}\ndelivery: {requests_per_second: 1000}\n", b.url)
	for name, text := range map[string]string{"contacts.jsonl": contacts.String(), "pipeline.yaml": pipeline} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
	run := exec.Command(bin.sluice, "run", "pipeline.yaml")
	run.Dir = dir
	if out, err := run.CombinedOutput(); err != nil {
		b.t.Fatalf("sluice run: %v\n%s", err, out)
	}
	b.post("/_sandbox/socialepoch/webhooks", map[string]any{
		"portrait_url": h.public + "/hooks/socialepoch/user_sync_portrait/" + portraitPath, "write_flow_url": h.public + "/hooks/socialepoch/user_write_flow/" + flowPath,
		"max_items": 7, "vary": true, "shuffle": true, "repeat": 4, "attempts": 100, "retry_wait_ns": 50_000_000,
	})
}

// sourceConfig is the source's configuration; inbox is where it finds webhooks.
func (b *box) sourceConfig(inbox map[string]any) map[string]any {
	return map[string]any{
		"crm": map[string]any{
			"vendor": "socialepoch", "tenant_id": 82, "webhook_secrets": []string{"sandbox-webhook-secret"}, "base_url": b.url,
			"api_key": "sandbox-api-key", "whatsapp_accounts": []string{"86187272722"},
		},
		"inbox":    inbox,
		"delivery": map[string]any{"requests_per_second": 1000},
	}
}

// python runs a script of testdata by PyAirbyte's Python and returns the last line of its output.
func python(t *testing.T, script string, args ...string) []byte {
	t.Helper()
	venv := os.Getenv("PYAIRBYTE_VENV")
	if venv == "" {
		venv = "../../.cache/pyairbyte"
	}
	venv, err := filepath.Abs(venv)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(venv, "bin", "python")
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("PyAirbyte is not installed: %v. Run `make e2e`, which installs it", err)
	}
	script, err = filepath.Abs(filepath.Join("testdata", script))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, append([]string{script}, args...)...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "AIRBYTE_OFFLINE_MODE=1", "DO_NOT_TRACK=1", "PYTHONWARNINGS=ignore", "AIRBYTE_TEMP_DIR="+t.TempDir(),
		"NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s\n%s", script, err, out, &stderr)
	}
	return []byte(lastLine(out))
}

// release lets through what the receiver holds back: the sandbox may sign two requests within one millisecond, and the
// second of them is suspicious.
func (h *hub) release(t *testing.T) {
	t.Helper()
	inbox := func(args ...string) []byte {
		cmd := exec.Command(bin.sluice, append([]string{"inbox"}, args...)...)
		cmd.Env = append(os.Environ(), "SLUICE_INBOX_TOKEN="+adminToken)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("sluice inbox %v: %v\n%s%s", args, err, out, &stderr)
		}
		return out
	}
	list := json.NewDecoder(bytes.NewReader(inbox("ls", h.admin, "--quarantined", "--json", "--after", "0", "-n", "1000")))
	for list.More() {
		var held struct {
			Seq, Released int64
			Reason        string
		}
		if err := list.Decode(&held); err != nil || held.Reason != "token_reuse" {
			t.Fatalf("%+v is quarantined, %v", held, err)
		}
		if held.Released != 0 {
			continue
		}
		t.Logf("%s", inbox("release", h.admin, fmt.Sprint(held.Seq)))
	}
}

// inboxes are the two ways to reach an inbox.
func (h *hub) inboxes() map[string]map[string]any {
	return map[string]map[string]any{
		"folder":   {"at": "folder", "path": h.dir},
		"receiver": {"at": "receiver", "url": h.admin, "token": adminToken, "consumer": "e2e"},
	}
}

// TestPyAirbyteReads: PyAirbyte reads the source five times with its state, one of them while the sandbox tells of changes.
// Every event that was told is there once, and a read behind the last of them brings none.
func TestPyAirbyteReads(t *testing.T) {
	for _, at := range []string{"folder", "receiver"} {
		t.Run(at, func(t *testing.T) {
			b, h := startSandbox(t, ""), startReceiver(t)
			b.hears(h)
			out := python(t, "source.py", bin.source, writeJSON(t, b.sourceConfig(h.inboxes()[at])), b.url, h.admin, adminToken)
			var got struct {
				Streams []string
				Totals  struct {
					Items, Delivered, Repeats int
					GivenUp                   int `json:"given_up"`
				}
				Rows      []map[string]int
				Processed []int
				IDs       map[string][2]int
				Kept      bool
				Sample    map[string]map[string]any
			}
			if err := json.Unmarshal(out, &got); err != nil || len(got.Rows) != 4 || len(got.Processed) != 5 {
				t.Fatalf("%v in %s", err, out)
			}
			t.Logf("%s", out)
			if strings.Join(got.Streams, " ") != "profile_changes follow_ups contacts raw_events" {
				t.Errorf("streams are %v", got.Streams)
			}
			events := 0
			for _, name := range []string{"profile_changes", "follow_ups"} {
				if got.IDs[name][0] != got.IDs[name][1] {
					t.Errorf("%s: %d rows, %d events", name, got.IDs[name][0], got.IDs[name][1])
				}
				events += got.IDs[name][0]
			}
			if events != got.Totals.Items || got.Totals.GivenUp != 0 || got.Totals.Repeats == 0 {
				t.Errorf("%d events came, %+v were told", events, got.Totals)
			}
			if !got.Kept || fmt.Sprint(got.Rows[2]) != fmt.Sprint(got.Rows[3]) || got.Rows[0]["profile_changes"] == 0 {
				t.Errorf("rows after each read: %v", got.Rows)
			}
			if got.Processed[0] == 0 || got.Processed[4] != 0 {
				t.Errorf("records of each read: %v. The last asks for events alone, and none came since", got.Processed)
			}
			if seq, head := h.cursor(t), h.head(t); at == "folder" && seq != -1 || at == "receiver" && (seq != head || head == 0) {
				t.Errorf("the consumer has come to %d of %d requests, all of which the last state covers", seq, head)
			}
			if got.Rows[0]["contacts"] < customers {
				t.Errorf("%d contacts, the CRM has %d", got.Rows[0]["contacts"], customers)
			}
		})
	}
}

// TestPyAirbyteMoves: one script moves what an agent changed in one CRM into another CRM.
func TestPyAirbyteMoves(t *testing.T) {
	b, h := startSandbox(t, ""), startReceiver(t)
	b.hears(h)
	const changed = 20
	for i := range changed {
		b.post("/_sandbox/socialepoch/change", map[string]any{"agentAccount": "kubrick101", "whatsApp": fmt.Sprintf("861526666%04d", 7780+i), "field": "friendName", "value": fmt.Sprintf("Changed %d", i)})
	}
	b.drained()
	h.release(t)
	mapping := "streams:\n  '*':\n    fields:\n      whatsapp: whatsapp\n      full_name: full_name\n      external_id: whatsapp\n"
	rejects := t.TempDir()
	out := python(t, "move.py", bin.source, writeJSON(t, b.sourceConfig(h.inboxes()["receiver"])), bin.destination, writeJSON(t, b.config("nxcloud", mapping, rejects)), "profile_changes")
	t.Logf("%s", out)
	names := map[string]bool{}
	for _, e := range b.journal() {
		for _, k := range e.Keys {
			if e.Committed && strings.HasPrefix(e.Service, "nx") {
				names[k] = true
			}
		}
	}
	if n := len(rejectLines(t, rejects)); len(names) != changed || n > 0 {
		t.Errorf("%d contacts arrived and %d were rejected, want %d", len(names), n, changed)
	}
}

// drained waits until everything that the sandbox told was taken.
func (b *box) drained() {
	b.t.Helper()
	for range 600 {
		var totals struct{ Items, Delivered, Waiting int }
		b.get("/_sandbox/socialepoch/webhooks", &totals)
		if totals.Waiting == 0 && totals.Delivered >= totals.Items {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.t.Fatal("webhooks still wait")
}
