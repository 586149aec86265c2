package transforms

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// The interpreter counts its own steps, but one step may do very much: "x" * 1000000000, or the text of a list of lists.
// So what can make much of little, or works on values that an expression named and used twice, is called through a
// guard, which first charges the budget for it. An expression that names no values (no comprehension, no lambda) can make
// nothing that is much larger than the record and its own text, save by repeating; only that is guarded there.

var (
	errSteps = fmt.Errorf("gave up after %d steps of work", exprSteps)
	errLarge = fmt.Errorf("gave up: it makes a text or a list of more than %d bytes or elements", exprText)
)

// budget is what the evaluation may still do, as a limit of the thread's count of steps.
type budget struct{ limit uint64 }

const budgetKey = "budget"

func newThread() *starlark.Thread {
	t := &starlark.Thread{Name: "expr", Print: func(*starlark.Thread, string) {}}
	t.SetLocal(budgetKey, new(budget))
	startBudget(t)
	return t
}

func budgetOf(t *starlark.Thread) *budget { return t.Local(budgetKey).(*budget) }

func startBudget(t *starlark.Thread) {
	b := budgetOf(t)
	b.limit = t.Steps + exprSteps
	t.SetMaxExecutionSteps(b.limit)
}

// perElement is what a function takes over an element of a list, in steps of the interpreter.
const perElement = 4

// glances reports whether a function does not go over what it is given.
func glances(fn starlark.Value) bool {
	b, ok := fn.(*starlark.Builtin)
	return ok && b.Receiver() == nil && (b.Name() == "len" || b.Name() == "bool" || b.Name() == "type")
}

// charge counts work over n bytes or elements.
func charge(t *starlark.Thread, n int) error {
	if n > exprText {
		return errLarge
	}
	t.Steps += uint64(n)/8 + 1
	if t.Steps > budgetOf(t).limit {
		return errSteps
	}
	return nil
}

// bulk is the size of a value with all that it holds, counted up to a little more than exprText.
func bulk(v starlark.Value) int { return bulkTo(v, 0) }

func bulkTo(v starlark.Value, sum int) int {
	sum++
	if sum > exprText {
		return sum
	}
	switch v := v.(type) {
	case starlark.String:
		return sum + len(v)
	case starlark.Bytes:
		return sum + len(v)
	case starlark.Int:
		return sum + v.BigInt().BitLen()/8
	case *starlark.Dict:
		for _, item := range v.Items() {
			sum = bulkTo(item[1], bulkTo(item[0], sum))
		}
	case starlark.Indexable:
		for i := 0; i < v.Len() && sum <= exprText; i++ {
			sum = bulkTo(v.Index(i), sum)
		}
	case starlark.Sequence:
		return sum + v.Len()
	}
	return sum
}

func times(a, b int) int {
	if a > 0 && b > math.MaxInt32/a {
		return math.MaxInt32
	}
	return a * b
}

// namesValues reports whether the expression gives names to values that it makes.
func namesValues(tree syntax.Expr) (named bool) {
	syntax.Walk(tree, func(n syntax.Node) bool {
		switch n.(type) {
		case *syntax.Comprehension, *syntax.LambdaExpr:
			named = true
		}
		return !named
	})
	return named
}

// Names of the guards: none can be written in an expression.
const (
	guardCall  = "guard call"
	guardValue = "guard value"
)

func guardOp(op syntax.Token) string { return "guard " + op.String() }

var guardedOps = []syntax.Token{
	syntax.PLUS, syntax.STAR, syntax.PERCENT, syntax.EQL, syntax.NEQ, syntax.LT, syntax.LE, syntax.GT, syntax.GE, syntax.IN, syntax.NOT_IN,
	syntax.PIPE, syntax.AMP, syntax.CIRCUMFLEX, syntax.MINUS,
}

// repeating methods make more of their arguments than these hold.
var repeating = []string{"join", "replace", "format"}

// guards rewrites the tree of an expression.
type guards struct {
	e     *expression
	named bool
}

func (g *guards) all(list []syntax.Expr) {
	for i := range list {
		list[i] = g.rewrite(list[i])
	}
}

func (g *guards) rewrite(n syntax.Expr) syntax.Expr {
	switch n := n.(type) {
	case *syntax.ParenExpr:
		n.X = g.rewrite(n.X)
	case *syntax.CondExpr:
		n.Cond, n.True, n.False = g.rewrite(n.Cond), g.rewrite(n.True), g.rewrite(n.False)
	case *syntax.IndexExpr:
		n.X, n.Y = g.rewrite(n.X), g.key(n.Y)
	case *syntax.SliceExpr:
		n.X = g.rewrite(n.X)
		for _, part := range []*syntax.Expr{&n.Lo, &n.Hi, &n.Step} {
			if *part != nil {
				*part = g.rewrite(*part)
			}
		}
	case *syntax.ListExpr:
		g.all(n.List)
	case *syntax.TupleExpr:
		g.all(n.List)
	case *syntax.DictExpr:
		for _, entry := range n.List {
			g.entry(entry.(*syntax.DictEntry))
		}
	case *syntax.Comprehension:
		g.comprehension(n)
	case *syntax.LambdaExpr:
		for _, p := range n.Params {
			if b, ok := p.(*syntax.BinaryExpr); ok {
				b.Y = g.rewrite(b.Y)
			}
		}
		n.Body = g.rewrite(n.Body)
	case *syntax.UnaryExpr:
		if n.X != nil {
			n.X = g.rewrite(n.X)
		}
	case *syntax.DotExpr:
		n.X = g.rewrite(n.X)
	case *syntax.BinaryExpr:
		n.X, n.Y = g.rewrite(n.X), g.rewrite(n.Y)
		if g.named && slices.Contains(guardedOps, n.Op) || n.Op == syntax.STAR || n.Op == syntax.PERCENT {
			return guard(guardOp(n.Op), n.OpPos, n.X, n.Y)
		}
	case *syntax.CallExpr:
		return g.callOf(n)
	}
	return n
}

// callOf rewrites a call; one of field becomes a parameter.
func (g *guards) callOf(n *syntax.CallExpr) syntax.Expr {
	if id, ok := n.Fn.(*syntax.Ident); ok && id.Name == fieldFunc {
		return &syntax.Ident{NamePos: id.NamePos, Name: g.param(fieldNamed(n))}
	}
	for i, a := range n.Args {
		switch a := a.(type) {
		case *syntax.BinaryExpr:
			if a.Op == syntax.EQ { // name=value
				a.Y = g.rewrite(a.Y)
				continue
			}
			n.Args[i] = g.rewrite(a)
		default:
			n.Args[i] = g.rewrite(a)
		}
	}
	dot, method := n.Fn.(*syntax.DotExpr)
	guarded := g.named || method && slices.Contains(repeating, dot.Name.Name)
	n.Fn = g.rewrite(n.Fn)
	if !guarded {
		return n
	}
	return guard(guardCall, n.Lparen, append([]syntax.Expr{n.Fn}, n.Args...)...)
}

// param returns the parameter for a field that is named in quotes.
func (g *guards) param(name string) string {
	for i, r := range g.e.names {
		if r.name == name && !g.e.plain[i] {
			return paramName(i, name, false)
		}
	}
	g.e.names, g.e.plain = append(g.e.names, ref{name, g.e.at}), append(g.e.plain, false)
	return paramName(len(g.e.names)-1, name, false)
}

func (g *guards) comprehension(n *syntax.Comprehension) {
	if entry, ok := n.Body.(*syntax.DictEntry); ok {
		g.entry(entry)
	} else {
		n.Body = g.rewrite(n.Body)
	}
	for _, clause := range n.Clauses {
		switch c := clause.(type) {
		case *syntax.ForClause:
			c.X = g.rewrite(c.X)
		case *syntax.IfClause:
			c.Cond = g.rewrite(c.Cond)
		}
	}
}

func (g *guards) entry(n *syntax.DictEntry) { n.Key, n.Value = g.key(n.Key), g.rewrite(n.Value) }

// key guards what is looked up in a dictionary: all of it is read.
func (g *guards) key(n syntax.Expr) syntax.Expr {
	if n = g.rewrite(n); !g.named {
		return n
	}
	at, _ := n.Span()
	return guard(guardValue, at, n)
}

func guard(name string, at syntax.Position, args ...syntax.Expr) syntax.Expr {
	return &syntax.CallExpr{Fn: &syntax.Ident{NamePos: at, Name: name}, Lparen: at, Args: args, Rparen: at}
}

// exprFuncs are the functions of the language: those of Starlark that have no effect and reach nothing.
var exprFuncs = func() starlark.StringDict {
	funcs := starlark.StringDict{
		"range":   starlark.NewBuiltin("range", boundedRange),
		fieldFunc: starlark.None, // replaced before it could be called
	}
	for _, name := range []string{
		"abs", "all", "any", "bool", "chr", "dict", "enumerate", "float", "int", "len", "list", "max", "min", "ord", "repr", "reversed", "set",
		"sorted", "str", "tuple", "type", "zip",
	} {
		funcs[name] = starlark.Universe[name]
	}
	return funcs
}()

// exprEnv is what an expression sees: the functions, and the guards under names that cannot be written.
var exprEnv = func() starlark.StringDict {
	env := starlark.StringDict{
		guardCall:  starlark.NewBuiltin("call", guardedCall),
		guardValue: starlark.NewBuiltin("key", guardedKey),
	}
	for name, fn := range exprFuncs {
		env[name] = fn
	}
	for name := range constantNames {
		env[name] = starlark.Universe[name]
	}
	for _, op := range guardedOps {
		env[guardOp(op)] = starlark.NewBuiltin(op.String(), guardedOp(op))
	}
	env.Freeze()
	return env
}()

func guardedKey(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	return args[0], charge(t, bulk(args[0]))
}

func exprFuncNames() []string {
	names := exprFuncs.Keys()
	slices.Sort(names)
	return names
}

// boundedRange is range, of no more numbers than an evaluation could use: what walks it may do so in one step.
func boundedRange(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	v, err := starlark.Call(t, starlark.Universe["range"], args, kwargs)
	if s, ok := v.(starlark.Sequence); err == nil && ok && s.Len() > exprRange {
		return nil, fmt.Errorf("gave up: a range of more than %d numbers", exprRange)
	}
	return v, err
}

// guardedOp charges for an operator before it does its work.
func guardedOp(op syntax.Token) func(*starlark.Thread, *starlark.Builtin, starlark.Tuple, []starlark.Tuple) (starlark.Value, error) {
	return func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		x, y := args[0], args[1]
		cost := bulk(x) + bulk(y)
		switch text, isText := x.(starlark.String); {
		case op == syntax.STAR:
			cost = max(cost, repeated(x, y), repeated(y, x))
		case op == syntax.PERCENT && isText:
			cost += times(strings.Count(string(text), "%"), bulk(y))
		}
		if err := charge(t, cost); err != nil {
			return nil, err
		}
		switch op {
		case syntax.EQL, syntax.NEQ, syntax.LT, syntax.LE, syntax.GT, syntax.GE:
			ok, err := starlark.Compare(op, x, y)
			return starlark.Bool(ok), err
		}
		return starlark.Binary(op, x, y)
	}
}

// repeated is the size of a value that is repeated n times; 0 where n is no number.
func repeated(v, n starlark.Value) int {
	by, ok := n.(starlark.Int)
	if !ok {
		return 0
	}
	if _, ok := v.(starlark.Int); ok {
		return 0
	}
	if _, ok := v.(starlark.Float); ok {
		return 0
	}
	i, ok := by.Int64()
	if !ok || i > exprText {
		return exprText + 1
	}
	return times(int(max(i, 0)), bulk(v))
}

var errNoText = errors.New("join takes a list of texts")

// guardedCall charges for what a function reads, and for what a method may make of it, before it is called.
func guardedCall(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	fn, args := args[0], args[1:]
	cost := 0
	for _, v := range args {
		cost = min(cost+bulk(v), math.MaxInt32)
		if s, ok := v.(starlark.Sequence); ok && !glances(fn) {
			t.Steps += perElement * uint64(s.Len()) // set, sorted and the like take much longer over one than over a byte
		}
	}
	for _, kv := range kwargs {
		cost = min(cost+bulk(kv[1]), math.MaxInt32)
	}
	if b, ok := fn.(*starlark.Builtin); ok && b.Receiver() != nil {
		made := cost
		if self, ok := b.Receiver().(starlark.String); ok {
			text := string(self)
			switch b.Name() {
			case "join":
				if len(args) == 1 {
					n := starlark.Len(args[0])
					if n < 0 {
						return nil, errNoText
					}
					made = times(n, len(text)) + cost
				}
			case "replace":
				if len(args) >= 2 {
					old, _ := starlark.AsString(args[0])
					made = times(strings.Count(text, old), bulk(args[1]))
				}
			case "format":
				made = times(strings.Count(text, "{"), cost)
			}
		}
		cost = min(bulk(b.Receiver())+max(cost, made), math.MaxInt32)
	}
	if err := charge(t, cost); err != nil {
		return nil, err
	}
	return starlark.Call(t, fn, args, kwargs)
}
