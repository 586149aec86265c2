package transforms

// vector is a column of values, by row of the chunk. What a row holds is said by its kind; the places of other kinds may
// hold anything. Texts alias the input's buffers, the arena of the exec, or constants of the plan, so that a step which
// only cuts, picks or leaves alone copies nothing.
type vector struct {
	kind []kind
	text []string // texts, numbers, arrays and objects
	num  []int64  // integers, booleans and lists
}

// newVectors makes n empty vectors of chunkRows rows.
func newVectors(n int) []vector {
	kinds, texts, nums := make([]kind, n*chunkRows), make([]string, n*chunkRows), make([]int64, n*chunkRows)
	vecs := make([]vector, n)
	for i := range vecs {
		lo, hi := i*chunkRows, (i+1)*chunkRows
		vecs[i] = vector{kinds[lo:hi:hi], texts[lo:hi:hi], nums[lo:hi:hi]}
	}
	return vecs
}

// at returns the value of a row.
func (v *vector) at(r int32) value {
	switch k := v.kind[r]; k {
	case kindAbsent, kindNull:
		return value{k: k}
	case kindInt, kindBool, kindList:
		return value{n: v.num[r], k: k}
	default:
		return value{s: v.text[r], k: k}
	}
}

// set puts a value into a row.
func (v *vector) set(r int32, to value) {
	switch v.kind[r] = to.k; to.k {
	case kindAbsent, kindNull:
	case kindInt, kindBool, kindList:
		v.num[r] = to.n
	default:
		v.text[r] = to.s
	}
}

func (v *vector) setText(r int32, s string) { v.kind[r], v.text[r] = kindText, s }

// missing reports whether the row holds no value; empty, whether it holds nothing at all: absent, null or "".
func (v *vector) missing(r int32) bool { return v.kind[r] <= kindNull }
func (v *vector) empty(r int32) bool {
	return v.kind[r] <= kindNull || v.kind[r] == kindText && v.text[r] == ""
}

// copyFrom takes over all values of another vector.
func (v *vector) copyFrom(src *vector) {
	copy(v.kind, src.kind)
	copy(v.text, src.text)
	copy(v.num, src.num)
}
