package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/sluicehq/sluice/connector"
)

const (
	maxDepth = 64
	maxNodes = 200_000
)

// parse reads the document into nodes. JSON is read by its own parser, though YAML includes it in name: YAML's refuses
// tabs between tokens and the surrogate escapes that JSON encoders write for emoji.
func (d *decoder) parse() (*yaml.Node, error) {
	d.budget = maxNodes
	data := bytes.TrimPrefix(d.data, []byte("\ufeff"))
	d.data = data
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	if len(trimmed) > 0 && trimmed[0] == '{' {
		root, err := parseJSON(data)
		if err == nil {
			d.json = true
			return root, nil
		}
		if strings.HasSuffix(d.name, ".json") {
			return nil, connector.Configf("Mend the JSON", "%s: %w", d.name, err)
		}
	}
	return d.parseYAML(data)
}

func (d *decoder) parseYAML(data []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	err := dec.Decode(&doc)
	switch {
	case errors.Is(err, io.EOF), err == nil && len(doc.Content) == 0:
		return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: 1, Column: 1}, nil
	case err != nil:
		return nil, &connector.Error{Kind: connector.KindConfig, What: d.name + yamlFault(err), Fix: "Mend the YAML; indentation counts, and tabs may not indent"}
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, connector.Configf("Keep one document and remove the line ---", "%s: the file holds more than one YAML document", d.name)
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
		return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: 1, Column: 1}, nil
	}
	return root, nil
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// yamlFault words the parser's error as ":LINE: text". An unknown anchor may be a secret that begins with "*", so its
// name is left out.
func yamlFault(err error) string {
	line, text := "", err.Error()
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, text = m[1], m[2]
	}
	if strings.Contains(text, "unknown anchor") {
		text = "a value begins with * but names no anchor; if it is text, put it in quotes"
	}
	if line == "" {
		return ": " + text
	}
	return ":" + line + ": " + text
}

// parseJSON builds YAML nodes from a JSON document, so that the check has one kind of tree.
func parseJSON(data []byte) (*yaml.Node, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	p := &jsonParser{dec: dec, data: data}
	root, err := p.value(0)
	if err == nil {
		if _, end := dec.Token(); !errors.Is(end, io.EOF) {
			err = errors.New("text behind the JSON document")
		}
	}
	if err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("the JSON document is cut off")
		}
		return nil, fmt.Errorf("line %d: %w", bytes.Count(data[:dec.InputOffset()], []byte("\n"))+1, err)
	}
	return root, nil
}

type jsonParser struct {
	dec  *json.Decoder
	data []byte
	// at and lines remember how many line breaks lie before an offset, so that the document is counted once.
	at    int64
	lines int
}

// place is where the next token begins, or the end of the document.
func (p *jsonParser) place() place {
	off := p.dec.InputOffset()
	off += int64(len(p.data[off:]) - len(bytes.TrimLeft(p.data[off:], " \t\r\n,:")))
	p.lines += bytes.Count(p.data[p.at:off], []byte("\n"))
	p.at = off
	column := utf8.RuneCount(p.data[bytes.LastIndexByte(p.data[:off], '\n')+1 : off])
	return place{p.lines + 1, column + 1}
}

func (p *jsonParser) value(depth int) (*yaml.Node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	at := p.place()
	tok, err := p.dec.Token()
	if err != nil {
		return nil, err
	}
	n := &yaml.Node{Kind: yaml.ScalarNode, Line: at.line, Column: at.column}
	switch t := tok.(type) {
	case json.Delim:
		return n, p.content(n, t, depth)
	case string:
		n.Tag, n.Value, n.Style = "!!str", t, yaml.DoubleQuotedStyle
	case json.Number:
		n.Tag, n.Value = "!!float", t.String()
		if !strings.ContainsAny(n.Value, ".eE") {
			n.Tag = "!!int"
		}
	case bool:
		n.Tag, n.Value = "!!bool", strconv.FormatBool(t)
	default:
		n.Tag, n.Value = "!!null", "null"
	}
	return n, nil
}

func (p *jsonParser) content(n *yaml.Node, open json.Delim, depth int) error {
	n.Kind, n.Tag = yaml.MappingNode, "!!map"
	if open == '[' {
		n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
	}
	for p.dec.More() {
		child, err := p.value(depth + 1)
		if err != nil {
			return err
		}
		n.Content = append(n.Content, child)
		if n.Kind == yaml.MappingNode {
			if child, err = p.value(depth + 1); err != nil {
				return err
			}
			n.Content = append(n.Content, child)
		}
	}
	_, err := p.dec.Token() // the closing bracket
	return err
}
