// Package rows turns JSON objects into Arrow records and rows of Arrow records into JSON objects.
//
//	object ── scan ──▶ one cell per column ── check ──▶ staged columns ── NewRecord ──▶ arrow.Record
//	                   (a span of the input)  (types)   (own byte slices)                   │
//	object ◀────────────────── AppendObject, AppendJSON, AppendValue ◀──────────────────────┘
//
// # Reading
//
// A [Builder] walks an object once and only notes where each value stands; then it checks the values against their
// columns; then it appends. A refused object therefore leaves nothing behind. The walk predicts the next key from the
// object before, looks at strings eight bytes at a time, and leaves nested values and escapes to go-faster/jx.
//
// The language accepted is that of encoding/json.Valid, narrowed to objects (at most 10,000 levels deep) and to text:
// bytes that are not UTF-8 refuse the object wherever they stand, and so does an escape such as \ud800 without its other
// half, which no UTF-8 can express: whoever reads it next would replace it silently or choke on it. Of a repeated key the
// last value counts.
//
// # Columns
//
//	Arrow type        made from                 absent       null                    other values
//	utf8 + MetaJSON   array, object, union      Arrow null   the text "null"         kept as they are
//	... as number     number, big integer       Arrow null   the text "null"         text that is a number
//	utf8              string                    Arrow null   Arrow null, _null bit   numbers and booleans, as written
//	int64             integer                   Arrow null   Arrow null, _null bit   12.0, 1.2e1 and "12" are 12
//	bool              boolean                   Arrow null   Arrow null, _null bit   "true" and "false"
//	list<utf8>        a caller's own schema     Arrow null   Arrow null, _null bit   arrays of what utf8 takes, and of nulls
//
// A value is fitted to its column only where nothing is lost; "012", "+12" and 12.5 are no integers, 1 is no boolean, an
// object is no text. What does not fit refuses the row with bad_type. An integer beyond 64 bits is refused too: the
// schema should call it a number, or state its maximum, and then every digit is kept.
//
// Raw JSON is kept byte for byte, but for one thing: a line break between tokens becomes a space, so that a row always
// prints as one line.
//
// Keys that the schema does not name, and keys that are reserved names, are gathered in the column "_extra" as one JSON
// object; a schema without that column drops them.
package rows
