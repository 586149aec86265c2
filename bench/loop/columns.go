package loop

import (
	"bytes"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// Columns is the mapping of the benchmark by hand, for exactly these records, over columns: renamed columns are handed on,
// the others are built with space reserved for all of their rows. A value that is not as expected becomes null.
func Columns(mem memory.Allocator, in arrow.Record, schema *arrow.Schema) arrow.Record {
	text := func(name string) *array.String { return in.Column(in.Schema().FieldIndices(name)[0]).(*array.String) }
	col := func(name string) arrow.Array { return in.Column(in.Schema().FieldIndices(name)[0]) }
	scratch := make([]byte, 0, 128)
	digitsOnly := built(mem, text("mobile"), func(b *array.StringBuilder, s string) {
		scratch = digits(scratch[:0], view(s))
		b.BinaryBuilder.Append(scratch)
	})
	email := built(mem, text("mail"), func(b *array.StringBuilder, s string) {
		scratch = lower(scratch[:0], bytes.TrimSpace(view(s)))
		b.BinaryBuilder.Append(scratch)
	})
	gender := built(mem, text("sex"), func(b *array.StringBuilder, s string) {
		switch s {
		case "M", "male":
			b.Append("male")
		case "F", "female":
			b.Append("female")
		case "unknown":
			b.Append("unknown")
		default:
			b.AppendNull()
		}
	})
	birthday := built(mem, text("birth"), func(b *array.StringBuilder, s string) {
		if len(s) != 10 {
			b.AppendNull()
			return
		}
		scratch = append(append(append(append(append(scratch[:0], s[6:10]...), '-'), s[3:5]...), '-'), s[0:2]...)
		b.BinaryBuilder.Append(scratch)
	})
	remark := built(mem, text("note"), func(b *array.StringBuilder, s string) { b.BinaryBuilder.Append(truncate(view(s), 100)) })
	defer digitsOnly.Release()
	defer email.Release()
	defer gender.Release()
	defer birthday.Release()
	defer remark.Release()
	return array.NewRecord(schema, []arrow.Array{
		digitsOnly, digitsOnly, col("given"), col("family"), email, gender, birthday, col("street"), col("land"), remark, col("labels"), col("zone"),
	}, in.NumRows())
}

// built makes a column of text from another, value by value.
func built(mem memory.Allocator, a *array.String, value func(b *array.StringBuilder, s string)) arrow.Array {
	b := array.NewStringBuilder(mem)
	defer b.Release()
	b.Reserve(a.Len())
	b.ReserveData(len(a.ValueBytes()))
	for i := range a.Len() {
		if a.IsNull(i) {
			b.AppendNull()
		} else {
			value(b, a.Value(i))
		}
	}
	return b.NewArray()
}

func view(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
