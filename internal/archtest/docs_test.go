package archtest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documents lists the Markdown files of the project, relative to its root.
func documents(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		list, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, list...)
	}
	if len(all) < 6 {
		t.Fatalf("only %d documents", len(all))
	}
	return all
}

var link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

// TestLinksResolve: a link to a file of the project names one.
func TestLinksResolve(t *testing.T) {
	for _, path := range documents(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", path, m[1], err)
			}
		}
	}
}

var (
	testName = regexp.MustCompile("`((?:Test|Fuzz)[A-Z][A-Za-z0-9]*)`")
	testDecl = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Z][A-Za-z0-9]*)\(`)
)

// TestNamedTestsExist: DESIGN.md says which test holds which promise.
func TestNamedTestsExist(t *testing.T) {
	exist := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range testDecl.FindAllStringSubmatch(string(text), -1) {
			exist[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../DESIGN.md")
	if err != nil {
		t.Fatal(err)
	}
	named := testName.FindAllStringSubmatch(string(text), -1)
	for _, m := range named {
		if !exist[m[1]] {
			t.Errorf("DESIGN.md names %s, but there is no such test", m[1])
		}
	}
	if len(named) < 10 {
		t.Errorf("DESIGN.md names only %d tests", len(named))
	}
}

// TestDependencies: each direct dependency must earn its place. There are few, and the table in DESIGN.md gives a reason
// for each of them and for no other.
func TestDependencies(t *testing.T) {
	text, err := os.ReadFile("../../DESIGN.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n## Dependencies\n")
	if !ok {
		t.Fatal("DESIGN.md has no section Dependencies")
	}
	var listed []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| .{10,} \\|$").FindAllStringSubmatch(section, -1) {
		listed = append(listed, m[1])
	}
	direct := directDependencies(t)
	if n := len(direct); n == 0 || n > 30 {
		t.Errorf("%d direct dependencies, want 1 to 30", n)
	}
	for _, d := range direct {
		if !slices.Contains(listed, d) {
			t.Errorf("%s has no reason in DESIGN.md", d)
		}
	}
	for _, l := range listed {
		if !slices.Contains(direct, l) {
			t.Errorf("DESIGN.md gives a reason for %s, which is no direct dependency", l)
		}
	}
}

// directDependencies lists the modules that a package or test of this module imports from, and holds go.mod to them.
func directDependencies(t *testing.T) []string {
	t.Helper()
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal(goTool(t, "mod", "edit", "-json"), &mod); err != nil {
		t.Fatal(err)
	}
	imports := ""
	for _, system := range []string{"linux", "windows"} { // some are for one of them only
		t.Setenv("GOOS", system)
		imports += string(goTool(t, "list", "-e", "-f", `{{range .Imports}}{{.}}{{"\n"}}{{end}}{{range .TestImports}}{{.}}{{"\n"}}{{end}}{{range .XTestImports}}{{.}}{{"\n"}}{{end}}`, "./..."))
	}
	var direct []string
	for _, r := range mod.Require {
		used := slices.ContainsFunc(strings.Fields(imports), func(path string) bool { return within(path, r.Path) })
		if used {
			direct = append(direct, r.Path)
		}
		if used == r.Indirect {
			t.Errorf("go.mod is wrong about %s being indirect: run go mod tidy", r.Path)
		}
	}
	return direct
}

// TestEveryPackageIsTested: a package without a test is one that nobody has tried. Commands of a few lines and lists are
// tried by the whole-program tests.
func TestEveryPackageIsTested(t *testing.T) {
	out, err := exec.Command("go", "list", "-e", "-f", `{{if not (or .TestGoFiles .XTestGoFiles)}}{{.ImportPath}}{{end}}`, module+"/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(string(out)) {
		if p, _ := rel(path); !within(p, "cmd", "connector/all", "bench", "e2e", ".") {
			t.Errorf("%s has no test", p)
		}
	}
}
