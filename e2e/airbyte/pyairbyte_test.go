//go:build e2e

package airbyte

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What PyAirbyte 0.71.3 sends: the records of all its scenarios, and those of the stream it tries first.
const (
	smokeRecords     = 1059
	preflightRecords = 3
)

// pyab runs PyAirbyte's command line; its output is returned, standard error goes to the test's log if it fails.
func pyab(t *testing.T, args ...string) []byte {
	t.Helper()
	venv := os.Getenv("PYAIRBYTE_VENV")
	if venv == "" {
		venv = "../../.cache/pyairbyte"
	}
	venv, err := filepath.Abs(venv)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(venv, "bin", "pyab")
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("PyAirbyte is not installed: %v. Run `make e2e`, which installs it", err)
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = t.TempDir()
	// It looks for its own source-smoke-test on the path. A proxy has no business between it and the sandbox.
	cmd.Env = append(os.Environ(),
		"PATH="+filepath.Join(venv, "bin")+":"+os.Getenv("PATH"),
		"AIRBYTE_OFFLINE_MODE=1", "DO_NOT_TRACK=1", "PYTHONWARNINGS=ignore", "AIRBYTE_TEMP_DIR="+t.TempDir(),
		"NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("pyab %s: %v\n%s\n%s", strings.Join(args, " "), err, out, &stderr)
	}
	return out
}

func TestPyAirbyteValidates(t *testing.T) {
	b := startSandbox(t, "")
	for _, vendor := range []string{"nxlink", "nxcloud"} {
		out := pyab(t, "validate", "--connector="+bin.destination, "--config="+writeJSON(t, b.config(vendor, "", t.TempDir())))
		t.Logf("%s: %s", vendor, lastLine(out))
	}
}

// TestCheckRefuses: a wrong secret fails the check, and is not shown.
func TestCheckRefuses(t *testing.T) {
	b := startSandbox(t, "")
	config := b.config("nxlink", "", t.TempDir())
	config["crm"].(map[string]any)["access_secret"] = "wrong"
	cmd := exec.Command(bin.destination, "check", "--config", writeJSON(t, config))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("check: %v", err)
	}
	if !bytes.Contains(out, []byte(`"FAILED"`)) || bytes.Contains(out, []byte("wrong")) {
		t.Errorf("check with a wrong secret: %s", out)
	}
}

// TestPyAirbyteSmoke sends all scenarios. Without a mapping the records are no contacts, so they are rejected, but none
// may be missing; with one, at least a thousand must be contacts in the CRM.
func TestPyAirbyteSmoke(t *testing.T) {
	mapping, err := os.ReadFile("testdata/mapping.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, vendor, mapping string
		contacts              int
	}{
		{"without a mapping", "nxlink", "", 0},
		{"with a mapping", "nxcloud", string(mapping), 1000},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, rejects := startSandbox(t, ""), t.TempDir()
			out := pyab(t, "destination-smoke-test", "--destination="+bin.destination, "--config="+writeJSON(t, b.config(c.vendor, c.mapping, rejects)), "--scenarios=all")
			delivered := smokeResult(t, out)
			rows, contacts := b.landed()
			rejected := len(rejectLines(t, rejects))
			t.Logf("PyAirbyte sent %d + %d records; the CRM took %d rows for %d contacts, %d rows were rejected", delivered, preflightRecords, rows, contacts, rejected)
			if delivered != smokeRecords {
				t.Errorf("PyAirbyte sent %d records, want %d", delivered, smokeRecords)
			}
			if rows+rejected != smokeRecords+preflightRecords {
				t.Errorf("%d landed + %d rejected, want %d in sum", rows, rejected, smokeRecords+preflightRecords)
			}
			if contacts < c.contacts {
				t.Errorf("%d contacts, want at least %d", contacts, c.contacts)
			}
		})
	}
}

// smokeResult reads the result that the smoke test prints and returns the records it delivered.
func smokeResult(t *testing.T, out []byte) int {
	t.Helper()
	var r struct {
		Success   bool   `json:"success"`
		Delivered int    `json:"records_delivered"`
		Preflight bool   `json:"preflight_passed"`
		Error     string `json:"error"`
	}
	start := bytes.Index(out, []byte("{\n"))
	if start < 0 {
		t.Fatalf("no result in %s", out)
	}
	if err := json.NewDecoder(bytes.NewReader(out[start:])).Decode(&r); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if !r.Success || !r.Preflight {
		t.Errorf("the smoke test failed: %s", out)
	}
	return r.Delivered
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}
