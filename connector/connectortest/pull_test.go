package connectortest

import (
	"fmt"
	"testing"

	"github.com/sluicehq/sluice/connector"
)

// ear hears what a check says of a fault.
type ear struct{ heard []string }

func (e *ear) Errorf(format string, args ...any) {
	e.heard = append(e.heard, fmt.Sprintf(format, args...))
}
func (e *ear) Helper() {}

func TestSinkCatches(t *testing.T) {
	src := &connector.Source{Streams: []connector.Stream{{
		Name: "s", Key: []string{"id"},
		Columns: []connector.StreamColumn{{Name: "id"}, {Name: "n", Type: connector.ColumnInteger}, {Name: "b", Type: connector.ColumnBoolean},
			{Name: "at", Type: connector.ColumnTimestamp}, {Name: "on", Type: connector.ColumnDate}, {Name: "tags", Type: connector.ColumnTexts}, {Name: "raw", Type: connector.ColumnJSON}},
	}}}
	for _, tc := range []struct {
		stream, row string
		faults      int
	}{
		{"s", `{"id":"1","n":-7,"b":true,"at":"2026-01-06T20:00:00+08:00","on":"2026-01-06","tags":["a"],"raw":{"x":[]}}`, 0},
		{"s", `{"id":"1","n":null,"tags":null}`, 0},
		{"other", `{"id":"1"}`, 1},
		{"s", `{"id":"1"`, 1},
		{"s", `{"id":""}`, 1},
		{"s", `{"n":1}`, 1},
		{"s", `{"id":"1","more":1}`, 1},
		{"s", `{"id":1}`, 1},
		{"s", `{"id":"1","n":1.5}`, 2}, // neither JSON's integer nor Arrow's
		{"s", `{"id":"1","at":"2026-01-06 20:00:00"}`, 1},
		{"s", `{"id":"1","on":"2026-02-30"}`, 1},
		{"s", `{"id":"1","tags":"a,b"}`, 1},
		{"s", "{\"id\":\"\xff\"}", 1},
	} {
		e := &ear{}
		sink := NewSink(e, src)
		if err := sink.AppendJSON(tc.stream, []byte(tc.row)); err != nil {
			t.Fatal(err)
		}
		sink.Close()
		if len(e.heard) != tc.faults {
			t.Errorf("%s: %d faults, want %d: %q", tc.row, len(e.heard), tc.faults, e.heard)
		}
	}
}

func TestUnsound(t *testing.T) {
	for members, sound := range map[string]bool{
		`{}`: true, `{"id":"1","raw":{"id":1,"id":2}}`: true,
		`{"id":"1","seq":4}`: false, `{"id":"1","id":"2"}`: false, `{"id":"1","\u0069d":"2"}`: false, `["id"]`: false, ` {}`: false, "{} ": false, "": false,
		"{\"raw\":[1,\n2]}": false, "{\"raw\":[1,\r2]}": false, "{\"id\":\"\xff\"}": false, `{"id":"\ud800"}`: false, `{"id":`: false,
	} {
		if fault := Unsound([]byte(members), "seq"); (fault == "") != sound {
			t.Errorf("%s: %q", members, fault)
		}
	}
}
