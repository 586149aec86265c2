package spool

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// checkBytes refuses groups whose request would be larger than the CRM takes. Delivery could only reject all their rows,
// after the requests of other groups are gone.
func (r *Reader) checkBytes(ctx context.Context) error {
	var req connector.Request
	for _, g := range r.groups {
		most := g.lane.limits.Bytes
		if most == 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return r.ended(ctx, err)
		}
		size, err := r.measure(ctx, g, &req)
		if err != nil {
			return err
		}
		if size > most {
			return connector.Configf("Give this one fewer contacts or shorter values, or choose a mode that adds to what is there; raise the limit in the settings only if the CRM takes more",
				"the %d contacts of %s make one request of %d bytes, and it may have %d; a part of them would replace the rest, so nothing was sent", g.mapped, g.name, size, most)
		}
	}
	return nil
}

// measure is how many bytes a group's request has, without the rows that the codec refuses.
func (r *Reader) measure(ctx context.Context, g *group, req *connector.Request) (int, error) {
	b, _, err := r.gather(g, false)
	if err != nil {
		return 0, err
	}
	defer b.Rows.Release()
	made, err := g.lane.plans[0].Apply(ctx, b.Rows, nil)
	if err != nil {
		return 0, fmt.Errorf("map stream %q: %w", g.lane.stream, err)
	}
	rec := made.Rows
	defer func() { rec.Release() }()
	for {
		req.Body = req.Body[:0]
		err := g.lane.codec.AppendRequest(req, rec)
		var bad *connector.RowsError
		switch {
		case err == nil:
			return len(req.Body), nil
		case !errors.As(err, &bad):
			return 0, fmt.Errorf("encode request: %w", err)
		}
		kept := without(int(rec.NumRows()), bad.Rows)
		if len(kept) == 0 || len(bad.Rows) == 0 {
			return 0, nil
		}
		rest := rows.Take(r.conf.Alloc, []rows.Part{{Rec: rec, Rows: kept}})
		rec.Release()
		rec = rest
	}
}

// without numbers the rows up to n but those that are refused.
func without(n int, refused []connector.RowResult) []int32 {
	kept := make([]int32, 0, n)
	for i := range n {
		if len(refused) > 0 && refused[0].Row == i {
			refused = refused[1:]
			continue
		}
		kept = append(kept, int32(i))
	}
	return kept
}
