package transforms

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// The bounds of one evaluation: enough for any honest expression, some milliseconds for an endless one. They count work,
// not time, so that a busy machine refuses no row.
const (
	exprSteps = 100_000 // of the interpreter; work of the built-in functions counts too
	exprText  = 1 << 18 // bytes of a text or elements of a list that one operation makes
	exprRange = 10_000  // numbers of a range
	exprChars = 10_000  // of the source
)

// expression is a Starlark expression over the record's fields, compiled into a function of them. There is nothing in its
// environment but a few functions without effects: no files, no clock, no network, nothing that changes a value.
type expression struct {
	text  string
	at    pos
	names []ref
	plain []bool // of names: written as a name, not as field("…")
	call  starlark.Callable
}

// parseExpression compiles a text; nil: it has a fault, which is reported. what names it in messages.
func parseExpression(a arg, what string) *expression {
	text, ok := a.str()
	switch {
	case !ok:
		return nil
	case len(text) > exprChars:
		a.problem("%s is longer than %d characters", what, exprChars)
		return nil
	}
	e := &expression{text: text, at: a.pos()}
	// It is read twice, for finding out what its names mean leaves marks in the tree.
	tree, err := parseTree(text)
	if err == nil {
		err = e.bind(tree)
	}
	if err == nil {
		tree, err = parseTree(text)
	}
	if err == nil {
		err = e.compile(tree)
	}
	if err != nil {
		a.problem("%s", expressionMessage(what, err))
		return nil
	}
	return e
}

var exprOptions = &syntax.FileOptions{Set: true}

// parseTree reads a text in brackets, so that it may have several lines. The text itself begins in line 2.
func parseTree(text string) (syntax.Expr, error) {
	tree, err := exprOptions.ParseExpr("expr", "(\n"+text+"\n)", 0)
	if err != nil {
		return nil, err
	}
	if one, ok := tree.(*syntax.ParenExpr); ok {
		return one.X, nil
	}
	return nil, errors.New("it must be one expression, with its own brackets closed")
}

// exprError is a fault of an expression that Starlark itself has no word for.
type exprError struct {
	at      syntax.Position
	message string
}

func (e *exprError) Error() string {
	return fmt.Sprintf("expr:%d:%d: %s", e.at.Line, e.at.Col, e.message)
}

// bind finds the fields that the expression names.
func (e *expression) bind(tree syntax.Expr) error {
	called, err := calledNames(tree)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	var unknown *exprError
	isKnown := func(name string) bool {
		switch {
		case constantNames[name] || name == fieldFunc && called[name] != nil:
		case foreignConstants[name] != "":
			if unknown == nil {
				unknown = &exprError{placeOf(tree, name), fmt.Sprintf("%s is no word of the language: write %s, or field(%q) for a field of that name", name, foreignConstants[name], name)}
			}
		case called[name] != nil:
			if exprFuncs[name] == nil && unknown == nil {
				unknown = &exprError{called[name].NamePos, fmt.Sprintf("there is no function %s%s", name, didYouMean(name, exprFuncNames()))}
			}
		case !seen[name]:
			seen[name] = true
			e.names, e.plain = append(e.names, ref{name, e.at}), append(e.plain, true)
		}
		return true
	}
	if _, err := resolve.ExprOptions(exprOptions, tree, isKnown, func(string) bool { return false }); err != nil {
		return err
	}
	if unknown != nil {
		return unknown
	}
	return nil
}

// constantNames are no fields, whatever a record holds.
var constantNames = map[string]bool{"None": true, "True": true, "False": true}

// foreignConstants are how other languages write those. As names of fields they would be None in every row, and a condition
// with one would silently keep or drop everything.
var foreignConstants = map[string]string{
	"true": "True", "TRUE": "True", "false": "False", "FALSE": "False", "null": "None", "NULL": "None", "Null": "None", "none": "None", "nil": "None", "undefined": "None",
}

// placeOf finds where a name stands first.
func placeOf(tree syntax.Expr, name string) (at syntax.Position) {
	syntax.Walk(tree, func(n syntax.Node) bool {
		if id, ok := n.(*syntax.Ident); ok && id.Name == name && !at.IsValid() {
			at = id.NamePos
		}
		return true
	})
	return at
}

// calledNames finds the names that stand for functions: `len(tags)` means the function, `type == "x"` a field. Functions
// are called, or given as the key by which to sort.
func calledNames(tree syntax.Expr) (map[string]*syntax.Ident, error) {
	called := map[string]*syntax.Ident{}
	var bad error
	syntax.Walk(tree, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CallExpr:
			if id, ok := n.Fn.(*syntax.Ident); ok {
				called[id.Name] = id
				if id.Name == fieldFunc && fieldNamed(n) == "" {
					bad = &exprError{id.NamePos, `field takes the name of a field in quotes, as in field("First Name")`}
				}
			}
		case *syntax.BinaryExpr:
			name, isName := n.X.(*syntax.Ident)
			if id, ok := n.Y.(*syntax.Ident); ok && isName && n.Op == syntax.EQ && name.Name == "key" && exprFuncs[id.Name] != nil {
				called[id.Name] = id
			}
		case *syntax.DotExpr:
			if slices.Contains(mutators, n.Name.Name) {
				bad = &exprError{n.Name.NamePos, n.Name.Name + " would change a value; an expression only makes new ones"}
			}
		}
		return true
	})
	return called, bad
}

// mutators are the methods that change what they are called on. Without them no value can come to hold itself.
var mutators = []string{
	"append", "extend", "insert", "remove", "pop", "popitem", "clear", "update", "setdefault", "add", "discard",
}

// fieldFunc reads a field whose name is no name of Starlark, or is one that the schema does not list.
const fieldFunc = "field"

// fieldNamed returns the name that a call of field gives; "": it gives none.
func fieldNamed(call *syntax.CallExpr) string {
	if len(call.Args) == 1 {
		if lit, ok := call.Args[0].(*syntax.Literal); ok {
			name, _ := lit.Value.(string)
			return name
		}
	}
	return ""
}

// compile makes the function.
func (e *expression) compile(tree syntax.Expr) error {
	g := &guards{e: e, named: namesValues(tree)}
	body := g.rewrite(tree)
	lambda := &syntax.LambdaExpr{Body: body}
	for i, r := range e.names {
		lambda.Params = append(lambda.Params, &syntax.Ident{Name: paramName(i, r.name, e.plain[i])})
	}
	fn, err := starlark.EvalExprOptions(exprOptions, newThread(), lambda, exprEnv)
	if err != nil {
		return err
	}
	fn.Freeze()
	e.call = fn.(starlark.Callable)
	return nil
}

// paramName keeps fields that are named in quotes apart from everything that can be written as a name.
func paramName(i int, name string, plain bool) string {
	if plain {
		return name
	}
	return fmt.Sprintf("field %d", i)
}

var exprPlace = regexp.MustCompile(`(?s)^expr:(\d+):(\d+): (.*)`)

// expressionMessage says what is wrong with an expression and where in it.
func expressionMessage(what string, err error) string {
	if list := (resolve.ErrorList)(nil); errors.As(err, &list) && len(list) > 0 {
		err = list[0]
	}
	message := "not " + what
	if m := exprPlace.FindStringSubmatch(err.Error()); m != nil {
		if line, _ := strconv.Atoi(m[1]); line > 2 {
			message += fmt.Sprintf(", in its line %d", line-1)
		}
		message += ", at character " + m[2] + ": " + m[3]
	} else {
		message += ": " + err.Error()
	}
	message = strings.ReplaceAll(message, ", want ')'", " where the expression should go on or end")
	if strings.Contains(message, "got '='") {
		message += "; write == to compare"
	}
	return message
}

// unknownNames reports the names that the schema of the source does not list: most are slips of the pen, and a condition
// with one would silently keep or drop everything.
func (b *builder) unknownNames(e *expression) {
	if !b.known || !typed(b.schema) {
		return
	}
	var have []string
	for _, f := range b.schema.Fields() {
		have = append(have, f.Name)
	}
	for i, r := range e.names {
		if e.plain[i] && !slices.Contains(have, r.name) {
			b.problem(r.at, `the schema of stream %s has no field %s%s; where rows may bring it all the same, write field("%s")`,
				b.stream, r.name, didYouMean(r.name, have), r.name)
		}
	}
}

// evaluate calls the expression with the values of its fields in one row.
func (x *exec) evaluate(e *expression, in []input, r int32) (starlark.Value, error) {
	if x.thread == nil {
		x.thread = newThread()
	}
	x.args = x.args[:0]
	for i := range in {
		v, err := x.starlark(x.get(&in[i], r))
		if err != nil {
			return nil, err
		}
		x.args = append(x.args, v)
	}
	startBudget(x.thread)
	v, err := starlark.Call(x.thread, e.call, x.args, nil)
	if err != nil {
		if x.thread.Steps >= budgetOf(x.thread).limit {
			err = errSteps
		}
		x.thread = nil // a thread that ran out of steps stays cancelled
		return nil, err
	}
	return v, nil
}
