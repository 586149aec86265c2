package job

import (
	"context"
	"errors"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
)

// Tried is what a run would make of some rows, up to the point where it would send them.
type Tried struct {
	Skipped   bool                  // the mapping skips the stream
	Filtered  int                   // rows left out by the mapping
	Rejected  []connector.RowResult // by row, each row once
	Requests  []connector.Request   // as they would be sent, not signed
	Delivered int                   // rows of the input that are in the requests
}

// Try maps and encodes rows. skip lists those that are refused already.
func (t *Target) Try(ctx context.Context, stream string, rec arrow.Record, skip []connector.RowResult) (Tried, error) {
	plans, err := t.Mapping.Plans(stream, rec.Schema())
	if err != nil {
		return Tried{}, err
	}
	if len(plans) == 0 {
		return Tried{Skipped: true}, nil
	}
	applied, err := plans[0].Apply(ctx, rec, skip)
	if err != nil {
		return Tried{}, err
	}
	defer applied.Rows.Release()
	codec, err := t.Codec(plans[0].Stream(), plans[0].Schema())
	if err != nil {
		return Tried{}, err
	}
	out := Tried{Rejected: applied.Rejected}
	seen := map[int]bool{}
	for _, r := range append(applied.Rejected, skip...) {
		seen[r.Row] = true
	}
	source := func(row int) int {
		if applied.Index != nil {
			return int(applied.Index[row])
		}
		return row
	}
	most := max(codec.Limits().Rows, 1)
	for from := 0; from < int(applied.Rows.NumRows()); from += most {
		part := applied.Rows.NewSlice(int64(from), min(int64(from+most), applied.Rows.NumRows()))
		var req connector.Request
		err := codec.AppendRequest(&req, part)
		part.Release()
		var refused *connector.RowsError
		switch {
		case errors.As(err, &refused):
			for _, r := range refused.Rows {
				if r.Row = source(from + r.Row); !seen[r.Row] {
					seen[r.Row] = true
					out.Rejected = append(out.Rejected, r)
				}
			}
		case err != nil:
			return Tried{}, err
		default:
			out.Requests = append(out.Requests, req)
		}
	}
	taken := map[int]bool{}
	for row := range int(applied.Rows.NumRows()) {
		taken[source(row)] = true
	}
	for row := range taken {
		if !seen[row] {
			out.Delivered++
		}
	}
	for row := range int(rec.NumRows()) {
		if !seen[row] && !taken[row] {
			out.Filtered++
		}
	}
	return out, nil
}
