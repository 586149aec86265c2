package job

import (
	"context"
	"errors"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
	"github.com/sluicehq/sluice/transforms"
)

// Told is what becomes of one record.
type Told struct {
	transforms.Explanation
	Request *connector.Request // how it would be sent; nil: it would not
}

// Explain runs one record, a JSON object, through the mapping and the codec. Nothing is sent.
func (t *Target) Explain(ctx context.Context, stream string, object []byte) (Told, error) {
	b := rows.NewBuilder(memory.DefaultAllocator, rows.RawSchema(t.Mapping.Fields(stream)))
	defer b.Release()
	if refusal := b.Append(object); refusal != nil {
		return Told{}, connector.Configf("Give one JSON object in UTF-8", "the record cannot be read: %s", refusal.Message)
	}
	rec := b.NewRecord()
	defer rec.Release()
	trace, err := t.Mapping.Explain(stream, rec, 0)
	told := Told{Explanation: trace}
	if err != nil || trace.Skipped || trace.Filtered || len(trace.Rejected) > 0 {
		return told, err
	}
	plans, err := t.Mapping.Plans(stream, rec.Schema())
	if err != nil {
		return told, err
	}
	applied, err := plans[0].Apply(ctx, rec, nil)
	if err != nil {
		return told, err
	}
	defer applied.Rows.Release()
	codec, err := t.Codec(plans[0].Stream(), plans[0].Schema())
	if err != nil {
		return told, err
	}
	var req connector.Request
	err = codec.AppendRequest(&req, applied.Rows)
	var refused *connector.RowsError
	if errors.As(err, &refused) {
		told.Rejected = append(told.Rejected, refused.Rows...)
		return told, nil
	}
	told.Request = &req
	return told, err
}
