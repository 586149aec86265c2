package airbyte

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/connector"
)

// Members by which a state says that its stream has no position: it is read whole each time.
const (
	fullRefreshDone = "__ab_full_refresh_sync_complete"
	noCursor        = "__ab_no_cursor_state_message"
)

// states are the positions that the host handed in.
type states []givenState

type givenState struct {
	name streamName
	pos  connector.Position
}

// find returns the position of a stream. A host that leaves out or changes the namespace still reaches a stream of that
// name if it is the only one.
func (s states) find(name *streamName) (pos connector.Position) {
	found := 0
	for i := range s {
		switch {
		case s[i].name.Name != name.Name:
		case sameNamespace(s[i].name.Namespace, name.Namespace):
			return s[i].pos
		default:
			pos, found = s[i].pos, found+1
		}
	}
	if found != 1 {
		return nil
	}
	return pos
}

func sameNamespace(a, b *string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// stateMessage is an AirbyteStateMessage. Every member may be null.
type stateMessage struct {
	Type    string          `json:"type"`
	Stream  *stateOfStream  `json:"stream"`
	Global  *stateOfAll     `json:"global"`
	Global2 *stateOfAll     `json:"global_"` // how one host writes it
	Data    json.RawMessage `json:"data"`
}

type stateOfStream struct {
	Descriptor *streamName     `json:"stream_descriptor"`
	State      json.RawMessage `json:"stream_state"`
}

type stateOfAll struct {
	Shared  json.RawMessage `json:"shared_state"`
	Streams []stateOfStream `json:"stream_states"`
}

func badState(what string, args ...any) error {
	return connector.Configf("Clear the data of the connection, or refresh its streams, so that they are read from the beginning", "the state "+what, args...)
}

// parseStates reads the file of --state: a list of state messages, or one; nothing, null, [] and {} are none. Whatever else it
// cannot read is an error: to begin again instead would repeat everything, without a word.
func parseStates(text []byte) (list states, err error) {
	text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
	if len(text) == 0 || string(text) == "null" {
		return nil, nil
	}
	var messages []stateMessage
	if text[0] == '{' {
		var one map[string]json.RawMessage
		if err := json.Unmarshal(text, &one); err != nil {
			return nil, badState("is not JSON: %w", syntax(err))
		}
		switch {
		case len(one) == 0:
			return nil, nil
		case !isStateMessage(one):
			return nil, badState("is of the old form, one object for all streams, which this source never wrote")
		}
		text = slices.Concat([]byte{'['}, text, []byte{']'})
	}
	if err := json.Unmarshal(text, &messages); err != nil {
		return nil, badState("is not a list of state messages: %w", syntax(err))
	}
	for i := range messages {
		if list, err = messages[i].appendTo(list, i+1); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// isStateMessage tells one message from a state of the old form, of which the members are what its writer liked.
func isStateMessage(object map[string]json.RawMessage) bool {
	var kind string
	return json.Unmarshal(object["type"], &kind) == nil && slices.Contains([]string{"STREAM", "GLOBAL", "LEGACY"}, strings.ToUpper(kind))
}

func (m *stateMessage) appendTo(list states, number int) (states, error) {
	if m.Global == nil {
		m.Global = m.Global2
	}
	var of []stateOfStream
	switch kind := strings.ToUpper(m.Type); {
	case kind == "STREAM" && m.Stream != nil, kind == "" && m.Stream != nil:
		of = []stateOfStream{*m.Stream}
	case kind == "GLOBAL" && m.Global != nil:
		if !empty(m.Global.Shared) {
			return nil, badState("has one part for all streams, which this source never wrote")
		}
		of = m.Global.Streams
	case (kind == "" || kind == "LEGACY") && m.Stream == nil && m.Global == nil && empty(m.Data):
		return list, nil
	case kind == "" || kind == "LEGACY":
		return nil, badState("is of the old form, one object for all streams, which this source never wrote")
	default:
		return nil, badState("holds a message, number %d, of the type %q without its content", number, m.Type)
	}
	for _, s := range of {
		if s.Descriptor == nil || s.Descriptor.Name == "" {
			return nil, badState("holds a message, number %d, that names no stream", number)
		}
		pos, err := positionOf(s.State)
		if err != nil {
			return nil, badState("of the stream %s is %s, not an object", s.Descriptor.Name, kindOf(s.State))
		}
		// Of two states of a stream the later counts.
		list = append(states{{*s.Descriptor, pos}}, list...)
	}
	return list, nil
}

// empty reports whether a value says nothing.
func empty(value json.RawMessage) bool {
	var object map[string]json.RawMessage
	return len(value) == 0 || json.Unmarshal(value, &object) == nil && len(object) == 0
}

// positionOf is what a stream_state means to the reader that made it.
func positionOf(state json.RawMessage) (connector.Position, error) {
	if empty(state) {
		return nil, nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(state, &object); err != nil {
		return nil, errNotAnObject
	}
	for _, name := range []string{fullRefreshDone, noCursor} {
		if _, ok := object[name]; ok {
			return nil, nil
		}
	}
	return connector.Position(state), nil
}
