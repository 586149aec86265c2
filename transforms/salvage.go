package transforms

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// ParseNode is Parse for a document that stands in a larger file and is read already. Places are those of the nodes.
func ParseNode(name string, n *yaml.Node) (*Spec, error) {
	spec, err := Salvage(name, n)
	if err != nil {
		return nil, err
	}
	return spec, nil
}

// Salvage is ParseNode for whoever looks for every fault at once: beside the error it gives what is sound, so that Compile
// finds what else is wrong. A field that has a fault keeps its name and its source, so that nothing counts as missing. What
// it gives beside an error is not for running.
func Salvage(name string, n *yaml.Node) (*Spec, error) {
	p := newParser(name)
	root, ok := p.resolve(n)
	if !ok {
		return nil, p.problems.err()
	}
	spec := p.document(arg{root, "", p})
	if err := p.problems.err(); err != nil {
		p.salvage(spec)
		return spec, err
	}
	return spec, nil
}

// SalvageText is Salvage for the text of a file, as Parse reads it. The document is nil where the text cannot be read.
func SalvageText(name string, data []byte) (*Spec, error) {
	p := newParser(name)
	root, ok := p.load(data)
	if !ok {
		return nil, p.problems.err()
	}
	return Salvage(name, root.node)
}

// salvage takes what has a fault out of the document.
func (p *parser) salvage(spec *Spec) {
	for _, s := range spec.streams {
		if p.faulty(joinPath(s.at.path, keyWhere)) {
			s.where = nil
		}
		if p.faulty(joinPath(s.at.path, keyExplode)) {
			s.explode = nil
		}
		for _, f := range s.fields {
			if !p.faulty(f.at.path) {
				continue
			}
			if len(f.steps) == 0 {
				f.steps = p.ownSource(f)
			}
			f.steps = f.steps[:1]
		}
	}
}

// ownSource reads the source field of the field's own name.
func (p *parser) ownSource(f *fieldSpec) []*step {
	name := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: f.name, Line: f.at.line, Column: f.at.column}
	at := arg{name, f.at.path, p}
	return p.step(nil, entry{opFrom.Name, at, at})
}

// faulty: a fault was found at the path or below it.
func (p *parser) faulty(path string) bool {
	for _, one := range p.problems {
		if rest, ok := strings.CutPrefix(one.Path, path); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

// Unfit reports that no entry of the document is for a stream, as a fault at its first entry; nil: one is, or there is none.
func (s *Spec) Unfit(stream string) error {
	if s == nil || len(s.streams) == 0 || s.match(stream) != nil {
		return nil
	}
	return Problems{s.streams[0].at.problem("the input's stream is %q, and no entry of the mapping fits it: name one %s, or \"*\" for any", stream, stream)}.err()
}
