package transforms

import (
	"math"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/bitutil"
	"github.com/sluicehq/sluice/connector"
)

// column is a source field: a column of the record, or a member of its "_extra" object.
type column struct {
	name  string
	at    int // index in the schema; -1: only in _extra
	json  bool
	slot  int
	kinds Kinds
	used  bool // some step reads it; a column that is only shared is never loaded
}

// columnKinds tells what a column of the schema can hold.
func columnKinds(f arrow.Field) Kinds {
	if connector.IsJSON(f) {
		return Any
	}
	switch f.Type.ID() {
	case arrow.BOOL:
		return Boolean
	case arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64, arrow.UINT8, arrow.UINT16, arrow.UINT32:
		return Integer
	case arrow.UINT64:
		return Integer | Number
	case arrow.FLOAT16, arrow.FLOAT32, arrow.FLOAT64, arrow.DECIMAL128, arrow.DECIMAL256:
		return Integer | Number
	case arrow.LIST, arrow.LARGE_LIST, arrow.FIXED_SIZE_LIST, arrow.MAP:
		return List
	case arrow.STRUCT:
		return Object
	case arrow.NULL:
		return Any
	}
	return Text
}

// load fills the vectors of the source fields for the chunk.
func (x *exec) load() {
	for i := range x.g.columns {
		c := &x.g.columns[i]
		if !c.used && !x.everything {
			continue
		}
		vec := &x.vecs[c.slot]
		if c.at < 0 {
			clear(vec.kind)
			continue
		}
		// Vectors are empty when a record is taken up: a column without values needs no loading.
		if col := x.in.Column(c.at); col.NullN() < col.Len() {
			x.loadColumn(col, c.json, vec)
		}
		x.markNulls(c.at, vec)
	}
	if len(x.g.wanted) > 0 && x.g.extra >= 0 {
		x.loadExtra()
	}
}

func (x *exec) loadColumn(col arrow.Array, isJSON bool, vec *vector) {
	switch a := col.(type) {
	case *array.String:
		x.loadTexts(a, isJSON, vec)
	case *array.Int64:
		x.loadKinds(a, vec, kindInt)
		for _, r := range x.sel {
			vec.num[r] = a.Value(x.lo + int(r))
		}
	case *array.Boolean:
		x.loadKinds(a, vec, kindBool)
		for _, r := range x.sel {
			vec.num[r] = boolValue(a.Value(x.lo + int(r))).n
		}
	case *array.List:
		x.loadList(a, vec)
	case *array.Float64:
		for _, r := range x.sel {
			if i := x.lo + int(r); a.IsNull(i) {
				vec.kind[r] = kindAbsent
			} else {
				vec.set(r, x.float(a.Value(i), 64))
			}
		}
	default:
		x.loadRare(col, vec)
	}
}

// loadTexts cuts the bytes of a column at its offsets. Texts of a raw JSON column lose their quotes the same way where no
// escape stands in the chunk.
func (x *exec) loadTexts(a *array.String, isJSON bool, vec *vector) {
	offsets, data := a.ValueOffsets(), stringOf(a.ValueBytes())
	base, last := offsets[0], x.lo+int(x.beyond())
	plain := isJSON && strings.IndexByte(data[offsets[x.lo]-base:offsets[last]-base], '\\') < 0
	x.loadKinds(a, vec, kindText)
	for _, r := range x.sel {
		if vec.kind[r] != kindText {
			continue
		}
		i := x.lo + int(r)
		s := data[offsets[i]-base : offsets[i+1]-base]
		switch n := len(s); {
		case !isJSON:
			vec.text[r] = s
		case plain && n >= 2 && s[0] == '"' && s[n-1] == '"':
			vec.text[r] = s[1 : n-1]
		default:
			vec.set(r, x.parseJSON(s))
		}
	}
}

// beyond is the row behind the last live one.
func (x *exec) beyond() int32 {
	if n := len(x.sel); n > 0 {
		return x.sel[n-1] + 1
	}
	return 0
}

// loadKinds sets the kind of each live row: the kind given, or absent where the column is null.
func (x *exec) loadKinds(a arrow.Array, vec *vector, k kind) {
	if a.NullN() == 0 {
		for _, r := range x.sel {
			vec.kind[r] = k
		}
		return
	}
	bits, at := a.NullBitmapBytes(), a.Data().Offset()+x.lo
	for _, r := range x.sel {
		vec.kind[r] = kindAbsent
		if bitutil.BitIsSet(bits, at+int(r)) {
			vec.kind[r] = k
		}
	}
}

func (x *exec) loadList(a *array.List, vec *vector) {
	texts, ok := a.ListValues().(*array.String)
	if !ok {
		x.loadRare(a, vec)
		return
	}
	for _, r := range x.sel {
		i := x.lo + int(r)
		if a.IsNull(i) {
			vec.kind[r] = kindAbsent
			continue
		}
		start := len(x.items)
		from, to := a.ValueOffsets(i)
		for j := int(from); j < int(to); j++ {
			item := value{k: kindNull}
			if texts.IsValid(j) {
				item = textValue(texts.Value(j))
			}
			x.items = append(x.items, item)
		}
		vec.set(r, x.listFrom(start))
	}
}

// loadRare reads the types that no reader of ours makes but a host may send, at the price of an allocation a value.
func (x *exec) loadRare(col arrow.Array, vec *vector) {
	kinds := columnKinds(arrow.Field{Type: col.DataType()})
	for _, r := range x.sel {
		i := x.lo + int(r)
		if col.IsNull(i) || kinds == Any {
			vec.kind[r] = kindAbsent
			continue
		}
		switch a := col.(type) {
		case *array.Binary:
			vec.set(r, textValue(strings.ToValidUTF8(string(a.Value(i)), "\uFFFD")))
			continue
		case *array.Float32:
			vec.set(r, x.float(float64(a.Value(i)), 32))
			continue
		}
		s := strings.ToValidUTF8(col.ValueStr(i), "\uFFFD")
		switch {
		case kinds == List && strings.HasPrefix(s, "["):
			vec.set(r, value{s: s, k: kindArray})
		case kinds == Object && strings.HasPrefix(s, "{"):
			vec.set(r, value{s: s, k: kindObject})
		case kinds&(Integer|Number) != 0 && isNumber(s):
			vec.set(r, parseNumber(s))
		default:
			vec.set(r, textValue(s))
		}
	}
}

// float gives the shortest number that reads back as f; infinities and NaN are null.
func (x *exec) float(f float64, bits int) value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return value{k: kindNull}
	}
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 && (f != 0 || !math.Signbit(f)) {
		return intValue(int64(f))
	}
	return value{s: x.keep(strconv.AppendFloat(x.room(32), f, 'g', -1, bits)), k: kindNumber}
}

// markNulls tells explicit nulls from absent values: "_null" holds a bit per column.
func (x *exec) markNulls(at int, vec *vector) {
	if x.g.nulls < 0 {
		return
	}
	bits, ok := x.in.Column(x.g.nulls).(*array.Binary)
	if !ok || bits.NullN() == bits.Len() {
		return
	}
	for _, r := range x.sel {
		if vec.kind[r] != kindAbsent || bits.IsNull(x.lo+int(r)) {
			continue
		}
		if b := bits.Value(x.lo + int(r)); at/8 < len(b) && b[at/8]&(1<<(at%8)) != 0 {
			vec.kind[r] = kindNull
		}
	}
}

// extraOf returns the row's "_extra" object, "" where there is none.
func (x *exec) extraOf(row int32) string {
	if x.g.extra < 0 {
		return ""
	}
	col, ok := x.in.Column(x.g.extra).(*array.String)
	if !ok || col.IsNull(x.lo+int(row)) {
		return ""
	}
	return col.Value(x.lo + int(row))
}

// loadExtra looks the fields without a column up in "_extra", all in one pass.
func (x *exec) loadExtra() {
	if x.in.Column(x.g.extra).NullN() == int(x.in.NumRows()) {
		return
	}
	for _, r := range x.sel {
		object := x.extraOf(r)
		if !x.mayHold(object) {
			continue
		}
		members, ok := x.membersOf(object)
		if !ok {
			continue
		}
		for _, m := range members {
			if slot, ok := x.g.wanted[m.key]; ok {
				x.vecs[slot].set(r, x.parseJSON(m.raw))
			}
		}
	}
}

// mayHold is a cheap no for most objects: a wanted name that does not stand in the text is no member of it, unless it is
// spelled with escapes.
func (x *exec) mayHold(object string) bool {
	if object == "" {
		return false
	}
	for name := range x.g.wanted {
		if strings.Contains(object, name) {
			return true
		}
	}
	return strings.IndexByte(object, '\\') >= 0
}

// access is one place to look for a value: a vector, and a path into what stands there.
type access struct {
	slot int
	path []string
}

// input is where a step's reference leads: the first place that is not absent counts.
type input struct {
	ref  ref
	alts []access
}

func (x *exec) get(in *input, row int32) value {
	for i := range in.alts {
		a := &in.alts[i]
		v := x.vecs[a.slot].at(row)
		for _, name := range a.path {
			v = x.member(v, name)
		}
		if v.k != kindAbsent {
			return v
		}
	}
	return value{}
}
