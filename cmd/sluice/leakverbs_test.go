//go:build unix

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/sluicehq/sluice/connector/all/sandboxes"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// interrupting is standard output that sends this process an interrupt, as ^C would, once a text has come by.
type interrupting struct {
	bytes.Buffer
	at   string
	done bool
}

func (w *interrupting) Write(p []byte) (int, error) {
	n, err := w.Buffer.Write(p)
	if !w.done && w.at != "" && strings.Contains(w.String(), w.at) {
		w.done = true
		err = syscall.Kill(os.Getpid(), syscall.SIGINT)
	}
	return n, err
}

// TestVerbsLeakNothing: no verb leaves a goroutine behind, whether it does what it should, fails, or is interrupted.
func TestVerbsLeakNothing(t *testing.T) {
	server, err := sandbox.New(sandbox.Options{Seed: 1}, sandboxes.Services()...).Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	}()
	before := goleak.IgnoreCurrent()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	account := sandboxes.Accounts()[0]
	pipeline := func(name, settings string) {
		text := "from:\n  file: {path: people.jsonl}\nto:\n  " + account.Vendor + ":\n" + settings
		if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pipeline("p.yaml", account.YAML("    ", server.URL))
	pipeline("wrong.yaml", strings.ReplaceAll(account.YAML("    ", server.URL), "sandbox-secret", "wrong"))
	if err := os.WriteFile(path("people.jsonl"), []byte(`{"whatsapp":"8613800000001","first_name":"A","last_name":"B"}
{"whatsapp":"call me","first_name":"A","last_name":"B"}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		code int
		at   string // a text of the output at which ^C comes
	}{
		{"version", 0, ""},
		{"--help", 0, ""},
		{"rnu", 2, ""},
		{"lint PIPE", 0, ""},
		{"check PIPE", 0, ""},
		{"check WRONG", 2, ""},
		{"explain -c PIPE PEOPLE", 0, ""},
		{"run PIPE --dry-run", 0, ""},
		{"run PIPE --metrics 127.0.0.1:0 --report REPORT", 0, ""},
		{"run PIPE --from-start --metrics nowhere", 2, ""},
		{"run PIPE --from-start -v", 0, ""},
		{"run WRONG", 2, ""},
		{"run PIPE --from-start --dry-run --follow", 130, "8613800000001"},
		{"rejects ls REJECTS", 0, ""},
		{"rejects show REJECTS", 0, ""},
		{"rejects retry PIPE", 0, ""},
		{"rejects purge REJECTS --all", 0, ""},
		{"sandbox --listen 127.0.0.1:0", 0, "stop:"},
		{"demo --dir DEMO", 130, "nxlink: "},
	} {
		t.Run(c.args, func(t *testing.T) {
			args := strings.Fields(strings.NewReplacer("WRONG", path("wrong.yaml"), "PEOPLE", path("people.jsonl"), "REPORT", path("report"),
				"REJECTS", path("p.yaml.rejects"), "DEMO", path("demo"), "PIPE", path("p.yaml")).Replace(c.args))
			out, errs := &interrupting{at: c.at}, &bytes.Buffer{}
			if code := run(args, strings.NewReader(""), out, errs); code != c.code {
				t.Errorf("exit code %d, want %d\n%s%s", code, c.code, out, errs)
			}
			if strings.Contains(out.String(), ": 0 read") {
				t.Errorf("the zeros of a run that had not begun are told:\n%s", out)
			}
			goleak.VerifyNone(t, before)
		})
	}
}
