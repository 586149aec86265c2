package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/sluicehq/sluice"

// shared is the folder of what vendors of one kind of interface have in common.
const shared = "connector/restapi"

// pkg is what `go list -json` says of a package; Imports leaves those of its tests out.
type pkg struct {
	ImportPath, Name, Dir string
	Imports, GoFiles      []string
}

func goTool(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return out
}

func packages(t *testing.T) []pkg {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(goTool(t, "list", "-e", "-json=ImportPath,Name,Dir,Imports,GoFiles", "./...")))
	var all []pkg
	for {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// rel is a package's folder inside the module; false for a package of any other.
func rel(path string) (string, bool) {
	if path == module {
		return ".", true
	}
	return strings.CutPrefix(path, module+"/")
}

func within(path string, dirs ...string) bool {
	for _, d := range dirs {
		if path == d || strings.HasPrefix(path, d+"/") {
			return true
		}
	}
	return false
}

// vendorOf returns the folder of the vendor that a package belongs to.
func vendorOf(path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, "connector/")
	if !ok || within(path, "connector/all", "connector/connectortest", shared) {
		return "", false
	}
	name, _, _ := strings.Cut(rest, "/")
	return "connector/" + name, true
}

func isStd(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

func isArrow(path string) bool { return within(path, "github.com/apache/arrow/go/v15") }

// testSide reports whether a package serves tests only: a vendor's sandbox and the contract suites.
func testSide(path string) bool {
	return within(path, "connector/connectortest", "internal/sandbox") || strings.Contains(path, "/sandbox") || strings.HasSuffix(path, "test")
}

// importFault says what is wrong with a package of this module, given by its folder, importing another, given by its full
// path; "" if nothing is.
func importFault(from, path string) string {
	to, own := rel(path)
	foreign := !isStd(path) && !isArrow(path)
	vendor, isVendor := vendorOf(from)
	toVendor, ofVendor := vendorOf(to)
	switch {
	case own && within(to, "cmd") && !within(from, "cmd"):
		return "nothing may import a command"
	case within(from, "bench"): // programs that measure; they are not part of the product
		return ""
	case own && ofVendor && !within(from, toVendor, "cmd", "connector/all"):
		return "only cmd and connector/all may know a vendor"
	case from == shared && foreign && path != module+"/connector":
		return "what vendors share knows the vocabulary only"
	case own && isVendor && testSide(from) && (to == shared || to == vendor):
		return "a sandbox that reads as the vendor does would prove nothing"
	case own && to == shared && !isVendor:
		return "it is for vendors"
	case from == "connector" && foreign:
		return "the vocabulary imports the standard library and Arrow only"
	case isVendor && !testSide(from) && foreign && (!own || !within(to, vendor) && to != "connector" && to != shared && to != "internal/rows"):
		return "a vendor imports connector, connector/restapi and internal/rows only"
	case own && within(to, "connector/all") && !within(from, "cmd", "connector/all"):
		return "it must work with any list of vendors"
	case own && within(to, "wire") && !within(from, "wire", "cmd"):
		return "wires stand above it"
	case path == "testing" && !testSide(from):
		return "a program must not carry package testing"
	}
	return ""
}

func TestImports(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range packages(t) {
		from, ok := rel(p.ImportPath)
		if !ok {
			t.Fatalf("%s lies outside %s", p.ImportPath, module)
		}
		seen[from] = true
		for _, to := range p.Imports {
			if fault := importFault(from, to); fault != "" {
				t.Errorf("%s imports %s: %s", from, to, fault)
			}
		}
	}
	for _, must := range []string{"connector", "connector/all", "connector/nx", "internal/rows", "wire/airbyte", "cmd/sluice"} {
		if !seen[must] {
			t.Errorf("the rules watch %s, but there is no such package", must)
		}
	}
}

func TestImportFaultCatches(t *testing.T) {
	for _, c := range []struct {
		from, to string
		wrong    bool
	}{
		{"connector", "fmt", false},
		{"connector", "github.com/apache/arrow/go/v15/arrow", false},
		{"connector", "~/internal/rows", true},
		{"connector", "github.com/go-faster/jx", true},
		{"connector/nx", "~/internal/rows", false},
		{"connector/nx", "~/connector", false},
		{"connector/nx", "~/connector/nx/wording", false},
		{"connector/nx", "~/connector/restapi", false},
		{"connector/restapi", "~/connector", false},
		{"connector/restapi", "net/url", false},
		{"connector/restapi", "~/internal/rows", true},
		{"connector/restapi", "~/connector/nx", true},
		{"connector/restapi", "github.com/apache/arrow/go/v15/arrow", false},
		{"connector", "~/connector/restapi", true},
		{"connector/nx/sandbox", "~/connector/restapi", true},
		{"connector/nx/sandbox", "~/connector/nx", true},
		{"internal/deliver", "~/connector/restapi", true},
		{"connector/nx", "~/internal/deliver", true},
		{"connector/nx", "~/transforms", true},
		{"connector/nx", "~/connector/socialepoch", true},
		{"connector/nx", "github.com/go-faster/jx", true},
		{"connector/nx/sandbox", "~/internal/sandbox", false},
		{"connector/connectortest", "~/internal/deliver", false},
		{"connector/connectortest", "~/connector/nx", true},
		{"connector/template", "~/connector/restapi", false},
		{"connector/template", "~/internal/sandbox", true},
		{"connector/all", "~/connector/nx", false},
		{"connector/all/sandboxes", "~/connector/nx/sandbox", false},
		{"wire/airbyte", "~/connector", false},
		{"wire/airbyte", "~/connector/nx", true},
		{"wire/file", "~/connector/all", true},
		{"internal/pipeline", "~/connector/nx/sandbox", true},
		{"internal/pipeline", "~/wire/file", true},
		{"transforms", "~/cmd/internal/job", true},
		{"cmd/sluice", "~/cmd/internal/job", false},
		{"cmd/sluice", "~/connector/nx", false},
		{"internal/deliver", "testing", true},
		{"connector/connectortest", "testing", false},
	} {
		if fault := importFault(c.from, strings.Replace(c.to, "~", module, 1)); (fault != "") != c.wrong {
			t.Errorf("%s imports %s: fault %q, want one: %v", c.from, c.to, fault, c.wrong)
		}
	}
}

// TestStdout: standard output carries a protocol in most modes, so nothing else may touch it.
func TestStdout(t *testing.T) {
	for _, p := range packages(t) {
		from, _ := rel(p.ImportPath)
		if within(from, "cmd", "wire/airbyte", "bench") {
			continue
		}
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, use := range stdoutUses(file) {
				t.Errorf("%s/%s uses %s", from, name, use)
			}
		}
	}
}

// stdoutUses finds os.Stdout and the functions that write to it.
func stdoutUses(file *ast.File) []string {
	var uses []string
	ast.Inspect(file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := sel.X.(*ast.Ident)
		if !ok {
			return true
		}
		switch name := x.Name + "." + sel.Sel.Name; name {
		case "os.Stdout", "fmt.Print", "fmt.Printf", "fmt.Println", "syscall.Stdout":
			uses = append(uses, name)
		}
		return true
	})
	return uses
}

func TestStdoutUsesCatches(t *testing.T) {
	src := "package x\nfunc f() { fmt.Println(1); fmt.Fprintln(os.Stderr, 2); w := os.Stdout; _ = w }"
	file, err := parser.ParseFile(token.NewFileSet(), "x.go", src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(stdoutUses(file)); got != "[fmt.Println os.Stdout]" {
		t.Errorf("got %s", got)
	}
}
