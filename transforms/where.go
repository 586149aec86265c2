package transforms

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	starjson "go.starlark.net/lib/json"
	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// whereSteps bounds the work of one evaluation: enough for any honest condition, some milliseconds for an endless one.
const whereSteps = 100_000

// where is a condition in Starlark over the record's fields. A row for which it is false is filtered.
type where struct {
	text  string
	at    pos
	names []ref
	call  starlark.Callable // of names; frozen, shared by all goroutines
}

// parseWhere compiles the condition into a function of the fields that it names. There is nothing in its environment
// but Starlark's own built-ins: no files, no clock, no network.
func parseWhere(a arg) *where {
	text, ok := a.str()
	if !ok {
		return nil
	}
	opts := &syntax.FileOptions{}
	expr, err := opts.ParseExpr("where", text, 0)
	if err != nil {
		a.problem("%s", starlarkMessage(err))
		return nil
	}
	w := &where{text: text, at: a.pos()}
	builtins, called := map[string]bool{}, calledNames(expr)
	seen := map[string]bool{}
	isField := func(name string) bool {
		_, universal := starlark.Universe[name]
		if name == "None" || name == "True" || name == "False" || universal && called[name] {
			builtins[name] = true
			return false
		}
		if !seen[name] {
			seen[name] = true
			w.names = append(w.names, ref{name, w.at})
		}
		return true
	}
	if _, err := resolve.ExprOptions(opts, expr, isField, starlark.Universe.Has); err != nil {
		a.problem("%s", starlarkMessage(err))
		return nil
	}
	params := make([]string, len(w.names))
	for i, r := range w.names {
		params[i] = r.name
	}
	// The text has been parsed as one expression, so it cannot leave the parentheses.
	source := fmt.Sprintf("lambda %s: (%s\n)", strings.Join(params, ", "), text)
	fn, err := starlark.EvalOptions(opts, newThread(), "where", source, nil)
	if err != nil {
		a.problem("%s", starlarkMessage(err))
		return nil
	}
	fn.Freeze()
	w.call, _ = fn.(starlark.Callable)
	return w
}

// calledNames finds the names that are called as functions: `len(tags)` means the built-in, `type == "x"` a field.
func calledNames(expr syntax.Expr) map[string]bool {
	called := map[string]bool{}
	syntax.Walk(expr, func(n syntax.Node) bool {
		if call, ok := n.(*syntax.CallExpr); ok {
			if id, ok := call.Fn.(*syntax.Ident); ok {
				called[id.Name] = true
			}
		}
		return true
	})
	return called
}

var starlarkPlace = regexp.MustCompile(`^where:1:(\d+): (.*)`)

// starlarkMessage says what is wrong with a condition and where in it.
func starlarkMessage(err error) string {
	if list := (resolve.ErrorList)(nil); errors.As(err, &list) && len(list) > 0 {
		err = list[0]
	}
	message := "not a condition"
	if m := starlarkPlace.FindStringSubmatch(err.Error()); m != nil {
		message += ", at character " + m[1] + ": " + m[2]
	} else {
		message += ": " + err.Error()
	}
	if strings.Contains(message, "got '='") {
		message += "; write == to compare"
	}
	return message
}

func newThread() *starlark.Thread {
	t := &starlark.Thread{Name: "where", Print: func(*starlark.Thread, string) {}}
	t.SetMaxExecutionSteps(whereSteps)
	return t
}

// useWhere binds the condition to the record's fields.
func (b *builder) useWhere(w *where) {
	if w == nil {
		return
	}
	b.where = w
	for _, r := range w.names {
		b.whereIn = append(b.whereIn, b.bind(r))
	}
}

// applyWhere keeps the rows for which the condition holds. A row for which it cannot be told is refused.
func (x *exec) applyWhere() {
	x.keepRows(func(r int32) bool {
		if x.dead[r] {
			return true
		}
		truth, err := x.holds(r)
		if err != nil {
			x.refuse(r, keyWhere, &fault{codeBadValue, "where: " + shorten(err.Error())})
			return true
		}
		return truth
	})
}

func (x *exec) holds(r int32) (bool, error) {
	if x.thread == nil {
		x.thread = newThread()
	}
	x.args = x.args[:0]
	for i := range x.g.whereIn {
		v, err := x.starlark(x.get(&x.g.whereIn[i], r))
		if err != nil {
			return false, err
		}
		x.args = append(x.args, v)
	}
	x.thread.SetMaxExecutionSteps(x.thread.ExecutionSteps() + whereSteps)
	v, err := starlark.Call(x.thread, x.g.where.call, x.args, nil)
	if err != nil {
		x.thread = nil // a thread that ran out of steps stays cancelled
		return false, err
	}
	return bool(v.Truth()), nil
}

// starlark gives a value as the language sees it; what is missing is None.
func (x *exec) starlark(v value) (starlark.Value, error) {
	switch v.k {
	case kindText:
		return starlark.String(v.s), nil
	case kindInt:
		return starlark.MakeInt64(v.n), nil
	case kindBool:
		return starlark.Bool(v.n != 0), nil
	case kindNumber, kindArray, kindObject:
		return starlark.Call(x.thread, starjson.Module.Members["decode"], starlark.Tuple{starlark.String(v.s)}, nil)
	case kindList:
		items := make([]starlark.Value, 0, len(x.listOf(v)))
		for _, item := range x.listOf(v) {
			s, err := x.starlark(item)
			if err != nil {
				return nil, err
			}
			items = append(items, s)
		}
		return starlark.NewList(items), nil
	}
	return starlark.None, nil
}
