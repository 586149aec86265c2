package rows

import (
	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
)

// Encoder writes rows of one schema as JSON objects, fast: what a schema tells is worked out once, what a record tells
// once per Bind, and AppendObject allocates nothing but the growth of dst. It is for one goroutine at a time.
type Encoder struct {
	// OmitEmpty leaves out text columns that hold "", unless "_null" marks them: then they are empty on purpose.
	OmitEmpty bool

	cols  []encoderColumn
	from  int // of the bound record in its base
	null  int // index of "_null" in the schema, -1: none
	extra int // index of "_extra", -1: none or skipped
	nulls view
	rest  view
}

type encoderColumn struct {
	view
	index int    // in the schema
	of    kind   // view.kind once bound
	frag  []byte // `,"name":`
}

// NewEncoder returns an encoder for records of the schema. Columns for which skip is true are not written; nil skips
// none. Of the reserved columns only "_extra" is written, as the members that it holds, unless it is skipped.
func NewEncoder(schema *arrow.Schema, skip func(name string) bool) *Encoder {
	e := &Encoder{null: -1, extra: -1}
	for i := range schema.NumFields() {
		f := schema.Field(i)
		switch {
		case f.Name == connector.ColumnNull && f.Type.ID() == arrow.BINARY:
			e.null = i
		case skip != nil && skip(f.Name):
		case f.Name == connector.ColumnExtra && f.Type.ID() == arrow.STRING:
			e.extra = i
		case !connector.IsReserved(f.Name):
			frag := append(AppendString([]byte{','}, f.Name), ':')
			e.cols = append(e.cols, encoderColumn{index: i, of: kindOf(f), frag: frag})
		}
	}
	return e
}

// Bind makes rec, a record of the encoder's schema, the one that AppendObject reads. The encoder takes no reference: the
// caller keeps rec alive until the next Bind or the last AppendObject.
func (e *Encoder) Bind(rec arrow.Record) {
	rec, e.from = Base(rec)
	for i := range e.cols {
		c := &e.cols[i]
		c.open(rec.Column(c.index), c.of)
	}
	if e.null >= 0 {
		e.nulls.open(rec.Column(e.null), kindBinary)
	}
	if e.extra >= 0 {
		e.rest.open(rec.Column(e.extra), kindText)
	}
}

// AppendObject appends a row of the bound record as a JSON object. Columns that are null are left out, unless "_null"
// marks an explicit null. Raw JSON is written as it stands.
func (e *Encoder) AppendObject(dst []byte, row int) []byte {
	row += e.from
	start := len(dst)
	var nulls []byte
	if e.null >= 0 && !e.nulls.isNull(row) {
		nulls = e.nulls.bytes(row)
	}
	for i := range e.cols {
		c := &e.cols[i]
		if !c.isNull(row) {
			if e.OmitEmpty && c.of == kindText && len(c.bytes(row)) == 0 && !hasBit(nulls, c.index) {
				continue
			}
			dst = c.appendValue(append(dst, c.frag...), row)
		} else if nulls != nil && hasBit(nulls, c.index) {
			dst = append(append(dst, c.frag...), "null"...)
		}
	}
	if e.extra >= 0 && !e.rest.isNull(row) {
		dst = appendMembers(dst, e.rest.bytes(row), trusted)
	}
	return closeObject(dst, start)
}

// trusted passes the text of "_extra": rows that were refused when read never come to an encoder.
func trusted([]byte) bool { return true }
