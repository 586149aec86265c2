package casefile

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/rows"
)

// File is a parsed file of cases.
type File struct {
	Path     string
	Mapping  string // the mapping or pipeline file; relative to the file of cases
	To       string // the CRM, where the mapping is no pipeline file; "": none
	Settings bool   // the file holds settings of the CRM, under `settings:`
	Stream   string
	Cases    []Case

	text []byte
	to   *yaml.Node // where To stands
}

// Case is one record and what is expected of it.
type Case struct {
	Name   string
	Stream string
	Line   int
	In     []byte // a JSON object

	Out      []byte // a JSON list of objects; nil: nothing is expected of the columns
	Request  []byte // a JSON value, or a text that is no JSON as a JSON string; nil: as above
	Reject   *Reject
	Filtered bool

	keys map[string]*yaml.Node // of the expectations, for Update
}

// Reject is a refusal that is expected.
type Reject struct{ Code, Field string } // Field "": any

// MaxFile bounds a file of cases.
const MaxFile = 8 << 20

// Load reads a file of cases.
func Load(path string) (*File, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > MaxFile {
		err = fmt.Errorf("is larger than %d MiB", MaxFile>>20)
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, connector.Configf("Check the path", "cannot read the cases: %w", err)
	}
	return Parse(path, text)
}

// Parse reads a file of cases, YAML or JSON. The error lists every fault with its place.
func Parse(path string, text []byte) (*File, error) {
	p := &parser{path: path, budget: 200_000}
	f := &File{Path: path, Stream: "contacts", text: text}
	var doc, more yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		p.unreadable(err)
		return nil, p.err()
	}
	switch err := d.Decode(&more); {
	case errors.Is(err, io.EOF):
	case err != nil:
		p.unreadable(err)
		return nil, p.err()
	default:
		p.fault(&more, "", "a second document begins; a file holds one list of cases")
		return nil, p.err()
	}
	if len(doc.Content) == 0 {
		p.faults = append(p.faults, fault{text: path + ": the file is empty; it needs `cases:`"})
		return nil, p.err()
	}
	p.file(f, doc.Content[0])
	if err := p.err(); err != nil {
		return nil, err
	}
	return f, nil
}

type parser struct {
	path   string
	faults []fault
	budget int // nodes that may be visited: aliases unfold
}

type fault struct {
	line, column int
	text         string
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line ([0-9]+): )?(.*)$`)

// unreadable words an error of the YAML reader.
func (p *parser) unreadable(err error) {
	at, text := "", err.Error()
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		if text = m[2]; m[1] != "" {
			at = ":" + m[1]
		}
	}
	p.faults = append(p.faults, fault{text: p.path + at + ": not readable as YAML or JSON: " + text + ". Indentation counts, and tabs may not indent"})
}

func (p *parser) fault(n *yaml.Node, path, format string, args ...any) {
	at := fmt.Sprintf("%s:%d:%d", p.path, n.Line, n.Column)
	if path != "" {
		at += ": " + path
	}
	p.faults = append(p.faults, fault{n.Line, n.Column, at + ": " + fmt.Sprintf(format, args...)})
}

func (p *parser) err() error {
	if len(p.faults) == 0 {
		return nil
	}
	slices.SortStableFunc(p.faults, func(a, b fault) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column))
	})
	lines := make([]string, len(p.faults))
	for i, f := range p.faults {
		lines[i] = f.text
	}
	return &connector.Error{Kind: connector.KindConfig, What: strings.Join(lines, "\n")}
}

// members reads a mapping of known keys; an unknown or repeated one is a fault.
func (p *parser) members(n *yaml.Node, path string, known ...string) map[string]*yaml.Node {
	found := map[string]*yaml.Node{}
	if n = p.resolve(n, path); n == nil {
		return found
	}
	if n.Kind != yaml.MappingNode {
		p.fault(n, path, "takes a mapping of %s", strings.Join(known, ", "))
		return found
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		switch {
		case k.ShortTag() == "!!merge":
			p.fault(k, path, mergeKey)
		case found[k.Value] != nil:
			p.fault(k, path, "%q is given twice", k.Value)
		case !slices.Contains(known, k.Value):
			hint := "; it takes " + strings.Join(known, ", ")
			if near := config.Nearest(k.Value, known); near != "" {
				hint = fmt.Sprintf(" (did you mean %q?)", near)
			}
			p.fault(k, path, "unknown key %q%s", k.Value, hint)
		default:
			found[k.Value] = n.Content[i+1]
		}
	}
	return found
}

// mergeKey is said of <<, which YAML 1.2 no longer knows: every key of a case stands where it is read.
const mergeKey = "merge keys (<<) are not read: write the keys out; anchors (&a) and aliases (*a) work for whole values"

// resolve follows aliases.
func (p *parser) resolve(n *yaml.Node, path string) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if p.budget--; p.budget < 0 {
		if p.budget == -1 {
			p.fault(n, path, "the file unfolds to too many nodes")
		}
		return nil
	}
	return n
}

func (p *parser) text(n *yaml.Node, path string) string {
	if n = p.resolve(n, path); n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" || n.Value == "" {
		p.fault(n, path, "takes a text")
		return ""
	}
	return n.Value
}

func (p *parser) file(f *File, root *yaml.Node) {
	m := p.members(root, "", "mapping", "to", settingsKey, "stream", "cases")
	f.to = m["to"]
	for key, into := range map[string]*string{"mapping": &f.Mapping, "to": &f.To, "stream": &f.Stream} {
		if n := m[key]; n != nil {
			*into = p.text(n, key)
		}
	}
	if n := m[settingsKey]; n != nil {
		if f.To == "" {
			p.fault(n, settingsKey, "stands beside `to:` only: a pipeline file has settings of its own")
		}
		f.Settings = true
	}
	cases := m["cases"]
	if cases == nil {
		p.fault(root, "", "`cases:` is missing")
		return
	}
	if cases = p.resolve(cases, "cases"); cases == nil {
		return
	}
	if cases.Kind != yaml.SequenceNode || len(cases.Content) == 0 {
		p.fault(cases, "cases", "takes a list of cases")
		return
	}
	for i, n := range cases.Content {
		if c, ok := p.one(n, fmt.Sprintf("cases[%d]", i)); ok {
			if c.Stream == "" {
				c.Stream = f.Stream
			}
			f.Cases = append(f.Cases, c)
		}
	}
}

// expectations are the keys that say what must come out.
var expectations = []string{"out", "request", "reject", "filtered"}

func (p *parser) one(n *yaml.Node, path string) (Case, bool) {
	before := len(p.faults)
	m := p.members(n, path, append([]string{"name", "stream", "in"}, expectations...)...)
	c := Case{Line: n.Line, Name: path, keys: m}
	if m["name"] != nil {
		c.Name = p.text(m["name"], path+".name")
	}
	if m["stream"] != nil {
		c.Stream = p.text(m["stream"], path+".stream")
	}
	if m["in"] == nil {
		p.fault(n, path, "`in:` is missing: the record, as a mapping or as JSON text")
	} else {
		c.In = p.record(m["in"], path+".in")
	}
	expected := 0
	for _, key := range expectations {
		if m[key] != nil {
			expected++
			p.expect(&c, key, m[key], path+"."+key)
		}
	}
	switch {
	case expected == 0:
		p.fault(n, path, "expects nothing: add out, request, reject or filtered")
	case expected > 1 && (c.Reject != nil || c.Filtered):
		p.fault(n, path, "a row that is refused or left out has no other outcome")
	}
	return c, len(p.faults) == before
}

func (p *parser) expect(c *Case, key string, n *yaml.Node, path string) {
	if n = p.resolve(n, path); n == nil {
		return
	}
	switch key {
	case "out":
		switch n.Kind {
		case yaml.MappingNode:
			c.Out = append(append([]byte("["), p.json(nil, n, path)...), ']')
		case yaml.SequenceNode:
			c.Out = p.json(nil, n, path)
		default:
			p.fault(n, path, "takes the columns of the row, or a list of rows")
		}
	case "request":
		c.Request = p.json(nil, n, path)
	case "filtered":
		if c.Filtered = n.Kind == yaml.ScalarNode && n.Value == "true"; !c.Filtered {
			p.fault(n, path, "takes true")
		}
	case "reject":
		c.Reject = &Reject{}
		if n.Kind == yaml.ScalarNode {
			c.Reject.Code = p.text(n, path)
			return
		}
		m := p.members(n, path, "code", "field")
		if m["code"] == nil {
			p.fault(n, path, "takes the code of the refusal, or {code: …, field: …}")
			return
		}
		c.Reject.Code = p.text(m["code"], path+".code")
		if m["field"] != nil {
			c.Reject.Field = p.text(m["field"], path+".field")
		}
	}
}

// record reads the record of a case. A text is taken for JSON, for what YAML cannot say.
func (p *parser) record(n *yaml.Node, path string) []byte {
	if n = p.resolve(n, path); n == nil {
		return nil
	}
	switch {
	case n.Kind == yaml.MappingNode:
		return p.json(nil, n, path)
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str":
		return []byte(strings.TrimSpace(n.Value))
	}
	p.fault(n, path, "takes the record, as a mapping or as JSON text")
	return nil
}

// jsonNumber is how numbers are written in JSON.
var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// json writes a node as JSON. What YAML of any version takes for more than JSON knows is text: NO, 0123, 2024-01-01.
func (p *parser) json(dst []byte, n *yaml.Node, path string) []byte {
	if n = p.resolve(n, path); n == nil {
		return append(dst, "null"...)
	}
	switch n.Kind {
	case yaml.MappingNode:
		dst = append(dst, '{')
		seen := map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i]
			if k.ShortTag() == "!!merge" {
				p.fault(k, path, mergeKey)
				continue
			}
			if k.Kind != yaml.ScalarNode {
				p.fault(k, path, "a key must be plain text")
				continue
			}
			if seen[k.Value] {
				p.fault(k, path, "%q is given twice", k.Value)
			}
			seen[k.Value] = true
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(rows.AppendString(dst, k.Value), ':')
			dst = p.json(dst, n.Content[i+1], path+"."+k.Value)
		}
		return append(dst, '}')
	case yaml.SequenceNode:
		dst = append(dst, '[')
		for i, item := range n.Content {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = p.json(dst, item, path+"["+strconv.Itoa(i)+"]")
		}
		return append(dst, ']')
	}
	switch tag := n.ShortTag(); {
	case tag == "!!null":
		return append(dst, "null"...)
	case tag == "!!bool":
		return append(dst, strings.ToLower(n.Value)...)
	case (tag == "!!int" || tag == "!!float") && jsonNumber.MatchString(n.Value):
		return append(dst, n.Value...)
	}
	return rows.AppendString(dst, n.Value)
}
