package events

import (
	"encoding/json"
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/inbox"
	"github.com/sluicehq/sluice/internal/rows"
)

// request is the one being decoded.
type request struct {
	rec     *inbox.Record
	last    int64 // the last row of the batch that was cut inside it; 0: none was
	misfits int   // rows that did not fit the stream
	fatal   error // ends the run, whatever the decoder makes of it
}

// decoder makes batches of one page after another.
type decoder struct {
	*Reader
	builder *rows.Builder
	object  rows.Object
	event   []byte // a row with its cursor
	now     request
	ready   []connector.Batch
}

// run makes the batches of a page. The last one has the position behind the page, and may have no rows.
func (d *decoder) run(page *inbox.Page) ([]connector.Batch, error) {
	d.ready = nil
	for i := range page.Records {
		if err := d.take(&page.Records[i]); err != nil {
			if d.builder.Len() > 0 {
				d.builder.NewRecord().Release()
			}
			return d.ready, err
		}
	}
	if end := inbox.RowSeq(page.Last, lastItem); d.builder.Len() > 0 || end > d.from {
		d.cut(end)
	}
	return d.ready, nil
}

// requestID names a request, also where it is replayed.
func requestID(rec *inbox.Record) string {
	n := rec.Seq
	if rec.Origin != 0 {
		n = rec.Origin
	}
	return "request-" + strconv.FormatInt(n, 10)
}

// take makes the rows of one request.
func (d *decoder) take(rec *inbox.Record) error {
	d.now = request{rec: rec}
	failure := d.decode(rec)
	if d.now.fatal != nil {
		return d.now.fatal
	}
	if failure != nil && d.Stream.Name != connector.StreamRawEvents && d.unread.Add(1) <= told {
		d.Logger.Warn("a request cannot be read; it is kept as it came", "stream", d.Stream.Name, "request", rec.Seq, "endpoint", rec.Endpoint.Name, "error", failure.Error())
	}
	if err := d.whole(rec, failure); err != nil {
		return err
	}
	if d.full() || d.now.last != 0 {
		d.cut(inbox.RowSeq(rec.Seq, lastItem))
	}
	return nil
}

// decode gives the request to its decoder, which calls AppendEvent. Items up to the position that the Reader began at were
// had before, like those that came in an earlier request.
func (d *decoder) decode(rec *inbox.Record) (failure error) {
	hook := d.hooks[rec.Endpoint.Type]
	if hook == nil {
		return fmt.Errorf("no decoder knows the webhook %q", rec.Endpoint.Type)
	}
	defer func() {
		if p := recover(); p != nil {
			d.Logger.Error("panic in a decoder", "webhook", rec.Endpoint.Type, "request", rec.Seq, "stack", string(debug.Stack()))
			failure = fmt.Errorf("the decoder broke down: %v", p)
		}
	}()
	in := connector.Received{Seq: rec.Seq, At: rec.ReceivedAt, Tenant: rec.Endpoint.Account, Header: rec.Header(), Body: rec.Body, Seen: rec.Seen}
	if d.from >= inbox.RowSeq(rec.Seq, 0) {
		in.Seen = func(item int) bool { return rec.Seen(item) || inbox.RowSeq(rec.Seq, item) <= d.from }
	}
	return hook.Decode(&in, d)
}

// AppendEvent takes a row from the webhook's own decoder. Rows that are passed on as they are need not be looked at.
func (d *decoder) AppendEvent(stream string, item int, members []byte) error {
	if stream != d.Stream.Name || d.now.fatal != nil {
		return d.now.fatal
	}
	if d.full() {
		d.cutInside()
	}
	seq := inbox.RowSeq(d.now.rec.Seq, item)
	var refusal *rows.Refusal
	if d.builder.Keeps() {
		refusal = d.builder.AppendKept(seq, members)
	} else {
		d.event = rows.AppendNumbered(d.event[:0], d.Stream.Cursor, seq, members)
		refusal = d.builder.Append(d.event)
	}
	if refusal != nil {
		d.now.fatal = d.misfit(seq, members, refusal)
	}
	return d.now.fatal
}

// misfit keeps a row that does not fit the stream as one that has the row, as it is, in its column raw.
func (d *decoder) misfit(seq int64, members []byte, why *rows.Refusal) error {
	rec := d.now.rec
	d.now.misfits++
	if d.unread.Add(1) <= told {
		d.Logger.Warn("an event does not fit the columns of its stream; it is kept as text in the column raw",
			"stream", d.Stream.Name, "request", rec.Seq, "code", why.Code, "column", why.Field, "message", why.Message)
	}
	id := fmt.Sprintf("%s-%d", requestID(rec), d.now.misfits)
	var w rows.Walker
	for ok := w.Open(members); ok && w.Next(); {
		var text string
		if string(w.Key()) == "event_id" && json.Unmarshal(w.Value(), &text) == nil && text != "" {
			id = text
		}
	}
	return d.keep(rec, id, seq, members, false)
}

// whole appends the row about the request itself: of raw_events always, of other streams where it could not be read.
func (d *decoder) whole(rec *inbox.Record, failure error) error {
	switch {
	case d.Stream.Name == connector.StreamRawEvents:
		if inbox.RowSeq(rec.Seq, 0) <= d.from {
			return nil
		}
		d.object.Reset()
		if err := appendRaw(&d.object, rec, failure); err != nil {
			return err
		}
		if refusal := d.builder.Append(d.object.Bytes()); refusal != nil {
			return connector.Internalf("This is a defect: report it", "request %d makes no row: %w", rec.Seq, refusal)
		}
	case failure != nil && d.main[rec.Endpoint.Type] && d.behind(rec) > d.from:
		return d.keep(rec, requestID(rec), d.behind(rec), rec.Body, json.Valid(rec.Body))
	}
	return nil
}

// behind is the sequence of a row that stands for no item: it comes after all of them.
func (d *decoder) behind(rec *inbox.Record) int64 {
	return inbox.RowSeq(rec.Seq, min(rec.Items, lastItem))
}

// keep appends a row that has a text in its column raw, and nothing that was read out of it.
func (d *decoder) keep(rec *inbox.Record, id string, seq int64, raw []byte, isJSON bool) error {
	o := &d.object
	o.Reset()
	appendHead(o, id, seq, rec)
	if isJSON {
		o.Raw("raw", raw)
	} else {
		o.Text("raw", string(raw))
	}
	var refusal error
	if why := d.builder.Append(o.Bytes()); why != nil {
		refusal = why
	}
	if refusal != nil || !slices.ContainsFunc(d.Stream.Columns, func(c connector.StreamColumn) bool { return c.Name == "raw" }) {
		return connector.Internalf("This is a defect: report it", "request %d has a row that fits no column of the stream %s: %w", rec.Seq, d.Stream.Name, refusal)
	}
	return nil
}

func (d *decoder) full() bool {
	return d.builder.Len() >= d.BatchRows || d.builder.Bytes() >= d.BatchBytes
}

// cut makes a batch of the rows so far, between two requests: behind the row at.
func (d *decoder) cut(at int64) {
	b := d.batch()
	b.Pos, d.now.last = d.position(at), 0
	d.ready = append(d.ready, b)
}

// cutInside makes a batch in the middle of a request. Its position is that of the last row, as long as rows come in the
// order of their items.
func (d *decoder) cutInside() {
	b := d.batch()
	list := d.sequences(b.Rows)
	last := list[len(list)-1]
	if request, _ := inbox.SplitRowSeq(last); request == d.now.rec.Seq && slices.IsSorted(list) {
		b.Pos = d.position(last)
	}
	d.now.last = max(last, 1)
	d.ready = append(d.ready, b)
}

// batch takes the rows out of the builder.
func (d *decoder) batch() connector.Batch {
	b := connector.Batch{Stream: d.Stream.Name, Bytes: batchOverhead}
	if d.builder.Len() == 0 {
		return b
	}
	b.Rows = d.builder.NewRecord()
	b.Bytes += rows.Size(b.Rows)
	if d.now.last != 0 && d.sequences(b.Rows)[0] <= d.now.last {
		d.ready[len(d.ready)-1].Pos = nil // a run that began there would take a row of this batch for one that it had
	}
	return b
}

func (d *decoder) sequences(rec arrow.Record) []int64 {
	return rec.Column(d.seq).(*array.Int64).Int64Values()
}
