package transforms

import (
	"github.com/apache/arrow/go/v15/arrow"
	"github.com/sluicehq/sluice/connector"
)

// Explanation tells what becomes of one record, field by field. Values are JSON texts; a long text inside one is
// shortened, "" is an absent value.
type Explanation struct {
	Stream  string
	Skipped bool // the document skips the stream; nothing else is filled
	// Filtered: a mark of deletion, `where` or `explode` leaves the row out.
	Filtered bool
	// FilteredBy is what left the row, or its first part, out: the field that marks it deleted, "where" or "explode".
	FilteredBy string
	// Rejected lists every refusal; a run reports the first.
	Rejected []connector.RowResult
	Fields   []FieldTrace // in order of evaluation: the user's fields, then the preset's
	Parts    int          // rows that explode makes of the record; Fields holds the fields of each. 0: explode is not used
}

// FieldTrace is one field with the value after each step.
type FieldTrace struct {
	Field  string
	Part   int  // of Explanation.Parts, from 1 on; 0: explode is not used
	Preset bool // a field of the vendor's preset; else of the user's document
	File   string
	Line   int // where the field is written; 0: nowhere
	From   []SourceValue
	Steps  []StepTrace
	Value  string
	// Rejected is why this field refuses the row; nil: it does not.
	Rejected *connector.RowResult
}

// SourceValue is what a field reads: a field of the record or, in a preset, a column made before.
type SourceValue struct{ Name, Value string }

// StepTrace is one step and the value after it.
type StepTrace struct{ Op, Args, Value string }

// Explain runs one row of a record through the mapping and tells what each step made of it. Unlike a run it goes on
// after a refusal, so that every fault of a record is seen at once.
func (m *Mapping) Explain(stream string, in arrow.Record, row int) (Explanation, error) {
	e := Explanation{Stream: stream}
	if row < 0 || row >= int(in.NumRows()) {
		return e, connector.Internalf("", "explain: the record has no row %d", row)
	}
	p, err := m.plan(stream, in.Schema())
	if err != nil {
		return e, err
	}
	if p == nil {
		e.Skipped = true
		return e, nil
	}
	if p.explode == nil {
		e.Filtered = !e.explainRow(p, in, row, 0)
		return e, nil
	}
	parts, err := p.partsOf(in, row, false)
	if err != nil {
		return e, err
	}
	defer parts.rec.Release()
	e.Rejected = parts.rejected
	e.Parts = len(parts.index)
	if e.Filtered = len(e.Rejected) == 0; e.Filtered && e.Parts == 0 {
		e.FilteredBy = keyExplode
	}
	for i := range min(e.Parts, shownParts) {
		if e.explainRow(p, parts.rec, i, i+1) {
			e.Filtered = false
		}
	}
	return e, nil
}

// shownParts is how many rows of an exploded record are explained.
const shownParts = 20

// explainRow adds the fields of one row; false: it is filtered.
func (e *Explanation) explainRow(p *plan, in arrow.Record, row, part int) bool {
	x := newExec(p.g)
	x.everything = true
	x.begin(in, row, row+1, nil)
	x.load()
	x.filter()
	e.take(x)
	if len(x.sel) == 0 {
		if e.FilteredBy == "" {
			e.FilteredBy = x.filteredBy()
		}
		return false
	}
	for _, n := range p.g.nodes {
		if !n.never || n.required {
			t := x.explain(n, e)
			t.Part = part
			e.Fields = append(e.Fields, t)
		}
	}
	if p.g.identifierNames != "" {
		x.identify()
	}
	e.take(x)
	return true
}

// filteredBy says what left the first row out.
func (x *exec) filteredBy() string {
	for _, m := range x.g.markers {
		if vec := &x.vecs[m.slot]; !vec.missing(0) && m.deleted(vec.at(0)) {
			return m.name
		}
	}
	return keyWhere
}

// take moves the refusals of the row from the exec to the explanation, and revives the row.
func (e *Explanation) take(x *exec) *connector.RowResult {
	var last *connector.RowResult
	for _, r := range x.rejects {
		r.Row = 0
		e.Rejected = append(e.Rejected, r)
		last = &r
	}
	x.rejects, x.hurt = x.rejects[:0], false
	clear(x.dead)
	return last
}

func (x *exec) explain(n *node, e *Explanation) FieldTrace {
	t := FieldTrace{Field: n.name, Preset: n.preset, File: n.at.file, Line: n.at.line}
	for i := range n.inputs {
		if v := x.get(&n.inputs[i], 0); v.k != kindAbsent {
			t.From = append(t.From, SourceValue{n.inputs[i].ref.name, x.told(v)})
		}
	}
	if n.alias {
		t.Steps = append(t.Steps, StepTrace{n.steps[0].op, n.steps[0].args, x.told(x.vecs[n.slot].at(0))})
	} else {
		x.trace = func(st *step, vec *vector) {
			t.Steps = append(t.Steps, StepTrace{st.op, st.args, x.told(vec.at(0))})
		}
		x.eval(n)
		x.trace = nil
	}
	t.Value = x.told(x.vecs[n.slot].at(0))
	if x.err != nil {
		// on_error: fail ends a run; here it is shown as a refusal like any other.
		x.err = nil
	}
	t.Rejected = e.take(x)
	return t
}

// shownText is how much of a text an explanation shows.
const shownText = 200

// told gives a value as JSON text.
func (x *exec) told(v value) string {
	switch v.k {
	case kindAbsent:
		return ""
	case kindText:
		if s := firstRunes(v.s, shownText); s != v.s {
			v.s = s + "…"
		}
	}
	return string(x.appendJSON(nil, v))
}
