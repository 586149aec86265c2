package echo

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/connector"
)

// member begins the name of a member of custom.
const member = "custom."

// row is a row by column, each value as JSON.
type row map[string]json.RawMessage

// tracked are the columns whose values are remembered. What names the contact, or says who owns him, goes with every row.
var tracked = func() map[string]bool {
	t := map[string]bool{}
	for _, c := range connector.Contact {
		switch c.Name {
		case "phone", "whatsapp", "external_id", "owner", "tags_remove":
		default:
			t[c.Name] = true
		}
	}
	return t
}()

// contact names the person that a row is about, "" if it names nobody.
func (r row) contact() string {
	for _, name := range []string{"whatsapp", "phone"} {
		if d := digits(text(r[name])); d != "" {
			return d
		}
	}
	return strings.ToLower(text(r["email"]))
}

func digits(s string) string {
	return strings.Map(func(c rune) rune {
		if c < '0' || c > '9' {
			return -1
		}
		return c
	}, s)
}

// values are the remembered columns of a row that hold something, in a form in which equal values are equal texts.
func (r row) values() map[string]string {
	all := map[string]string{}
	for name, value := range r {
		switch {
		case name == "custom":
			var members map[string]json.RawMessage
			if json.Unmarshal(inner(value), &members) != nil {
				continue
			}
			for key, v := range members {
				if s := normal(key, v); s != "" {
					all[member+key] = s
				}
			}
		case tracked[name]:
			if s := normal(name, value); s != "" {
				all[name] = s
			}
		}
	}
	return all
}

// inner is the JSON that a text holds, or the value itself.
func inner(value json.RawMessage) json.RawMessage {
	var s string
	if json.Unmarshal(value, &s) == nil && strings.HasPrefix(strings.TrimSpace(s), "{") {
		return json.RawMessage(s)
	}
	return value
}

// text is a value as text, "" of null and of what is none.
func text(value json.RawMessage) string {
	if len(value) == 0 || string(value) == "null" {
		return ""
	}
	var s string
	if json.Unmarshal(value, &s) == nil {
		return strings.TrimSpace(s)
	}
	var b bytes.Buffer
	if json.Compact(&b, value) != nil {
		return string(value)
	}
	return b.String()
}

func normal(name string, value json.RawMessage) string {
	s := text(value)
	switch {
	case name == "email":
		return strings.ToLower(s)
	case name == "tags", strings.HasPrefix(s, "["):
		return list(s)
	}
	return s
}

// list is a list, as JSON or with commas, in an order of its own.
func list(s string) string {
	var items []string
	if json.Unmarshal([]byte(s), &items) != nil {
		items = strings.FieldsFunc(s, func(c rune) bool { return c == ',' || c == '，' })
	}
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	slices.Sort(items)
	return strings.Join(slices.Compact(items), ",")
}

// without takes values out of the row: it is then as if the side had not spoken of them.
func (r row) without(names map[string]bool) {
	var members map[string]json.RawMessage
	for name := range names {
		key, isMember := strings.CutPrefix(name, member)
		if !isMember {
			delete(r, name)
			continue
		}
		if members == nil && json.Unmarshal(inner(r["custom"]), &members) != nil {
			continue
		}
		delete(members, key)
	}
	if members == nil {
		return
	}
	delete(r, "custom")
	if len(members) > 0 {
		text, err := json.Marshal(members)
		if err != nil {
			panic(err) // raw values that were just read
		}
		r["custom"] = text
	}
}
