package transforms

import (
	"bytes"
	"encoding/json"
	"sort"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// jsonNodes reads a JSON document into the nodes that YAML would give; false: the text is not a JSON object.
func jsonNodes(data []byte) (*yaml.Node, bool) {
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	if len(trimmed) == 0 || trimmed[0] != '{' || !json.Valid(data) {
		return nil, false
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	r := &jsonReader{dec: dec, data: data, lines: lineStarts(data), column: 1}
	node, err := r.value()
	return node, err == nil
}

type jsonReader struct {
	dec   *json.Decoder
	data  []byte
	lines []int

	counted, column int // up to where characters are counted, and the column there, from 1
}

func lineStarts(data []byte) []int {
	starts := []int{0}
	for i, c := range data {
		if c == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

// value reads the next value.
func (r *jsonReader) value() (*yaml.Node, error) {
	from := int(r.dec.InputOffset())
	token, err := r.dec.Token()
	if err != nil {
		return nil, err
	}
	node := &yaml.Node{Kind: yaml.ScalarNode}
	// The offset is that of the token's end, which stands on the token's line: no JSON token holds a line break. Where it
	// begins is told by what stood before it: blanks, a comma or a colon.
	end := int(r.dec.InputOffset())
	node.Line = sort.SearchInts(r.lines, end)
	from += bytes.IndexFunc(r.data[from:end], func(c rune) bool { return !strings.ContainsRune(" \t\r\n,:", c) })
	counted := max(r.counted, r.lines[node.Line-1])
	if counted > r.counted {
		r.column = 1
	}
	r.column += utf8.RuneCount(r.data[counted:from])
	r.counted, node.Column = from, r.column
	switch t := token.(type) {
	case json.Delim:
		node.Kind, node.Tag = yaml.SequenceNode, "!!seq"
		if t == '{' {
			node.Kind, node.Tag = yaml.MappingNode, "!!map"
		}
		for r.dec.More() {
			child, err := r.value()
			if err != nil {
				return nil, err
			}
			node.Content = append(node.Content, child)
		}
		_, err = r.dec.Token()
		return node, err
	case string:
		node.Tag, node.Value = "!!str", t
	case json.Number:
		node.Tag, node.Value = "!!float", t.String()
	case bool:
		node.Tag, node.Value = "!!bool", "false"
		if t {
			node.Value = "true"
		}
	case nil:
		node.Tag, node.Value = "!!null", "null"
	}
	return node, nil
}
