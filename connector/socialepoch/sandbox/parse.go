package sandbox

import (
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/go-faster/jx"
)

// row is one contact of a request. Absent, null and empty texts are not in text.
type row struct {
	text   map[string]string // fields of every contact
	custom map[string]string // extension fields: their values as JSON
	code   int               // of the first fault, 0: none
	info   string
}

// batch is a request as read.
type batch struct {
	tenant    int64
	hasTenant bool
	rows      []row
	count     int // contacts in the request, also those beyond the limit
	ignored   int64
}

// fieldOrder is the vendor's table of fields, with country behind it.
var fieldOrder = []string{
	"agentAccount", "whatsApp", "friendName", "sex", "birthday", "address", "email", "profession", "income", "desc", "tabName", "cancelTabName",
	"stage", "source", "languageTag", "welcome", "country",
}

var isField = func() map[string]bool {
	all := make(map[string]bool, len(fieldOrder))
	for _, name := range fieldOrder {
		all[name] = true
	}
	return all
}()

const notJSON = "parameter error: the body is not valid JSON"

// parse reads a body; fault is the message of what is wrong with the whole of it.
func (s *Service) parse(body []byte) (b *batch, fault string) {
	if !utf8.Valid(body) || !json.Valid(body) {
		return nil, notJSON
	}
	b = &batch{}
	d := jx.DecodeBytes(body)
	if d.Next() != jx.Object {
		return nil, "parameter error: the body must be an object"
	}
	err := d.Obj(func(d *jx.Decoder, key string) error {
		switch {
		case key == "tenantId" && d.Next() != jx.Null:
			raw, err := d.Raw()
			if err != nil {
				return err
			}
			if b.tenant, err = strconv.ParseInt(string(raw), 10, 64); err != nil {
				return fmt.Errorf("tenantId must be a number")
			}
			b.hasTenant = true
			return nil
		case key == "data" && d.Next() == jx.Array:
			return d.Arr(func(d *jx.Decoder) error { return s.contact(b, d) })
		case key == "data" && d.Next() != jx.Null:
			return fmt.Errorf("data must be a list")
		}
		return d.Skip()
	})
	if err != nil {
		return nil, "parameter error: " + err.Error()
	}
	return b, ""
}

func (s *Service) contact(b *batch, d *jx.Decoder) error {
	b.count++
	if b.count > maxRows {
		return d.Skip()
	}
	if d.Next() != jx.Object {
		return fmt.Errorf("data[%d] must be an object", b.count-1)
	}
	r := row{text: make(map[string]string, 8)}
	err := d.Obj(func(d *jx.Decoder, key string) error {
		kind := d.Next()
		switch {
		case kind == jx.Null:
			delete(r.text, key)
			delete(r.custom, key)
			return d.Skip()
		case isField[key]:
			if kind != jx.String {
				return fmt.Errorf("data[%d].%s must be a text", b.count-1, key)
			}
			text, err := d.Str()
			if r.text[key] = text; text == "" && key != "country" {
				delete(r.text, key)
			}
			return err
		case s.extensions[key] == nil:
			b.ignored++
			return d.Skip()
		}
		raw, err := d.Raw()
		if r.custom == nil {
			r.custom = map[string]string{}
		}
		r.custom[key] = string(raw)
		return err
	})
	if err != nil {
		return err
	}
	r.code, r.info = s.judge(&r)
	b.rows = append(b.rows, r)
	return nil
}
