package outcall

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/internal/rows"
)

// appendComponents writes the list of components: one of each column that is one, then the members of the object in the
// column components. Values are texts at the vendor, numbers and dates too; empty ones are left out. fault says what a
// component cannot take.
func (c *codec) appendComponents(b []byte, rec arrow.Record, row int) (_ []byte, fault string) {
	count := 0
	open := func(id string) {
		if count++; count == 1 {
			b = append(b, `,"components":[{"id":`...)
		} else {
			b = append(b, `,{"id":`...)
		}
		b = rows.AppendString(b, id)
		b = append(b, `,"value":`...)
	}
	given := make(map[string]bool, 8)
	for _, m := range c.single {
		if s := textAt(rec, m.column, row); s != "" {
			open(m.key)
			b = append(rows.AppendString(b, s), '}')
			given[m.key] = true
		}
	}
	if object := textAt(rec, c.components, row); object != "" && object != "null" {
		fault = eachComponent(object, func(id, value string) string {
			if value == "" {
				return ""
			}
			if given[id] {
				return "component " + glance(id) + " is given twice"
			}
			given[id] = true
			open(id)
			b = append(rows.AppendString(b, value), '}')
			return ""
		})
	}
	if count > 0 {
		b = append(b, ']')
	}
	return b, fault
}

// eachComponent calls f for the members of an object, in their order, until it finds a fault.
func eachComponent(object string, f func(id, value string) string) (fault string) {
	const broken = "components is not an object of ids and values"
	d := json.NewDecoder(strings.NewReader(object))
	d.UseNumber() // every digit
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return broken
	}
	for d.More() {
		name, err := d.Token()
		id, ok := name.(string)
		if err != nil || !ok {
			return broken
		}
		value, err := d.Token()
		if err != nil {
			return broken
		}
		text := ""
		switch v := value.(type) {
		case string:
			text = v
		case json.Number:
			text = v.String()
		case bool:
			text = strconv.FormatBool(v)
		case json.Delim:
			return "component " + glance(id) + " is a list or an object; the CRM takes text"
		}
		if fault := f(id, text); fault != "" {
			return fault
		}
	}
	if _, err := d.Token(); err != nil {
		return broken
	}
	return ""
}
