//go:build e2e

package airbyte

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadme runs the first pipeline of the README, word for word but for the account, which is the sandbox's.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := func(language string) string {
		m := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindSubmatch(text)
		if m == nil {
			t.Fatalf("the README has no %s", language)
		}
		return string(m[1])
	}
	b, dir := startSandbox(t, ""), t.TempDir()
	pipeline := strings.Replace(block("yaml"), "46oKF=os", "sandbox=app\n    base_url: "+b.url, 1)
	for name, content := range map[string]string{"contacts.csv": block("csv"), "pipeline.yaml": pipeline} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, verb := range []string{"lint pipeline.yaml", "check pipeline.yaml", "run pipeline.yaml --dry-run --limit 2", "run pipeline.yaml", "rejects ls pipeline.yaml.rejects"} {
		cmd := exec.Command(bin.sluice, strings.Fields(verb)...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "NX_ACCESS_KEY=sandbox-key", "NX_ACCESS_SECRET=sandbox-secret")
		out, err := cmd.CombinedOutput()
		if err != nil || strings.Contains(string(out), "sandbox-secret") {
			t.Fatalf("sluice %s: %v\n%s", verb, err, out)
		}
		t.Logf("sluice %s\n%s", verb, out)
	}
	if rows, contacts := b.landed(); rows != 2 || contacts != 2 {
		t.Errorf("%d rows of %d contacts landed, want 2", rows, contacts)
	}
}
