package outcall

import (
	"github.com/apache/arrow/go/v15/arrow"
	"github.com/go-faster/jx"

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

// eachComponent calls f for the members of an object until it finds a fault.
func eachComponent(object string, f func(id, value string) string) (fault string) {
	d := jx.DecodeStr(object)
	if d.Next() != jx.Object {
		return "components is not an object of ids and values"
	}
	err := d.Obj(func(d *jx.Decoder, id string) error {
		value, ok, err := scalar(d)
		if err != nil || fault != "" {
			return err
		}
		if !ok {
			fault = "component " + glance(id) + " is a list or an object; the CRM takes text"
			return nil
		}
		fault = f(id, value)
		return nil
	})
	if err != nil {
		return "components is not a JSON object"
	}
	return fault
}

// scalar reads a value as text, a number with every digit; ok is false for a list or an object.
func scalar(d *jx.Decoder) (text string, ok bool, err error) {
	switch d.Next() {
	case jx.String:
		text, err = d.Str()
		return text, true, err
	case jx.Number:
		n, err := d.Num()
		return n.String(), true, err
	case jx.Bool:
		v, err := d.Bool()
		if v {
			return "true", true, err
		}
		return "false", true, err
	case jx.Null:
		return "", true, d.Null()
	}
	return "", false, d.Skip()
}
