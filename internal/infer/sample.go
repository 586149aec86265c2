package infer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Sample is the beginning of an input, by columns.
type Sample struct {
	Columns []*Column // in the order in which they were first seen
	Rows    int
	Bytes   int // of the records
	byName  map[string]*Column
}

// Column is a field of the records; members of nested objects are columns too, by their paths.
type Column struct {
	Name   string
	Values []string // those that are not blank, as texts; lists as JSON

	raw                             []json.RawMessage // the same, as they came
	numbers, flags, lists, nestings int               // how many of the values are such
}

const (
	// maxDepth is how deep nested objects are unfolded.
	maxDepth = 4
	// maxText is how much of a text is looked at, in bytes: nothing that a name can speak of is longer, and a page of text
	// would be searched for the signs of names, dates and companies.
	maxText = 4 << 10
)

// Column returns the column of that name, made if need be: a column may have no value in any row.
func (s *Sample) Column(name string) *Column {
	if s.byName == nil {
		s.byName = map[string]*Column{}
	}
	c := s.byName[name]
	if c == nil {
		c = &Column{Name: name}
		s.byName[name] = c
		s.Columns = append(s.Columns, c)
	}
	return c
}

// Add takes one record, a JSON object.
func (s *Sample) Add(object []byte) error {
	s.Rows++
	s.Bytes += len(object)
	return s.object("", object, 0)
}

func (s *Sample) object(path string, object []byte, depth int) error {
	d := json.NewDecoder(bytes.NewReader(object))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("sample: a record is no JSON object")
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return fmt.Errorf("sample: %w", err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return fmt.Errorf("sample: %w", err)
		}
		if err := s.value(path+name.(string), value, depth); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil && err != io.EOF {
		return fmt.Errorf("sample: %w", err)
	}
	return nil
}

func (s *Sample) value(name string, value json.RawMessage, depth int) error {
	if value[0] == '{' && depth < maxDepth {
		return s.object(name+".", value, depth+1)
	}
	c := s.Column(name)
	text := string(value)
	switch value[0] {
	case 'n':
		return nil
	case '"':
		if err := json.Unmarshal(value, &text); err != nil {
			return fmt.Errorf("sample: %w", err)
		}
		if text = strings.TrimSpace(text); text == "" {
			return nil
		}
		if len(text) > maxText {
			text = strings.ToValidUTF8(text[:maxText], "")
			value, _ = json.Marshal(text) // a string can always be written
		}
	case 't', 'f':
		c.flags++
	case '[':
		c.lists++
		if bytes.Contains(value, []byte("{")) {
			c.nestings++
		}
	case '{':
		c.nestings++
	default:
		c.numbers++
	}
	c.Values = append(c.Values, text)
	c.raw = append(c.raw, value)
	return nil
}

var memberForm = newForm(`\{\s*("(?:[^"\\]|\\.)*")`)

// member is the name of a member of the column's objects, to show how one is named.
func (c *Column) member() string {
	for _, raw := range c.raw {
		var name string
		if m := memberForm.get().FindSubmatch(raw); m != nil && json.Unmarshal(m[1], &name) == nil {
			return name
		}
	}
	return "name"
}
