package connectortest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// forbidden is what a vendor's code must not use, by import path: it is pure, so that one delivery chain can pace, repeat,
// test and stop it.
var forbidden = map[string][]string{
	"net/http": {"Client", "DefaultClient", "DefaultTransport", "Transport", "Get", "Post", "PostForm", "Head", "NewRequest", "NewRequestWithContext",
		"Handle", "HandleFunc", "ListenAndServe", "ListenAndServeTLS", "Serve", "ServeTLS", "Server"},
	"net":  {"Dial", "DialTimeout", "Dialer", "Listen", "ListenPacket", "LookupHost", "LookupIP", "LookupAddr", "Resolver"},
	"time": {"Now", "Sleep", "After", "AfterFunc", "Since", "Until", "Tick", "NewTicker", "NewTimer"},
}

// forbiddenImports are packages that a vendor's code has no use for at all.
var forbiddenImports = []string{"os", "os/exec", "log", "log/slog", "math/rand", "math/rand/v2", "crypto/rand", "syscall", "unsafe"}

// Source holds the Go files of a vendor's folder, tests and subfolders left out, to the rule that vendors are pure: no
// client, no clock, no goroutine, no package state made by init.
func Source(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		looked++
		faults, err := impurities(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range faults {
			t.Errorf("%s", f)
		}
	}
	if looked == 0 {
		t.Errorf("%s holds no Go files", dir)
	}
}

// impurities lists what a file must not do. src replaces the file's text if it is not nil.
func impurities(path string, src any) ([]string, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var faults []string
	fault := func(at token.Pos, format string, args ...any) {
		p := set.Position(at)
		faults = append(faults, fmt.Sprintf("%s:%d: %s", p.Filename, p.Line, fmt.Sprintf(format, args...)))
	}
	names := map[string]string{} // as used in the file → import path
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		for _, bad := range forbiddenImports {
			if imported == bad {
				fault(spec.Pos(), "a vendor must not import %s", imported)
			}
		}
		if _, ok := forbidden[imported]; !ok {
			continue
		}
		switch {
		case spec.Name == nil:
			names[imported[strings.LastIndexByte(imported, '/')+1:]] = imported
		case spec.Name.Name == ".":
			fault(spec.Pos(), "a vendor must not import %s under the name .", imported)
		default:
			names[spec.Name.Name] = imported
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			fault(n.Pos(), "a vendor must not start a goroutine")
		case *ast.FuncDecl:
			if n.Recv == nil && n.Name.Name == "init" {
				fault(n.Pos(), "a vendor must not have an init function")
			}
		case *ast.SelectorExpr:
			pkg, ok := n.X.(*ast.Ident)
			if !ok {
				return true
			}
			for _, bad := range forbidden[names[pkg.Name]] {
				if n.Sel.Name == bad {
					fault(n.Pos(), "a vendor must not use %s.%s", names[pkg.Name], bad)
				}
			}
		}
		return true
	})
	return faults, nil
}
