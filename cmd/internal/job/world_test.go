package job

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/all"
	nxsandbox "github.com/sluicehq/sluice/connector/nx/sandbox"
	"github.com/sluicehq/sluice/internal/pipeline"
	"github.com/sluicehq/sluice/internal/rows"
	"github.com/sluicehq/sluice/internal/sandbox"
	"github.com/sluicehq/sluice/transforms"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is an NXLink sandbox with its journal, and a target that reaches it without a network.
type world struct {
	nx     *nxsandbox.Sandbox
	server *sandbox.Server
	target *Target

	mu        sync.Mutex
	entries   []sandbox.Entry
	committed map[string]int // identifier → commits so far
}

func newWorld(t *testing.T, faults, preset string, d Delivery) *world {
	t.Helper()
	return newSeededWorld(t, 7, faults, preset, d)
}

func newSeededWorld(t *testing.T, seed uint64, faults, preset string, d Delivery) *world {
	t.Helper()
	w := &world{nx: nxsandbox.New(nxsandbox.Options{}), committed: map[string]int{}}
	f, err := sandbox.ParseFaults(faults)
	if err != nil {
		t.Fatal(err)
	}
	w.server = sandbox.New(sandbox.Options{Seed: seed, Faults: f, Journal: w}, w.nx)
	v, _ := all.Lookup("nxlink")
	cfg := v.NewConfig()
	if err := json.Unmarshal(fmt.Appendf(nil, `{"access_key":%q,"access_secret":%q,"tenant_id":%d,"app_key":%q,"base_url":"http://127.0.0.1"}`,
		nxsandbox.AccessKey, nxsandbox.AccessSecret, nxsandbox.TenantID, nxsandbox.AppKey), cfg); err != nil {
		t.Fatal(err)
	}
	s := Settings{Delivery: d, Transport: sandbox.Transport(w.server), Log: slog.New(slog.DiscardHandler)}
	if preset != "" {
		if s.Preset, err = transforms.Parse("preset", []byte(preset)); err != nil {
			t.Fatal(err)
		}
	}
	if w.target, err = NewTarget(t.Context(), &v, cfg, s); err != nil {
		t.Fatal(err)
	}
	return w
}

// Write takes the sandbox's journal.
func (w *world) Write(line []byte) (int, error) {
	var e sandbox.Entry
	if err := json.Unmarshal(line, &e); err != nil {
		return 0, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.entries = append(w.entries, e)
	if e.Committed {
		for _, k := range e.Keys {
			w.committed[k]++
		}
	}
	return len(line), nil
}

// calls returns the requests of the journal.
func (w *world) calls() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.entries)
}

// struck counts the calls of the journal that each kind of fault struck.
func (w *world) struck() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := map[string]int{}
	for _, e := range w.entries {
		for kind := range strings.SplitSeq(e.Fault, "+") {
			if kind != "" {
				n[kind]++
			}
		}
	}
	return n
}

// list is a Reader over JSON lines held in memory; its position is the number of lines before it.
type list struct {
	mem    memory.Allocator
	lines  [][]byte
	batch  int
	at     int
	fields []string
	acked  func(before int)
}

func (l *list) Open(context.Context, connector.Position) error { return nil }
func (l *list) Close() error                                   { return nil }

func (l *list) Read(ctx context.Context) (connector.Batch, error) {
	if err := ctx.Err(); err != nil {
		return connector.Batch{}, err
	}
	if l.at == len(l.lines) {
		return connector.Batch{}, io.EOF
	}
	b := rows.NewBuilder(l.mem, rows.RawSchema(l.fields))
	defer b.Release()
	for n := 0; n < l.batch && l.at < len(l.lines); n++ {
		if refusal := b.Append(l.lines[l.at]); refusal != nil {
			return connector.Batch{}, refusal
		}
		l.at++
	}
	rec := b.NewRecord()
	return connector.Batch{Stream: "contacts", Rows: rec, Pos: fmt.Append(nil, l.at), Bytes: rows.Size(rec)}, nil
}

func (l *list) Ack(_ context.Context, s connector.Settled) error {
	var n int
	if err := json.Unmarshal(s.Pos, &n); err != nil {
		return err
	}
	if l.acked != nil {
		l.acked(n)
	}
	return nil
}

// memoryRejects keeps dead letters in memory.
type memoryRejects struct {
	mu  sync.Mutex
	all []pipeline.Reject
}

func (m *memoryRejects) Write(_ context.Context, rejects []pipeline.Reject) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range rejects {
		r.Row = bytes.Clone(r.Row)
		m.all = append(m.all, r)
	}
	return nil
}

func (m *memoryRejects) len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.all)
}
