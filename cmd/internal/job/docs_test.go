package job

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/connector/all"
)

// TestDocsLint: whoever copies a file out of the documentation can lint it before anything else is set.
func TestDocsLint(t *testing.T) {
	linted := 0
	for _, doc := range []string{"README.md", "docs/operations.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "..", doc))
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range strings.Split(string(text), "```yaml\n")[1:] {
			block, _, _ = strings.Cut(block, "```")
			path := filepath.Join(t.TempDir(), "file.yaml")
			if err := os.WriteFile(path, []byte(block), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := Lint(path, all.Vendors); err != nil {
				t.Errorf("%s: %v\n%s", doc, err, block)
			}
			linted++
		}
	}
	if linted < 3 {
		t.Errorf("%d files found, want those of a pipeline, a relay and a receiver at least", linted)
	}
}
