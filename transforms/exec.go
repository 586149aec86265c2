package transforms

import (
	"sort"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/go-faster/jx"
	"github.com/sluicehq/sluice/connector"
	"go.starlark.net/starlark"
)

// chunkRows is how many rows a plan works on at a time: few enough that the vectors of a step stay in the first cache.
const chunkRows = 512

// exec is the scratch of one run of a graph over a chunk of rows. It belongs to one goroutine at a time and is pooled.
type exec struct {
	g  *graph
	in arrow.Record
	lo int // the first row of the chunk

	high       int  // the longest chunk since the last end
	everything bool // load also what is only shared: for Explain and Key

	vecs []vector // by slot, each of chunkRows
	sel  []int32  // live rows of the chunk, ascending
	dead []bool   // rows that a step refused
	hurt bool     // a row is dead

	rows, left []int32 // of sel: those a column kernel gets, and those it leaves to its step's definition
	rowwise    bool    // no short cuts: the tests compare what they give with the definitions

	items    []value // elements of lists
	arena    []byte  // text made by steps; its strings live until the next chunk
	buf      []byte  // text in the making
	members  []member
	element  vector          // elements of lists, while each runs its steps on them
	owners   []int32         // the rows of these elements
	results  []elementResult // what the steps made of them
	spoilt   []int32         // rows whose value each cannot take
	everyRow []int32         // 0, 1, 2 …
	inside   bool            // rows are elements now
	swapped  vector          // a column with something else in the place of its nulls
	dec      jx.Decoder
	thread   *starlark.Thread
	args     starlark.Tuple

	rejects []connector.RowResult // by row of the record
	node    *node                 // in work, for messages and on_error
	err     error

	trace func(st *step, vec *vector) // Explain only
}

// room returns an empty slice at the end of the arena with space for n bytes. Nothing else may be made in the arena
// before keep takes the slice.
func (x *exec) room(n int) []byte {
	if cap(x.arena)-len(x.arena) < n {
		x.arena = make([]byte, 0, max(2*cap(x.arena), n, 16<<10))
	}
	return x.arena[len(x.arena):len(x.arena):cap(x.arena)]
}

// keep makes the filled slice of room a string. A slice that outgrew the room lives on its own.
func (x *exec) keep(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	end := x.arena[len(x.arena):cap(x.arena)]
	if len(b) <= len(end) && unsafe.SliceData(b) == unsafe.SliceData(end) {
		x.arena = x.arena[:len(x.arena)+len(b)]
	}
	return stringOf(b)
}

// store copies b into the arena.
func (x *exec) store(b []byte) string { return x.keep(append(x.room(len(b)), b...)) }

// begin takes up the rows [lo, hi) of a record.
func (x *exec) begin(in arrow.Record, lo, hi int, skip []connector.RowResult) {
	x.in, x.lo = in, lo
	x.arena, x.items, x.sel, x.rejects = x.arena[:0], x.items[:0], x.sel[:0], x.rejects[:0]
	x.hurt = false
	x.high = max(x.high, hi-lo)
	clear(x.dead)
	next := sort.Search(len(skip), func(i int) bool { return skip[i].Row >= lo })
	for row := lo; row < hi; row++ {
		if next < len(skip) && skip[next].Row == row {
			next++
			continue
		}
		x.sel = append(x.sel, int32(row-lo))
	}
}

// end forgets the record: every vector is empty again. Texts that point into it are left to be written over by the next,
// or to go with the exec, which the pool drops soon if nobody takes it.
func (x *exec) end() {
	for i := range x.vecs {
		clear(x.vecs[i].kind[:x.high])
	}
	x.high = 0
	clear(x.args)
	clear(x.rejects[:cap(x.rejects)])
	x.in, x.node, x.err, x.trace, x.everything = nil, nil, nil, nil, false
	x.dec.ResetBytes(nil)
}

// fail deals with a value that a step refused, by the field's on_error, and returns what stands in its place.
func (x *exec) fail(row int32, f *fault) value {
	switch x.node.onError {
	case onErrorNull:
		// Absent, not null: a value that could not be read must not empty the field at the vendor, see on_null.
		return value{}
	case onErrorFail:
		if x.err == nil {
			x.err = connector.Configf("Mend the row at its source, or set `on_error: reject` on the field",
				"row %d of the batch: field %s: %s (%s)", x.lo+int(x.rowOf(row))+1, x.node.name, f.message, f.code)
		}
	}
	x.refuse(row, x.node.name, f)
	return value{}
}

// refuse rejects a row, unless that has been done for another reason.
func (x *exec) refuse(row int32, field string, f *fault) {
	row = x.rowOf(row)
	if x.dead[row] {
		return
	}
	x.dead[row], x.hurt = true, true
	x.rejects = append(x.rejects, connector.RowResult{
		Row: x.lo + int(row), Verdict: connector.VerdictRejected, Code: f.code, Message: f.message, Field: field,
	})
}

// rowOf is the row that a row of vectors belongs to: itself, unless it is an element of a list.
func (x *exec) rowOf(row int32) int32 {
	if x.inside {
		return x.owners[row]
	}
	return row
}

// bury narrows the live rows to those that no step refused.
func (x *exec) bury() {
	if !x.hurt {
		return
	}
	x.keepRows(func(r int32) bool { return !x.dead[r] })
	sort.Slice(x.rejects, func(i, j int) bool { return x.rejects[i].Row < x.rejects[j].Row })
}

// keepRows narrows the live rows to those that ok reports.
func (x *exec) keepRows(ok func(row int32) bool) {
	kept := x.sel[:0]
	for _, r := range x.sel {
		if ok(r) {
			kept = append(kept, r)
		}
	}
	x.sel = kept
}

// run evaluates the graph for the chunk: load, delete markers, where, fields, identifiers.
func (x *exec) run() {
	g := x.g
	x.load()
	x.filter()
	for _, n := range g.nodes {
		x.eval(n)
		if x.err != nil {
			return
		}
	}
	if g.identifierNames != "" {
		x.identify()
	}
}

// eval runs the steps of one field, those that an earlier field has not run for it.
func (x *exec) eval(n *node) {
	if n.alias || n.never && !n.required {
		return
	}
	vec := &x.vecs[n.slot]
	x.node = n
	src, steps := vec, n.steps[1:]
	if n.done > 0 && x.trace == nil {
		src, steps = &x.vecs[n.direct], n.steps[n.done:]
	} else {
		n.steps[0].source.fill(x, n.inputs, vec)
		x.traced(n.steps[0], vec)
	}
	for _, st := range steps {
		st.run(x, src, vec)
		src = vec
		x.traced(st, vec)
	}
	if n.required {
		x.demand(n, vec)
	}
}

func (x *exec) traced(st *step, vec *vector) {
	if x.trace != nil {
		x.trace(st, vec)
	}
}

// demand refuses rows in which a required field came out empty; `on_error: null` does not soften it.
func (x *exec) demand(n *node, vec *vector) {
	for _, r := range x.sel {
		if !vec.empty(r) || x.dead[r] {
			continue
		}
		f := &fault{connector.CodeRequired, n.name + " is required and has no value"}
		if n.onError == onErrorFail {
			x.fail(r, f)
		} else {
			x.refuse(r, n.name, f)
		}
	}
}

// identify refuses rows in which every identifier is empty.
func (x *exec) identify() {
rows:
	for _, r := range x.sel {
		for _, slot := range x.g.identifiers {
			if !x.vecs[slot].empty(r) {
				continue rows
			}
		}
		if !x.dead[r] {
			x.refuse(r, "", &fault{connector.CodeNoIdentifier, "the row has none of " + x.g.identifierNames})
		}
	}
}
