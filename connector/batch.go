package connector

import (
	"encoding/json"

	"github.com/apache/arrow/go/v15/arrow"
)

// Position is a resume point: one JSON value that only the Reader which made it can read. Nil means "no position".
type Position []byte

// MarshalJSON writes the position as the JSON value that it is; nil is null.
func (p Position) MarshalJSON() ([]byte, error) {
	if p == nil {
		return []byte("null"), nil
	}
	return json.RawMessage(p).MarshalJSON()
}

// UnmarshalJSON keeps the raw value; null gives nil.
func (p *Position) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*p = nil
		return nil
	}
	*p = append((*p)[:0:0], b...)
	return nil
}

// Batch is the unit that moves from a Reader to a Writer: some rows of one stream.
type Batch struct {
	Stream string
	// Rows may be nil: a position without rows. Whoever holds the Batch owns one reference and must Release it.
	Rows arrow.Record
	// Refused lists, by row of Rows and ascending, the rows that the Reader could not read (broken UTF-8, a value that
	// does not fit its column). Such a row keeps its place in Rows, with its raw text in the column "_extra" and every
	// other column null, so that counts and offsets stay true. Its Verdict is Rejected.
	Refused []RowResult
	// Pos is safe once these rows and all read before them are settled; nil: no resume point here.
	Pos Position
	// Bytes is what holding the batch costs: its rows and whatever the Reader keeps for them. The Reader prices it.
	Bytes int64
}

// NumRows returns the number of rows, 0 where Rows is nil.
func (b Batch) NumRows() int {
	if b.Rows == nil {
		return 0
	}
	return int(b.Rows.NumRows())
}

// Settled is the answer to one Batch.
type Settled struct {
	Pos      Position
	Rows     int         // input rows of the batch
	Filtered int         // of these, left out by the user's own `where` or `on_delete`
	Rejected []RowResult // by input row, ascending; every other row is delivered or filtered
}

// Reserved column names. A source field of such a name is read as data of that name only inside "_extra".
const (
	// ColumnNull marks explicit nulls of typed columns: a binary column that holds, per row, a bit set over the column
	// indexes (bit i%8 of byte i/8); null where the row has none. A bit over a column that holds "" says that it is empty on purpose.
	ColumnNull = "_null"
	// ColumnExtra holds what the schema does not name: a utf8 column with one JSON object per row, null where empty.
	// For a refused row it holds the raw text as it came.
	ColumnExtra = "_extra"
	// ColumnKey, ColumnOp, ColumnTime and ColumnHeaders carry a message's key, change kind (c, u, d, r), time and headers.
	ColumnKey     = "_key"
	ColumnOp      = "_op"
	ColumnTime    = "_time"
	ColumnHeaders = "_headers"
)

// IsReserved reports whether name is one of the reserved column names.
func IsReserved(name string) bool {
	switch name {
	case ColumnNull, ColumnExtra, ColumnKey, ColumnOp, ColumnTime, ColumnHeaders:
		return true
	}
	return false
}

// MetaKey and MetaJSON mark a utf8 column whose values are raw JSON text: an Arrow null is an absent field, the text
// "null" an explicit null.
const (
	MetaKey  = "sluice"
	MetaJSON = "json"
)

// JSONField returns the Arrow field of a raw JSON column.
func JSONField(name string) arrow.Field {
	return arrow.Field{
		Name: name, Type: arrow.BinaryTypes.String, Nullable: true,
		Metadata: arrow.NewMetadata([]string{MetaKey}, []string{MetaJSON}),
	}
}

// IsJSON reports whether the column holds raw JSON text.
func IsJSON(f arrow.Field) bool {
	v, ok := f.Metadata.GetValue(MetaKey)
	return ok && v == MetaJSON && f.Type.ID() == arrow.STRING
}
