package sandbox

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-faster/jx"
)

const maxCustomers = 100

// row is one customer of a request. Absent, null and empty texts are "".
type row struct {
	text   [numFields]string // customizeField stays "", its members are in custom
	gender int8              // -1: absent
	custom []member
}

// member is one custom field: its name and its value as JSON text.
type member struct{ name, value string }

// key returns the identifier by which the journal knows the row.
func (r *row) key() string {
	for _, f := range channels {
		if r.text[f] != "" {
			return r.text[f]
		}
	}
	return ""
}

// batch is a batch_create request as far as it could be read. A fault in the rows is kept apart, because the checks of
// the other members come first.
type batch struct {
	scopeID
	kind     int // the member "type"; -1: missing
	rows     []row
	count    int // customers in the request, also those behind a faulty one
	rowFault *fault
}

// parser reads one request body.
type parser struct {
	contract *contract
	lenient  bool
	custom   map[string]bool // known custom fields; nil: any
	dec      jx.Decoder
	inner    jx.Decoder
}

var errNotJSON = badParameter("Parameter error: the body is not valid JSON")

// valid reports whether the body is strict JSON in UTF-8; the decoder alone would let some faults pass.
func valid(body []byte) bool { return utf8.Valid(body) && json.Valid(body) }

// batch reads the body; faults of the rows go to batch.rowFault.
func (p *parser) batch(body []byte) (*batch, *fault) {
	if !valid(body) {
		return nil, errNotJSON
	}
	b := &batch{kind: -1}
	f := p.members(body, func(key string) *fault {
		switch key {
		case "type":
			n, f := p.integer("type")
			b.kind = int(n)
			if f == nil && (n < 0 || n > 2) {
				f = badParameter("type must be 0, 1 or 2")
			}
			return f
		case "customers":
			return p.customers(b)
		case "strict_binding":
			if p.contract.strictBinding {
				return p.boolean(key)
			}
		}
		return p.scopeMember(&b.scopeID, key)
	})
	return b, f
}

// members walks the body's object; each must take the member's value from the decoder.
func (p *parser) members(body []byte, each func(key string) *fault) *fault {
	p.dec.ResetBytes(body)
	if p.dec.Next() != jx.Object {
		return badParameter("Parameter error: the body must be a JSON object")
	}
	it, err := p.dec.ObjIter()
	if err != nil {
		return errNotJSON
	}
	for it.Next() {
		if f := each(string(it.Key())); f != nil {
			return f
		}
	}
	if it.Err() != nil {
		return errNotJSON
	}
	return nil
}

// scopeMember reads tenant_id and app_key, and refuses every other name.
func (p *parser) scopeMember(id *scopeID, key string) *fault {
	switch key {
	case "tenant_id":
		if p.dec.Next() == jx.Null {
			return p.skip()
		}
		var f *fault
		id.tenant, f = p.integer(key)
		id.hasTenant = f == nil
		return f
	case "app_key":
		var f *fault
		id.app, f = p.str(key)
		return f
	}
	if p.lenient {
		return p.skip()
	}
	return badParameter(key + " is not a parameter of this endpoint")
}

func (p *parser) customers(b *batch) *fault {
	b.rows, b.count, b.rowFault = nil, 0, nil
	if p.dec.Next() != jx.Array {
		return badParameter("customers must be an array")
	}
	it, err := p.dec.ArrIter()
	if err != nil {
		return errNotJSON
	}
	b.rows = make([]row, 0, maxCustomers)
	for it.Next() {
		b.count++
		if b.rowFault != nil || b.count > maxCustomers {
			if f := p.skip(); f != nil {
				return f
			}
			continue
		}
		b.rows = append(b.rows, row{gender: -1})
		fault, broken := p.customer(&b.rows[len(b.rows)-1], b.count-1)
		if broken {
			return errNotJSON
		}
		b.rowFault = fault
	}
	if it.Err() != nil {
		return errNotJSON
	}
	return nil
}

// customer reads one row to its end, and returns the first fault in it.
func (p *parser) customer(r *row, index int) (first *fault, broken bool) {
	where := func(name, text string) {
		if first == nil {
			first = badParameter(fmt.Sprintf("customers[%d]%s %s", index, name, text))
		}
	}
	if p.dec.Next() != jx.Object {
		where("", "must be an object")
		return first, p.dec.Skip() != nil
	}
	it, err := p.dec.ObjIter()
	if err != nil {
		return nil, true
	}
	for it.Next() {
		text, err := p.member(r, it.Key())
		if err != nil {
			return nil, true
		}
		if text != "" {
			where("."+string(it.Key()), text)
		}
	}
	if it.Err() != nil {
		return nil, true
	}
	for f := range p.contract.rules {
		if p.contract.rules[f].required && r.text[f] == "" {
			where("."+fieldNames[f], "is required")
		}
	}
	if r.key() == "" {
		where("", "has no identifier: give whats_app_phone, sms_phone, email or another channel")
	}
	return first, false
}

// member reads one field of a row; text says what is wrong with it, "" if nothing is.
func (p *parser) member(r *row, key []byte) (text string, err error) {
	kind := p.dec.Next()
	f, known := fieldByName[string(key)]
	switch {
	case string(key) == "gender":
		r.gender, text, err = p.gender(kind)
		return text, err
	case !known && p.lenient:
		return "", p.dec.Skip()
	case !known:
		return "is not a field of this endpoint", p.dec.Skip()
	case kind == jx.Null:
		r.text[f] = ""
		return "", p.dec.Skip()
	case kind != jx.String:
		return "must be a string", p.dec.Skip()
	}
	b, err := p.dec.StrBytes()
	if err != nil {
		return "", err
	}
	if f == customizeField {
		r.custom, text = p.customMembers(b)
		return text, nil
	}
	r.text[f] = string(b)
	return p.contract.rules[f].check(f, r.text[f]), nil
}

// check says what is wrong with a text that is not empty.
func (r rule) check(f field, s string) string {
	if r.max > 0 && len(s) > r.max && utf8.RuneCountInString(s) > r.max {
		return "exceeds " + strconv.Itoa(r.max) + " characters"
	}
	if r.digits && !allDigits(s) {
		return "must hold digits only"
	}
	if f == birthday && s != "" && !isDate(s) {
		return "must be a date in the form yyyy-MM-dd"
	}
	return ""
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func isDate(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

// gender reads the integer 0 or 1; -1 stands for null.
func (p *parser) gender(kind jx.Type) (g int8, text string, err error) {
	raw, err := p.dec.Raw()
	switch {
	case err != nil:
		return -1, "", err
	case kind == jx.Null:
		return -1, "", nil
	case string(raw) == "0":
		return 0, "", nil
	case string(raw) == "1":
		return 1, "", nil
	}
	return -1, "must be the number 0 (female) or 1 (male)", nil
}

// customMembers reads the JSON object inside a customize_field; null members count as absent.
func (p *parser) customMembers(b []byte) (list []member, text string) {
	const wrong = "must hold a JSON object as text"
	if len(b) == 0 {
		return nil, ""
	}
	if !valid(b) {
		return nil, wrong
	}
	p.inner.ResetBytes(b)
	if p.inner.Next() != jx.Object {
		return nil, wrong
	}
	it, err := p.inner.ObjIter()
	if err != nil {
		return nil, wrong
	}
	for it.Next() {
		name := string(it.Key())
		if p.custom != nil && !p.custom[name] {
			text = "holds the unknown field " + strconv.Quote(name)
		}
		isNull := p.inner.Next() == jx.Null
		raw, err := p.inner.Raw()
		if err != nil {
			return nil, wrong
		}
		if !isNull {
			list = append(list, member{name, string(raw)})
		}
	}
	if it.Err() != nil {
		return nil, wrong
	}
	return list, text
}

func (p *parser) skip() *fault {
	if p.dec.Skip() != nil {
		return errNotJSON
	}
	return nil
}

// integer takes a JSON number without fraction and exponent.
func (p *parser) integer(name string) (int64, *fault) {
	raw, err := p.dec.Raw()
	if err != nil {
		return 0, errNotJSON
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		return 0, badParameter(name + " must be an integer")
	}
	return n, nil
}

func (p *parser) boolean(name string) *fault {
	if p.dec.Next() != jx.Bool {
		return badParameter(name + " must be true or false")
	}
	return p.skip()
}

// str takes a string; null gives "".
func (p *parser) str(name string) (string, *fault) {
	switch p.dec.Next() {
	case jx.Null:
		return "", p.skip()
	case jx.String:
		s, err := p.dec.Str()
		if err != nil {
			return "", errNotJSON
		}
		return s, nil
	}
	return "", badParameter(name + " must be a string")
}
