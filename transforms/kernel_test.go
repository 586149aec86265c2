package transforms

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/sluicehq/sluice/connector"
	"pgregory.net/rapid"
)

// kernels are steps with a column kernel, each with the texts that it looks for, and with what is nearly that.
var kernels = []struct {
	texts *rapid.Generator[string]
	steps []string
}{
	{
		rapid.OneOf(rapid.StringMatching(`[A-Z@\[\x60{a-z ]{0,20}`), rapid.StringMatching(`[a-zé]{6,9}[A\[{]?[a-zA-Z]{0,9}`), rapid.SampledFrom([]string{"\u3000x\u00a0", " x", "x\n", " ", ""})),
		[]string{"{case: lower}", "{case: upper}", "{case: title}", "{trim: true}", "{truncate: 3}", "{max_length: 9}", "{type: text}", "{default: x}"},
	},
	{
		rapid.StringMatching(`[+ ]?0{0,3}[0-9][0-9 -]{3,22}[:/+x@]?[0-9]{0,2}`),
		[]string{"{phone: {format: digits}}"},
	},
	{
		rapid.OneOf(rapid.StringMatching(`[+ ]?(00|0)?(86|1|49|44)?[ -]?1[3-8][0-9]{3}-?[0-9]{5,7}[x@]?`), rapid.StringMatching(`\+(86 ?1[3-9]|1 [2-9]|49 1[567]|44 7[0-9]|7 9|966 5|39 3|0)[0-9]{7,9}`)),
		[]string{"{phone: {region: CN}}", "{phone: {region: DE, format: national}}", "{phone: {format: e164}}", "{phone: {region: US, format: e164}}"},
	},
	{
		rapid.SampledFrom([]string{"F", "M", "f", "female", "male", "FM", "MF", "1", "1.0", "true", "True", "", " "}),
		[]string{"{gender: true}", "{gender: {map: {1: male, x: female}, to: {male: 1, female: 0}}}", "{gender: {map: {fm: male}}}, {default: other}", "{map: {F: female, M: 1, female: [a], FM: null, 1: true, \"\": blank}}", "{map: {F: female, M: 1, 1: true}}, {default: other}"},
	},
	{
		rapid.OneOf(
			rapid.StringMatching(`([012][0-9]|3[01]|[1-9])[./]([0 ][1-9]|1[0-2]|[1-9])[./](19|20)[0-9]{2}`), rapid.StringMatching(`(19|20)[0-9]{2}-(0[1-9]|1[0-3])-(2[6-9]|3[0-2])( [0-2][0-9]:[0-6][0-9]:[0-6][0-9])?`),
			rapid.SampledFrom([]string{"1976年04月12日", "1976年4月12日", " 01.02.2003", "29.02.1900", "29.02.2000", "29.02.2023", "31.04.2024", "0000-01-01", "2024-01-01:"}),
		),
		[]string{
			`{date: "%Y-%m-%d"}`, `{date: {in: ["%d.%m.%Y", "%Y-%m-%d", "%d/%m/%Y"]}}`, `{date: {in: ["%Y-%m-%d", "%d.%m.%Y"], out: "%d/%m/%Y %H:%M:%S"}}`,
			`{date: {in: ["%d.%m.%Y", "%m.%d.%Y", "%d.%Y.%m"], tz: Asia/Shanghai}}`, `{date: {in: ["%e.%m.%Y", "%m.%d.%Y"]}}`, `{date: {in: ["%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y"]}}`,
			`{date: {in: ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d"], out: "%Y%m%d%H%M%S", tz: Asia/Shanghai}}`, `{date: {in: ["%Y年%m月%d日", " %d.%m.%Y"], out: "%m.%Y"}}`,
			`{date: auto}`, `{date: {in: [auto, "%d.%m.%Y", "%m/%d/%Y"], out: "%Y/%m/%d", tz: Asia/Shanghai}}`, `{date: {in: ["%Y-%m-%d %H:%M:%S", "%d.%m.%Y"], out: "%F %T", out_tz: "+08:00"}}`,
			`{date: {in: [" %d.%m.%Y"]}}`, `{date: {in: ["%d.%m.%Y"], out: unix}}`,
		},
	},
}

// kernelColumn makes a column of text, raw JSON text or numbers, with nulls or without.
func kernelColumn(t *rapid.T, texts *rapid.Generator[string], rows int) (arrow.Field, arrow.Array) {
	which := rapid.IntRange(0, 2).Draw(t, "type")
	nulls := rapid.Bool().Draw(t, "nulls")
	f := [...]arrow.Field{{Type: arrow.BinaryTypes.String}, connector.JSONField(""), {Type: arrow.PrimitiveTypes.Int64}}[which]
	b := array.NewBuilder(memory.DefaultAllocator, f.Type)
	defer b.Release()
	for range rows {
		if nulls && rapid.IntRange(0, 3).Draw(t, "null") == 0 {
			b.AppendNull()
			continue
		}
		switch {
		case which == 2:
			b.(*array.Int64Builder).Append(rapid.Int64Range(-2, 99999).Draw(t, "n"))
		case which == 0:
			b.(*array.StringBuilder).Append(texts.Draw(t, "text"))
		case rapid.IntRange(0, 5).Draw(t, "json") == 0:
			b.(*array.StringBuilder).Append(anyJSON.Draw(t, "value"))
		default:
			b.(*array.StringBuilder).Append(string(appendString(nil, texts.Draw(t, "text"))))
		}
	}
	return f, b.NewArray()
}

// TestColumnKernels: with column kernels, shared results and shared columns a mapping comes to the same as with the
// definitions of its steps, value by value: the same rows, refused for the same reasons.
func TestColumnKernels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		of := kernels[rapid.IntRange(0, len(kernels)-1).Draw(t, "kernels")]
		step := rapid.SampledFrom(of.steps)
		if rapid.IntRange(0, 3).Draw(t, "any text") == 0 {
			of.texts = anyText
		}
		rows := rapid.SampledFrom([]int{1, 7, 30}).Draw(t, "rows")
		var fields []arrow.Field
		var cols []arrow.Array
		for _, name := range []string{"c", "d"} {
			f, col := kernelColumn(t, of.texts, rows)
			f.Name, f.Nullable = name, true
			fields, cols = append(fields, f), append(cols, col)
		}
		var rec arrow.Record = array.NewRecord(arrow.NewSchema(fields, nil), cols, int64(rows))
		if cut := rapid.IntRange(0, rows-1).Draw(t, "slice"); cut > 0 {
			rec = rec.NewSlice(int64(cut), int64(rows))
		}
		var doc strings.Builder
		doc.WriteString("streams: {s: {fields: {")
		for i := range rapid.IntRange(1, 4).Draw(t, "fields") {
			steps := rapid.SliceOfN(step, 0, 3).Filter(plusKept).Draw(t, "steps")
			fmt.Fprintf(&doc, "f%d: {from: %s, steps: [%s], on_error: %s}, ", i, rapid.SampledFrom([]string{"c", "d", "[c, d]"}).Draw(t, "from"), strings.Join(steps, ", "),
				rapid.SampledFrom([]string{"reject", "null"}).Draw(t, "on_error"))
		}
		doc.WriteString("}}}")
		spec, err := Parse("m", []byte(doc.String()))
		if err != nil {
			t.Fatalf("%s: %v", doc.String(), err)
		}
		m, err := Compile(spec, Options{})
		if err != nil {
			return // the steps do not suit each other
		}
		var skip []connector.RowResult
		if rapid.Bool().Draw(t, "skip") {
			skip = append(skip, connector.RowResult{Row: 0})
		}
		fast := applied(t, m, rec, skip, false)
		slow := applied(t, m, rec, skip, true)
		if !reflect.DeepEqual(fast, slow) {
			t.Fatalf("%s of %v:\n%+v, by definition\n%+v", doc.String(), rec, fast, slow)
		}
	})
}

// applied runs a mapping with column kernels, or by definitions alone and every field for itself.
func applied(t *rapid.T, m *Mapping, rec arrow.Record, skip []connector.RowResult, rowwise bool) (out mapped) {
	p, err := m.plan("s", rec.Schema())
	if err != nil {
		return mapped{notices: []string{err.Error()}}
	}
	if rowwise {
		p.scratch.New = func() any {
			x := newExec(p.g)
			x.rowwise = true
			return x
		}
		for _, n := range p.g.nodes {
			n.done = 0
		}
		for i := range p.g.outs {
			p.g.outs[i].like = -1
		}
	}
	res, err := p.Apply(context.Background(), rec, skip)
	if err != nil {
		t.Fatal(err)
	}
	for i := range int(res.Rows.NumRows()) {
		var row strings.Builder
		for c, f := range res.Rows.Schema().Fields() {
			if col := res.Rows.Column(c); col.IsNull(i) {
				fmt.Fprintf(&row, "%s: null, ", f.Name)
			} else {
				fmt.Fprintf(&row, "%s: %q, ", f.Name, col.ValueStr(i))
			}
		}
		out.rows = append(out.rows, row.String())
	}
	out.index, out.rejects, out.schema = res.Index, res.Rejected, nil
	return out
}

// TestPlainTexts: arrays of plain texts are read as the JSON decoder reads them.
func TestPlainTexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(
			rapid.StringMatching(`\[( ?"[a-z,\]]{0,3}" ?,){0,3} ?("[a-zé]{0,2}"|1|null|\["a"\]|"\\\\n"|"\\\\"")? ?\]`),
			rapid.SampledFrom([]string{"[]", `[""]`, `["a"]`, `["]"]`, `["a",]`, `[,"a"]`, `["a""b"]`, `["a"`, `"a"]`, `[" "]x"]`}),
		).Draw(t, "array")
		if !json.Valid([]byte(text)) {
			return // such a text is refused before it becomes a value
		}
		fast, slow := newExec(&graph{}), newExec(&graph{})
		slow.rowwise = true
		read := func(x *exec) string {
			list, ok := x.elements(value{s: text, k: kindArray})
			return fmt.Sprint(ok, string(x.appendJSON(nil, list)))
		}
		if got, want := read(fast), read(slow); got != want {
			t.Fatalf("elements of %s: %s, want %s", text, got, want)
		}
	})
}

// TestSharedUntilChanged: a column that the steps change only in a later chunk comes out whole, with rows left out on the
// way.
func TestSharedUntilChanged(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	const rows = 3 * chunkRows
	for _, changed := range []int{-1, 0, chunkRows - 1, chunkRows, 2*chunkRows + 1} {
		b := array.NewRecordBuilder(mem, arrow.NewSchema([]arrow.Field{{Name: "c", Type: arrow.BinaryTypes.String, Nullable: true}}, nil))
		var want []string
		for i := range rows {
			text := fmt.Sprintf("row %d", i)
			switch {
			case i == changed:
				want = append(want, fmt.Sprintf("%q", text))
				text += " "
			case i%100 == 7:
				text += " is too long for this column"
			case i%100 == 8:
				want = append(want, "null")
				b.Field(0).AppendNull()
				continue
			default:
				want = append(want, fmt.Sprintf("%q", text))
			}
			b.Field(0).(*array.StringBuilder).Append(text)
		}
		rec := b.NewRecord()
		p := planFor(t, mem, `streams: {s: {fields: {out: {from: c, trim: true, max_length: 10}}}}`, rec)
		out, err := p.Apply(context.Background(), rec, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(out.Index); got != len(want) {
			t.Errorf("changed at %d: %d rows came out, want %d", changed, got, len(want))
		}
		for i := range want {
			text := cell(t, out.Rows, "out", i)
			if text == "" {
				text = "null"
			}
			if text != want[i] {
				t.Fatalf("changed at %d: row %d is %s, want %s", changed, i, text, want[i])
			}
		}
		out.Rows.Release()
		rec.Release()
		b.Release()
	}
}

// TestSwapCase: text that is changed eight bytes at a time comes to the same as letter by letter.
func TestSwapCase(t *testing.T) {
	letters := rapid.OneOf(kernels[0].texts, rapid.StringN(0, 20, -1))
	rapid.Check(t, func(t *rapid.T) {
		x, s := newExec(&graph{}), letters.Draw(t, "text")
		if got, want := caseOf("lower")(x, s), strings.Map(unicode.ToLower, s); got != want {
			t.Errorf("lower case of %q: %q, want %q", s, got, want)
		}
		if got, want := caseOf("upper")(x, s), strings.Map(unicode.ToUpper, s); got != want {
			t.Errorf("upper case of %q: %q, want %q", s, got, want)
		}
	})
}

// TestFixedDates: a text that several layouts fit is read by the first of them, whichever has a kernel.
func TestFixedDates(t *testing.T) {
	for _, arg := range []string{
		`"%Y-%m-%d"`, `["%d.%m.%Y", "%m.%d.%Y"]`, `["%e.%m.%Y", "%m.%d.%Y"]`, `["%m.%d.%Y", "%d.%m.%Y"]`, `["%d.%m.%Y %H:%M", "%d.%m.%Y"]`, `["%b %d %Y", "%Y-%m-%d"]`, `auto`, `{in: [auto, "%d.%m.%Y"], out: "%d.%m.%Y"}`, `{in: "%Y-%m-%d %H:%M:%S", out_tz: Asia/Shanghai}`, `[" %d.%m.%Y", "%d.%Y.%m"]`,
		`{in: ["%Y-%m-%d", "%d.%m.%Y"], out: "%d.%m.%Y", tz: Asia/Shanghai}`, `{in: ["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d"], tz: Asia/Shanghai}`,
	} {
		for _, text := range []string{
			"2003-02-01", "2003-02-30", "0000-01-01", "01.02.2003", "31.02.2003", "21.02.2003", "02.21.2003", "1.2.2003", " 1.2.2003", "01.2003.02", "29.02.2000", "29.02.1900", "01.02.2003 04:05", "2003-02-01T23:00:00Z", "",
		} {
			fast, slow := dateOf(t, arg), dateOf(t, arg)
			slow.rowwise = true
			got, rejects := fast.one(textValue(text))
			want, reasons := slow.one(textValue(text))
			if got != want || !reflect.DeepEqual(rejects, reasons) {
				t.Errorf("%s of %q: %v %v, by definition %v %v", arg, text, got, rejects, want, reasons)
			}
		}
	}
}
