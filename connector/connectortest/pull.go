package connectortest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/rows"
)

var streamName = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// Streams holds what a vendor says of its way back to its own words: tables of settings that fit their struct, streams
// whose keys and cursors are columns, webhooks that feed streams.
func Streams(t *testing.T, src *connector.Source) {
	t.Helper()
	config.CheckTable(t, src.Fields, src.NewConfig())
	names := map[string]bool{connector.StreamRawEvents: true}
	for _, s := range src.Streams {
		if names[s.Name] || !streamName.MatchString(s.Name) || s.Title == "" || s.Doc == "" {
			t.Errorf("stream %q is repeated, is not snake_case, or has no title or description", s.Name)
		}
		names[s.Name] = true
		columns := map[string]connector.ColumnType{}
		for _, c := range s.Columns {
			if _, twice := columns[c.Name]; twice || c.Doc == "" || connector.IsReserved(c.Name) {
				t.Errorf("stream %s: column %q is repeated, reserved, or has no description", s.Name, c.Name)
			}
			columns[c.Name] = c.Type
		}
		if len(s.Key) == 0 {
			t.Errorf("stream %s has no key", s.Name)
		}
		for _, name := range append(slices.Clone(s.Key), s.Cursor) {
			if _, ok := columns[name]; !ok && name != "" {
				t.Errorf("stream %s: %q is no column", s.Name, name)
			}
		}
	}
	if len(src.Webhooks) > 0 && src.Tenant == nil {
		t.Error("the source has webhooks and no Tenant: of an inbox with several accounts each would read the others' rows")
	}
	for _, w := range src.Webhooks {
		if !streamName.MatchString(w.Name) || w.Title == "" || w.Doc == "" || w.Hook == nil {
			t.Errorf("webhook %q is not snake_case, or has no title, description or hook", w.Name)
		}
		for _, name := range w.Streams {
			if !names[name] {
				t.Errorf("webhook %s feeds %q, which is no stream", w.Name, name)
			}
		}
	}
}

// Sink is a connector.Rows and connector.Events that holds every row to its stream: no column but those it names, each of
// its type, no key column empty; and the row of an event to what a Hook vouches for. Rows are kept in the order in which
// they came. Close makes Arrow records of them.
type Sink struct {
	t       memory.TestingT
	streams map[string]*connector.Stream
	schemas map[string]*arrow.Schema
	objects map[string][][]byte
	Rows    map[string][]Row
	Request int64 // the sequence of the request whose events it takes
}

// Row is a row by column, each value as JSON.
type Row map[string]json.RawMessage

// Text is a column's value as text, "" where the row has none.
func (r Row) Text(column string) string {
	var s string
	if json.Unmarshal(r[column], &s) != nil {
		return string(r[column])
	}
	return s
}

// NewSink makes an empty Sink for the streams of src.
func NewSink(t memory.TestingT, src *connector.Source) *Sink {
	s := &Sink{t: t, streams: map[string]*connector.Stream{}, schemas: map[string]*arrow.Schema{}, objects: map[string][][]byte{}, Rows: map[string][]Row{}}
	for i := range src.Streams {
		st := &src.Streams[i]
		fields := st.Schema().Fields()
		for i, f := range fields {
			if f.Type.ID() == arrow.LIST { // goes in as JSON
				fields[i] = connector.JSONField(f.Name)
			}
		}
		s.streams[st.Name], s.schemas[st.Name] = st, arrow.NewSchema(fields, nil)
	}
	return s
}

// AppendJSON takes a row. Its bytes are the caller's again when it returns.
func (s *Sink) AppendJSON(stream string, object []byte) error {
	s.t.Helper()
	st := s.streams[stream]
	if st == nil {
		s.t.Errorf("a row of %q, which is no stream", stream)
		return nil
	}
	var row Row
	if err := json.Unmarshal(bytes.Clone(object), &row); err != nil {
		s.t.Errorf("stream %s: %q is no object: %v", stream, object, err)
		return nil
	}
	types := map[string]connector.ColumnType{}
	for _, c := range st.Columns {
		types[c.Name] = c.Type
	}
	for name, value := range row {
		if kind, ok := types[name]; !ok || !fits(kind, value) {
			s.t.Errorf("stream %s: column %s with %s: no such column, or not of its type", stream, name, value)
		}
	}
	for _, name := range st.Key {
		if len(row[name]) == 0 || string(row[name]) == "null" || string(row[name]) == `""` {
			s.t.Errorf("stream %s: a row without its key %s: %s", stream, name, object)
		}
	}
	s.objects[stream] = append(s.objects[stream], bytes.Clone(object))
	s.Rows[stream] = append(s.Rows[stream], row)
	return nil
}

// AppendEvent takes the row of an item.
func (s *Sink) AppendEvent(stream string, item int, members []byte) error {
	s.t.Helper()
	if st := s.streams[stream]; st != nil {
		if fault := Unsound(members, st.Cursor); fault != "" {
			s.t.Errorf("stream %s: %s: %q", stream, fault, members)
		}
		return s.AppendJSON(stream, rows.AppendNumbered(nil, st.Cursor, (&connector.Received{Seq: s.Request}).ItemSeq(item), members))
	}
	return s.AppendJSON(stream, members)
}

// Unsound says what of the promises of connector.Events the members break; "" if none.
func Unsound(members []byte, cursor string) string {
	var w rows.Walker
	names := map[string]bool{cursor: true}
	for ok := w.Open(members); ok && w.Next(); {
		if names[string(w.Key())] {
			return fmt.Sprintf("the name %q is there twice, or is the cursor's", w.Key())
		}
		names[string(w.Key())] = true
	}
	switch {
	case !w.Whole() || members[0] != '{' || members[len(members)-1] != '}':
		return "this is no JSON object, or not in UTF-8"
	case bytes.ContainsAny(members, "\r\n"):
		return "there are line breaks in it"
	}
	return ""
}

// Close holds the rows to what makes Arrow records of them.
func (s *Sink) Close() {
	s.t.Helper()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(s.t, 0)
	for stream, objects := range s.objects {
		b := rows.NewBuilder(mem, s.schemas[stream])
		defer b.Release()
		for _, object := range objects {
			if refusal := b.Append(object); refusal != nil {
				s.t.Errorf("stream %s: %q makes no row: %v", stream, object, refusal)
			}
		}
		b.NewRecord().Release()
	}
}

// fits reports whether the value is one of the type, or null.
func fits(kind connector.ColumnType, value json.RawMessage) bool {
	if string(value) == "null" {
		return true
	}
	var text string
	isText := json.Unmarshal(value, &text) == nil
	switch kind {
	case connector.ColumnInteger:
		var n int64
		return json.Unmarshal(value, &n) == nil
	case connector.ColumnBoolean:
		var b bool
		return json.Unmarshal(value, &b) == nil
	case connector.ColumnTimestamp:
		_, err := time.Parse(time.RFC3339, text)
		return isText && err == nil
	case connector.ColumnDate:
		_, err := time.Parse(time.DateOnly, text)
		return isText && err == nil
	case connector.ColumnTexts:
		var list []string
		return json.Unmarshal(value, &list) == nil
	case connector.ColumnJSON:
		return true
	}
	return isText
}

// Ask makes the call for one page, signed at now, and lets the puller read the answer.
func Ask(t testing.TB, p connector.Puller, rt http.RoundTripper, now time.Time, from connector.Position, out connector.Rows) (connector.Page, connector.Outcome, error) {
	t.Helper()
	var req connector.Request
	if err := p.AppendQuery(&req, from); err != nil {
		return connector.Page{}, connector.Outcome{}, err
	}
	return p.ParsePage(Send(t, p, rt, now, &req), from, out)
}

// Send makes one call, signed at now if asker signs its calls. An answer that breaks off has what came of its body.
func Send(t testing.TB, asker any, rt http.RoundTripper, now time.Time, req *connector.Request) *connector.Response {
	t.Helper()
	if s, ok := asker.(connector.Signer); ok {
		if err := s.Sign(req, now); err != nil {
			t.Fatal(err)
		}
	}
	hr, err := http.NewRequestWithContext(t.Context(), req.Method, req.URL, bytes.NewReader(req.Body))
	if err != nil {
		t.Fatal(err)
	}
	hr.Header = req.Header.Clone()
	resp, err := rt.RoundTrip(hr)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body) // cut where it breaks off
	return &connector.Response{Status: resp.StatusCode, Header: resp.Header, Body: body}
}
