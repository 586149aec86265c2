package socialepoch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"hash"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// counting counts how often a hash is finished.
type counting struct {
	hash.Hash
	n *int
}

func (c counting) Sum(b []byte) []byte { *c.n++; return c.Hash.Sum(b) }

// The work that a request costs tells neither which company is known here, nor which secret or part of a token is right:
// the same hashes are made for each.
func TestVerifyWork(t *testing.T) {
	const tenant, stamp = "82", "1667295870936"
	now := time.UnixMilli(1667295870936)
	good := sign("new", tenant, stamp)
	for _, strict := range []bool{false, true} {
		h := hookFor(t, hookPortrait, listening(func(c *SourceConfig) {
			c.Strict, c.WebhookSecrets = strict, []connector.Secret{connector.NewSecret("new"), connector.NewSecret(testSecret), connector.NewSecret("old")}
		})).(*hook)
		n := 0
		for i, pool := range h.macs {
			h.macs[i] = &sync.Pool{New: func() any { return &mac{Hash: counting{pool.New().(*mac).Hash, &n}} }}
		}
		refused := 6 // the header is looked at once more with what the body adds
		if strict {
			refused = 3
		}
		for _, c := range []struct {
			name, token, tenant, stamp string
			want                       int
		}{
			{"first secret", good, tenant, stamp, 3},
			{"second secret", sign(testSecret, tenant, stamp), tenant, stamp, 3},
			{"forged", sign("another", tenant, stamp), tenant, stamp, refused},
			{"forged at its end", good[:63] + "x", tenant, stamp, refused},
			{"short", good[:2], tenant, stamp, refused},
			{"no digits", "token", tenant, stamp, refused},
			{"another company", sign("new", "83", stamp), "83", stamp, refused},
			{"another company, forged", good, "83", stamp, refused},
			{"time is no number", sign("new", tenant, "now"), tenant, "now", refused},
			{"stale", sign("new", tenant, "1"), tenant, "1", refused},
		} {
			n = 0
			_, _ = h.Verify(request(map[string]string{"Access_token": c.token, "Tenant_id": c.tenant, "Timestamp": c.stamp}, "{}"), now)
			if n != c.want {
				t.Errorf("%s, strict %v: %d hashes, want %d", c.name, strict, n, c.want)
			}
		}
	}
}

// In the file that verifies, what a token should be goes into hmac.Equal and nowhere else, and the token that came is
// compared with nothing but "".
func TestVerifyCompares(t *testing.T) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "webhook.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	named := func(n ast.Expr, name string) bool {
		s, ok := n.(*ast.SelectorExpr)
		return ok && s.Sel.Name == name
	}
	compared := map[ast.Node]bool{} // arguments of hmac.Equal
	found := 0
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if called, ok := n.Fun.(*ast.SelectorExpr); ok && named(called, "Equal") && types.ExprString(called.X) == "hmac" {
					compared[n.Args[0]] = true
				}
				if named(n.Fun, "of") { // of a mac; nothing else in this file has such a method
					if found++; !compared[n] {
						t.Errorf("%s: the token that is right is used outside of hmac.Equal", files.Position(n.Pos()))
					}
				}
			case *ast.SelectorExpr:
				if n.Sel.Name == "sum" && f.Name.Name != "of" {
					t.Errorf("%s: the token that is right is taken from where it was made", files.Position(n.Pos()))
				}
			case *ast.BinaryExpr:
				if (named(n.X, "token") || named(n.Y, "token")) && types.ExprString(n.Y) != `""` {
					t.Errorf("%s: a token is compared by %s", files.Position(n.Pos()), n.Op)
				}
			}
			return true
		})
	}
	if found == 0 {
		t.Error("no token is compared: where is that done now?")
	}
}
