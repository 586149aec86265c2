package airbyte

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/wire/wiretest"
)

// testing reader: the reader with the output that it writes to; Close closes both.
type withOutput struct {
	*reader
	out *output
}

func (w withOutput) Close() error {
	err := w.reader.Close()
	if stuck := w.out.close(context.Background()); err == nil {
		err = stuck
	}
	return err
}

func newTestReader(in io.Reader, w io.Writer, set settings, streams ...string) withOutput {
	out := newOutput(w, func(error) {})
	set.log = slog.New(newHandler(out, &masker{}))
	catalog, err := parseCatalog("k.json", []byte(catalogOf(streams...)))
	if err != nil {
		panic(err)
	}
	return withOutput{newReader(in, out, catalog, nil, set), out}
}

// testReader opens a reader that is closed with the test.
func testReader(t *testing.T, in io.Reader, w io.Writer, set settings, streams ...string) withOutput {
	t.Helper()
	r := newTestReader(in, w, set, streams...)
	if err := r.Open(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// emissions reads the states among lines.
func emissions(lines []string) (all []wiretest.Emission) {
	for _, line := range of(lines, "STATE") {
		var m struct {
			State map[string]json.RawMessage `json:"state"`
		}
		var stats struct {
			Committed float64 `json:"recordCount"`
			Rejected  float64 `json:"rejectedRecordCount"`
		}
		text := line
		if json.Unmarshal([]byte(line), &m) == nil && json.Unmarshal(m.State["destinationStats"], &stats) == nil {
			delete(m.State, "destinationStats")
			if short, err := json.Marshal(m.State); err == nil {
				text = string(short)
			}
		}
		all = append(all, wiretest.Emission{Text: text, Committed: int64(stats.Committed), Rejected: int64(stats.Rejected)})
	}
	return all
}

// generated is a random input of several interleaved streams, with states of every kind among the rows.
func generated(seed uint64) wiretest.Harness {
	random := rand.New(rand.NewPCG(seed, 7))
	names := []string{"a", "b", "c", "d"}[:1+random.IntN(4)]
	set := settings{batchRows: 1 + random.IntN(9), batchAge: time.Second}
	if random.IntN(3) == 0 {
		set.stateBytes = 600 // two or three states
	}
	if random.IntN(3) == 0 {
		set.openBytes = 300
	}
	h := wiretest.Harness{MaxRows: set.batchRows, MaxBytes: 4 << 20, MaxAhead: 1 << 20, Age: time.Second}
	counts := map[string]int{}
	var text strings.Builder
	for i := range 40 + random.IntN(80) {
		name := names[random.IntN(len(names))]
		switch random.IntN(5) {
		case 0:
			state, after := generatedState(random, i, name, names, counts)
			text.WriteString(`{"type":"STATE","state":` + state + "}\n")
			h.States = append(h.States, wiretest.State{Text: state, After: after})
		default:
			data := fmt.Sprintf(`{"email":"e%d","n":%d,"other":{"deep":[%d]}}`, i, i, i)
			row := wiretest.Row{Stream: name, JSON: data}
			if random.IntN(10) == 0 {
				data = fmt.Sprintf(`{"n":"no number %d"}`, i)
				row.JSON, row.Code = data, connector.CodeBadType
			}
			fmt.Fprintf(&text, `{"type":"RECORD","record":{"stream":%q,"data":%s,"emitted_at":%d}}`+"\n", name, data, i)
			counts[name]++
			h.Rows = append(h.Rows, row)
		}
		if random.IntN(20) == 0 {
			text.WriteString("a print of the source\n\n")
		}
	}
	h.Input = []byte(text.String())
	var out *buffer
	var all []wiretest.Emission
	read := 0 // lines of out that all holds
	h.New = func(mem memory.Allocator, in io.Reader) connector.Reader {
		out, all, read = &buffer{}, nil, 0
		set := set
		set.mem = mem
		return newTestReader(in, out, set, names...)
	}
	h.Emitted = func() []wiretest.Emission {
		synctest.Wait()
		lines := out.lines()
		all = append(all, emissions(lines[read:])...)
		read = len(lines)
		return all
	}
	return h
}

// generatedState is a state of one stream, of all, or one that must wait for all because nobody knows what it covers.
func generatedState(random *rand.Rand, i int, name string, names []string, counts map[string]int) (text string, after map[string]int) {
	extra := fmt.Sprintf(`"id":%d,"partition_id":"p<%d>","big":9007199254740993`, i, i)
	after = map[string]int{name: counts[name]}
	if random.IntN(4) > 0 {
		return fmt.Sprintf(`{"type":"STREAM","stream":{"stream_descriptor":{"name":%q},"stream_state":{"at":%d}},%s}`, name, i, extra), after
	}
	for _, n := range names {
		after[n] = counts[n]
	}
	switch random.IntN(3) {
	case 0:
		return fmt.Sprintf(`{"type":"GLOBAL","global":{"shared_state":{"lsn":%d},"stream_states":[]},%s}`, i, extra), after
	case 1:
		return fmt.Sprintf(`{"data":{"old":%d},%s}`, i, extra), after
	}
	return fmt.Sprintf(`{"type":"STREAM","stream":{"stream_descriptor":{"name":"nobody"}},%s}`, extra), after
}

// TestContract runs the suite over random interleavings: never early, in order per stream, counts that add up.
func TestContract(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { wiretest.RunReader(t, generated(seed)) })
	}
}
