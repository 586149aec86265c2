package airbyte

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
)

// Source is what a program has to bring along to be an Airbyte source. Its functions get the configuration as the host
// wrote it.
type Source struct {
	// Spec is the ConnectorSpecification, one JSON object. Values that it marks as airbyte_secret are hidden in all output.
	Spec []byte
	// Check tells whether the configuration works: nil if it does. An Internal error is a defect, any other the answer "no".
	Check func(ctx context.Context, config []byte, log *slog.Logger) error
	// Streams lists what this configuration can read.
	Streams func(ctx context.Context, config []byte) ([]connector.Stream, error)
	// Open begins a sync. from holds the positions that the host handed in, which it has therefore committed: for each
	// stream of the catalog its own, nil for none.
	Open func(ctx context.Context, config []byte, from map[string]connector.Position, log *slog.Logger) (Sync, error)

	// What follows may be left out.

	// Secrets returns values to hide beside those that Spec marks.
	Secrets func(config []byte) []string

	StateRows int           // a state comes after so many records; default 5,000
	StateAge  time.Duration // or after so long; default 1 minute
	Alloc     memory.Allocator
}

// Sync is one sync of a Source.
type Sync interface {
	// Reader makes the reader of a stream. Its positions are JSON objects. While its Read waits because the other side wants
	// fewer calls, it calls throttled as the wait begins, with the time when it goes on.
	Reader(stream string, throttled func(until time.Time)) (connector.Reader, error)
	Close() error
}

const (
	defaultStateRows = 5000
	defaultStateAge  = time.Minute
)

// MainSource runs the command that args (without the program's name) ask for and returns the exit code: 0 done, 1 failed
// (an error trace says why), 2 wrong usage, 143 stopped by ctx. read returns 0 only when every stream is complete.
func MainSource(ctx context.Context, args []string, stdout, stderr io.Writer, s Source) int {
	s.StateRows = cmp.Or(s.StateRows, defaultStateRows)
	s.StateAge = cmp.Or(s.StateAge, defaultStateAge)
	return program(ctx, sourceCommands, args, stdout, stderr, s.Spec, s.Secrets, func(ctx context.Context, a arguments, c *console) int {
		run := &sourceRun{Source: s, console: c}
		switch a.command {
		case "spec":
			return run.end(ctx, run.printSpec())
		case "check":
			works := func(ctx context.Context, config []byte) error { return s.Check(ctx, config, run.log) }
			return run.end(ctx, run.check(ctx, a, works))
		case "discover":
			return run.end(ctx, run.discover(ctx, a))
		}
		return run.read(ctx, a)
	})
}

// sourceRun is one run of one command.
type sourceRun struct {
	Source
	*console
}

func (s *sourceRun) discover(ctx context.Context, a arguments) error {
	config, err := s.config(a.config)
	if err != nil {
		return err
	}
	streams, err := s.Streams(ctx, config)
	if err != nil {
		return err
	}
	catalog, err := describe(streams)
	if err != nil {
		return err
	}
	return s.out.send(message{Type: "CATALOG", Catalog: catalog})
}

// read emits the streams of the catalog, one after another. A stream that cannot be read does not keep the others back.
func (s *sourceRun) read(ctx context.Context, a arguments) int {
	plan, err := s.plan(ctx, a)
	if err != nil {
		return s.end(ctx, err)
	}
	from := map[string]connector.Position{}
	for _, e := range plan.streams {
		if e.fault == nil {
			from[e.stream.Name] = e.given
		}
	}
	var sync Sync
	if len(from) > 0 {
		if sync, err = s.Open(ctx, plan.config, from, s.log); err != nil {
			return s.end(ctx, err)
		}
		defer func() {
			if err := sync.Close(); err != nil {
				s.log.Warn("the source was not closed in order", "error", err)
			}
		}()
	}
	for _, e := range plan.streams {
		s.stream(ctx, sync, e)
	}
	switch {
	case s.out.failure() != nil: // nobody can be told
		return exitFailed
	case s.failed:
		return exitFailed
	case ctx.Err() != nil:
		s.log.Warn("stopped before all was read; the states written so far are safe, what is behind them comes with the next sync")
		return exitStopped
	}
	return exitOK
}

// stream reads one stream from its STARTED to its last status.
func (s *sourceRun) stream(ctx context.Context, sync Sync, e *emitter) {
	e.status("STARTED")
	err := e.fault
	if err == nil {
		err = s.guarded(func() error { return e.run(ctx, sync) })
	}
	if err == nil {
		e.status("COMPLETE")
		return
	}
	if ctx.Err() == nil || !stopped(ctx, err) {
		s.sendError(err, "", &e.name)
	}
	e.status("INCOMPLETE")
}

// guarded keeps the panic of one stream from the others.
func (s *sourceRun) guarded(run func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = connector.Internalf("This is a defect: report it with the log of this sync", "panic: %v", p)
		}
	}()
	return run()
}

// plan is what the host asks read for.
type plan struct {
	config  []byte
	streams []*emitter
}

func (s *sourceRun) plan(ctx context.Context, a arguments) (*plan, error) {
	if medium := os.Getenv("DATA_CHANNEL_MEDIUM"); strings.EqualFold(medium, "SOCKET") {
		return nil, connector.Configf("Set DATA_CHANNEL_MEDIUM to STDIO", "this source writes standard output only, and the platform asks for sockets")
	}
	config, err := s.config(a.config)
	if err != nil {
		return nil, err
	}
	text, err := readFile("catalog", a.catalog)
	if err != nil {
		return nil, err
	}
	catalog, err := parseCatalog(a.catalog, text)
	if err != nil {
		return nil, err
	}
	var states states
	if a.state != "" {
		if text, err = readFile("state", a.state); err != nil {
			return nil, err
		}
		if states, err = parseStates(text); err != nil {
			return nil, err
		}
	}
	known, err := s.Streams(ctx, config)
	if err != nil {
		return nil, err
	}
	p := &plan{config: config}
	taken := map[string]bool{}
	for i := range catalog {
		e := s.emitter(&catalog[i], known, states)
		if taken[e.stream.Name] && e.fault == nil {
			e.fault = connector.Configf("Leave one of them out of the catalog", "the catalog holds the stream %s twice", e.stream.Name)
		}
		taken[e.stream.Name] = true
		p.streams = append(p.streams, e)
	}
	return p, nil
}

// emitter prepares a stream of the catalog; one that cannot be read has a fault.
func (s *sourceRun) emitter(c *configured, known []connector.Stream, states states) *emitter {
	e := newEmitter(s, streamName{c.Stream.Name, c.Stream.Namespace})
	found := false
	for i := range known {
		if known[i].Name == c.Stream.Name {
			e.stream, found = known[i], true
		}
	}
	switch mode := strings.ToLower(c.SyncMode); {
	case !found:
		e.fault = connector.Configf("Refresh the schema of the connection; the configuration may no longer allow for that stream",
			"there is no stream %q", c.Stream.Name)
	case mode != "full_refresh" && mode != "incremental":
		e.fault = connector.Configf("Choose full refresh or incremental", "the stream %s asks for the sync mode %q, which does not exist", c.Stream.Name, c.SyncMode)
	default:
		// A full refresh that has a state goes on where an attempt of the same job was cut short; the host forgets the state
		// before it begins a new one. So the mode makes no difference, nor does incremental for a stream without a cursor.
		e.given = states.find(&e.name)
	}
	return e
}

// sourceCatalog is the answer to discover.
type sourceCatalog struct {
	Streams []sourceStream `json:"streams"`
}

type sourceStream struct {
	Name       string          `json:"name"`
	JSONSchema json.RawMessage `json:"json_schema"`
	Modes      []string        `json:"supported_sync_modes"`
	OwnCursor  bool            `json:"source_defined_cursor,omitempty"`
	Cursor     []string        `json:"default_cursor_field,omitempty"`
	Key        [][]string      `json:"source_defined_primary_key,omitempty"`
	Resumable  bool            `json:"is_resumable"`
}

func describe(streams []connector.Stream) (*sourceCatalog, error) {
	if len(streams) == 0 {
		return nil, connector.Configf("Say where the inbox is, or give what queries need", "this configuration has no streams")
	}
	c := &sourceCatalog{}
	for i := range streams {
		st := &streams[i]
		d := sourceStream{Name: st.Name, JSONSchema: jsonSchema(st), Modes: []string{"full_refresh"}}
		if !json.Valid(d.JSONSchema) {
			return nil, fmt.Errorf("airbyte: the schema of stream %s is not JSON", st.Name)
		}
		for _, k := range st.Key {
			d.Key = append(d.Key, []string{k})
		}
		if st.Cursor != "" {
			d.Modes, d.OwnCursor, d.Cursor, d.Resumable = []string{"full_refresh", "incremental"}, true, []string{st.Cursor}, true
		}
		c.Streams = append(c.Streams, d)
	}
	return c, nil
}

var errNotAnObject = errors.New("airbyte: a position that is no JSON object")
