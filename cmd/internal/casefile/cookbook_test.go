package casefile

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/cmd/internal/job"
	"github.com/sluicehq/sluice/connector/all"
)

var fence = regexp.MustCompile("(?s)```yaml\n(.*?)```\n")

// TestCookbook: each section of the cookbook holds a mapping without faults and cases that hold.
func TestCookbook(t *testing.T) {
	page, err := os.ReadFile("../../../docs/mapping-cookbook.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := strings.Split(string(page), "\n## ")[1:]
	if len(sections) < 15 {
		t.Errorf("%d sections", len(sections))
	}
	for _, section := range sections {
		title, body, _ := strings.Cut(section, "\n")
		t.Run(title, func(t *testing.T) {
			blocks := fence.FindAllStringSubmatch(body, -1)
			if len(blocks) != 2 || strings.Count(body, "```") != 4 {
				t.Fatalf("%d blocks, want the mapping and its cases", len(blocks))
			}
			dir := t.TempDir()
			for i, name := range []string{"contacts.yaml", "contacts" + Suffix} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(blocks[i][1]), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := job.Lint(filepath.Join(dir, "contacts.yaml"), all.Vendors); err != nil {
				t.Error(err)
			}
			runCases(t, filepath.Join(dir, "contacts"+Suffix))
		})
	}
}

// runCases runs a file of cases, all of which must hold.
func runCases(t *testing.T, path string) {
	t.Helper()
	f, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(f, all.Vendors)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range f.Cases {
		r, err := s.Run(t.Context(), &f.Cases[i])
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range r.Wrong {
			t.Errorf("%s: %s", r.Case.Name, w)
		}
	}
}
