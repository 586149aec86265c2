package transforms

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/sluicehq/sluice/connector"
	"go.starlark.net/starlark"
)

// plan is a graph ready to run: a connector.Plan.
type plan struct {
	m       *Mapping
	g       *graph
	explode *exploder // not nil: the graph maps what it makes of a record
	schema  *arrow.Schema
	scratch sync.Pool // of *exec

	consumed map[string]bool
	taken    map[string]bool // consumed, and the names of the columns that are made
	listing  atomic.Bool     // the next record is to be looked through for fields that are dropped
}

// extraSample is how many rows are looked at to list what is dropped.
const extraSample = 1000

func newPlan(m *Mapping, b *builder) *plan {
	g := b.graph
	if b.custom != nil {
		b.customSpec.seal(len(b.custom.inputs))
	}
	fields := make([]arrow.Field, len(g.outs))
	for i, o := range g.outs {
		fields[i] = o.field
	}
	p := &plan{m: m, g: g, schema: arrow.NewSchema(fields, nil), consumed: b.consumed, taken: maps.Clone(b.consumed)}
	for _, o := range g.outs {
		p.taken[o.name] = true
	}
	p.scratch.New = func() any { return newExec(g) }
	drops := (b.preset != nil || !b.byName) && (b.entry == nil || b.entry.rest == restDrop)
	if drops {
		names := slices.DeleteFunc(b.unnamed(), func(name string) bool { return g.whereReads(name) })
		p.listing.Store(len(names) == 0 && g.extra >= 0)
		p.noticeDropped(names)
	}
	return p
}

func newExec(g *graph) *exec {
	x := &exec{g: g, dead: make([]bool, chunkRows), sel: make([]int32, 0, chunkRows), vecs: newVectors(g.slots)}
	x.args = make(starlark.Tuple, 0, len(g.whereIn))
	return x
}

func (g *graph) whereReads(name string) bool {
	return g.where != nil && slices.ContainsFunc(g.where.names, func(r ref) bool { return r.name == name })
}

func (p *plan) noticeDropped(names []string) {
	if len(names) == 0 || p.m.opts.Notice == nil {
		return
	}
	p.m.mu.Lock()
	key := "dropped of " + p.g.stream
	seen := p.m.noticed[key]
	p.m.noticed[key] = true
	p.m.mu.Unlock()
	if !seen {
		p.m.opts.Notice(fmt.Sprintf("stream %s: fields dropped: %s (map them, or set `rest: custom` to keep them)", p.g.stream, strings.Join(names, ", ")))
	}
}

func (p *plan) Stream() string        { return p.g.stream }
func (p *plan) Schema() *arrow.Schema { return p.schema }

func (p *plan) Apply(ctx context.Context, in arrow.Record, skip []connector.RowResult) (connector.Applied, error) {
	if err := p.fits(in); err != nil {
		return connector.Applied{}, err
	}
	if p.explode != nil {
		return p.applyExploded(ctx, in, skip)
	}
	return p.applyRows(ctx, in, skip)
}

// applyRows maps a record of the graph's own schema.
func (p *plan) applyRows(ctx context.Context, in arrow.Record, skip []connector.RowResult) (connector.Applied, error) {
	x := p.scratch.Get().(*exec)
	defer p.free(x)
	if p.listing.CompareAndSwap(true, false) {
		p.listExtras(x, in)
	}
	rows := int(in.NumRows())
	w := newWriter(p, in)
	defer w.release()
	var rejected []connector.RowResult
	for lo := 0; lo < rows; lo += chunkRows {
		if err := ctx.Err(); err != nil {
			return connector.Applied{}, err
		}
		x.begin(in, lo, min(lo+chunkRows, rows), skip)
		x.run()
		if x.err != nil {
			return connector.Applied{}, x.err
		}
		x.bury()
		if err := w.write(x); err != nil {
			return connector.Applied{}, err
		}
		rejected = append(rejected, x.rejects...)
	}
	index := w.index
	if len(index) == rows {
		index = nil
	}
	out, err := w.record(index)
	if err != nil {
		return connector.Applied{}, err
	}
	return connector.Applied{Rows: out, Index: index, Rejected: rejected}, nil
}

func (p *plan) free(x *exec) {
	x.end()
	p.scratch.Put(x)
}

// fits guards against a record of another schema, whose columns would be read as something else.
func (p *plan) fits(in arrow.Record) error {
	want := p.g.schema
	if p.explode != nil {
		want = p.explode.g.schema
	}
	if s := in.Schema(); s != want && !s.Equal(want) {
		return connector.Internalf("", "apply: the record of stream %s has another schema than the plan", p.g.stream)
	}
	return nil
}

// listExtras gives notice of the fields in "_extra" that the mapping leaves behind: of the first record that has any.
func (p *plan) listExtras(x *exec, in arrow.Record) {
	if in.Column(p.g.extra).NullN() == int(in.NumRows()) {
		p.listing.Store(true)
		return
	}
	seen := map[string]bool{}
	var names []string
	x.in, x.lo = in, 0
	for r := range min(int(in.NumRows()), extraSample) {
		extra := x.extraOf(int32(r))
		if extra == "" {
			continue
		}
		members, ok := x.membersOf(extra)
		if !ok {
			continue
		}
		for _, m := range members {
			if seen[m.key] {
				continue
			}
			name := strings.Clone(m.key)
			seen[name] = true
			if !p.consumed[name] && !bookkeeping(name) && !p.g.whereReads(name) {
				names = append(names, name)
			}
		}
	}
	p.noticeDropped(names)
}

// Key evaluates the identifiers of one row; where the steps give nothing, the source's own spelling names it.
func (p *plan) Key(in arrow.Record, row int) string {
	if p.fits(in) != nil || row < 0 || row >= int(in.NumRows()) {
		return ""
	}
	if p.explode != nil {
		parts, err := p.partsOf(in, row, true)
		if err != nil {
			return ""
		}
		defer parts.rec.Release()
		in, row = parts.rec, 0
	}
	x := p.scratch.Get().(*exec)
	defer p.free(x)
	x.everything = true
	x.begin(in, row, row+1, nil)
	x.load()
	for _, n := range p.g.nodes {
		x.eval(n)
	}
	for _, n := range p.g.keyNodes {
		x.eval(n)
	}
	for _, k := range p.g.keys {
		if k.slot >= 0 {
			if s, _ := x.text(x.vecs[k.slot].at(0)); s != "" {
				return strings.Clone(s)
			}
		}
		for i := range k.inputs {
			if s, _ := x.text(x.get(&k.inputs[i], 0)); s != "" {
				return strings.Clone(s)
			}
		}
	}
	return ""
}
