package connectortest

import (
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// withBlank is rec with a row of nulls before the row at.
func withBlank(b *bench, rec arrow.Record, at int32) arrow.Record {
	blank := b.oneRow(rec.Schema(), func(f array.Builder) { f.AppendNull() })
	defer blank.Release()
	n := int32(rec.NumRows())
	return rows.Take(b.mem, []rows.Part{{Rec: rec, Rows: span(0, at)}, {Rec: blank, Rows: []int32{0}}, {Rec: rec, Rows: span(at, n)}})
}

// withLongText is rec with every text of the row at replaced by one that no vendor takes.
func withLongText(b *bench, rec arrow.Record, at int32) arrow.Record {
	schema := rec.Schema()
	column := 0
	long := b.oneRow(schema, func(f array.Builder) {
		if s, ok := f.(*array.StringBuilder); ok && !connector.IsJSON(schema.Field(column)) {
			s.Append(strings.Repeat("x", 6000))
		} else {
			f.AppendNull()
		}
		column++
	})
	defer long.Release()
	n := int32(rec.NumRows())
	return rows.Take(b.mem, []rows.Part{{Rec: rec, Rows: span(0, at)}, {Rec: long, Rows: []int32{0}}, {Rec: rec, Rows: span(at+1, n)}})
}

// oneRow makes a record of one row, column by column.
func (b *bench) oneRow(schema *arrow.Schema, fill func(array.Builder)) arrow.Record {
	builder := array.NewRecordBuilder(b.mem, schema)
	defer builder.Release()
	for _, f := range builder.Fields() {
		fill(f)
	}
	return builder.NewRecord()
}

func span(from, to int32) []int32 {
	var all []int32
	for i := from; i < to; i++ {
		all = append(all, i)
	}
	return all
}
