package airbyte

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// shelf is the input of the source in these tests: streams of numbered rows.
type shelf struct {
	t       *testing.T
	size    map[string]int
	batch   int
	marks   int                                // each so many-th batch has a position; the last one always
	fault   func(stream string, row int) error // what Read gives in the place of a row
	waits   map[int]time.Duration              // before a row of these, for the limit of the other side
	begun   map[string]connector.Position
	openErr error
	rows    map[int]string // texts in the place of rows
	mem     *memory.CheckedAllocator
}

func newShelf(t *testing.T) *shelf {
	s := &shelf{t: t, size: map[string]int{"events": 23, "empty": 0, "contacts": 7}, batch: 4, marks: 1, mem: memory.NewCheckedAllocator(&spoiling{})}
	t.Cleanup(func() { s.mem.AssertSize(t, 0) })
	return s
}

// spoiling destroys what is freed: a source may have the memory of a released record written anew.
type spoiling struct{ memory.GoAllocator }

func (*spoiling) Free(b []byte) {
	for i := range b {
		b[i] = 0xff
	}
}

var shelfColumns = []connector.StreamColumn{{Name: "id", Doc: "the key"}, {Name: "n", Type: connector.ColumnInteger, Doc: "grows"},
	{Name: "tags", Type: connector.ColumnTexts, Doc: "tags"}, {Name: "raw", Type: connector.ColumnJSON, Doc: "raw <&>"}}

func shelfStreams() []connector.Stream {
	return []connector.Stream{
		{Name: "events", Doc: "events", Columns: shelfColumns, Key: []string{"id"}, Cursor: "n"},
		{Name: "empty", Doc: "nothing", Columns: shelfColumns, Key: []string{"id"}, Cursor: "n"},
		{Name: "contacts", Doc: "contacts", Columns: shelfColumns, Key: []string{"id"}},
	}
}

// source is the Source over the shelf.
func (s *shelf) source() Source {
	return Source{
		Spec: []byte(spec), Check: func(context.Context, []byte, *slog.Logger) error { return nil }, StateRows: 9, Alloc: s.mem,
		Streams: func(context.Context, []byte) ([]connector.Stream, error) { return shelfStreams(), nil },
		Open: func(_ context.Context, _ []byte, from map[string]connector.Position, _ *slog.Logger) (Sync, error) {
			s.begun = from
			return s, s.openErr
		},
	}
}

func (s *shelf) Close() error { return nil }

func (s *shelf) Reader(stream string, throttled func(until time.Time)) (connector.Reader, error) {
	st := shelfStreams()
	for i := range st {
		if st[i].Name == stream {
			schema := arrow.NewSchema(append(st[i].Schema().Fields(), connector.JSONField(connector.ColumnExtra)), nil)
			return &shelfReader{shelf: s, stream: stream, throttled: throttled, builder: rows.NewBuilder(s.mem, schema)}, nil
		}
	}
	return nil, fmt.Errorf("no stream %q", stream)
}

type shelfReader struct {
	*shelf
	stream  string
	builder *rows.Builder
	at      int

	throttled func(time.Time)

	batches int
	refused []connector.RowResult
}

func (r *shelfReader) Open(_ context.Context, from connector.Position) error {
	var p struct{ N *int }
	if from == nil {
		return nil
	}
	if json.Unmarshal(from, &p) != nil || p.N == nil {
		return connector.Configf("Refresh it", "the position %s is none", from)
	}
	r.at = *p.N
	return nil
}

func (r *shelfReader) Read(ctx context.Context) (connector.Batch, error) {
	size := r.size[r.stream]
	if r.at >= size {
		return connector.Batch{}, io.EOF
	}
	for ; r.at < size && r.builder.Len() < r.batch; r.at++ {
		if wait := r.waits[r.at]; wait > 0 {
			r.throttled(time.Now().Add(wait))
			time.Sleep(wait) // of fake time
		}
		if r.fault != nil {
			if err := r.fault(r.stream, r.at); err != nil {
				if r.builder.Len() > 0 {
					break
				}
				return connector.Batch{}, err
			}
		}
		row := fmt.Sprintf(`{"id":"%s-%d","n":%d,"tags":["a","<&>"],"raw":{"x":[%d]}}`, r.stream, r.at, r.at, r.at)
		if text, ok := r.rows[r.at]; ok {
			row = text
		}
		if refusal := r.builder.Append([]byte(row)); refusal != nil {
			r.refused = append(r.refused, refusal.Result(r.builder.Len()))
			r.builder.AppendRefused([]byte(row))
		}
	}
	b := connector.Batch{Stream: r.stream, Rows: r.builder.NewRecord(), Bytes: 1000, Refused: r.refused}
	r.refused = nil
	if r.batches++; r.batches%r.marks == 0 || r.at == size {
		b.Pos = connector.Position(fmt.Sprintf(`{"n":%d}`, r.at))
	}
	return b, nil
}

func (r *shelfReader) Ack(context.Context, connector.Settled) error { return nil }
func (r *shelfReader) Close() error                                 { r.builder.Release(); return nil }

func sourceCatalogOf(names ...string) string {
	var streams []string
	for _, name := range names {
		streams = append(streams, fmt.Sprintf(`{"stream":{"name":%q,"namespace":null,"json_schema":{}},"sync_mode":"incremental","destination_sync_mode":"append","cursor_field":null,"primary_key":null}`, name))
	}
	return `{"streams":[` + strings.Join(streams, ",") + `]}`
}

// read runs the read command; state "" means no --state.
func (s *shelf) read(ctx context.Context, src Source, catalog, state string) (code int, lines []string) {
	s.t.Helper()
	var out buffer
	var errs bytes.Buffer
	args := append([]string{"read"}, files(s.t, `{"token":"s3cr3t-token"}`, catalog)...)
	if state != "" {
		path := filepath.Join(s.t.TempDir(), "s.json")
		if err := os.WriteFile(path, []byte(state), 0o400); err != nil {
			s.t.Fatal(err)
		}
		args = append(args, "--state="+path)
	}
	code = MainSource(ctx, args, &out, &errs, src)
	if errs.Len() > 0 {
		s.t.Errorf("standard error: %s", errs.String())
	}
	return code, out.lines()
}
