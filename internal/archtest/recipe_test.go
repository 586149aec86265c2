package archtest

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What the recipe says to add to the two lists, as the test adds it. Each stands in docs/add-a-vendor.md.
const (
	addVendor  = `acme.Vendor`
	addService = `acmesandbox.New()`
	addAccount = `{"acme", []Setting{{"api_key", acmesandbox.APIKey}, {"account", acmesandbox.Account}}}`
	addImport  = `"github.com/sluicehq/sluice/connector/acme"`
	addImport2 = `acmesandbox "github.com/sluicehq/sluice/connector/acme/sandbox"`
)

// TestRecipeWorks does what docs/add-a-vendor.md tells a newcomer to do, in a copy of the tree: the new vendor compiles,
// passes vet, the contract and the rules of this package, and the lists take it.
func TestRecipeWorks(t *testing.T) {
	t.Parallel() // most of the time is other processes
	text := recipe(t)
	root := copyTree(t)
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(text, -1)
	if len(blocks) != 2 || !strings.HasPrefix(blocks[0][1], "cp -R "+model+" connector/acme\n") {
		t.Fatalf("the recipe has %d blocks of commands; it is to begin by copying %s", len(blocks), model)
	}
	for line := range strings.Lines(blocks[0][1]) {
		run(t, root, line)
	}
	checkCopy(t, filepath.Join(root, "connector/acme"))

	for _, add := range []string{addVendor, addService, addAccount, addImport, addImport2} {
		if !strings.Contains(text, "`"+add+"`") {
			t.Errorf("the recipe does not say to add %s", add)
		}
	}
	insert(t, root, "connector/all/all.go", "import (", addImport, "[]connector.Vendor{", addVendor+",")
	insert(t, root, "connector/all/sandboxes/sandboxes.go", "import (", addImport2, "[]sandbox.Service{", addService+",", "return []Account{", addAccount+",")
	if _, faults := recipeFaults(t, root); len(faults) > 0 {
		t.Errorf("the new vendor does not follow the recipe: %v", faults)
	}
	run(t, root, "go vet ./connector/acme/...")
	run(t, root, "go build ./connector/all/...")
	run(t, root, "go test ./connector/all")
	for _, line := range []string{"go vet ./connector/...", "go test -race ./connector/acme/...", "go test ./connector/all ./internal/archtest"} {
		if !strings.Contains(blocks[1][1], line+"\n") { // run above in part, or by the project's own suite
			t.Errorf("the recipe does not end with %s", line)
		}
	}
}

// copyTree makes a module of the parts that vendors are built and tested with. What no one changes is linked.
func copyTree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	top, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(root, "connector"), os.DirFS(filepath.Join(top, "connector"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(top, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(root, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"internal", "transforms"} {
		if err := os.Symlink(filepath.Join(top, name), filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func run(t *testing.T, dir, command string) {
	t.Helper()
	cmd := exec.Command("sh", "-e", "-c", command)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// checkCopy: nothing of the old name and no spare file is left.
func checkCopy(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.HasSuffix(path, ".old") || strings.Contains(string(text), "connector/template") {
			t.Errorf("%s is left of %s, or speaks of it", path, model)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// insert puts texts into a file, each on a line of its own right after the first place of the text named before it.
func insert(t *testing.T, root, path string, pairs ...string) {
	t.Helper()
	path = filepath.Join(root, path)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(file)
	for i := 0; i < len(pairs); i += 2 {
		before, after, ok := strings.Cut(text, pairs[i])
		if !ok {
			t.Fatalf("%s has no %s", path, pairs[i])
		}
		text = before + pairs[i] + "\n" + pairs[i+1] + after
		if pairs[i] == "import (" {
			text = before + pairs[i] + "\n" + pairs[i+1] + "\n" + after
		}
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
