package airbyte

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/wire/wiretest"
)

// The suite of sources, for several sizes of batches and of what has a position.
func TestSourceContract(t *testing.T) {
	for _, c := range []struct{ batch, marks, every int }{{4, 1, 9}, {1, 1, 1}, {3, 2, 5}, {100, 1, 10}, {2, 3, 1000}} {
		s := newShelf(t)
		s.batch, s.marks = c.batch, c.marks
		src := s.source()
		src.StateRows = c.every
		wiretest.RunSource(t, wiretest.SourceHarness{Streams: []string{"events", "empty", "contacts"}, Read: func(state []byte) ([]string, int) {
			code, lines := s.read(t.Context(), src, sourceCatalogOf("events", "empty", "contacts"), string(state))
			return lines, code
		}})
	}
}

func TestSourceTranscript(t *testing.T) {
	s := newShelf(t)
	s.size["events"] = 5
	code, lines := s.read(t.Context(), s.source(), `{"streams":[{"stream":{"name":"events","namespace":"ns"},"sync_mode":"full_refresh"}]}`, `[]`)
	for i := range lines { // times
		if at := strings.Index(lines[i], `"emitted_at":`); at >= 0 {
			end := at + len(`"emitted_at":`)
			for end < len(lines[i]) && lines[i][end] >= '0' && lines[i][end] <= '9' {
				end++
			}
			lines[i] = lines[i][:at] + `"emitted_at":0` + lines[i][end:]
		}
	}
	status := func(word string) string {
		return `{"type":"TRACE","trace":{"type":"STREAM_STATUS","emitted_at":0,"stream_status":{"stream_descriptor":{"name":"events","namespace":"ns"},"status":"` + word + `"}}}`
	}
	want := []string{status("STARTED"), status("RUNNING")}
	for i := range 5 {
		want = append(want, fmt.Sprintf(`{"type":"RECORD","record":{"stream":"events","namespace":"ns","data":{"id":"events-%d","n":%d,"tags":["a","<&>"],"raw":{"x":[%d]}},"emitted_at":0}}`, i, i, i))
	}
	want = append(want, `{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"events","namespace":"ns"},"stream_state":{"n":5}},"sourceStats":{"recordCount":5.0}}}`, status("COMPLETE"))
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	equal(t, "line", lines, want)
}

func TestSourceDiscover(t *testing.T) {
	s := newShelf(t)
	var out buffer
	flags := files(t, `{}`, `{}`)
	if code := MainSource(t.Context(), append([]string{"discover"}, flags[:2]...), &out, io.Discard, s.source()); code != 0 {
		t.Fatalf("exit code %d: %s", code, out.lines())
	}
	var m struct {
		Catalog struct{ Streams []map[string]any }
	}
	if err := json.Unmarshal([]byte(out.lines()[0]), &m); err != nil || len(m.Catalog.Streams) != 3 {
		t.Fatalf("%v: %s", err, out.lines())
	}
	one := m.Catalog.Streams[0]
	properties := one["json_schema"].(map[string]any)["properties"].(map[string]any)
	if fmt.Sprint(one["source_defined_primary_key"], one["default_cursor_field"], one["source_defined_cursor"], one["is_resumable"], one["supported_sync_modes"]) !=
		"[[id]] [n] true true [full_refresh incremental]" || fmt.Sprint(properties["id"], properties["tags"]) !=
		"map[description:the key type:string] map[description:tags items:map[type:[null string]] type:[null array]]" {
		t.Errorf("got %v", one)
	}
	if fmt.Sprint(m.Catalog.Streams[2]["supported_sync_modes"], m.Catalog.Streams[2]["is_resumable"]) != "[full_refresh] false" {
		t.Errorf("got %v", m.Catalog.Streams[2])
	}
}

// What one stream suffers does not keep back the others; the exit code tells of it.
func TestSourceFaults(t *testing.T) {
	broken := errors.New("the disk is gone")
	for _, tc := range []struct {
		name, catalog, state string
		fault                func(string, int) error
		kind, says           string
		whole                bool // nothing is read at all
		records, more        int
	}{
		{name: "unknown stream", catalog: sourceCatalogOf("nope", "contacts"), kind: "config_error", says: `no stream \"nope\"`, records: 7},
		{name: "invalid mode", catalog: `{"streams":[{"stream":{"name":"events"},"sync_mode":"INVALID"},{"stream":{"name":"contacts"},"sync_mode":"full_refresh"}]}`, kind: "config_error", says: "INVALID", records: 7},
		{name: "stream twice", catalog: sourceCatalogOf("contacts", "contacts"), kind: "config_error", says: "twice", records: 7},
		{name: "error in the middle", catalog: sourceCatalogOf("events", "contacts"), kind: "system_error", says: "unexpected error", records: 7, more: 12, // a batch that was read when the error came may wait for the next sync
			fault: func(stream string, n int) error {
				if stream == "events" && n == 12 {
					return broken
				}
				return nil
			}},
		{name: "transient", catalog: sourceCatalogOf("contacts"), kind: "transient_error", says: "away", more: 2,
			fault: func(_ string, n int) error {
				if n == 2 {
					return connector.Transientf("Try again", "it is away")
				}
				return nil
			}},
		{name: "panic", catalog: sourceCatalogOf("events", "contacts"), kind: "system_error", says: "panic", records: 7,
			fault: func(stream string, n int) error {
				if stream == "events" {
					panic("at row 0")
				}
				return nil
			}},
		{name: "bad state of one", catalog: sourceCatalogOf("events", "contacts"), state: `[{"type":"STREAM","stream":{"stream_descriptor":{"name":"events"},"stream_state":{"x":1}}}]`, kind: "config_error", says: "is none", records: 7},
		{name: "state is text", catalog: sourceCatalogOf("events"), state: `[{"type":"STREAM","stream":{"stream_descriptor":{"name":"events"},"stream_state":"x"}}]`, kind: "config_error", says: "a text, not an object", whole: true},
		{name: "shared state", catalog: sourceCatalogOf("events"), state: `[{"type":"GLOBAL","global":{"shared_state":{"x":1},"stream_states":[]}}]`, kind: "config_error", says: "all streams", whole: true},
		{name: "old state", catalog: sourceCatalogOf("events"), state: `{"events":{"n":5}}`, kind: "config_error", says: "old form", whole: true},
		{name: "old state in a list", catalog: sourceCatalogOf("events"), state: `[{"type":"LEGACY","data":{"n":5}}]`, kind: "config_error", says: "old form", whole: true},
		{name: "one message of the old form", catalog: sourceCatalogOf("events"), state: `{"type":"LEGACY","data":{"n":5}}`, kind: "config_error", says: "old form", whole: true},
		{name: "one message without content", catalog: sourceCatalogOf("events"), state: `{"type":"STREAM"}`, kind: "config_error", says: "without its content", whole: true},
		{name: "state is cut", catalog: sourceCatalogOf("events"), state: `[{"type":"STREAM","stre`, kind: "config_error", says: "broken at byte", whole: true},
		{name: "state is a number", catalog: sourceCatalogOf("events"), state: `7`, kind: "config_error", says: "list of state messages", whole: true},
		{name: "state names no stream", catalog: sourceCatalogOf("events"), state: `[{"type":"STREAM","stream":{"stream_state":{}}}]`, kind: "config_error", says: "names no stream", whole: true},
		{name: "no streams", catalog: `{"streams":[]}`, kind: "config_error", says: "at least one stream", whole: true},
		{name: "garbage catalog", catalog: `{"str`, kind: "config_error", says: "not JSON", whole: true},
		{name: "catalog is a list", catalog: `[]`, kind: "config_error", says: "a list", whole: true},
	} {
		s := newShelf(t)
		s.fault = tc.fault
		code, lines := s.read(t.Context(), s.source(), tc.catalog, tc.state)
		all := strings.Join(lines, "\n")
		if code != 1 || !strings.Contains(all, `"failure_type":"`+tc.kind+`"`) || !strings.Contains(all, tc.says) {
			t.Errorf("%s: exit code %d\n%s", tc.name, code, all)
		}
		if got := len(of(lines, "RECORD")); got < tc.records || got > tc.records+tc.more {
			t.Errorf("%s: %d records, want %d and up to %d more", tc.name, got, tc.records, tc.more)
		}
		if incomplete := strings.Count(all, `"INCOMPLETE"`); incomplete != 1 != tc.whole || strings.Contains(all, "s3cr3t") {
			t.Errorf("%s: %d streams are incomplete\n%s", tc.name, incomplete, all)
		}
	}
}

// States that mean "from the beginning", and one that every stream goes on from.
func TestSourceStates(t *testing.T) {
	for _, tc := range []struct {
		state   string
		records int
	}{
		{"", 23}, {`[]`, 23}, {`{}`, 23}, {`null`, 23}, {" \n", 23}, {`[{"type":"LEGACY","data":{}}]`, 23},
		{`[{"type":"STREAM","stream":{"stream_descriptor":{"name":"events"},"stream_state":{}},"global":null,"data":null}]`, 23},
		{`[{"type":"STREAM","stream":{"stream_descriptor":{"name":"events"},"stream_state":null}}]`, 23},
		{`[{"type":"STREAM","stream":{"stream_descriptor":{"name":"events"},"stream_state":{"__ab_full_refresh_sync_complete":true}}}]`, 23},
		{`[{"type":"STREAM","stream":{"stream_descriptor":{"name":"events"},"stream_state":{"__ab_no_cursor_state_message":true}}}]`, 23},
		{`[{"type":"STREAM","stream":{"stream_descriptor":{"name":"other"},"stream_state":{"n":20}}}]`, 23},
		{`[{"type":"STREAM","stream":{"stream_descriptor":{"name":"events","namespace":null},"stream_state":{"n":20}},"global_":null,"data":null,"sourceStats":null}]`, 3},
		{`[{"stream":{"stream_descriptor":{"name":"events"},"stream_state":{"n":20}}}]`, 3},
		{`[{"type":"STREAM","stream":{"stream_descriptor":{"name":"events","namespace":"x"},"stream_state":{"n":20}}}]`, 3},
		{`[{"type":"GLOBAL","global":{"shared_state":null,"stream_states":[{"stream_descriptor":{"name":"events"},"stream_state":{"n":20}}]}}]`, 3},
		{`[{"type":"STREAM","stream":{"stream_descriptor":{"name":"events"},"stream_state":{"n":3}}},{"type":"STREAM","stream":{"stream_descriptor":{"name":"events"},"stream_state":{"n":20}}}]`, 3},
		{`[{"type":"STREAM","stream":{"stream_descriptor":{"name":"events"},"stream_state":{"n":9000}}}]`, 0},
		{`{"type":"STREAM","stream":{"stream_descriptor":{"name":"events"},"stream_state":{"n":20}}}`, 3},
		{`{"type":"GLOBAL","global":{"stream_states":[{"stream_descriptor":{"name":"events"},"stream_state":{"n":20}}]}}`, 3},
		{`{"type":"LEGACY","data":{}}`, 23},
	} {
		s := newShelf(t)
		code, lines := s.read(t.Context(), s.source(), sourceCatalogOf("events"), tc.state)
		if got := len(of(lines, "RECORD")); code != 0 || got != tc.records {
			t.Errorf("%s: exit code %d, %d records, want %d", tc.state, code, got, tc.records)
		}
		if states := of(lines, "STATE"); tc.records == 0 && (len(states) != 1 || !strings.Contains(states[0], `"stream_state":{"n":9000}`)) {
			t.Errorf("a state of the future becomes %s", states)
		}
		if _, told := s.begun["events"]; !told {
			t.Errorf("%s: the source was not told where the stream begins", tc.state)
		}
	}
}

// A stop ends with a state that is safe, and says that not all is read.
func TestSourceStops(t *testing.T) {
	s := newShelf(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.fault = func(_ string, n int) error {
		if n == 12 {
			cancel()
			return ctx.Err()
		}
		return nil
	}
	code, lines := s.read(ctx, s.source(), sourceCatalogOf("events", "contacts"), "")
	all := strings.Join(lines, "\n")
	if code != 143 || strings.Count(all, `"INCOMPLETE"`) != 2 || strings.Contains(all, `"ERROR"`) {
		t.Errorf("exit code %d\n%s", code, all)
	}
	states, records := of(lines, "STATE"), of(lines, "RECORD")
	if len(states) == 0 || len(records) != 12 || !strings.Contains(states[len(states)-1], `{"n":12}`) {
		t.Errorf("%d records, states %s", len(records), states)
	}
}

// A stream that gives a row now and then gives its states no later than once a minute.
func TestSourceStateAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t)
		s.batch = 1
		src := s.source()
		src.StateRows = 1000
		s.fault = func(_ string, n int) error {
			time.Sleep(25 * time.Second) // of fake time
			return nil
		}
		_, lines := s.read(t.Context(), src, sourceCatalogOf("events"), "")
		if n := len(of(lines, "STATE")); n < 8 || n > 11 {
			t.Errorf("%d states in ten minutes", n)
		}
	})
}

// A wait for the limit of the other side is told once, behind the records before it and with its end; so is that it is over.
func TestSourceTellsOfLimits(t *testing.T) {
	for _, tc := range []struct {
		name  string
		waits map[int]time.Duration
		fault func(string, int) error
		want  string
	}{
		{"none", nil, nil, "STARTED RUNNING 4 4 2 state COMPLETE"},
		{"at once", map[int]time.Duration{0: 40 * time.Second}, nil, "STARTED limited@40s RUNNING 4 4 2 state COMPLETE"},
		{"between records", map[int]time.Duration{4: 7 * time.Second, 8: 50 * time.Second}, nil, "STARTED RUNNING 4 limited@7s RUNNING 4 limited@50s RUNNING 2 state COMPLETE"},
		{"twice in one call", map[int]time.Duration{4: time.Second, 5: 2 * time.Second}, nil, "STARTED RUNNING 4 limited@1s limited@2s RUNNING 4 2 state COMPLETE"},
		{"behind a state", map[int]time.Duration{8: 2 * time.Minute}, nil, "STARTED RUNNING 4 4 limited@2m0s state RUNNING 2 state COMPLETE"},
		{"to no end", map[int]time.Duration{8: time.Second}, func(_ string, n int) error {
			if n == 8 {
				return connector.Transientf("Run it again later", "down")
			}
			return nil
		}, "STARTED RUNNING 4 4 limited@1s state error INCOMPLETE"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newShelf(t)
				s.size["events"], s.waits, s.fault = 10, tc.waits, tc.fault
				src := s.source()
				src.StateRows = 1000
				_, lines := s.read(t.Context(), src, sourceCatalogOf("events"), "")
				if got := gist(t, lines); got != tc.want {
					t.Errorf("got  %s\nwant %s", got, tc.want)
				}
			})
		})
	}
}

// gist is a read of one stream in short: its statuses, states and errors, and how many records each batch has.
func gist(t *testing.T, lines []string) string {
	t.Helper()
	var words []string
	var records int
	var at int64 // the number of their batch
	flush := func() {
		if records > 0 {
			words, records = append(words, fmt.Sprint(records)), 0
		}
	}
	for _, l := range lines {
		var m struct {
			Type   string
			Record struct{ Data struct{ N int64 } }
			Trace  struct {
				Emitted int64 `json:"emitted_at"`
				Type    string
				Status  struct {
					Status  string
					Reasons []struct {
						Type    string
						Limited struct {
							Reset *int64 `json:"quota_reset"`
						} `json:"rate_limited"`
					}
				} `json:"stream_status"`
			}
		}
		if err := json.Unmarshal([]byte(l), &m); err != nil {
			t.Fatalf("%v: %s", err, l)
		}
		status := m.Trace.Status
		switch {
		case m.Type == "RECORD":
			if batch := m.Record.Data.N / 4; batch != at {
				flush()
				at = batch
			}
			records++
			continue
		case m.Type == "LOG":
			continue
		}
		flush()
		switch {
		case m.Type == "STATE":
			words = append(words, "state")
		case m.Trace.Type == "ERROR":
			words = append(words, "error")
		case len(status.Reasons) == 0:
			words = append(words, status.Status)
		case len(status.Reasons) == 1 && status.Status == "RUNNING" && status.Reasons[0].Type == "RATE_LIMITED" && status.Reasons[0].Limited.Reset != nil:
			words = append(words, fmt.Sprintf("limited@%v", time.Duration(*status.Reasons[0].Limited.Reset-m.Trace.Emitted)*time.Millisecond))
		default:
			words = append(words, l)
		}
	}
	flush()
	return strings.Join(words, " ")
}

func FuzzSourceStates(f *testing.F) {
	for _, s := range []string{``, `[]`, `{}`, `[{"type":"STREAM","stream":{"stream_descriptor":{"name":"a"},"stream_state":{"n":1}}}]`, `[{"type":"GLOBAL","global":{"stream_states":[{"stream_descriptor":{"name":"a"}}]}}]`, `[null]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := parseStates(text)
		if err != nil && connector.KindOf(err) != connector.KindConfig {
			t.Fatalf("%q: %v", text, err)
		}
		for _, s := range list {
			if s.pos != nil && !json.Valid(s.pos) || s.name.Name == "" {
				t.Fatalf("%q: %+v", text, s)
			}
		}
	})
}
