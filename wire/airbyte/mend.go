package airbyte

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/pipeline"
	"github.com/sluicehq/sluice/internal/rows"
)

// columnRaw is where a stream keeps what the vendor sent.
const columnRaw = "raw"

// Reasons of a change, as the protocol names them.
const (
	reasonSerialization = "SOURCE_SERIALIZATION_ERROR"
	reasonRecordSize    = "SOURCE_RECORD_SIZE_LIMITATION"
)

// mender makes a record of a row that does not fit its stream. What fits stays; a field that does not is null and named,
// and the row as it came stays in the column raw. A key is never null: one that does not fit is the text of its value.
//
//	{"id":"7","tags":"a"}  →  {"id":"7","raw":{"id":"7","tags":"a"}}             tags is null
//	{"id":"7",             →  {"id":"unreadable-9f86d081884c7d65","raw":"{…"}    every other column is null
type mender struct {
	stream  *connector.Stream
	builder *rows.Builder
	encoder *rows.Encoder
	walk    rows.Walker
}

func newMender(e *emitter) *mender {
	fields := append(slices.Clip(e.stream.Schema().Fields()), connector.JSONField(connector.ColumnExtra))
	schema := arrow.NewSchema(fields, nil)
	return &mender{stream: &e.stream, builder: rows.NewBuilder(e.of.Alloc, schema), encoder: rows.NewEncoder(schema, nil)}
}

// mend returns the record's data and the fields that are null in it. text is UTF-8.
func (m *mender) mend(text []byte, why *connector.RowResult) (data []byte, nulled []string, err error) {
	if why.Code == connector.CodeBadUTF8 {
		nulled = m.spoilt(text)
	}
	for range len(m.stream.Columns) + 1 {
		refusal := m.builder.Append(m.without(text, nulled))
		if refusal == nil {
			return m.record(), m.lost(nulled), nil
		}
		if refusal.Field == "" || slices.Contains(nulled, refusal.Field) {
			break
		}
		nulled = append(nulled, refusal.Field)
	}
	object, nulled := m.unreadable(text)
	if refusal := m.builder.Append(object); refusal != nil {
		return nil, nil, connector.Internalf("This is a defect: report it", "a row of the stream %s cannot be kept: %w", m.stream.Name, refusal)
	}
	return m.record(), nulled, nil
}

// record encodes the row that the builder has taken.
func (m *mender) record() []byte {
	rec := m.builder.NewRecord()
	defer rec.Release()
	m.encoder.Bind(rec)
	return m.encoder.AppendObject(nil, 0)
}

// spoilt lists the members in which something stands in the place of bytes that are no text.
func (m *mender) spoilt(text []byte) (names []string) {
	for ok := m.walk.Open(text); ok && m.walk.Next(); {
		if name := string(m.walk.Key()); name != columnRaw && bytes.ContainsRune(m.walk.Value(), utf8.RuneError) {
			names = append(names, name)
		}
	}
	return names
}

// kept reports whether a column has to hold something.
func (m *mender) kept(name string) bool { return slices.Contains(m.stream.Key, name) }

// lost lists those of the fields that hold nothing now.
func (m *mender) lost(names []string) []string { return slices.DeleteFunc(names, m.kept) }

// without is the row without some members. Where it has none of that name, it is its own raw.
func (m *mender) without(text []byte, names []string) []byte {
	if i := rows.SkipSpace(text, 0); i == len(text) || text[i] != '{' {
		return text
	}
	object, sep, raw := []byte(nil), byte('{'), false
	member := func(name, value []byte) {
		object = append(rows.AppendQuoted(append(object, sep), name), ':')
		object, sep = append(object, value...), ','
	}
	for ok := m.walk.Open(text); ok && m.walk.Next(); {
		name, value := m.walk.Key(), m.walk.Value()
		raw = raw || string(name) == columnRaw
		switch {
		case !slices.Contains(names, string(name)):
			member(name, value)
		case m.kept(string(name)):
			member(name, rows.AppendQuoted(nil, rows.AppendUnquoted(nil, value)))
		}
	}
	if !m.walk.Whole() || sep == '{' {
		return text
	}
	if !raw {
		member([]byte(columnRaw), text)
	}
	return append(object, '}')
}

// unreadable is the row of a text that is none.
func (m *mender) unreadable(text []byte) (object []byte, nulled []string) {
	var o rows.Object
	o.Reset()
	sum := sha256.Sum256(text)
	for i := range m.stream.Columns {
		switch c := &m.stream.Columns[i]; {
		case c.Name == columnRaw:
		case m.kept(c.Name) && c.Type != connector.ColumnInteger && c.Type != connector.ColumnBoolean:
			o.Text(c.Name, "unreadable-"+hex.EncodeToString(sum[:8]))
		default:
			nulled = append(nulled, c.Name)
		}
	}
	o.Raw(columnRaw, rows.AppendQuoted(nil, text))
	return o.Bytes(), nulled
}

// Write emits rows that do not fit as records that say so. It makes the emitter the Rejects of its run: no row of a
// source is left out.
func (e *emitter) Write(_ context.Context, list []pipeline.Reject) error {
	if e.mender == nil {
		e.mender = newMender(e)
	}
	for i := range list {
		r := &list[i].Result
		data, nulled, err := e.mender.mend(list[i].Row, r)
		if err != nil {
			return err
		}
		if e.unfit++; e.unfit <= unfitShown {
			e.of.log.Warn("a row does not fit its stream: what does not is null in its record, which says so in meta.changes, and raw has it as it came",
				"stream", e.stream.Name, "code", r.Code, "field", r.Field, "reason", r.Message)
		}
		reason := reasonSerialization
		if r.Code == connector.CodeTooBig {
			reason = reasonRecordSize
		}
		e.mended(data, nulled, reason)
	}
	return e.of.out.failure()
}

// mended writes a record with its changes.
func (e *emitter) mended(data []byte, nulled []string, reason string) {
	e.mu.Lock()
	e.start()
	e.emitted++
	e.mu.Unlock()
	e.of.out.writeWithin(outputBulk, func(dst []byte) []byte {
		dst = append(append(dst, e.head...), data...)
		dst = append(strconv.AppendInt(append(dst, `,"emitted_at":`...), now(), 10), `,"meta":{"changes":[`...)
		for i, name := range nulled {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(rows.AppendString(append(dst, `{"field":`...), name), `,"change":"NULLED","reason":"`...)
			dst = append(append(dst, reason...), `"}`...)
		}
		return append(dst, `]}}}`...)
	})
}
