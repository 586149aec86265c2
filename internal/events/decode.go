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

// requestID names a request, also where it is replayed.
func requestID(rec *inbox.Record) string {
	n := rec.Seq
	if rec.Origin != 0 {
		n = rec.Origin
	}
	return "request-" + strconv.FormatInt(n, 10)
}

// take makes the rows of one request.
func (r *Reader) take(rec *inbox.Record) error {
	r.now = request{rec: rec}
	failure := r.decode(rec)
	if r.now.fatal != nil {
		return r.now.fatal
	}
	if failure != nil {
		if r.unread++; r.unread <= told {
			r.Logger.Warn("a request cannot be read; it is kept as it came", "stream", r.Stream.Name, "request", rec.Seq, "endpoint", rec.Endpoint.Name, "error", failure.Error())
		}
	}
	if err := r.whole(rec, failure); err != nil {
		return err
	}
	r.at = inbox.RowSeq(rec.Seq, lastItem)
	if r.full() || r.now.last != 0 {
		r.cut()
	}
	return nil
}

// decode gives the request to its decoder, which calls AppendJSON. Items up to the position that the Reader began at were
// had before, like those that came in an earlier request.
func (r *Reader) decode(rec *inbox.Record) (failure error) {
	hook := r.hooks[rec.Endpoint.Type]
	if hook == nil {
		return fmt.Errorf("no decoder knows the webhook %q", rec.Endpoint.Type)
	}
	defer func() {
		if p := recover(); p != nil {
			r.Logger.Error("panic in a decoder", "webhook", rec.Endpoint.Type, "request", rec.Seq, "stack", string(debug.Stack()))
			failure = fmt.Errorf("the decoder broke down: %v", p)
		}
	}()
	in := connector.Received{Seq: rec.Seq, At: rec.ReceivedAt, Tenant: rec.Endpoint.Account, Header: rec.Header(), Body: rec.Body, Seen: rec.Seen}
	if r.from >= inbox.RowSeq(rec.Seq, 0) {
		in.Seen = func(item int) bool { return rec.Seen(item) || inbox.RowSeq(rec.Seq, item) <= r.from }
	}
	return hook.Decode(&in, r)
}

// AppendJSON takes a row from a decoder. It is no part of the Reader's own interface.
func (r *Reader) AppendJSON(stream string, object []byte) error {
	if stream != r.Stream.Name || r.now.fatal != nil {
		return r.now.fatal
	}
	if r.full() {
		r.cutInside()
	}
	if refusal := r.builder.Append(object); refusal != nil {
		r.now.fatal = r.misfit(object, refusal)
	}
	return r.now.fatal
}

// misfit keeps a row that does not fit the stream as one that has the row, as it is, in its column raw.
func (r *Reader) misfit(object []byte, why *rows.Refusal) error {
	rec := r.now.rec
	r.now.misfits++
	if r.unread++; r.unread <= told {
		r.Logger.Warn("an event does not fit the columns of its stream; it is kept as text in the column raw",
			"stream", r.Stream.Name, "request", rec.Seq, "code", why.Code, "column", why.Field, "message", why.Message)
	}
	id, seq := fmt.Sprintf("%s-%d", requestID(rec), r.now.misfits), r.behind(rec)
	var w rows.Walker
	for ok := w.Open(object); ok && w.Next(); {
		switch string(w.Key()) {
		case "event_id":
			var text string
			if json.Unmarshal(w.Value(), &text) == nil && text != "" {
				id = text
			}
		case r.Stream.Cursor:
			if n, err := strconv.ParseInt(string(w.Value()), 10, 64); err == nil {
				seq = n
			}
		}
	}
	return r.keep(rec, id, seq, object, false)
}

// whole appends the row about the request itself: of raw_events always, of other streams where it could not be read.
func (r *Reader) whole(rec *inbox.Record, failure error) error {
	switch {
	case r.Stream.Name == connector.StreamRawEvents:
		if inbox.RowSeq(rec.Seq, 0) <= r.from {
			return nil
		}
		r.object.Reset()
		if err := appendRaw(&r.object, rec, failure); err != nil {
			return err
		}
		if refusal := r.builder.Append(r.object.Bytes()); refusal != nil {
			return connector.Internalf("This is a defect: report it", "request %d makes no row: %w", rec.Seq, refusal)
		}
	case failure != nil && r.main[rec.Endpoint.Type] && r.behind(rec) > r.from:
		return r.keep(rec, requestID(rec), r.behind(rec), rec.Body, json.Valid(rec.Body))
	}
	return nil
}

// behind is the sequence of a row that stands for no item: it comes after all of them.
func (r *Reader) behind(rec *inbox.Record) int64 {
	return inbox.RowSeq(rec.Seq, min(rec.Items, lastItem))
}

// keep appends a row that has a text in its column raw, and nothing that was read out of it.
func (r *Reader) keep(rec *inbox.Record, id string, seq int64, raw []byte, isJSON bool) error {
	o := &r.object
	o.Reset()
	appendHead(o, id, seq, rec)
	if isJSON {
		o.Raw("raw", raw)
	} else {
		o.Text("raw", string(raw))
	}
	var refusal error
	if why := r.builder.Append(o.Bytes()); why != nil {
		refusal = why
	}
	if refusal != nil || !slices.ContainsFunc(r.Stream.Columns, func(c connector.StreamColumn) bool { return c.Name == "raw" }) {
		return connector.Internalf("This is a defect: report it", "request %d has a row that fits no column of the stream %s: %w", rec.Seq, r.Stream.Name, refusal)
	}
	return nil
}

func (r *Reader) full() bool {
	return r.builder.Len() >= r.BatchRows || r.builder.Bytes() >= r.BatchBytes
}

// cut makes a batch of the rows so far, between two requests. Its position is behind the last one.
func (r *Reader) cut() {
	b := r.batch()
	b.Pos, r.given, r.now.last, r.fresh = positionAt(r.at), r.at, 0, false
	r.ready = append(r.ready, b)
}

// cutInside makes a batch in the middle of a request. Its position is that of the last row, as long as rows come in the
// order of their items.
func (r *Reader) cutInside() {
	b := r.batch()
	list := r.sequences(b.Rows)
	last := list[len(list)-1]
	if request, _ := inbox.SplitRowSeq(last); request == r.now.rec.Seq && slices.IsSorted(list) {
		b.Pos = positionAt(last)
	}
	r.now.last = max(last, 1)
	r.ready = append(r.ready, b)
}

// batch takes the rows out of the builder.
func (r *Reader) batch() connector.Batch {
	b := connector.Batch{Stream: r.Stream.Name, Bytes: batchOverhead}
	if r.builder.Len() == 0 {
		return b
	}
	b.Rows = r.builder.NewRecord()
	b.Bytes += rows.Size(b.Rows)
	if r.now.last != 0 && r.sequences(b.Rows)[0] <= r.now.last {
		r.ready[len(r.ready)-1].Pos = nil // a run that began there would take a row of this batch for one that it had
	}
	return b
}

func (r *Reader) sequences(rec arrow.Record) []int64 {
	return rec.Column(r.seq).(*array.Int64).Int64Values()
}
