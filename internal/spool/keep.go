package spool

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// keep takes over an inner Batch and finds the group of each of its rows.
func (r *Reader) keep(ctx context.Context, b connector.Batch) error {
	r.mu.Lock()
	at := len(r.batches)
	r.batches = append(r.batches, batch{pos: b.Pos, rows: b.NumRows(), refused: b.Refused})
	r.read += int64(b.NumRows())
	r.mu.Unlock()
	if b.NumRows() == 0 {
		if b.Rows != nil {
			b.Rows.Release()
		}
		return nil
	}
	r.held[at] = b.Rows
	if b.Bytes <= 0 {
		b.Bytes = rows.Size(b.Rows)
	}
	r.bytes += b.Bytes + 8*int64(b.NumRows())
	l, err := r.laneOf(b.Stream, b.Rows.Schema())
	if err != nil {
		return err
	}
	of, err := r.groupsOf(ctx, l, b)
	if err != nil {
		return err
	}
	for row, g := range of {
		if g == nil {
			g = l.loose
		}
		g.refs = append(g.refs, origin{int32(at), int32(row)})
	}
	if r.bytes >= r.conf.Memory {
		return r.flush()
	}
	return nil
}

// laneOf finds the stream and schema, or compiles what it needs.
func (r *Reader) laneOf(stream string, schema *arrow.Schema) (*lane, error) {
	for _, l := range r.lanes {
		if l.stream == stream && (l.schema == schema || l.schema.Equal(schema)) {
			return l, nil
		}
	}
	l := &lane{stream: stream, schema: schema}
	l.loose = &group{lane: l}
	plans, err := r.conf.Plans(stream, schema)
	switch {
	case err != nil:
		return nil, fmt.Errorf("map stream %q: %w", stream, err)
	case len(plans) > 1:
		return nil, connector.Configf("Leave one mapping for it", "stream %q is mapped %d times, and a mode that replaces what the CRM holds needs one call for each", stream, len(plans))
	case len(plans) == 1:
		codec, err := r.conf.Codec(plans[0].Stream(), plans[0].Schema())
		if err != nil {
			return nil, fmt.Errorf("codec of stream %q: %w", stream, err)
		}
		grouper, ok := codec.(connector.Grouper)
		if !ok {
			return nil, connector.Internalf("Report this", "the codec of a mode that replaces whole groups does not name them")
		}
		l.plans, l.codec, l.grouper, l.limits = plans, codec, grouper, codec.Limits()
	}
	r.lanes = append(r.lanes, l)
	return l, nil
}

// groupsOf maps the batch and returns the group of each input row, nil where it has none.
func (r *Reader) groupsOf(ctx context.Context, l *lane, b connector.Batch) ([]*group, error) {
	of := make([]*group, b.NumRows())
	if len(l.plans) == 0 {
		return of, nil
	}
	made, err := l.plans[0].Apply(ctx, b.Rows, b.Refused)
	if err != nil {
		return nil, fmt.Errorf("map stream %q: %w", l.stream, err)
	}
	defer made.Rows.Release()
	for i := range int(made.Rows.NumRows()) {
		if l.name = l.grouper.AppendGroup(l.name[:0], made.Rows, i); len(l.name) == 0 {
			continue
		}
		row := i
		if made.Index != nil {
			row = int(made.Index[i])
		}
		g, err := r.groupOf(l)
		if err != nil {
			return nil, err
		}
		if g.mapped++; of[row] != nil && of[row] != g {
			return nil, connector.Configf("Change the mapping so that the parts of a row have one owner",
				"one row of stream %q becomes contacts of both %s and %s, and each must be replaced by a call of its own", l.stream, of[row].name, g.name)
		}
		of[row] = g
	}
	return of, nil
}

// groupOf finds the group that lane.name names. All its rows must come from one stream and schema: only these can be one
// request.
func (r *Reader) groupOf(l *lane) (*group, error) {
	g := r.byName[string(l.name)]
	if g == nil {
		g = &group{name: string(l.name), lane: l}
		r.byName[g.name] = g
		r.groups = append(r.groups, g)
	}
	if g.lane == l {
		return g, nil
	}
	what := fmt.Sprintf("the streams %q and %q both have", g.lane.stream, l.stream)
	if g.lane.stream == l.stream {
		what = fmt.Sprintf("stream %q changes its columns, and both forms have", l.stream)
	}
	return nil, connector.Configf("Bring all contacts of one owner in one stream; `streams: {name: skip}` leaves a stream out",
		"%s contacts of %s: the second call would erase what the first one brought", what, g.name)
}

// refusal finds what the inner Reader said of a row.
func (b *batch) refusal(row int) (connector.RowResult, bool) {
	i, ok := slices.BinarySearchFunc(b.refused, row, func(v connector.RowResult, row int) int { return cmp.Compare(v.Row, row) })
	if !ok {
		return connector.RowResult{}, false
	}
	return b.refused[i], true
}

// flush moves all rows in memory to the file: a segment for each group that has any.
func (r *Reader) flush() error {
	if len(r.held) == 0 {
		return nil
	}
	if r.disk == nil {
		d, err := newDisk(r.conf.Dir)
		if err != nil {
			return err
		}
		r.disk = d
	}
	for _, l := range r.lanes {
		for at := 0; at < len(l.loose.refs); at += looseRows {
			piece := &group{lane: l, refs: l.loose.refs[at:min(at+looseRows, len(l.loose.refs))]}
			if err := r.write(piece, &l.loose.parts); err != nil {
				return err
			}
		}
		l.loose.refs = nil
	}
	for _, g := range r.groups {
		if len(g.refs) == 0 {
			continue
		}
		if err := r.write(g, &g.parts); err != nil {
			return err
		}
		g.refs = nil
	}
	r.release()
	return r.disk.flush()
}

// write appends the group's rows in memory to the file.
func (r *Reader) write(g *group, to *[]segment) error {
	rec := rows.Take(r.conf.Alloc, r.refs(g))
	defer rec.Release()
	s, err := r.disk.append(rec, g.refs, r.conf.Alloc)
	if err != nil {
		return err
	}
	*to = append(*to, s)
	return nil
}
