//go:build e2e

// Package airbyte runs the built destination and source under real hosts and against a live sandbox, and counts what arrived.
//
//	make e2e
//
// It needs Python 3.10 or newer with venv; `make e2e` installs PyAirbyte into .cache/. A tool that is missing fails the
// test: nothing is skipped.
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
)

// bin holds the programs, built from this tree.
var bin struct{ sluice, destination, source string }

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (int, error) {
	if defect := os.Getenv(defectEnv); defect != "" {
		return runDefective(defect)
	}
	// PyAirbyte takes any path with "source-" in it for a source; a folder of our own has none.
	dir, err := os.MkdirTemp("", "sluice-e2e-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-o", dir+"/", "./cmd/sluice", "./cmd/destination-sluice", "./cmd/source-sluice")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("go build: %w\n%s", err, out)
	}
	if err := os.Setenv(realEnv, filepath.Join(dir, "destination-sluice")); err != nil {
		return 1, err
	}
	bin.sluice, bin.destination = filepath.Join(dir, "sluice"), filepath.Join(dir, "destination-sluice")
	bin.source = filepath.Join(dir, "source-sluice")
	return m.Run(), nil
}

// box is a live sandbox in a process of its own.
type box struct {
	t   *testing.T
	url string
}

func startSandbox(t *testing.T, faults string) *box {
	t.Helper()
	cmd := exec.Command(bin.sluice, "sandbox", "--listen", "127.0.0.1:0", "--faults", faults)
	cmd.Stderr = os.Stderr
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
	})
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("the sandbox printed nothing")
	}
	url, ok := strings.CutPrefix(lines.Text(), "listening on ")
	if !ok {
		t.Fatalf("the sandbox's first line is %q", lines.Text())
	}
	go func() { // it may print more
		for lines.Scan() {
		}
	}()
	return &box{t: t, url: url}
}

func (b *box) get(path string, into any) {
	b.t.Helper()
	resp, err := http.Get(b.url + path)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b.t.Fatalf("GET %s: %s", path, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		b.t.Fatalf("GET %s: %v", path, err)
	}
}

// entry is a request in the sandbox's journal.
type entry struct {
	Service   string   `json:"service"`
	Committed bool     `json:"committed"`
	Rows      int      `json:"rows"`
	Keys      []string `json:"keys"`
}

// journal returns all requests answered so far, and fails if the sandbox no longer holds all of them.
func (b *box) journal() []entry {
	b.t.Helper()
	var page struct {
		Total   int64   `json:"total"`
		Entries []entry `json:"entries"`
	}
	b.get("/_sandbox/journal", &page)
	if int64(len(page.Entries)) != page.Total {
		b.t.Fatalf("the journal holds %d of %d requests", len(page.Entries), page.Total)
	}
	return page.Entries
}

// landed counts the rows of the requests that took effect, and the different contacts among them.
func (b *box) landed() (rows, contacts int) {
	b.t.Helper()
	keys := map[string]bool{}
	for _, e := range b.journal() {
		if !e.Committed {
			continue
		}
		rows += e.Rows
		for _, k := range e.Keys {
			keys[k] = true
		}
	}
	return rows, len(keys)
}

// config is the destination's configuration for one vendor of the sandbox.
func (b *box) config(vendor, mapping, rejects string) map[string]any {
	return map[string]any{
		"crm": map[string]any{
			"vendor": vendor, "base_url": b.url, "access_key": "sandbox-key", "access_secret": "sandbox-secret",
			"tenant_id": 144, "app_key": "sandbox=app",
		},
		"mapping":  mapping,
		"rejects":  map[string]any{"dir": rejects},
		"delivery": map[string]any{"concurrency": 4, "requests_per_second": 1000},
	}
}

func writeJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "file.json")
	if err := os.WriteFile(path, data, 0o400); err != nil {
		t.Fatal(err)
	}
	return path
}

// rejectLines returns the lines of a rejects folder; each must be JSON.
func rejectLines(t *testing.T, dir string) [][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range bytes.Split(data, []byte("\n")) {
			if len(line) == 0 {
				continue
			}
			if !json.Valid(line) {
				t.Fatalf("%s: not JSON: %s", f, line)
			}
			all = append(all, line)
		}
	}
	return all
}
