package wiretest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// SourceHarness is a source that speaks Airbyte's protocol, over an input that does not change.
type SourceHarness struct {
	// Read runs one whole sync and returns the lines of standard output. state is the content of the state file, nil: none.
	Read    func(state []byte) (lines []string, code int)
	Streams []string // of the catalog
}

// RunSource holds a source to its contract: every stream says that it starts, runs and is complete; a state stands right
// behind the records that it covers, counts them, and never repeats the one before; the last message of a stream's data is a
// state; two syncs are equal, and a sync that begins at any state that was written gives exactly what followed it.
func RunSource(t *testing.T, h SourceHarness) {
	t.Helper()
	if err := checkSource(h); err != nil {
		t.Error(err)
	}
}

func checkSource(h SourceHarness) error {
	whole, err := runSync(h, nil)
	if err != nil {
		return err
	}
	again, err := runSync(h, nil)
	if err != nil {
		return err
	}
	for _, name := range h.Streams {
		if !slices.Equal(whole[name].records, again[name].records) {
			return fmt.Errorf("stream %s: two syncs without a state differ", name)
		}
	}
	for _, name := range h.Streams {
		for i, state := range whole[name].states {
			part, err := runSync(h, whole.fileWith(h, name, i))
			if err != nil {
				return fmt.Errorf("from state %s: %w", state.text, err)
			}
			for _, other := range h.Streams {
				want := whole[other].behind(len(whole[other].states) - 1)
				if other == name {
					want = whole[other].behind(i)
				}
				if got := part[other].records; !slices.Equal(got, want) {
					return fmt.Errorf("stream %s, from state %s of %s: %d records, want the last %d", other, state.text, name, len(got), len(want))
				}
			}
		}
	}
	return nil
}

// emissions is what a sync emitted, by stream.
type emissions map[string]*streamed

type streamed struct {
	records  []string
	states   []stateAt
	statuses []string
	since    int // records since the last state
}

type stateAt struct {
	text  string
	after int  // so many records
	whole bool // it says that the stream is read whole each time
}

// behind returns the records that a sync from the state i gives.
func (st *streamed) behind(i int) []string {
	if st.states[i].whole {
		return st.records
	}
	return st.records[st.states[i].after:]
}

// fileWith is a state file that holds the state i of one stream and the last ones of all others.
func (s emissions) fileWith(h SourceHarness, name string, i int) []byte {
	var list []any
	for _, other := range h.Streams {
		states := s[other].states
		at := len(states) - 1
		if other == name {
			at = i
		}
		list = append(list, map[string]any{"type": "STREAM", "data": nil, "global_": nil, "stream": map[string]any{
			"stream_descriptor": map[string]any{"name": other, "namespace": nil}, "stream_state": json.RawMessage(states[at].text),
		}})
	}
	text, err := json.Marshal(list)
	if err != nil {
		panic(err) // it was JSON when it was read
	}
	return text
}

// protocolLine is a message, as far as the contract looks.
type protocolLine struct {
	Type   string
	Record *struct {
		Stream  string
		Data    map[string]json.RawMessage
		Emitted json.Number `json:"emitted_at"`
	}
	State *struct {
		Type   string
		Stream *struct {
			Descriptor struct{ Name string } `json:"stream_descriptor"`
			State      json.RawMessage       `json:"stream_state"`
		}
		Stats *struct {
			Count json.Number `json:"recordCount"`
		} `json:"sourceStats"`
	}
	Trace *struct {
		Type   string
		Status *struct {
			Descriptor struct{ Name string } `json:"stream_descriptor"`
			Status     string
		} `json:"stream_status"`
	}
}

// runSync runs a sync and judges it by itself.
func runSync(h SourceHarness, state []byte) (emissions, error) {
	lines, code := h.Read(state)
	if code != 0 {
		return nil, fmt.Errorf("exit code %d: %s", code, lines)
	}
	s := emissions{}
	for _, name := range h.Streams {
		s[name] = &streamed{}
	}
	for _, line := range lines {
		if err := s.take(line); err != nil {
			return nil, fmt.Errorf("%w: %s", err, line)
		}
	}
	for _, name := range h.Streams {
		if err := s[name].ended(); err != nil {
			return nil, fmt.Errorf("stream %s: %w", name, err)
		}
	}
	return s, nil
}

func (s emissions) take(line string) error {
	var m protocolLine
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		return fmt.Errorf("a line is no message: %w", err)
	}
	switch {
	case m.Type == "LOG":
		return nil
	case m.Type == "RECORD" && m.Record != nil:
		st := s[m.Record.Stream]
		if st == nil || len(m.Record.Data) == 0 || m.Record.Emitted == "" {
			return errors.New("a record without data or time, or of a stream that was not asked for")
		}
		if last(st.statuses) != "RUNNING" {
			return errors.New("a record of a stream that does not run")
		}
		text, err := json.Marshal(m.Record.Data) // without emitted_at
		st.records = append(st.records, string(text))
		st.since++
		return err
	case m.Type == "STATE" && m.State != nil:
		return s.state(m)
	case m.Type == "TRACE" && m.Trace != nil && m.Trace.Status != nil:
		st := s[m.Trace.Status.Descriptor.Name]
		if st == nil {
			return errors.New("a status of a stream that was not asked for")
		}
		st.statuses = append(st.statuses, m.Trace.Status.Status)
		return nil
	}
	return errors.New("a message that a sync without faults does not hold")
}

func (s emissions) state(m protocolLine) error {
	if m.State.Type != "STREAM" || m.State.Stream == nil || m.State.Stats == nil || s[m.State.Stream.Descriptor.Name] == nil {
		return errors.New("a state that is not of one stream of the catalog, or does not count")
	}
	st := s[m.State.Stream.Descriptor.Name]
	if last(st.statuses) != "RUNNING" {
		return errors.New("a state of a stream that does not run")
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(m.State.Stream.State, &object); err != nil || len(object) == 0 {
		return errors.New("a state that is empty or no object")
	}
	if want := fmt.Sprintf("%d.0", st.since); m.State.Stats.Count.String() != want {
		return fmt.Errorf("a state counts %s records, %s came since the one before", m.State.Stats.Count, want)
	}
	text := canonical(string(m.State.Stream.State))
	if n := len(st.states); n > 0 && st.states[n-1].text == text {
		return errors.New("a state repeats the one before")
	}
	_, whole := object["__ab_full_refresh_sync_complete"]
	st.states = append(st.states, stateAt{text, len(st.records), whole})
	st.since = 0
	return nil
}

func (st *streamed) ended() error {
	if len(st.statuses) < 3 || st.statuses[0] != "STARTED" || last(st.statuses) != "COMPLETE" || slices.Contains(st.statuses[1:len(st.statuses)-1], "STARTED") {
		return fmt.Errorf("its statuses are %v", st.statuses)
	}
	if len(st.states) == 0 || st.since > 0 {
		return fmt.Errorf("%d states, and %d records behind the last of them", len(st.states), st.since)
	}
	return nil
}

func last(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1]
}
