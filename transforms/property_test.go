package transforms

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/decimal128"
	"github.com/apache/arrow/go/v15/arrow/decimal256"
	"github.com/apache/arrow/go/v15/arrow/float16"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/sluicehq/sluice/connector"
	"pgregory.net/rapid"
)

// anyColumn makes a column of any type with some values, some of them null.
func anyColumn(t *rapid.T, mem memory.Allocator, rows int) (arrow.Field, arrow.Array) {
	f := rapid.SampledFrom([]arrow.Field{
		{Type: arrow.BinaryTypes.String}, connector.JSONField(""), {Type: arrow.PrimitiveTypes.Int64}, {Type: arrow.PrimitiveTypes.Int8},
		{Type: arrow.PrimitiveTypes.Uint64}, {Type: arrow.PrimitiveTypes.Float64}, {Type: arrow.PrimitiveTypes.Float32}, {Type: arrow.FixedWidthTypes.Boolean},
		{Type: arrow.ListOf(arrow.BinaryTypes.String)}, {Type: arrow.ListOf(arrow.PrimitiveTypes.Int64)}, {Type: arrow.BinaryTypes.Binary},
		{Type: arrow.FixedWidthTypes.Timestamp_ms}, {Type: arrow.FixedWidthTypes.Date32}, {Type: &arrow.Decimal128Type{Precision: 20, Scale: 2}},
		{Type: arrow.StructOf(arrow.Field{Name: "a", Type: arrow.BinaryTypes.String, Nullable: true})}, {Type: arrow.Null}, {Type: arrow.BinaryTypes.LargeString},
		{Type: arrow.ListOf(arrow.StructOf(arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int64, Nullable: true}))}, {Type: arrow.ListOf(arrow.ListOf(arrow.BinaryTypes.String))},
		{Type: arrow.LargeListOf(arrow.BinaryTypes.String)}, {Type: arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Float64)}, {Type: arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64)},
		{Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}}, {Type: arrow.BinaryTypes.LargeBinary},
		{Type: &arrow.FixedSizeBinaryType{ByteWidth: 3}}, {Type: arrow.FixedWidthTypes.Date64}, {Type: arrow.FixedWidthTypes.Time32s}, {Type: arrow.FixedWidthTypes.Time64us},
		{Type: arrow.FixedWidthTypes.Timestamp_ns}, {Type: &arrow.TimestampType{Unit: arrow.Second, TimeZone: "Asia/Shanghai"}}, {Type: arrow.FixedWidthTypes.Duration_s},
		{Type: arrow.FixedWidthTypes.MonthInterval}, {Type: arrow.FixedWidthTypes.DayTimeInterval}, {Type: arrow.FixedWidthTypes.MonthDayNanoInterval}, {Type: arrow.FixedWidthTypes.Float16},
		{Type: &arrow.Decimal256Type{Precision: 40, Scale: 3}}, {Type: arrow.PrimitiveTypes.Uint8}, {Type: arrow.PrimitiveTypes.Int32}, {Type: arrow.PrimitiveTypes.Uint16},
		{Type: arrow.RunEndEncodedOf(arrow.PrimitiveTypes.Int32, arrow.BinaryTypes.String)},
	}).Draw(t, "column")
	f.Nullable = true
	b := array.NewBuilder(mem, f.Type)
	defer b.Release()
	for range rows {
		if rapid.IntRange(0, 3).Draw(t, "null") == 0 {
			b.AppendNull()
			continue
		}
		appendAny(t, b, f)
	}
	return f, b.NewArray()
}

var anyText = rapid.OneOf(
	rapid.SampledFrom([]string{"", " ", "a,b,,a", "2024-02-30", "1976-04-12", "+86 138 1234 5678", "1", "true", "null", "0.10", "张三", "{\"a\":[1]}", "[\"x\",[2]]", "1e400", "-0"}),
	rapid.StringN(0, 12, -1),
)

var anyJSON = rapid.SampledFrom([]string{
	`null`, `""`, `"a,b"`, `"\u00e4\n\"x"`, `"\ud83d\ude00"`, `1`, `-0`, `1.0`, `1e400`, `12345678901234567890`, `true`, `false`, `[]`, `["a","b",null,"a"]`, `[1,[2],{"a":3}]`,
	`{}`, `{"a":"b"}`, `{"\u0061":1,"a":2}`, `{"a":{"a":{"a":null}}}`, ` "padded" `, `"1976-04-12"`,
})

func appendAny(t *rapid.T, b array.Builder, f arrow.Field) {
	n := rapid.Int64Range(-1_000_000_000_000, 1_000_000_000_000).Draw(t, "n")
	switch b := b.(type) {
	case *array.StringBuilder:
		if connector.IsJSON(f) {
			b.Append(anyJSON.Draw(t, "json"))
		} else {
			b.Append(anyText.Draw(t, "text"))
		}
	case *array.LargeStringBuilder:
		b.Append(anyText.Draw(t, "text"))
	case *array.BinaryBuilder:
		b.Append(rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "bytes"))
	case *array.Int64Builder:
		b.Append(n)
	case *array.Int8Builder:
		b.Append(int8(n))
	case *array.Uint64Builder:
		b.Append(uint64(n))
	case *array.Float64Builder:
		b.Append(rapid.Float64().Draw(t, "float"))
	case *array.Float32Builder:
		b.Append(rapid.Float32().Draw(t, "float"))
	case *array.BooleanBuilder:
		b.Append(n%2 == 0)
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(n))
	case *array.Date32Builder:
		b.Append(arrow.Date32(n % 100_000))
	case *array.Decimal128Builder:
		b.Append(decimal128.FromI64(n))
	case *array.ListBuilder:
		b.Append(true)
		for range rapid.IntRange(0, 3).Draw(t, "elements") {
			if rapid.Bool().Draw(t, "element is null") {
				b.ValueBuilder().AppendNull()
			} else {
				appendAny(t, b.ValueBuilder(), arrow.Field{Type: b.Type().(*arrow.ListType).Elem()})
			}
		}
	case *array.StructBuilder:
		b.Append(true)
		appendAny(t, b.FieldBuilder(0), arrow.Field{Type: arrow.BinaryTypes.String})
	case *array.NullBuilder:
		b.AppendNull()
	case *array.LargeListBuilder:
		appendItems(t, b, b.ValueBuilder(), b.Type().(*arrow.LargeListType).Elem(), rapid.IntRange(0, 3).Draw(t, "elements"))
	case *array.FixedSizeListBuilder:
		appendItems(t, b, b.ValueBuilder(), b.Type().(*arrow.FixedSizeListType).Elem(), 2)
	case *array.MapBuilder:
		b.Append(true)
		appendAny(t, b.KeyBuilder(), arrow.Field{Type: arrow.BinaryTypes.String})
		appendAny(t, b.ItemBuilder(), arrow.Field{Type: arrow.PrimitiveTypes.Int64})
	case *array.RunEndEncodedBuilder:
		b.Append(1)
		appendAny(t, b.ValueBuilder(), arrow.Field{Type: arrow.BinaryTypes.String})
	case *array.FixedSizeBinaryBuilder:
		b.Append(rapid.SliceOfN(rapid.Byte(), 3, 3).Draw(t, "bytes"))
	default:
		appendFixed(t, b, n)
	}
}

type listBuilder interface{ Append(bool) }

func appendItems(t *rapid.T, b listBuilder, items array.Builder, of arrow.DataType, n int) {
	b.Append(true)
	for range n {
		appendAny(t, items, arrow.Field{Type: of})
	}
}

// appendFixed appends a number to the columns of times and of rare numbers.
func appendFixed(t *rapid.T, b array.Builder, n int64) {
	switch b := b.(type) {
	case *array.BinaryDictionaryBuilder:
		if err := b.AppendString(anyText.Draw(t, "text")); err != nil {
			t.Fatal(err)
		}
	case *array.Date64Builder:
		b.Append(arrow.Date64(n))
	case *array.Time32Builder:
		b.Append(arrow.Time32(n % 86400))
	case *array.Time64Builder:
		b.Append(arrow.Time64(n % 86400))
	case *array.DurationBuilder:
		b.Append(arrow.Duration(n))
	case *array.MonthIntervalBuilder:
		b.Append(arrow.MonthInterval(n))
	case *array.DayTimeIntervalBuilder:
		b.Append(arrow.DayTimeInterval{Days: int32(n)})
	case *array.MonthDayNanoIntervalBuilder:
		b.Append(arrow.MonthDayNanoInterval{Months: int32(n)})
	case *array.Float16Builder:
		b.Append(float16.New(float32(n)))
	case *array.Decimal256Builder:
		b.Append(decimal256.FromI64(n))
	case *array.Uint8Builder:
		b.Append(uint8(n))
	case *array.Int32Builder:
		b.Append(int32(n))
	case *array.Uint16Builder:
		b.Append(uint16(n))
	default:
		t.Fatalf("no values for %T", b)
	}
}

// anyStep writes a step as a user could.
var anyStep = rapid.SampledFrom([]string{
	"{json: decode}", "{json: encode}", "{trim: true}", "{case: title}", "{case: upper}", `{split: ","}`, `{split: ["a", "，"]}`, "{each: [trim, lower]}", "{each: [{truncate: 2}, {map: {a: b, 1: null}}, {default: q}]}", "{sort: asc}", "{sort: desc}", "{hash: sha256}",
	"{map: {a: 1, 1: b, true: null, \"\": x}}", `{date: {in: ["%Y-%m-%d", unix_ms, "%d %b %Y"], out: "%c", tz: Asia/Shanghai}}`, "{date: {out: unix}}", `{date: {in: [auto, excel, "%d.%m.%y"], past: true, out_tz: "+08:00", out: unix_us}}`, "{phone: {format: digits}}", "{phone: {region: CN, format: e164}}", "{phone: {region: US, format: national}}",
	`{keys: {map: {a: b, c: null}, pass: "^x"}}`, "{unique: true}", `{join: "-"}`, "{default: z}", "{default: [1]}", "{truncate: 3}", "{max_length: 4}",
	"{gender: true}", "{gender: {map: {1: male, a: null}, to: {male: 1, female: x}}}", "{tags: true}", `{tags: {join: ","}}`, `{tags: {split: "a", replace: "b"}}`,
	"{type: text}", "{type: integer}", "{type: number}", "{type: boolean}",
})

// plusKept reports whether the steps have no region behind a step that takes the + off telephone numbers: such a chain is
// refused.
func plusKept(steps []string) bool {
	_, err := Parse("m", []byte("streams: {s: {fields: {a: {from: a, steps: ["+strings.Join(steps, ", ")+"]}}}}"))
	return err == nil || !strings.Contains(err.Error(), "has taken the + off")
}

// TestNoStepPanics runs chains of steps over columns of every type. What comes out must be valid, and each row must be
// delivered or refused. A chain that does not suit its column must be refused when the plan is made, with a place.
func TestNoStepPanics(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		defer mem.AssertSize(fatal{t}, 0)
		const rows = 4
		var fields []arrow.Field
		var cols []arrow.Array
		defer func() {
			for _, c := range cols {
				c.Release()
			}
		}()
		for _, name := range []string{"c", "d", "full_name"} {
			f, col := anyColumn(t, mem, rows)
			f.Name = name
			fields, cols = append(fields, f), append(cols, col)
		}
		rec := array.NewRecord(arrow.NewSchema(fields, nil), cols, rows)
		defer rec.Release()

		source := rapid.SampledFrom([]string{"from: c", "from: [c, d]", "from: c.a", "from: [c.0, d]", `template: "{c}-{d}"`, "name: {part: family}", "value: {a: [1]}", "value: 1.50", `expr: "[c, d]"`, `expr: "c"`, `expr: "{'a': d, 'b': str(c)}"`}).Draw(t, "source")
		steps := strings.Join(rapid.SliceOfN(anyStep, 0, 4).Filter(plusKept).Draw(t, "steps"), ", ")
		target := rapid.SampledFrom([]string{"out", "email", "tags", "custom", "custom.x", "o.p.q"}).Draw(t, "target")
		onError := rapid.SampledFrom([]string{"reject", "null"}).Draw(t, "on_error")
		rest := rapid.SampledFrom([]string{"drop", "keep", "custom"}).Draw(t, "rest")
		onNull := rapid.SampledFrom([]string{"omit", "keep", "clear"}).Draw(t, "on_null")
		explode := rapid.SampledFrom([]string{"", "", "", "explode: c, ", "explode: {field: c.a, as: d}, ", "explode: {field: d, empty: skip}, "}).Draw(t, "explode")
		doc := fmt.Sprintf("streams: {s: {%son_null: %s, rest: %s, fields: {%s: {%s, steps: [%s], on_error: %s}}}}", explode, onNull, rest, target, source, steps, onError)
		spec, err := Parse("m", []byte(doc))
		if err != nil {
			t.Fatalf("%s: %v", doc, err)
		}
		m, err := Compile(spec, Options{Alloc: mem})
		if err != nil {
			checkPlaced(t, err)
			return
		}
		plans, err := m.Plans("s", rec.Schema())
		if err != nil {
			checkPlaced(t, err)
			return
		}
		out, err := plans[0].Apply(context.Background(), rec, nil)
		if err != nil {
			t.Fatalf("%s: %v", doc, err)
		}
		defer out.Rows.Release()
		if got := int(out.Rows.NumRows()) + len(out.Rejected); got != rows && explode == "" {
			t.Fatalf("%s: %d rows of %d came out or were refused", doc, got, rows)
		}
		checkValid(t, out.Rows)
		if _, err := m.Explain("s", rec, 0); err != nil {
			t.Fatalf("%s: explain: %v", doc, err)
		}
		plans[0].Key(rec, 0)
	})
}

type fatal struct{ t *rapid.T }

func (f fatal) Errorf(format string, args ...any) { f.t.Fatalf(format, args...) }
func (f fatal) Helper()                           {}

func checkPlaced(t *rapid.T, err error) {
	for _, p := range problemsOf(err) {
		if p.Line == 0 || p.Path == "" {
			t.Fatalf("the problem %q has no place", p)
		}
	}
	if len(problemsOf(err)) == 0 {
		t.Fatalf("%v has no problems", err)
	}
}

// checkValid holds JSON columns to JSON and text columns to UTF-8.
func checkValid(t *rapid.T, rec arrow.Record) {
	for i, f := range rec.Schema().Fields() {
		col, ok := rec.Column(i).(*array.String)
		if !ok {
			continue
		}
		for row := range col.Len() {
			if connector.IsJSON(f) && col.IsValid(row) && !json.Valid([]byte(col.Value(row))) {
				t.Fatalf("column %s holds %q, which is not JSON", f.Name, col.Value(row))
			}
			if col.IsValid(row) && strings.ToValidUTF8(col.Value(row), "") != col.Value(row) {
				t.Fatalf("column %s holds %q, which is not UTF-8", f.Name, col.Value(row))
			}
		}
	}
}
