package transforms

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// explodeSpec is `explode:` of a stream.
type explodeSpec struct {
	field ref
	as    string // the name under which fields read the element
	skip  bool   // rows without elements are left out
}

// maxParts is how many rows may be made of one: a row that holds more is refused, before it fills the memory.
const maxParts = 10_000

// maxExploded is how many bytes may be made of the rows of one batch: each part holds all that the mapping reads of its
// row, and a large row with a long list would be very many of them. Rows behind that are refused.
const maxExploded = 256 << 20

// parseExplode reads `explode: field` or `explode: {field: f, as: name, empty: keep | skip}`.
func parseExplode(a arg) *explodeSpec {
	e := &explodeSpec{}
	name := a
	if a.isMap() {
		settings := a.settings("field", "as", "empty")
		field, ok := settings["field"]
		if !ok {
			a.problem("names no field: write explode: {field: orders}")
			return nil
		}
		name = field
		if as, ok := settings["as"]; ok {
			e.as, _ = as.str()
			if strings.ContainsAny(e.as, ".[") || connector.IsReserved(e.as) {
				as.problem("takes a plain name, not %s", as.noun())
			}
		}
		if empty, ok := settings["empty"]; ok {
			word, _ := empty.oneOf("keep", "skip")
			e.skip = word == "skip"
		}
	}
	text, ok := name.str()
	if !ok || text == "" {
		return nil
	}
	e.field = ref{text, name.pos()}
	if e.as == "" {
		path := pathOf(text)
		e.as = path[len(path)-1]
	}
	return e
}

// exploder makes of each row one for every element of a list: a record in which the column `as` holds the element. A row
// whose list is empty or missing stays one row without an element, or is left out. A single value where a list is expected
// counts as its own only element.
type exploder struct {
	spec    *explodeSpec
	g       *graph // reads the list
	in      input
	schema  *arrow.Schema // of the record that comes out
	at      int           // the element's column in it
	needed  []bool        // of the columns of the record: the mapping reads it; the rest is null in every part
	limit   int           // bytes, see maxExploded
	scratch sync.Pool     // of *exec
}

// newExploder binds the field to a schema.
func newExploder(stream string, spec *explodeSpec, schema *arrow.Schema) (*exploder, error) {
	b := &builder{
		graph: &graph{stream: stream, schema: schema, extra: fieldIndex(schema, connector.ColumnExtra), nulls: fieldIndex(schema, connector.ColumnNull), wanted: map[string]int{}},
		known: true, slotOf: map[string]int{}, shared: map[int]int{}, origin: map[int]int{}, kindsOf: map[int]Kinds{},
	}
	e := &exploder{spec: spec, g: b.graph, in: b.bind(spec.field), limit: maxExploded, needed: make([]bool, schema.NumFields())}
	b.checkExploded(spec, &e.in)
	if err := b.problems.err(); err != nil {
		return nil, err
	}
	for i := range b.columns {
		b.columns[i].used = true
	}
	fields := slices.Clone(schema.Fields())
	if e.at = fieldIndex(schema, spec.as); e.at >= 0 {
		fields[e.at] = connector.JSONField(spec.as)
	} else {
		e.at = len(fields)
		fields = append(fields, connector.JSONField(spec.as))
	}
	e.schema = arrow.NewSchema(fields, nil)
	e.scratch.New = func() any { return newExec(e.g) }
	return e, nil
}

// serve notes which columns the graph that maps the parts looks at.
func (e *exploder) serve(g *graph) {
	need := func(at int) {
		if at >= 0 && at < len(e.needed) && at != e.at {
			e.needed[at] = true
		}
	}
	need(g.extra)
	need(g.nulls)
	for _, c := range g.columns {
		need(c.at)
	}
	for _, o := range g.outs {
		need(o.share)
		need(o.like)
	}
}

// checkExploded reports a field that the source's schema does not have, or that can hold no list.
func (b *builder) checkExploded(spec *explodeSpec, in *input) {
	if typed(b.schema) {
		var have []string
		for _, f := range b.schema.Fields() {
			have = append(have, f.Name)
		}
		if head := pathOf(spec.field.name)[0]; !slices.Contains(have, head) && !slices.Contains(have, spec.field.name) {
			b.problem(spec.field.at, "the schema of stream %s has no field %s%s", b.stream, head, didYouMean(head, have))
			return
		}
	}
	if k := b.inputKinds(in); len(in.alts) > 0 && k&(List|Object) == 0 {
		b.problem(spec.field.at, "takes a list, and %s is %s", spec.field.name, k)
	}
}

// exploded is a record of parts.
type exploded struct {
	rec      arrow.Record
	index    []int32 // part → row of the input, ascending
	rejected []connector.RowResult
	size     int // bytes of the parts, about
}

// explode makes the parts of the rows that are not skipped. all: also a row that is left out or refused has one part.
func (e *exploder) explode(o *Options, in arrow.Record, skip []connector.RowResult, all bool) (exploded, error) {
	x := e.scratch.Get().(*exec)
	defer func() { x.end(); e.scratch.Put(x) }()
	var out exploded
	elements := array.NewStringBuilder(o.Alloc)
	defer elements.Release()
	n := int(in.NumRows())
	for lo := 0; lo < n; lo += chunkRows {
		x.begin(in, lo, min(lo+chunkRows, n), skip)
		x.load()
		for _, r := range x.sel {
			before := len(out.index)
			e.row(x, r, &out, elements)
			if all && len(out.index) == before {
				elements.AppendNull()
				out.index = append(out.index, int32(x.lo)+r)
			}
		}
		out.rejected = append(out.rejected, x.rejects...)
	}
	out.rec = e.record(o, in, out.index, elements)
	return out, nil
}

// row appends the elements of one row.
func (e *exploder) row(x *exec, r int32, out *exploded, elements *array.StringBuilder) {
	put := func(v value) {
		out.index = append(out.index, int32(x.lo)+r)
		if v.k == kindAbsent {
			elements.AppendNull()
			return
		}
		x.buf = x.appendJSON(x.buf[:0], v)
		elements.BinaryBuilder.Append(x.buf)
	}
	v := x.get(&e.in, r)
	list, isList := x.elements(v)
	items := []value(nil)
	if isList {
		items, v = x.listOf(list), value{}
	}
	switch {
	case len(items) > 1 && !e.fits(x, r, len(items), out):
		x.refuse(r, e.spec.field.name, &fault{connector.CodeTooBig, fmt.Sprintf("explode: with %d rows of its %d bytes each, the batch would become larger than %d bytes. Shorten %s, or send the row again in a smaller batch",
			len(items), e.width(x.in, x.lo+int(r)), e.limit, e.spec.field.name)})
	case len(items) > maxParts:
		x.refuse(r, e.spec.field.name, &fault{connector.CodeTooBig, fmt.Sprintf("explode: %s has %d elements; a row may have %d", e.spec.field.name, len(items), maxParts)})
	case len(items) > 0:
		for _, item := range items {
			put(item)
		}
	case v.missing() && e.spec.skip:
	default:
		put(v)
	}
}

// fits counts the parts of a row, if there is room for them.
func (e *exploder) fits(x *exec, r int32, parts int, out *exploded) bool {
	size := out.size + parts*e.width(x.in, x.lo+int(r))
	if size > e.limit {
		return false
	}
	out.size = size
	return true
}

// width is about how many bytes a part of the row takes beside its element.
func (e *exploder) width(in arrow.Record, row int) (bytes int) {
	for i, needed := range e.needed {
		if needed {
			bytes += 4 + sizeOf(in.Column(i), row, row+1)
		}
	}
	return bytes
}

// sizeOf is about how many bytes the cells [from, to) of an array hold.
func sizeOf(a arrow.Array, from, to int) (bytes int) {
	if from == to {
		return 0
	}
	switch a := a.(type) {
	case *array.String:
		return a.ValueOffset(to-1) + a.ValueLen(to-1) - a.ValueOffset(from)
	case *array.Binary:
		return a.ValueOffset(to-1) + a.ValueLen(to-1) - a.ValueOffset(from)
	case *array.LargeString:
		return int(a.ValueOffset64(to-1)-a.ValueOffset64(from)) + len(a.Value(to-1))
	case *array.LargeBinary:
		return int(a.ValueOffset64(to-1)-a.ValueOffset64(from)) + a.ValueLen(to-1)
	case array.ListLike:
		first, _ := a.ValueOffsets(from)
		_, last := a.ValueOffsets(to - 1)
		return 4*(to-from) + sizeOf(a.ListValues(), int(first), int(last))
	case *array.Struct:
		for i := range a.NumField() {
			bytes += sizeOf(a.Field(i), from, to)
		}
		return bytes
	}
	if fixed, ok := a.DataType().(arrow.FixedWidthDataType); ok {
		return (to - from) * (fixed.BitWidth() + 7) / 8
	}
	return 8 * (to - from)
}

// nulls is a column without values, of any type.
func nulls(mem memory.Allocator, of arrow.DataType, n int) arrow.Array {
	b := array.NewBuilder(mem, of)
	defer b.Release()
	b.AppendNulls(n)
	return b.NewArray()
}

// reduced is the record with no columns but those that are needed.
func (e *exploder) reduced(in arrow.Record) arrow.Record {
	var fields []arrow.Field
	var cols []arrow.Array
	for i, needed := range e.needed {
		if needed {
			fields, cols = append(fields, in.Schema().Field(i)), append(cols, in.Column(i))
		}
	}
	return array.NewRecord(arrow.NewSchema(fields, nil), cols, in.NumRows())
}

// record gathers the rows of the parts and puts the elements beside them.
func (e *exploder) record(o *Options, in arrow.Record, index []int32, elements *array.StringBuilder) arrow.Record {
	part := e.reduced(in)
	defer part.Release()
	gathered := rows.Take(o.Alloc, []rows.Part{{Rec: part, Rows: index}})
	defer gathered.Release()
	element := elements.NewArray()
	defer element.Release()
	cols := make([]arrow.Array, e.schema.NumFields())
	next := 0
	for i := range cols {
		switch {
		case i == e.at:
			cols[i] = element
		case e.needed[i]:
			cols[i] = gathered.Column(next)
			next++
		default:
			cols[i] = nulls(o.Alloc, e.schema.Field(i).Type, len(index))
			defer cols[i].Release()
		}
	}
	return array.NewRecord(e.schema, cols, int64(len(index)))
}

// applyExploded maps the parts. A row is refused if one of its parts is; none of them goes on then.
func (p *plan) applyExploded(ctx context.Context, in arrow.Record, skip []connector.RowResult) (connector.Applied, error) {
	parts, err := p.explode.explode(&p.m.opts, in, skip, false)
	if err != nil {
		return connector.Applied{}, err
	}
	defer parts.rec.Release()
	made, err := p.applyRows(ctx, parts.rec, nil)
	if err != nil {
		return connector.Applied{}, err
	}
	refused := map[int32]bool{}
	for _, r := range made.Rejected {
		row := parts.index[r.Row]
		if !refused[row] {
			refused[row] = true
			parts.rejected = append(parts.rejected, p.ofPart(r, parts.index))
		}
	}
	slices.SortFunc(parts.rejected, func(a, b connector.RowResult) int { return cmp.Compare(a.Row, b.Row) })
	out := connector.Applied{Rows: made.Rows, Rejected: parts.rejected, Index: make([]int32, 0, made.Rows.NumRows())}
	var kept []int32
	for i := range int32(made.Rows.NumRows()) {
		part := i
		if made.Index != nil {
			part = made.Index[i]
		}
		if row := parts.index[part]; !refused[row] {
			kept, out.Index = append(kept, i), append(out.Index, row)
		}
	}
	if len(kept) < int(made.Rows.NumRows()) {
		out.Rows = rows.Take(p.m.opts.Alloc, []rows.Part{{Rec: made.Rows, Rows: kept}})
		made.Rows.Release()
	}
	return out, nil
}

// ofPart makes the refusal of a part that of its row.
func (p *plan) ofPart(r connector.RowResult, index []int32) connector.RowResult {
	row := index[r.Row]
	first, _ := slices.BinarySearch(index, row)
	if (first+1 < len(index) && index[first+1] == row) || first != r.Row {
		r.Message = fmt.Sprintf("element %d of %s: %s", r.Row-first+1, p.explode.spec.field.name, r.Message)
	}
	r.Row = int(row)
	return r
}

// partsOf gives the parts of one row; atLeastOne: also where it is left out or refused.
func (p *plan) partsOf(in arrow.Record, row int, atLeastOne bool) (exploded, error) {
	one := in.NewSlice(int64(row), int64(row)+1)
	defer one.Release()
	return p.explode.explode(&p.m.opts, one, nil, atLeastOne)
}
