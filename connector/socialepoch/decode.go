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
	d.row = append(d.hook.appendKey(append(d.row[:0], `{"event_id":"`...), it.of(it.id), text), '"')
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
	d.row = d.appendTime(d.row, `,"occurred_at":`, it.of(it.updated))
	d.row = append(d.row, d.head...)
	stream := d.fill()
	d.row = append(append(append(d.row, `,"raw":`...), raw...), '}')
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
func (d *decoder) fill() (stream string) {
	it := d.item
	if !it.known {
		return d.fallback()
	}
	kind, hasKind := small(it.of(it.typ))
	var f profileField
	aliased := false
	if base, ok := small(it.of(it.fieldType)); ok && base == 0 && kind != typeFollow && present(it.of(it.field)) {
		d.text = rows.AppendUnquoted(d.text[:0], it.of(it.field))
		f, aliased = fieldOf(d.text)
	}
	switch {
	case it.follow.to != 0:
		d.appendFollow(hookFollow, it.of(it.follow), nil)
		return streamFollows
	case kind == typeFollow, aliased && f.column == "" && (kind == typeChange || !hasKind):
		d.appendFollow(hookPortrait, it.of(it.after), it.of(it.before))
		return streamFollows
	case it.field.to != 0:
		d.appendChange(kind, hasKind, f, aliased)
		return streamChanges
	}
	d.appendPeople()
	return d.fallback()
}

// fallback is the stream of items whose shape says nothing.
func (d *decoder) fallback() string {
	if d.hook.webhook == hookFollow {
		return streamFollows
	}
	return streamChanges
}

// appendPeople appends whom the item is about and who acted.
func (d *decoder) appendPeople() {
	it := d.item
	d.row = appendText(d.row, `,"agent":`, it.of(it.agent))
	name := `,"whatsapp":"`
	if d.hook.account {
		name = `,"account":"`
	}
	if number := d.digits(it.of(it.friend)); len(number) > 0 {
		d.row = append(append(append(d.row, name...), number...), '"')
	}
}

// appendFollow appends a follow-up.
func (d *decoder) appendFollow(webhook string, content, before []byte) {
	it := d.item
	d.row = append(append(append(d.row, `,"webhook":"`...), webhook...), '"')
	d.appendPeople()
	d.row = appendText(d.row, `,"agent_id":`, it.of(it.agentID))
	d.row = appendText(d.row, `,"item_tenant_id":`, it.of(it.tenant))
	if present(before) {
		old := readFollow(&d.walk, rows.AppendUnquoted(nil, before))
		if len(old.text) > 0 {
			d.row = rows.AppendQuoted(append(d.row, `,"old_text":`...), old.text)
		}
	}
	if !present(content) {
		return
	}
	f := readFollow(&d.walk, rows.AppendUnquoted(nil, content))
	d.row = append(append(append(d.row, `,"content_id":"`...), f.id(d.digits(it.of(it.friend)))...), '"')
	if len(f.text) > 0 {
		d.row = rows.AppendQuoted(append(d.row, `,"text":`...), f.text)
	}
	if len(f.urls) > 0 {
		sep := `,"urls":[`
		for _, url := range f.urls {
			d.row = append(append(d.row, sep...), url...)
			sep = ","
		}
		d.row = append(d.row, ']')
	}
	if f.document != nil {
		d.row = append(append(d.row, `,"content":`...), f.document...)
	}
	d.row = strconv.AppendBool(append(d.row, `,"repaired":`...), f.repaired)
}

// appendChange appends a profile change. f is the basic field, if it is one that is known.
func (d *decoder) appendChange(kind int, hasKind bool, f profileField, aliased bool) {
	it := d.item
	if hasKind {
		d.row = strconv.AppendInt(append(d.row, `,"change_type":`...), int64(kind), 10)
	}
	d.appendPeople()
	base, hasBase := small(it.of(it.fieldType))
	extension := hasBase && base == 1
	config, _ := small(it.of(it.fieldConfig))
	if aliased && f.column != "" {
		d.row = append(append(append(d.row, `,"field":"`...), f.column...), '"')
	} else {
		d.row = appendText(d.row, `,"field":`, it.of(it.field))
	}
	switch {
	case extension:
		d.row = append(d.row, `,"field_type":"extension"`...)
	case hasBase && base == 0:
		d.row = append(d.row, `,"field_type":"basic"`...)
	}
	if config > 0 && config < len(valueTypes) {
		d.row = append(append(append(d.row, `,"value_type":"`...), valueTypes[config]...), '"')
	}
	form := f.kind
	if extension {
		form = extensionForm(config)
	}
	d.row = d.appendLong(d.row, `,"old_value":`, form, it.of(it.before))
	d.row = d.appendLong(d.row, `,"new_value":`, form, it.of(it.after))
	if hasKind && kind != typeChange || !present(it.of(it.after)) {
		return
	}
	switch {
	case aliased && f.column != "":
		d.appendWide(f)
	case extension && present(it.of(it.field)):
		d.row = appendText(d.row, `,"custom":{`, it.of(it.field)) // the label takes the place of a value
		d.row = append(d.row, ':')
		d.row = d.appendCanonical(d.row, form, it.of(it.after))
		d.row = append(d.row, '}')
	}
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
func (d *decoder) appendWide(f profileField) {
	before := len(d.row)
	d.row = append(append(append(d.row, `,"`...), f.column...), `":`...)
	value := d.unquoted(d.item.of(d.item.after))
	switch f.kind {
	case valueGender:
		gender := genderOf(value)
		if gender == "" {
			d.row = d.row[:before]
			return
		}
		d.row = append(append(append(d.row, '"'), gender...), '"')
	case valueDate:
		row, ok := appendDate(append(d.row, '"'), value)
		if !ok {
			d.row = d.row[:before]
			return
		}
		d.row = append(row, '"')
	default:
		d.row = d.appendCanonical(d.row, f.kind, d.item.of(d.item.after))
	}
}
