package airbyte

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sluicehq/sluice/connector"
)

const goodLines = `{"type":"RECORD","record":{"stream":"a","data":{"n":1},"emitted_at":1}}
{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"a"}},"id":1}}
{"type":"RECORD","record":{"stream":"a","data":{"n":2},"emitted_at":1}}
`

// TestBrokenInput: what may have held a row ends the run, behind the states that are safe, and says where.
func TestBrokenInput(t *testing.T) {
	for _, c := range []struct{ name, line, says string }{
		{"cut", `{"type":"RECORD","record":{"stream":"a","data":{"n":`, "line 4 of the input is not a JSON message"},
		{"two objects", `{"type":"LOG"} {"type":"RECORD"}`, "something follows the object"},
		{"behind", `{"type":"LOG"}}`, "something follows the object"},
		{"bad value", `{"type":"LOG","log":nope}`, "line 4 of the input is not a JSON message"},
		{"deep", `{"log":` + strings.Repeat("[", 20_000), "line 4 of the input is not a JSON message"},
		{"unknown stream", `{"type":"RECORD","record":{"stream":"other","data":{}}}`, `line 4 of the input is a record of the stream \"other\", which the catalog does not hold`},
		{"no stream", `{"type":"RECORD","record":{"data":{}}}`, "without its stream"},
		{"stream of another type", `{"type":"RECORD","record":{"stream":5,"data":{}}}`, "line 4"},
		{"no record", `{"type":"RECORD","record":null}`, "without a record"},
		{"record of another type", `{"type":"RECORDS","record":{"stream":"a","data":{}}}`, "not of the type RECORD"},
		{"record without type", `{"record":{"stream":"a","data":{}}}`, "not of the type RECORD"},
		{"no state", `{"type":"STATE","state":null}`, "STATE without a state"},
		{"odd state", `{"type":"STATE","state":{"type":5}}`, "line 4 of the input holds a state that cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &sink{}
			code, lines := write(t, destination(s), catalogOf("a"), goodLines+c.line+"\n"+goodLines)
			if code != 1 || len(s.rows) != 2 || len(lines) != 2 || len(of(lines[:1], "STATE")) != 1 || len(of(lines[1:], "TRACE")) != 1 {
				t.Fatalf("exit code %d, rows %q, output %.300q", code, s.rows, lines)
			}
			if !strings.Contains(lines[1], c.says) || !strings.Contains(lines[1], `"failure_type":"system_error"`) || len(lines[1]) > 2000 {
				t.Errorf("%.500s does not say %q", lines[1], c.says)
			}
		})
	}
}

// TestGarbageIsPassedOver: prints of a source cost nothing but a bounded number of warnings, and their text goes nowhere.
func TestGarbageIsPassedOver(t *testing.T) {
	s := &sink{}
	code, lines := write(t, destination(s), catalogOf("a"), strings.Repeat("Traceback private\n[1]\n\n", 500)+goodLines)
	if code != 0 || len(s.rows) != 2 || len(of(lines, "STATE")) != 1 {
		t.Fatalf("exit code %d, rows %q", code, s.rows)
	}
	logs := of(lines, "LOG")
	if len(logs) != garbageShown+1 || !strings.Contains(logs[0], "line=1") || !strings.Contains(logs[garbageShown], "count=1000") {
		t.Errorf("log %q", logs)
	}
	for _, l := range lines {
		if strings.Contains(l, "private") {
			t.Errorf("a line's text left: %s", l)
		}
	}
}

// A message behind a print without a newline is not garbage: to pass it over would lose a row.
func TestMessageBehindAPrint(t *testing.T) {
	s := &sink{}
	code, lines := write(t, destination(s), catalogOf("a"), "print"+goodLines)
	if code != 1 || len(of(lines, "STATE")) != 0 || len(of(lines, "TRACE")) != 1 {
		t.Errorf("exit code %d, %q", code, lines)
	}
	s = &sink{}
	if code, lines = write(t, destination(s), catalogOf("a"), "\xef\xbb\xbf"+goodLines); code != 0 || len(s.rows) != 2 {
		t.Errorf("behind a byte order mark: exit code %d, rows %q, %q", code, s.rows, lines)
	}
}

// TestLongLines: 20 MB pass as a record and as a state; beyond the limit the run ends with the line's number.
func TestLongLines(t *testing.T) {
	long := strings.Repeat("x", 20_000_000)
	s := &sink{}
	input := `{"type":"RECORD","record":{"stream":"a","data":{"email":"` + long + `"},"emitted_at":1}}` + "\n" +
		`{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"a"},"stream_state":{"x":"` + long + `"}},"id":1}}` + "\n"
	code, lines := write(t, destination(s), catalogOf("a"), input)
	if code != 0 || len(s.rows) != 1 || len(s.rows[0]) < len(long) || len(lines) != 1 || len(lines[0]) < len(long) {
		t.Errorf("exit code %d, %d rows, %d lines", code, len(s.rows), len(lines))
	}

	r := testReader(t, strings.NewReader(goodLines+`{"type":"LOG","log":"`+strings.Repeat("x", 300)+`"}`), &buffer{}, settings{maxLine: 200}, "a")
	b, err := r.Read(t.Context())
	if err != nil || b.NumRows() != 2 {
		t.Fatalf("%d rows, %v", b.NumRows(), err)
	}
	b.Rows.Release()
	if _, err = r.Read(t.Context()); connector.KindOf(err) != connector.KindInternal || !strings.Contains(err.Error(), "line 4 of the input is longer") {
		t.Errorf("got %v", err)
	}
}

// TestInputThatCannotBeRead is no end of the input, whatever the cause calls itself.
func TestInputThatCannotBeRead(t *testing.T) {
	for _, cause := range []error{io.ErrUnexpectedEOF, errors.New("input/output error")} {
		s := &sink{}
		var out buffer
		args := append([]string{"write"}, files(t, "{}", catalogOf("a"))...)
		in := io.MultiReader(strings.NewReader(goodLines), iotest.ErrReader(cause))
		code := Main(t.Context(), args, in, &out, io.Discard, destination(s))
		lines := out.lines()
		if code != 1 || len(s.rows) != 2 || len(of(lines, "STATE")) != 1 || len(of(lines, "TRACE")) != 1 || !strings.Contains(lines[1], "transient_error") {
			t.Errorf("%v: exit code %d, rows %q, output %q", cause, code, s.rows, lines)
		}
	}
}

// FuzzEnvelope: no line makes the reader panic, and a line that is read as a record gives exactly one row.
func FuzzEnvelope(f *testing.F) {
	for _, line := range strings.Split(goodLines, "\n") {
		f.Add(line)
	}
	f.Add(`{"type":"STATE","state":{"destinationStats":{},"a":"\u0064"}}`)
	f.Add(`{"type":"TRACE","trace":{"type":"STREAM_STATUS","stream_status":{"status":"COMPLETE","stream_descriptor":{"name":"a"}}}}`)
	f.Add(`{"record":{"stream":"a","data":"x"},"type":"record"} `)
	f.Fuzz(func(t *testing.T, line string) {
		if strings.Contains(line, "\n") {
			return
		}
		out := &buffer{}
		r := newTestReader(strings.NewReader(line), out, settings{}, "a")
		if err := r.Open(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		rows := 0
		for {
			b, err := r.Read(t.Context())
			if err != nil {
				break
			}
			rows += b.NumRows()
			if err := r.Ack(t.Context(), deliver(nil, b)); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if states := len(of(out.lines(), "STATE")); rows+states > 1 {
			t.Fatalf("%d rows and %d states of one line", rows, states)
		}
	})
}
