package rows

import (
	"fmt"
	"math"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/go-faster/jx"

	"github.com/sluicehq/sluice/connector"
)

// maxStaged bounds the bytes of a record: Arrow counts the bytes of a column in 32 bits.
const maxStaged = math.MaxInt32 - 1

// Builder gathers JSON objects and turns them into records of one schema. It is for one goroutine. Rows wait in plain Go
// memory; only finished records are made with the allocator, each with buffers that fit.
type Builder struct {
	mem    memory.Allocator
	schema *arrow.Schema
	cols   []column
	cells  []cell // the object at hand, by column
	null   int    // index of "_null", -1: none
	extra  int    // index of "_extra", -1: none
	keys   keyTable
	dec    jx.Decoder
	row    uint64 // counts objects; tells this one's entries from older ones
	rows   int
	bytes  int64
	fixed  int64 // bytes a row costs beside its text

	extras  []member       // the object at hand, what goes to "_extra"
	loose   map[string]int // keys of extras that the key table does not remember → index
	scratch []byte         // texts that the input does not hold as they are
	listed  int64          // elements of lists in the object at hand
	nullBit []byte         // the value of "_null" for the object at hand
}

// cell is one value of the object at hand: where it stands, and what it is.
type cell struct {
	start, end uint32
	tok        token
	scratch    bool  // start and end count in Builder.scratch, not in the object
	num        int64 // of an int64 column
}

// member is one member of "_extra": key and value as written.
type member struct{ key, keyEnd, start, end int }

// NewBuilder returns a builder of records of the schema, which holds columns of the types that [SchemaFromJSON] and
// [RawSchema] use, and lists of texts; another type is a defect of the caller and panics. Reserved columns other than "_null" and "_extra"
// stay null. A nil allocator means the default one.
func NewBuilder(mem memory.Allocator, schema *arrow.Schema) *Builder {
	if mem == nil {
		mem = memory.DefaultAllocator
	}
	n := schema.NumFields()
	b := &Builder{
		mem: mem, schema: schema, null: -1, extra: -1,
		cols: make([]column, n), cells: make([]cell, n), nullBit: make([]byte, (n+7)/8),
		loose: map[string]int{},
	}
	for i := range b.cols {
		f := schema.Field(i)
		c := newColumn(f)
		switch {
		case f.Name == connector.ColumnNull && c.kind == kindBinary:
			b.null = i
		case f.Name == connector.ColumnExtra && (c.kind == kindText || c.kind == kindJSON):
			b.extra = i
		case c.kind == kindFloat, c.kind == kindOther, c.kind == kindList && c.values.kind != kindText,
			c.kind == kindBinary && !connector.IsReserved(f.Name):
			panic(fmt.Sprintf("rows: column %q: JSON cannot fill a column of type %s", f.Name, f.Type))
		}
		c.reset()
		b.cols[i] = c
		b.fixed += 5
		if c.kind == kindInt {
			b.fixed += 4
		}
	}
	b.resetKeys()
	return b
}

// Drop makes the builder pass over every key, whether a column or not, for which one of the functions is true. The
// functions must always answer alike.
func (b *Builder) Drop(names ...func(string) bool) {
	b.keys.drop = append(b.keys.drop, names...)
	b.resetKeys()
}

// resetKeys makes the key table know the columns and nothing else, guessing the order of the schema.
func (b *Builder) resetKeys() {
	b.keys = keyTable{byName: make(map[string]*entry, len(b.cols)), drop: b.keys.drop}
	last := &b.keys.root
	for i := range b.cols {
		name := b.cols[i].name
		if connector.IsReserved(name) {
			continue
		}
		col := i
		if b.keys.target([]byte(name)) == toDrop {
			col = toDrop
		}
		last.next = b.keys.add(name, col)
		last = last.next
	}
}

// Len returns the number of rows that wait for NewRecord.
func (b *Builder) Len() int { return b.rows }

// Bytes estimates, from above, the size of the record that NewRecord would return.
func (b *Builder) Bytes() int64 { return b.bytes }

// Append adds one JSON object as a row. It keeps nothing of object. If it returns a Refusal, nothing was added, and
// AppendRefused can keep the row's place.
func (b *Builder) Append(object []byte) *Refusal {
	size := int64(len(object)) + b.fixed + int64(len(b.nullBit))
	if b.bytes+size > maxStaged {
		return tooBig()
	}
	b.row++
	b.listed = 0
	r := b.scan(object)
	if r == nil {
		r = b.check(object)
	}
	if r != nil {
		clear(b.cells)
		b.forget()
		return r
	}
	b.commit(object)
	b.forget()
	b.bytes += size + listedBytes*b.listed
	b.rows++
	return nil
}

// forget drops what was noted of the object at hand, and the memory that an uncommon one took.
func (b *Builder) forget() {
	b.extras, b.scratch = b.extras[:0], b.scratch[:0]
	if cap(b.scratch) > keepStaged {
		b.scratch = nil
	}
	switch n := len(b.loose); {
	case n > maxLearned:
		b.loose, b.extras = map[string]int{}, nil
	case n > 0:
		clear(b.loose)
	}
}

// commit appends the cells, all known to fit, and empties them.
func (b *Builder) commit(object []byte) {
	nulls := false
	for i := range b.cols {
		c, v := &b.cols[i], &b.cells[i]
		if i == b.null || i == b.extra {
			continue
		}
		tok := v.tok
		v.tok = tokAbsent
		src := object
		if v.scratch {
			src, v.scratch = b.scratch, false
		}
		switch {
		case tok == tokAbsent:
			c.appendNull()
		case c.kind == kindJSON || c.kind == kindNumber:
			c.appendBytes(src[v.start:v.end])
			if tok == tokNested {
				Flatten(c.data[len(c.data)-int(v.end-v.start):])
			}
		case tok == tokNull:
			b.nullBit[i/8] |= 1 << (i % 8)
			nulls = true
			c.appendNull()
		case c.kind == kindText:
			c.appendBytes(src[v.start:v.end])
		case c.kind == kindInt:
			c.appendInt(v.num)
		case c.kind == kindBool:
			c.appendBool(tok == tokTrue)
		case c.kind == kindList:
			b.commitList(c, src[v.start:v.end])
		}
	}
	if b.null >= 0 {
		if nulls {
			b.cols[b.null].appendBytes(b.nullBit)
		} else {
			b.cols[b.null].appendNull()
		}
	}
	if nulls {
		clear(b.nullBit)
	}
	if b.extra >= 0 {
		b.commitExtra(object)
	}
}

func (b *Builder) commitExtra(object []byte) {
	c := &b.cols[b.extra]
	if len(b.extras) == 0 {
		c.appendNull()
		return
	}
	before := len(c.data)
	sep := byte('{')
	for i := 0; i < len(b.extras); i++ {
		m := b.extras[i]
		c.data = append(c.data, sep)
		sep = ','
		if m.keyEnd+1 != m.start { // blanks before or behind the colon
			c.data = append(append(c.data, object[m.key:m.keyEnd]...), ':')
			c.data = append(c.data, object[m.start:m.end]...)
			continue
		}
		end := m.end
		for i+1 < len(b.extras) && b.extras[i+1].key == end+1 && b.extras[i+1].keyEnd+1 == b.extras[i+1].start { // only a comma between
			i++
			end = b.extras[i].end
		}
		c.data = append(c.data, object[m.key:end]...)
	}
	c.data = append(c.data, '}')
	Flatten(c.data[before:])
	c.close()
}

// AppendRefused adds a row for a text that is none, so that counts and offsets stay true: every column is null, and
// "_extra" holds the text, with U+FFFD in the place of bytes that are not UTF-8. A text that no record could hold any
// more is cut.
func (b *Builder) AppendRefused(raw []byte) {
	if room := max(0, (maxStaged-b.bytes-b.fixed)/3); int64(len(raw)) > room {
		raw = raw[:room]
	}
	for i := range b.cols {
		c := &b.cols[i]
		if i != b.extra {
			c.appendNull()
			continue
		}
		before := len(c.data)
		c.data = appendValidUTF8(c.data, raw)
		b.bytes += int64(len(c.data) - before)
		c.close()
	}
	b.bytes += b.fixed
	b.rows++
}

// NewRecord returns the rows so far, owned by the caller, and leaves the builder empty for the next ones.
func (b *Builder) NewRecord() arrow.Record {
	arrs := make([]arrow.Array, len(b.cols))
	for i := range b.cols {
		arrs[i] = b.cols[i].finish(b.mem)
	}
	rec := array.NewRecord(b.schema, arrs, int64(b.rows))
	for _, a := range arrs {
		a.Release()
	}
	b.rows, b.bytes = 0, 0
	return rec
}

// Release drops the rows that wait and the memory kept for further ones. The builder must not be used afterwards.
func (b *Builder) Release() { *b = Builder{schema: b.schema} }
