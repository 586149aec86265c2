package airbyte

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// asDestination makes the test binary itself a destination, for the tests that need a process.
const asDestination = "SLUICE_TEST_AS_DESTINATION"

func TestMain(m *testing.M) {
	if os.Getenv(asDestination) != "" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		code := Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, destination(nil))
		stop()
		os.Exit(code)
	}
	goleak.VerifyTestMain(m)
}

const spec = `{
  "documentationUrl": "https://example.com/<docs>&more",
  "supported_destination_sync_modes": ["append_dedup", "append", "overwrite"],
  "connectionSpecification": {"type": "object", "properties": {
    "region": {"type": "string"},
    "token": {"type": "string", "airbyte_secret": true},
    "vendor": {"type": "object", "oneOf": [{"properties": {"kind": {"const": "a"}, "key": {"type": "string", "airbyte_secret": true}}}]},
    "tokens": {"type": "array", "items": {"type": "string", "airbyte_secret": true}}
  }}
}`

// sink is what the destination of these tests received.
type sink struct {
	mu   sync.Mutex
	rows []string // stream and row as JSON, or stream and code for a refused one
}

func (s *sink) add(row string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows = append(s.rows, row)
}

// destination delivers every row to s but those that hold "bad", which it rejects.
func destination(s *sink) Destination {
	return Destination{
		Spec:  []byte(spec),
		Check: func(context.Context, []byte) error { return nil },
		Operations: func([]byte) ([]Operation, error) {
			return []Operation{{ObjectName: "contact", SyncMode: "append_dedup", MatchingKeys: [][]string{{"email"}, {"phone"}},
				JSONSchema: []byte("{\"type\": \"object\",\n \"properties\": {}}")}}, nil
		},
		Write: func(ctx context.Context, _ []byte, in connector.Reader, _ *slog.Logger) error {
			defer in.Close()
			if err := in.Open(ctx, nil); err != nil {
				return err
			}
			for {
				b, err := in.Read(ctx)
				switch {
				case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
					return nil
				case err != nil:
					return err
				}
				if err := in.Ack(ctx, deliver(s, b)); err != nil {
					return err
				}
			}
		},
	}
}

// deliver settles a batch.
func deliver(s *sink, b connector.Batch) connector.Settled {
	defer b.Rows.Release()
	answer := connector.Settled{Pos: b.Pos, Rows: b.NumRows()}
	refused := map[int]connector.RowResult{}
	for _, r := range b.Refused {
		refused[r.Row] = r
	}
	for i := range b.NumRows() {
		row := string(rows.AppendJSON(nil, b.Rows, i))
		r, unread := refused[i]
		switch {
		case unread:
			answer.Rejected = append(answer.Rejected, r)
			s.add(b.Stream + " " + r.Code)
		case strings.Contains(row, `"bad"`):
			answer.Rejected = append(answer.Rejected, connector.RowResult{Row: i, Verdict: connector.VerdictRejected, Code: "test"})
		default:
			s.add(b.Stream + " " + row)
		}
	}
	return answer
}

// catalogOf makes a configured catalog of streams with one typed schema.
func catalogOf(names ...string) string {
	var streams []string
	for _, name := range names {
		streams = append(streams, fmt.Sprintf(`{"stream":{"name":%q,"namespace":null,"json_schema":{"type":"object","properties":{`+
			`"email":{"type":["null","string"]},"n":{"type":"integer"},"amount":{"type":"number"},"tags":{"type":"array"},"_airbyte_raw_id":{"type":"string"}}}},`+
			`"sync_mode":"full_refresh","destination_sync_mode":"append_dedup","primary_key":null,"generation_id":null}`, name))
	}
	return `{"streams":[` + strings.Join(streams, ",") + `]}`
}

// files writes a config and a catalog and returns the flags that name them.
func files(t testing.TB, config, catalog string) []string {
	t.Helper()
	dir := t.TempDir()
	flags := []string{"--config", filepath.Join(dir, "c.json"), "--catalog", filepath.Join(dir, "k.json")}
	for i, text := range []string{config, catalog} {
		if err := os.WriteFile(flags[2*i+1], []byte(text), 0o444); err != nil {
			t.Fatal(err)
		}
	}
	return flags
}

// buffer is an output that may be looked at while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) lines() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := strings.TrimSuffix(b.b.String(), "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// of returns the lines of one type.
func of(lines []string, kind string) (found []string) {
	for _, l := range lines {
		if strings.HasPrefix(l, `{"type":"`+kind+`"`) {
			found = append(found, l)
		}
	}
	return found
}

// write runs the write command over the input.
func write(t testing.TB, d Destination, catalog, input string) (code int, lines []string) {
	t.Helper()
	var out buffer
	var errs bytes.Buffer
	args := append([]string{"write"}, files(t, `{"token":"s3cr3t-token"}`, catalog)...)
	code = Main(t.Context(), args, strings.NewReader(input), &out, &errs, d)
	if errs.Len() > 0 {
		t.Errorf("standard error: %s", errs.String())
	}
	return code, out.lines()
}

func equal(t testing.TB, what string, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("%s %d is missing: %s", what, i, want[i])
		case i >= len(want):
			t.Errorf("%s %d is too much: %s", what, i, got[i])
		case got[i] != want[i]:
			t.Errorf("%s %d:\n got %s\nwant %s", what, i, got[i], want[i])
		}
	}
}

// patience bounds what waits for another process; nothing is measured by it.
const patience = 60 * time.Second
