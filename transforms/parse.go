package transforms

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicehq/sluice/connector"
	"go.yaml.in/yaml/v3"
)

// Keys of a document that are no ops.
const (
	keyStreams     = "streams"
	keyTransforms  = "transforms"
	keyFields      = "fields"
	keyWhere       = "where"
	keyExplode     = "explode"
	keyRest        = "rest"
	keyOnNull      = "on_null"
	keyNulls       = "nulls"
	keyClear       = "clear"
	keyOnDelete    = "on_delete"
	keyIdentifiers = "identifiers"
	keySteps       = "steps"
	keyOnError     = "on_error"
	keyRequired    = "required"
)

// Codes of refusals, by short names.
const (
	codeBadValue = connector.CodeBadValue
	codeBadType  = connector.CodeBadType
)

// maxNodes bounds a document after its aliases are followed: a few lines of YAML can ask for billions of nodes.
const maxNodes = 200_000

// parser reads one document and collects everything that is wrong with it.
type parser struct {
	file     string
	problems Problems
	ops      map[string]Op
	ranks    map[string]int // places of the ops in the order of shortcut keys
	visited  int
}

// Parse reads a document, YAML or JSON; name is the file's name for messages. A mapping has `streams:` at the top, or
// stands under `transforms:` of a pipeline file, whose other keys are not looked at. The error lists every fault.
func Parse(name string, data []byte) (*Spec, error) {
	p := newParser(name)
	root, ok := p.load(data)
	if !ok {
		return nil, p.problems.err()
	}
	spec := p.document(root)
	if err := p.problems.err(); err != nil {
		return nil, err
	}
	return spec, nil
}

func newParser(name string) *parser {
	p := &parser{file: name, ops: map[string]Op{}, ranks: map[string]int{}}
	for i, op := range Ops() {
		p.ops[op.Name], p.ranks[op.Name] = op, i+1
	}
	return p
}

func (p *parser) fault(line int, format string, args ...any) {
	p.problems = append(p.problems, pos{file: p.file, line: line}.problem(format, args...))
}

var yamlLine = regexp.MustCompile(`line (\d+): (.*)`)

// load turns the bytes into nodes. JSON is read by its own rules: YAML knows neither tabs nor surrogate pairs.
func (p *parser) load(data []byte) (arg, bool) {
	data = bytes.TrimPrefix(data, []byte("\uFEFF"))
	if node, ok := jsonNodes(data); ok {
		return arg{node, "", p}, true
	}
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&doc); err != nil {
		line, message := 0, strings.TrimPrefix(err.Error(), "yaml: ")
		if m := yamlLine.FindStringSubmatch(message); m != nil {
			line, _ = strconv.Atoi(m[1])
			message = m[2]
		}
		if message == "EOF" {
			p.fault(0, "the document is empty; it needs `streams:`")
			return arg{}, false
		}
		p.fault(line, "not readable as YAML or JSON: %s", message)
		return arg{}, false
	}
	var second yaml.Node
	if dec.Decode(&second) == nil && len(second.Content) > 0 {
		p.fault(second.Content[0].Line, "a second document begins; a file holds one mapping")
		return arg{}, false
	}
	if len(doc.Content) == 0 {
		p.fault(0, "the document is empty; it needs `streams:`")
		return arg{}, false
	}
	root, ok := p.resolve(doc.Content[0])
	return arg{root, "", p}, ok
}

// resolve follows aliases, with a bound on how many nodes a document may unfold to.
func (p *parser) resolve(n *yaml.Node) (*yaml.Node, bool) {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if p.visited++; p.visited > maxNodes {
		if p.visited == maxNodes+1 {
			p.fault(n.Line, "the document unfolds to more than %d nodes", maxNodes)
		}
		return nil, false
	}
	return n, true
}

func (p *parser) document(root arg) *Spec {
	spec := &Spec{name: p.file}
	if !root.isMap() {
		root.problem("a mapping begins with `streams:`, not with %s", root.noun())
		return spec
	}
	entries := root.entries()
	for _, e := range entries {
		if e.key == keyTransforms {
			if e.value.isMap() {
				return p.document(e.value)
			}
			e.value.problem("takes a mapping with `streams:`, not %s", e.value.noun())
			return spec
		}
	}
	found := false
	for _, e := range entries {
		if e.key != keyStreams {
			e.at.problem("unknown key %q%s; a mapping holds `streams:` only", e.key, didYouMean(e.key, []string{keyStreams, keyTransforms}))
			continue
		}
		found = true
		for _, s := range e.value.entries() {
			spec.streams = append(spec.streams, p.stream(s))
		}
		if e.value.isMap() && len(spec.streams) == 0 {
			e.value.problem("names no stream")
		}
	}
	if !found {
		root.problem("`streams:` is missing")
	}
	return spec
}

var streamKeys = []string{keyFields, keyExplode, keyWhere, keyRest, keyOnNull, keyOnDelete, keyIdentifiers}

func (p *parser) stream(e entry) *streamSpec {
	s := &streamSpec{pattern: e.key, at: e.at.pos()}
	if e.value.isScalar() {
		if e.value.node.Value != "skip" {
			e.value.problem("takes a mapping with `fields:`, or the word skip, not %s", e.value.noun())
		}
		s.skip = true
		return s
	}
	for _, k := range e.value.entries() {
		switch k.key {
		case keyFields:
			for _, f := range k.value.entries() {
				s.fields = append(s.fields, p.field(f))
			}
		case keyExplode:
			s.explode = parseExplode(k.value)
		case keyWhere:
			s.where = parseWhere(k.value)
		case keyRest:
			word, _ := k.value.oneOf("drop", "keep", "custom")
			s.rest = map[string]rest{"keep": restKeep, "custom": restCustom}[word]
		case keyOnNull:
			s.onNull = parseOnNull(k.value)
		case keyNulls:
			word, _ := k.value.oneOf("omitted", "sent")
			s.nulls = word == "sent"
		case keyOnDelete:
			if word, _ := k.value.oneOf("skip", "reject"); word == "reject" {
				s.onDelete = deleteReject
			}
		case keyIdentifiers:
			for _, name := range k.value.strs() {
				s.identifiers = append(s.identifiers, ref{name, k.value.pos()})
			}
		default:
			k.at.problem("unknown key %q%s; a stream takes %s", k.key, didYouMean(k.key, streamKeys), orList(streamKeys))
		}
	}
	return s
}

func parseOnNull(a arg) nullRule {
	word, _ := a.oneOf("omit", "clear", "keep")
	return nullRule{map[string]onNull{"omit": onNullOmit, "clear": onNullClear, "keep": onNullKeep}[word], a.pos()}
}

func (p *parser) field(e entry) *fieldSpec {
	f := &fieldSpec{name: e.key, at: e.at.pos()}
	if slices.Contains(strings.Split(e.key, "."), "") || e.key == connector.ColumnNull || e.key == connector.ColumnExtra {
		e.at.problem("a field cannot be named %q", e.key)
	}
	switch {
	case e.value.isNull():
		e.value.problem("says nothing: write the source field, such as `%s: name`, or remove the line", e.key)
		return f
	case e.value.isScalar():
		f.steps = p.step(f.steps, entry{opFrom.Name, e.value, e.value})
		return f
	case e.value.isList():
		e.value.problem("takes a source field or a mapping; for several source fields write `{from: [a, b]}`")
		return f
	}
	var stepsAt *arg
	for _, k := range e.value.entries() {
		switch k.key {
		case keyOnError:
			word, _ := k.value.oneOf("reject", "null", "fail")
			f.onError = map[string]onError{"reject": onErrorReject, "null": onErrorNull, "fail": onErrorFail}[word]
		case keyOnNull:
			f.onNull = parseOnNull(k.value)
		case keyClear:
			v := k.value.constant()
			f.clear, f.clearAt = &v, k.at.pos()
		case keyRequired:
			f.required = k.value.flag()
		case keySteps:
			stepsAt = &k.value
		default:
			f.steps = p.step(f.steps, k)
		}
	}
	p.order(f, e, stepsAt)
	return f
}

// order puts shortcut keys into their one order, or appends the list of steps, and sees to it that the field has exactly
// one source, at its head. A field without one reads the source field of its own name.
func (p *parser) order(f *fieldSpec, e entry, stepsAt *arg) {
	sortSteps(f.steps)
	if stepsAt != nil {
		for _, st := range f.steps {
			if st.source == nil {
				p.problems = append(p.problems, st.at.problem("%s stands beside `steps:`; put it into the list", st.op))
			}
		}
		f.steps = p.stepList(f.steps, *stepsAt)
	}
	for i, st := range f.steps {
		if i > 0 && st.source != nil {
			p.problems = append(p.problems, st.at.problem("%s gives the value a second time; a field has one of from, value, template, expr and name, and it comes first", st.op))
		}
	}
	if len(f.steps) == 0 || f.steps[0].source == nil {
		f.steps = append(p.ownSource(f), f.steps...)
	}
	lenient(f.steps)
	for i, st := range f.steps {
		if st.plus&plusWanted != 0 && plusLess(f.steps[:i]) {
			p.problems = append(p.problems, st.at.problem("the phone step before it has taken the + off, so that foreign numbers would be taken for those of the region: leave that step out"))
		}
	}
}

// lenient tells maps that a default behind them takes in what they do not list.
func lenient(steps []*step) {
	later := false
	for i := len(steps) - 1; i >= 0; i-- {
		if t := steps[i].table; t != nil {
			t.lenient = later
		}
		later = later || steps[i].fallback
	}
}

func (p *parser) stepList(steps []*step, list arg) []*step {
	if !list.isList() {
		list.problem("takes a list of steps, each with one key, not %s", list.noun())
		return steps
	}
	for _, item := range list.list() {
		entries := item.entries()
		if item.isMap() && len(entries) != 1 {
			item.problem("a step has one key")
			continue
		}
		for _, k := range entries {
			steps = p.step(steps, k)
		}
	}
	return steps
}

// step parses one op and appends it; an op that is switched off (`trim: false`) adds nothing.
func (p *parser) step(steps []*step, e entry) []*step {
	op, ok := p.ops[e.key]
	if !ok {
		e.at.problem("unknown step %q%s", e.key, didYouMean(e.key, p.opNames()))
		return steps
	}
	st := op.parse(e.value)
	if st == nil {
		return steps
	}
	st.op, st.at, st.args, st.key = op.Name, e.at.pos(), e.value.written(), e.value.key(op.Name)
	if st.rank == 0 {
		st.rank = p.ranks[op.Name]
	}
	if st.source == nil {
		if st.in == 0 {
			st.in = op.In
		}
		if st.out == nil {
			st.out = sameKinds
			if op.Out != 0 {
				st.out = always(op.Out)
			}
		}
	}
	return append(steps, st)
}
