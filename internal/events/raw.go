package events

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/inbox"
	"github.com/sluicehq/sluice/internal/rows"
)

// Raw describes the stream of every accepted webhook, one row a request.
func Raw() connector.Stream {
	return connector.Stream{
		Name: connector.StreamRawEvents, Title: "Raw events",
		Doc: "Every accepted webhook as it came, one row a request, whether or not its items can be read. `error` says why not.",
		Columns: slices.Concat(connector.EventColumns, []connector.StreamColumn{
			{Name: "endpoint", Doc: "name of the receiver's endpoint"},
			{Name: "webhook", Doc: "kind of the webhook"},
			{Name: "method", Doc: "HTTP method"},
			{Name: "headers", Type: connector.ColumnJSON, Doc: "the headers that were kept, each with its values"},
			{Name: "body", Doc: "the body as text; bytes that are no text are replaced"},
			{Name: "body_base64", Doc: "the body byte for byte, where it is not all text"},
			{Name: "items", Type: connector.ColumnInteger, Doc: "events in the request"},
			{Name: "repeated", Type: connector.ColumnInteger, Doc: "of these, how many had come before"},
			{Name: "replay_of", Type: connector.ColumnInteger, Doc: "number of the request that this one repeats, because a person released or replayed it"},
			{Name: "note", Doc: "what the receiver remarked"},
			{Name: "error", Doc: "why no events could be read out of it"},
		}),
		Key: []string{"event_id"}, Cursor: "seq",
	}
}

// ownHeaders begin the names of what the receiver notes among the headers for itself.
const ownHeaders = "Sluice-"

// appendHead writes the columns that a row about a whole request has in common with those of events.
func appendHead(o *rows.Object, id string, seq int64, rec *inbox.Record) {
	o.Text("event_id", id)
	o.Int("seq", seq)
	o.Time("received_at", rec.ReceivedAt)
	o.Text("vendor", rec.Endpoint.Vendor)
	o.Text("tenant_id", rec.Endpoint.Account)
}

// appendRaw writes the row of a request in the stream raw_events.
func appendRaw(o *rows.Object, rec *inbox.Record, failure error) error {
	appendHead(o, requestID(rec), inbox.RowSeq(rec.Seq, 0), rec)
	o.Text("endpoint", rec.Endpoint.Name)
	o.Text("webhook", rec.Endpoint.Type)
	o.Text("method", rec.Method)
	h := rec.Header()
	maps.DeleteFunc(h, func(name string, _ []string) bool { return strings.HasPrefix(name, ownHeaders) })
	if len(h) > 0 {
		text, err := json.Marshal(h)
		if err != nil {
			return err
		}
		o.Raw("headers", text)
	}
	o.Text("body", string(rec.Body))
	if !utf8.Valid(rec.Body) {
		o.Text("body_base64", base64.StdEncoding.EncodeToString(rec.Body))
	}
	o.Int("items", int64(rec.Items))
	repeated := int64(0)
	for i := range rec.Items {
		if rec.Seen(i) {
			repeated++
		}
	}
	o.Int("repeated", repeated)
	if rec.Origin != 0 {
		o.Int("replay_of", rec.Origin)
	}
	o.Text("note", rec.Note)
	if failure != nil {
		o.Text("error", failure.Error())
	}
	return nil
}
