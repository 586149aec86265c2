package socialepoch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// item is one event of a webhook: where its values stand in text. An empty span is absent.
type item struct {
	text                                         []byte
	id, typ, friend, agent, updated              span
	field, fieldType, fieldConfig, before, after span // of a profile change
	follow, agentID, tenant                      span // of a follow-up that came by itself
	known                                        bool // the item could be read
}

// of is a value as it is written; nil where it is absent.
func (it *item) of(s span) []byte {
	if s.to == 0 {
		return nil
	}
	return it.text[s.from:s.to]
}

// readAt notes the members of the item that stands at i. It is false where that is no JSON object; what was read till then
// is noted. The first id counts, as it does in Split.
func (it *item) readAt(w *rows.Walker, text []byte, i int) bool {
	it.text = text
	for ok := text[i] == '{' && w.OpenAt(text, i); ok && w.Next(); {
		var v span
		v.from, v.to = w.At()
		switch string(w.Key()) {
		case "id":
			if it.id.to == 0 {
				it.id = v
			}
		case "type":
			it.typ = v
		case "userName", "username":
			it.agent = v
		case "friendWhatsId":
			it.friend = v
		case "field":
			it.field = v
		case "fieldType":
			it.fieldType = v
		case "fieldConfig":
			it.fieldConfig = v
		case "sourceValue":
			it.before = v
		case "targetValue":
			it.after = v
		case "updateAt":
			it.updated = v
		case "follow":
			it.follow = v
		case "userId":
			it.agentID = v
		case "tenantId":
			it.tenant = v
		}
	}
	return text[i] == '{' && w.Whole()
}

// read reads an item of which text holds nothing else.
func (it *item) read(w *rows.Walker, text []byte) bool {
	return it.readAt(w, text, 0) && rows.SkipSpace(text, w.End()) == len(text)
}

// decoder turns the items of one request into rows.
type decoder struct {
	hook  *hook
	in    *connector.Received
	out   connector.Events
	walk  rows.Walker
	head  []byte // members that all rows of the request share
	row   []byte
	text  []byte // an unescaped value
	list  []byte // a list as JSON
	hour  hour   // of the time read last
	items []item // the first ones of the request
	item  *item
	own   item // one that was not read ahead

	breaks bool // there are line breaks in the body
}

// decoders keep the memory of requests that were decoded.
var decoders = sync.Pool{New: func() any { return &decoder{items: make([]item, 0, readAhead)} }}

// keptRow is how large a row may have been whose memory is kept.
const keptRow = 64 << 10

// free lets go of the request.
func (d *decoder) free() {
	clear(d.items)
	*d = decoder{items: d.items[:0], head: d.head, row: d.row, text: d.text, list: d.list}
	if cap(d.row)+cap(d.text)+cap(d.list) > keptRow {
		d.row, d.text, d.list = nil, nil, nil
	}
	decoders.Put(d)
}

// readAhead is how many items of a request are read while their list is: as many as the vendor sends. Others are read
// one by one.
const readAhead = 64

// Decode reads each item for itself; which kind it is says its shape, not the address that it was sent to.
func (h *hook) Decode(in *connector.Received, out connector.Events) error {
	d := decoders.Get().(*decoder)
	defer d.free()
	d.hook, d.in, d.out = h, in, out
	d.breaks = bytes.IndexByte(in.Body, '\n') >= 0 || bytes.IndexByte(in.Body, '\r') >= 0
	f, err := readFrame(in.Body, d.readItem)
	if err != nil {
		return fmt.Errorf("socialepoch: %s: %w", h.webhook, err)
	}
	d.head = in.At.UTC().AppendFormat(append(d.head[:0], `,"received_at":"`...), timestamp)
	d.head = rows.AppendString(append(d.head, `","vendor":"socialepoch","tenant_id":`...), in.Tenant)
	for i, s := range f.items {
		if in.Seen != nil && in.Seen(i) {
			continue
		}
		if err := d.event(i, in.Body[s.from:s.to]); err != nil {
			return fmt.Errorf("socialepoch: %s: item %d: %w", h.webhook, i, err)
		}
	}
	return nil
}

// readItem reads the item at i, and finds its end.
func (d *decoder) readItem(body []byte, i int) (end int) {
	if len(d.items) == readAhead {
		return rows.Span(body, i)
	}
	d.items = append(d.items, item{})
	it := &d.items[len(d.items)-1]
	if it.known = it.readAt(&d.walk, body, i); it.known {
		return d.walk.End()
	}
	return rows.Span(body, i)
}

// event makes the row of one item.
func (d *decoder) event(i int, text []byte) error {
	it := &d.own
	if i < len(d.items) {
		it = &d.items[i]
	} else {
		*it = item{}
		it.known = it.read(&d.walk, text)
	}
	d.item = it
	row := append(d.hook.appendKey(append(d.row[:0], `{"event_id":"`...), it.of(it.id), text), '"')
	raw := text
	if !it.known {
		// What cannot stand as JSON in a row stands there as a text. Most such items have half a character in them, where
		// the vendor cut a value; with a mark in its place they can be read.
		raw = rows.AppendQuoted(nil, text)
		*it = item{}
		if mended, ok := withMarks(text); ok {
			it.known = it.read(&d.walk, mended)
		}
		if !it.known {
			*it = item{}
		}
	}
	row = d.appendTime(row, `,"occurred_at":`, it.of(it.updated))
	row, stream := d.fill(append(row, d.head...))
	d.row = append(append(append(row, `,"raw":`...), raw...), '}')
	if d.breaks {
		rows.Flatten(d.row)
	}
	return d.out.AppendEvent(stream, i, d.row)
}

// withMarks is the item with U+FFFD in the place of bytes and escapes that are no characters; false where it is no JSON
// object all the same.
func withMarks(text []byte) ([]byte, bool) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var object map[string]any
	if dec.Decode(&object) != nil || object == nil || rows.SkipSpace(text, int(dec.InputOffset())) != len(text) {
		return nil, false
	}
	mended, err := json.Marshal(object)
	return mended, err == nil
}

// Numbers of an item's type.
const (
	typeChange = 1
	typeFollow = 2
)

// fill appends what is known of the item, and says which stream it belongs to.
func (d *decoder) fill(row []byte) (_ []byte, stream string) {
	it := d.item
	if !it.known {
		return row, d.fallback()
	}
	kind, hasKind := small(it.of(it.typ))
	var f profileField
	aliased := false
	if base, ok := small(it.of(it.fieldType)); ok && base == 0 && kind != typeFollow && present(it.of(it.field)) {
		f, aliased = fieldOf(d.unquoted(it.of(it.field)))
	}
	switch {
	case it.follow.to != 0:
		return d.appendFollow(row, hookFollow, it.of(it.follow), nil), streamFollows
	case kind == typeFollow, aliased && f.column == "" && (kind == typeChange || !hasKind):
		return d.appendFollow(row, hookPortrait, it.of(it.after), it.of(it.before)), streamFollows
	case it.field.to != 0:
		return d.appendChange(row, kind, hasKind, f, aliased), streamChanges
	}
	return d.appendPeople(row), d.fallback()
}

// fallback is the stream of items whose shape says nothing.
func (d *decoder) fallback() string {
	if d.hook.webhook == hookFollow {
		return streamFollows
	}
	return streamChanges
}

// appendPeople appends whom the item is about and who acted.
func (d *decoder) appendPeople(row []byte) []byte {
	it := d.item
	row = appendText(row, `,"agent":`, it.of(it.agent))
	name := `,"whatsapp":"`
	if d.hook.account {
		name = `,"account":"`
	}
	if number := d.digits(it.of(it.friend)); len(number) > 0 {
		row = append(append(append(row, name...), number...), '"')
	}
	return row
}

// appendFollow appends a follow-up.
func (d *decoder) appendFollow(row []byte, webhook string, content, before []byte) []byte {
	it := d.item
	row = append(append(append(row, `,"webhook":"`...), webhook...), '"')
	row = d.appendPeople(row)
	row = appendText(row, `,"agent_id":`, it.of(it.agentID))
	row = appendText(row, `,"item_tenant_id":`, it.of(it.tenant))
	if present(before) {
		old := readFollow(&d.walk, rows.AppendUnquoted(nil, before))
		if len(old.text) > 0 {
			row = rows.AppendQuoted(append(row, `,"old_text":`...), old.text)
		}
	}
	if !present(content) {
		return row
	}
	f := readFollow(&d.walk, rows.AppendUnquoted(nil, content))
	row = append(append(append(row, `,"content_id":"`...), f.id(d.digits(it.of(it.friend)))...), '"')
	if len(f.text) > 0 {
		row = rows.AppendQuoted(append(row, `,"text":`...), f.text)
	}
	if len(f.urls) > 0 {
		sep := `,"urls":[`
		for _, url := range f.urls {
			row = append(append(row, sep...), url...)
			sep = ","
		}
		row = append(row, ']')
	}
	if f.document != nil {
		row = append(append(row, `,"content":`...), f.document...)
	}
	return strconv.AppendBool(append(row, `,"repaired":`...), f.repaired)
}

// appendChange appends a profile change. f is the basic field, if it is one that is known.
func (d *decoder) appendChange(row []byte, kind int, hasKind bool, f profileField, aliased bool) []byte {
	it := d.item
	if hasKind {
		row = strconv.AppendInt(append(row, `,"change_type":`...), int64(kind), 10)
	}
	row = d.appendPeople(row)
	base, hasBase := small(it.of(it.fieldType))
	extension := hasBase && base == 1
	config, _ := small(it.of(it.fieldConfig))
	if aliased && f.column != "" {
		row = append(append(append(row, `,"field":"`...), f.column...), '"')
	} else {
		row = appendText(row, `,"field":`, it.of(it.field))
	}
	switch {
	case extension:
		row = append(row, `,"field_type":"extension"`...)
	case hasBase && base == 0:
		row = append(row, `,"field_type":"basic"`...)
	}
	if config > 0 && config < len(valueTypes) {
		row = append(append(append(row, `,"value_type":"`...), valueTypes[config]...), '"')
	}
	form := f.kind
	if extension {
		form = extensionForm(config)
	}
	row = d.appendLong(row, `,"old_value":`, form, it.of(it.before))
	row = d.appendLong(row, `,"new_value":`, form, it.of(it.after))
	if hasKind && kind != typeChange || !present(it.of(it.after)) {
		return row
	}
	switch {
	case aliased && f.column != "":
		row = d.appendWide(row, f)
	case extension && present(it.of(it.field)):
		row = appendText(row, `,"custom":{`, it.of(it.field)) // the label takes the place of a value
		row = append(row, ':')
		row = d.appendCanonical(row, form, it.of(it.after))
		row = append(row, '}')
	}
	return row
}

func extensionForm(config int) valueKind {
	switch config {
	case configMulti:
		return valueTags
	case configDate:
		return valueDate
	}
	return valueText
}

// appendWide appends the canonical column of the field. A gender or date that cannot be read stays out of it: a reader
// would take it for a canonical one.
func (d *decoder) appendWide(row []byte, f profileField) []byte {
	before := len(row)
	row = append(append(append(row, `,"`...), f.column...), `":`...)
	value := d.item.of(d.item.after)
	switch f.kind {
	case valueGender:
		gender := genderOf(d.unquoted(value))
		if gender == "" {
			return row[:before]
		}
		return append(append(append(row, '"'), gender...), '"')
	case valueDate:
		out, ok := appendDate(append(row, '"'), d.unquoted(value))
		if !ok {
			return row[:before]
		}
		return append(out, '"')
	}
	return d.appendCanonical(row, f.kind, value)
}
