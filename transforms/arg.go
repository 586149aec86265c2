package transforms

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// arg is a node of a document with its place; its methods read it and report what is wrong with it.
type arg struct {
	node *yaml.Node
	path string
	p    *parser
}

func (a arg) pos() pos {
	return pos{file: a.p.file, line: a.node.Line, column: a.node.Column, path: a.path}
}

func (a arg) problem(format string, args ...any) {
	a.p.problems = append(a.p.problems, a.pos().problem(format, args...))
}

func (a arg) isMap() bool    { return a.node.Kind == yaml.MappingNode }
func (a arg) isList() bool   { return a.node.Kind == yaml.SequenceNode }
func (a arg) isScalar() bool { return a.node.Kind == yaml.ScalarNode }
func (a arg) isNull() bool   { return a.isScalar() && a.node.ShortTag() == "!!null" }

// noun names what stands there.
func (a arg) noun() string {
	switch {
	case a.isMap():
		return "a mapping"
	case a.isList():
		return "a list"
	case a.isNull():
		return "nothing"
	}
	return strconv.Quote(shorten(a.node.Value))
}

// str reads any scalar as the text that was written: NO, 1 and yes are text here.
func (a arg) str() (string, bool) {
	if !a.isScalar() || a.isNull() {
		a.problem("takes text, not %s", a.noun())
		return "", false
	}
	return a.node.Value, true
}

// count reads a positive number.
func (a arg) count() (int, bool) {
	n, ok := parseInt(a.node.Value)
	if !a.isScalar() || !ok || n < 1 || n > 1<<30 {
		a.problem("takes a whole number from 1 on, not %s", a.noun())
		return 0, false
	}
	return int(n), true
}

func (a arg) flag() bool {
	if a.isScalar() && a.node.ShortTag() == "!!bool" {
		return strings.EqualFold(a.node.Value, "true")
	}
	a.problem("takes true or false, not %s", a.noun())
	return false
}

// oneOf reads one of a few words.
func (a arg) oneOf(words ...string) (string, bool) {
	s := a.node.Value
	if a.isScalar() {
		for _, w := range words {
			if w == s {
				return s, true
			}
		}
	}
	a.problem("takes %s, not %s%s", orList(words), a.noun(), didYouMean(s, words))
	return "", false
}

// strs reads one text or a list of them.
func (a arg) strs() []string {
	if !a.isList() {
		if s, ok := a.str(); ok {
			return []string{s}
		}
		return nil
	}
	var all []string
	for _, item := range a.list() {
		if s, ok := item.str(); ok {
			all = append(all, s)
		}
	}
	if len(a.node.Content) == 0 {
		a.problem("the list is empty")
	}
	return all
}

// list returns the items of a sequence.
func (a arg) list() []arg {
	items := make([]arg, 0, len(a.node.Content))
	for i, n := range a.node.Content {
		if child, ok := a.p.resolve(n); ok {
			items = append(items, arg{child, fmt.Sprintf("%s[%d]", a.path, i), a.p})
		}
	}
	return items
}

// entry is one key of a mapping.
type entry struct {
	key   string
	at    arg // the key itself
	value arg
}

// entries returns the keys of a mapping in the order written and reports repeated ones.
func (a arg) entries() []entry {
	if !a.isMap() {
		a.problem("takes a mapping, not %s", a.noun())
		return nil
	}
	seen := map[string]bool{}
	var all []entry
	for i := 0; i+1 < len(a.node.Content); i += 2 {
		k, ok1 := a.p.resolve(a.node.Content[i])
		v, ok2 := a.p.resolve(a.node.Content[i+1])
		if !ok1 || !ok2 {
			continue
		}
		path := joinPath(a.path, k.Value)
		key := arg{k, path, a.p}
		if k.Kind != yaml.ScalarNode {
			key.problem("a key must be text")
			continue
		}
		if k.ShortTag() == "!!merge" {
			key.problem("merge keys (<<) are not part of the language: write the keys out")
			continue
		}
		if seen[k.Value] {
			key.problem("%q is given twice", k.Value)
			continue
		}
		seen[k.Value] = true
		all = append(all, entry{k.Value, key, arg{v, path, a.p}})
	}
	return all
}

// settings reads a mapping of a few known keys.
func (a arg) settings(known ...string) map[string]arg {
	found := map[string]arg{}
	for _, e := range a.entries() {
		ok := false
		for _, k := range known {
			ok = ok || k == e.key
		}
		if !ok {
			e.at.problem("unknown setting %q%s; it takes %s", e.key, didYouMean(e.key, known), orList(known))
			continue
		}
		found[e.key] = e.value
	}
	return found
}

// constant reads a value as the document's own type says; null gives an absent value.
func (a arg) constant() value {
	switch {
	case a.isMap(), a.isList():
		text := string(a.appendJSON(nil))
		if a.isMap() {
			return value{s: text, k: kindObject}
		}
		return value{s: text, k: kindArray}
	}
	switch s := a.node.Value; a.node.ShortTag() {
	case "!!null":
		return value{}
	case "!!bool":
		return boolValue(strings.EqualFold(s, "true"))
	case "!!int", "!!float":
		if isNumber(s) { // of JSON: 007 is none
			return parseNumber(s)
		}
		a.problem("%s is not a plain decimal number: put it in quotes if it is text", s)
		return value{}
	default:
		return textValue(s)
	}
}

func (a arg) appendJSON(dst []byte) []byte {
	switch {
	case a.isMap():
		dst = append(dst, '{')
		for i, e := range a.entries() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, e.key), ':')
			dst = e.value.appendJSON(dst)
		}
		return append(dst, '}')
	case a.isList():
		dst = append(dst, '[')
		for i, item := range a.list() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = item.appendJSON(dst)
		}
		return append(dst, ']')
	}
	var x exec
	return x.appendJSON(dst, a.constant())
}

// written is the argument as text, for Explain.
func (a arg) written() string {
	if a.isScalar() {
		return shorten(a.node.Value)
	}
	return shorten(string(a.quiet().appendJSON(nil)))
}

// maxKey bounds the key of a step: a document may unfold to very many nodes.
const maxKey = 4096

// key spells the op and its argument in full, with the types of all scalars; "" where that gets too long.
func (a arg) key(op string) string {
	if key := appendKey(append([]byte(op), ' '), a.node); len(key) <= maxKey {
		return string(key)
	}
	return ""
}

func appendKey(dst []byte, n *yaml.Node) []byte {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	dst = append(strconv.AppendQuote(append(dst, n.ShortTag()...), n.Value), '(')
	for _, child := range n.Content {
		if len(dst) > maxKey {
			return dst
		}
		dst = appendKey(dst, child)
	}
	return append(dst, ')')
}

// quiet reads the same node without reporting anything.
func (a arg) quiet() arg {
	p := *a.p
	p.problems = nil
	a.p = &p
	return a
}

func joinPath(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
