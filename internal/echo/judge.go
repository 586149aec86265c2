package echo

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// exists is the field that says that a side has the contact at all.
const exists = ""

// judging is the passage of one batch.
type judging struct {
	plan  *plan
	note  *note
	ctx   context.Context
	in    arrow.Record
	asked time.Time
	skip  []connector.RowResult // refused when read, and then those that do not pass

	narrowed map[int][]byte // rows that were changed, as objects
	noted    []noted
	left     []int        // rows that do not pass
	short    []int        // rows of a retry without some of their fields
	lacks    map[int]bool // changes without something that the target demands, which nothing is known of
	out      arrow.Record // in, with the fields that tell nothing new taken out

	dropped, repeated, overtaken int64 // rows, see Gate
}

func (j *judging) release() {
	if j.out != nil {
		j.out.Release()
	}
}

// all judges the rows one after another: what the source tells, then what would be written of it. Each knows what became
// of those before it.
func (j *judging) all() error {
	skipped := make(map[int]bool, len(j.skip))
	for _, s := range j.skip {
		skipped[s.Row] = true
	}
	j.narrowed, j.lacks = map[int][]byte{}, map[int]bool{}
	b := rows.NewBuilder(j.plan.gate.Alloc, j.in.Schema())
	defer b.Release()
	for i := range int(j.in.NumRows()) {
		if skipped[i] {
			continue
		}
		object := rows.AppendJSON(nil, j.in, i)
		var r row
		if err := json.Unmarshal(object, &r); err != nil {
			return fmt.Errorf("row %d: %w", i, err)
		}
		judged, err := j.source(i, r)
		if err != nil {
			return err
		}
		if !judged {
			continue
		}
		if j.narrowed[i] != nil {
			object = j.narrowed[i]
		}
		if refusal := b.Append(object); refusal != nil {
			return unreadable(refusal)
		}
		if err := j.target(i, b.NewRecord()); err != nil {
			return err
		}
	}
	return j.rebuild(b, skipped)
}

func unreadable(refusal error) error {
	return connector.Internalf("Report this", "a row that was read cannot be read again: %w", refusal)
}

func (j *judging) remember(id, name string, order int64, row int, target bool) {
	j.noted = append(j.noted, noted{id: id, field: name, order: order, row: row, target: target})
}

// source takes the fields out of a row that the source told before, or that were written to it. False: the row passes, or
// is dropped, whatever would be written of it.
func (j *judging) source(i int, r row) (judge bool, err error) {
	g := j.plan.gate
	if g.Retry {
		return j.retried(i, r)
	}
	who, values := r.contact(), r.values()
	if who == "" {
		return false, nil
	}
	id := j.note.store.id(g.Source, who)
	known, err := j.note.contact(id)
	if err != nil {
		return false, err
	}
	var old map[string]bool
	switch {
	case g.Events && len(values) == 0: // emptied, or nothing that a contact has: the mapping may know what to do with it
		if name := text(r["field"]); tracked[name] {
			order := j.note.next()
			known.at(name).change(j.event(r).of(j.note.store, name, ""), g.run, order)
			j.remember(id, name, order, i, false)
		}
		return false, j.complete(i, r, who, known)
	case g.Events:
		old = j.changed(i, id, known, values, j.event(r))
	default:
		values[exists] = "1"
		if j.repeats(known, values) {
			j.emptied(id, known, values, i)
			j.leaveOut(i)
			j.repeated++
			return false, nil
		}
		target, err := j.note.contact(j.note.store.id(g.Target, who))
		if err != nil {
			return false, err
		}
		old = j.shown(i, id, known, target, values)
	}
	switch len(old) {
	case 0:
	case len(values):
		j.drop(i)
		return false, nil
	default:
		r.without(old)
		if j.narrowed[i], err = json.Marshal(r); err != nil {
			return false, fmt.Errorf("row %d: %w", i, err)
		}
	}
	return true, j.complete(i, r, who, known)
}

// changed takes in the values of a change, and returns those that tell nothing new.
func (j *judging) changed(i int, id string, known fields, values map[string]string, n news) map[string]bool {
	old := map[string]bool{}
	for name, value := range values {
		order := j.note.next()
		if f := known.at(name); f.change(n.of(j.note.store, name, value), j.plan.gate.run, order) {
			j.plan.gate.keep(f, name, value)
			j.remember(id, name, order, i, false)
		} else {
			old[name] = true
		}
	}
	j.found(id, known, i)
	return old
}

// shown takes in the values of a state, and returns those that tell nothing new. What is seen for the first time does not go
// over a change of the target's that was rejected: it may be what was there before, and a retry brings the change over.
func (j *judging) shown(i int, id string, known, target fields, values map[string]string) map[string]bool {
	g, old := j.plan.gate, map[string]bool{}
	for name, value := range values {
		waits := known[name].unknown() && target[name].refused()
		order := j.note.next()
		f := known.at(name)
		if f.state(j.note.store.hash(name, value), j.asked, j.note.now, g.run, order) {
			g.keep(f, name, value)
			j.remember(id, name, order, i, false)
		} else {
			waits = true
		}
		if waits {
			old[name] = true
		}
	}
	j.emptied(id, known, values, i)
	return old
}

// keep keeps a value itself where one of the two vendors demands it.
func (g *Gate) keep(f *field, name, value string) {
	if slices.Contains(g.SourceDemands, name) || slices.Contains(g.TargetDemands, name) {
		f.Text = value
	}
}

// complete puts into a row what the target demands with every write and the row does not tell: what the target holds, else
// what the source does. Of a change it notes what is not known of either.
func (j *judging) complete(i int, r row, who string, source fields) error {
	demands := j.plan.gate.TargetDemands
	if len(demands) == 0 {
		return nil
	}
	target, err := j.note.contact(j.note.store.id(j.plan.gate.Target, who))
	if err != nil {
		return err
	}
	for _, name := range demands {
		if !tracked[name] || text(r[name]) != "" || !j.reads(name) {
			continue
		}
		for _, side := range []fields{target, source} {
			if f := side[name]; f != nil && f.Text != "" {
				r[name] = rows.AppendString(nil, f.Text)
				if j.narrowed[i], err = json.Marshal(r); err != nil {
					return fmt.Errorf("row %d: %w", i, err)
				}
				break
			}
		}
		j.lacks[i] = j.lacks[i] || j.plan.gate.Events && text(r[name]) == ""
	}
	return nil
}

// explain gives a change that cannot be completed a reason of its own: to map the field, or to give it a default, as for
// other rows without it, would help nothing.
func (j *judging) explain(refused *connector.RowResult) {
	if refused.Code == connector.CodeRequired && j.lacks[refused.Row] {
		refused.Code = connector.CodeIncomplete
		refused.Message = fmt.Sprintf("%s is demanded with every write; the change does not tell it, and the echo memory does not know it of this contact yet", refused.Field)
	}
}

// repeats reports whether a state tells nothing but what was told before, and of that something in a row that this run
// rejected. The reject stands for it: a query that reads the contact at each walk would reject it each time.
func (j *judging) repeats(known fields, values map[string]string) bool {
	again := false
	for name, value := range values {
		f, run, hash := known[name], j.plan.gate.run, j.note.store.hash(name, value)
		if f.refusedIn(run, hash) {
			again = true
		} else if holds, sure := f.holdsAsSource(run); !sure || holds != hash {
			return false
		}
	}
	return again
}

// drop leaves a row out that tells nothing new.
func (j *judging) drop(i int) {
	j.dropped++
	j.leaveOut(i)
}

func (j *judging) leaveOut(i int) {
	j.left = append(j.left, i)
	at, _ := slices.BinarySearchFunc(j.skip, i, func(s connector.RowResult, i int) int { return cmp.Compare(s.Row, i) })
	j.skip = slices.Insert(slices.Clip(j.skip), at, connector.RowResult{Row: i})
}

// found notes that the source has the contact at all.
func (j *judging) found(id string, known fields, i int) {
	if f := known.at(exists); f.Seen == nil {
		order := j.note.next()
		f.Seen = &seen{Hash: j.note.store.hash(exists, "1"), Order: order, Run: j.plan.gate.run}
		j.remember(id, exists, order, i, false)
	}
}

// event is what a change says of itself.
func (j *judging) event(r row) (n news) {
	if at, err := time.Parse(time.RFC3339Nano, text(r["occurred_at"])); err == nil {
		n.made = at.UnixMilli()
	}
	if name := text(r["field"]); tracked[name] {
		n.from = normal(name, r["old_value"])
	} else {
		n.from = text(r["old_value"])
	}
	return n
}

// emptied notes the fields that a state shows empty.
func (j *judging) emptied(id string, known fields, values map[string]string, i int) {
	for name, f := range known {
		if _, there := values[name]; there || name == exists || !j.reads(name) {
			continue
		}
		if order := j.note.next(); f.state(j.note.store.hash(name, ""), j.asked, j.note.now, j.plan.gate.run, order) {
			f.Text = ""
			j.remember(id, name, order, i, false)
		}
	}
}

// reads reports whether the rows have a column for the field.
func (j *judging) reads(name string) bool {
	if len(name) > len(member) && name[:len(member)] == member {
		name = "custom"
	}
	return j.in.Schema().HasField(name)
}

// rebuild makes the record without the fields that were taken out.
func (j *judging) rebuild(b *rows.Builder, skipped map[int]bool) error {
	if len(j.narrowed) == 0 {
		j.in.Retain()
		j.out = j.in
		return nil
	}
	for i := range int(j.in.NumRows()) {
		object := j.narrowed[i]
		if object == nil {
			object = rows.AppendJSON(nil, j.in, i)
		}
		if skipped[i] {
			b.AppendRefused(nil) // nobody reads it; the original row is the reader's
		} else if refusal := b.Append(object); refusal != nil {
			return unreadable(refusal)
		}
	}
	j.out = b.NewRecord()
	return nil
}

// target finds out what would be written of a row, alone in rec, and drops it if the target holds all of that. A row that
// the mapping refuses or leaves out is the mapping's to answer for.
func (j *judging) target(i int, rec arrow.Record) error {
	defer rec.Release()
	made, err := j.plan.canonical.Apply(j.ctx, rec, nil)
	if err != nil {
		return err
	}
	defer made.Rows.Release()
	passes := len(made.Rejected) > 0 || made.Rows.NumRows() == 0
	for at := range int(made.Rows.NumRows()) {
		var r row
		if err := json.Unmarshal(rows.AppendJSON(nil, made.Rows, at), &r); err != nil {
			return fmt.Errorf("row %d: %w", i, err)
		}
		fresh, err := j.write(i, r)
		if err != nil {
			return err
		}
		passes = passes || fresh
	}
	if !passes {
		j.drop(i)
	}
	return nil
}

// write notes what is written of a row, and tells whether anything is.
func (j *judging) write(i int, r row) (bool, error) {
	g, s := j.plan.gate, j.note.store
	who := r.contact()
	if who == "" {
		return true, nil
	}
	id := s.id(g.Target, who)
	known, err := j.note.contact(id)
	if err != nil {
		return false, err
	}
	values := r.values()
	values[exists] = "1"
	var fresh []string
	for name, value := range values {
		f := known[name]
		if hash, believed := f.holdsAsTarget(g.run); believed && hash == s.hash(name, value) {
			continue
		}
		fresh = append(fresh, name)
	}
	slices.Sort(fresh)
	fresh = slices.DeleteFunc(fresh, func(name string) bool {
		if known.at(name).pass(j.note.now) {
			return false
		}
		g.held.Do(func() {
			g.Log.Warn("a field of a contact changes again and again in both accounts; it is left alone for a day. See whether each of the two CRMs changes what it is given",
				"from", g.Source, "to", g.Target, "field", name)
		})
		return true
	})
	for _, name := range fresh {
		f, order := known.at(name), j.note.next()
		f.Sent = append(f.Sent, sent{Hash: s.hash(name, values[name]), Order: order, At: j.note.now.UnixMilli(), Run: g.run, Before: f.Text})
		g.keep(f, name, values[name])
		j.remember(id, name, order, i, true)
	}
	return len(fresh) > 0, nil
}
