//go:build e2e

package airbyte

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestStates drives the destination as Airbyte's platform does: states with ids, statistics and members it has never
// seen, input that stalls, a CRM that throttles, fails and loses replies. Whenever a state comes back, every row before
// it must be in the sandbox's journal or in the rejects.
func TestStates(t *testing.T) {
	for _, kind := range []string{"STREAM", "GLOBAL"} {
		t.Run(kind, func(t *testing.T) {
			p := newPlatform(t, kind, "429@1s=2%,500=2%,drop=3%,latency=5ms..40ms")
			for _, finding := range p.run(40, 2500) {
				t.Error(finding)
			}
		})
	}
}

var streams = []string{"contacts", "leads"}

// platform is the host's side of one sync.
type platform struct {
	t       *testing.T
	kind    string
	env     []string // of the destination, beside our own
	rng     *rand.Rand
	box     *box
	rejects string
	// findings are what the destination did wrong.
	findings []string
	input    []string // lines, in order
	states   []*state // in order of sending
	// By stream: identifiers and marks of the rows so far, and how many rows, and bad ones, since the last state.
	good, bad        map[string][]string
	records, refused map[string]int

	acks     chan int        // how many states have come back, once per state
	landed   map[string]bool // identifiers in the journal so far
	previous map[string]int  // stream → id of its last acknowledged state
	err      error           // of the last read
}

// state is one STATE that was sent and what must have happened before it may come back.
type state struct {
	id      int
	stream  string // "" for GLOBAL
	good    []string
	bad     []string
	records int // since the state before it
	refused int // of these, without identifier
	sent    map[string]any
	acked   bool
}

// stop is panicked with when there is no point in going on.
type stop struct{}

func (p *platform) found(format string, args ...any) {
	p.findings = append(p.findings, fmt.Sprintf(format, args...))
}

func (p *platform) fatal(format string, args ...any) {
	p.found(format, args...)
	panic(stop{})
}

func newPlatform(t *testing.T, kind, faults string) *platform {
	return &platform{
		t: t, kind: kind, rng: rand.New(rand.NewPCG(1, 2)),
		box:     startSandbox(t, faults),
		rejects: t.TempDir(), acks: make(chan int, 1000), good: map[string][]string{}, bad: map[string][]string{}, records: map[string]int{}, refused: map[string]int{}, landed: map[string]bool{}, previous: map[string]int{},
	}
}

// prepare writes the input: rows of two streams in turn, a state after every few of them, some rows without identifier.
// The last state of each stream covers what is left, so that everything is acknowledged.
func (p *platform) prepare(states, rows int) {
	for i := range rows {
		p.row(i)
		if p.rng.IntN(rows/states) == 0 {
			p.state(streams[p.rng.IntN(2)])
		}
		if i%(rows/3) == rows/4 { // states without a record between them
			p.state(streams[0])
			p.state(streams[0])
		}
	}
	for _, stream := range streams {
		p.state(stream)
	}
}

// state adds a STATE of a stream, or of all of them.
func (p *platform) state(stream string) {
	s := &state{id: len(p.states) + 1, stream: stream}
	covered := []string{stream}
	if p.kind == "GLOBAL" {
		s.stream, covered = "", streams
	}
	for _, name := range covered {
		s.good = append(s.good, p.good[name]...)
		s.bad = append(s.bad, p.bad[name]...)
		s.records += p.records[name]
		s.refused += p.refused[name]
		p.records[name], p.refused[name] = 0, 0
	}
	p.addState(s, stream)
}

func (p *platform) row(i int) {
	stream := streams[p.rng.IntN(2)]
	mark := fmt.Sprintf("%s-%06d", stream, i)
	data := map[string]any{"full_name": "Person " + fmt.Sprint(i), "external_id": mark, "remark": mark}
	if i%13 == 12 {
		p.bad[stream] = append(p.bad[stream], mark)
		p.refused[stream]++
	} else {
		phone := fmt.Sprintf("86138%08d", i)
		data["phone"] = phone
		p.good[stream] = append(p.good[stream], phone)
	}
	p.records[stream]++
	record := map[string]any{"stream": stream, "data": data, "emitted_at": 1790000000000 + i}
	if stream == "contacts" {
		record["namespace"] = "shop"
	}
	p.add(map[string]any{"type": "RECORD", "record": record})
}

func (p *platform) addState(s *state, stream string) {
	descriptor := map[string]any{"name": stream}
	if stream == "contacts" {
		descriptor["namespace"] = "shop"
	}
	one := map[string]any{"stream_descriptor": descriptor, "stream_state": map[string]any{"cursor": fmt.Sprint(s.id), "big": json.Number("9007199254740993")}}
	s.sent = map[string]any{
		"type": p.kind, "id": s.id, "sourceStats": map[string]any{"recordCount": json.Number(fmt.Sprintf("%d.0", s.records))},
		"x_unknown": map[string]any{"keep": []any{nil, "<&>", json.Number("1.10")}},
	}
	if p.kind == "GLOBAL" {
		s.sent["global"] = map[string]any{"shared_state": map[string]any{"lsn": s.id}, "stream_states": []any{one}}
	} else {
		s.sent["stream"] = one
	}
	p.states = append(p.states, s)
	p.add(map[string]any{"type": "STATE", "state": s.sent})
}

func (p *platform) add(message any) {
	line, err := json.Marshal(message)
	if err != nil {
		p.t.Fatal(err)
	}
	p.input = append(p.input, string(line))
}

func (p *platform) catalog() map[string]any {
	text := map[string]any{"type": []string{"string", "null"}}
	schema := map[string]any{"type": "object", "properties": map[string]any{"phone": text, "full_name": text, "external_id": text, "remark": text}}
	stream := func(name string, namespace any) map[string]any {
		return map[string]any{
			"stream":    map[string]any{"name": name, "namespace": namespace, "json_schema": schema, "supported_sync_modes": []string{"incremental"}},
			"sync_mode": "incremental", "destination_sync_mode": "append_dedup", "primary_key": [][]string{{"external_id"}},
			"generation_id": 1, "minimum_generation_id": 1, "sync_id": 1,
		}
	}
	return map[string]any{"streams": []any{stream("contacts", "shop"), stream("leads", nil)}}
}

// run syncs once and returns what the destination did wrong.
func (p *platform) run(states, rows int) (findings []string) {
	p.prepare(states, rows)
	cmd := exec.Command(bin.destination, "write",
		"--config", writeJSON(p.t, p.box.config("nxlink", "", p.rejects)), "--catalog", writeJSON(p.t, p.catalog()))
	cmd.Stderr, cmd.Env = os.Stderr, append(os.Environ(), p.env...)
	if len(p.env) > 0 {
		cmd.Path = os.Args[0]
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	watchdog := time.AfterFunc(3*time.Minute, func() { _ = cmd.Process.Kill() })
	defer func() {
		watchdog.Stop()
		if r := recover(); r != nil {
			if r != (stop{}) {
				panic(r)
			}
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			findings = p.findings
		}
	}()
	sent := make(chan error, 1)
	go func() { sent <- p.send(stdin) }()
	// The input stays open: nothing may wait for its end, or for more of it.
	lines := bufio.NewReaderSize(stdout, 1<<20)
	for acked := 0; acked < len(p.states); {
		if p.readLine(lines) {
			acked++
			p.acks <- acked
		}
	}
	if err := <-sent; err != nil {
		p.fatal("write to the destination: %v", err)
	}
	if err := stdin.Close(); err != nil {
		p.t.Fatal(err)
	}
	for p.readLine(lines) || p.err == nil {
	}
	if err := cmd.Wait(); err != nil {
		p.found("the destination ended with %v", err)
	}
	return p.findings
}

// send writes the input. Now and then it stalls until every state so far has come back.
func (p *platform) send(stdin io.Writer) error {
	states := 0
	for _, line := range p.input {
		if _, err := io.WriteString(stdin, line+"\n"); err != nil {
			return err
		}
		if !strings.Contains(line, `"type":"STATE"`) {
			continue
		}
		if states++; states%8 != 0 {
			continue
		}
		for acked := range p.acks {
			if acked == states {
				break
			}
		}
	}
	return nil
}

// readLine reads one line of the destination and reports whether it was a state. At the end p.err is set.
func (p *platform) readLine(lines *bufio.Reader) bool {
	line, err := lines.ReadBytes('\n')
	if err != nil {
		if p.err = err; !p.allAcked() {
			p.fatal("the output ended before all states had come back: %v", err)
		}
		return false
	}
	if bytes.Contains(line, []byte("sandbox-secret")) {
		p.found("the output holds a secret")
	}
	var m struct {
		Type  string          `json:"type"`
		State json.RawMessage `json:"state"`
		Trace json.RawMessage `json:"trace"`
	}
	if err := json.Unmarshal(line, &m); err != nil {
		p.fatal("not JSON: %s", line)
	}
	switch m.Type {
	case "STATE":
		p.ack(m.State)
		return true
	case "TRACE":
		p.fatal("the destination gave up: %s", m.Trace)
	case "LOG":
	default:
		p.found("unexpected message: %s", line)
	}
	return false
}

func (p *platform) allAcked() bool {
	for _, s := range p.states {
		if !s.acked {
			return false
		}
	}
	return true
}

var decimal = regexp.MustCompile(`"destinationStats":\{"recordCount":\d+\.0(,"rejectedRecordCount":\d+\.0)?\}`)

// ack checks one state that came back.
func (p *platform) ack(raw json.RawMessage) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var got map[string]any
	if err := dec.Decode(&got); err != nil {
		p.t.Fatal(err)
	}
	s := p.find(fmt.Sprint(got["id"]))
	if _, isNumber := got["id"].(json.Number); s == nil || s.acked || !isNumber {
		p.fatal("a state with an unknown or repeated id: %s", raw)
	}
	s.acked = true
	if want := p.next(s.stream); s.id != want {
		p.fatal("state %d of stream %q came, want %d", s.id, s.stream, want)
	}
	p.previous[s.stream] = s.id
	if !decimal.Match(raw) {
		p.found("destinationStats are missing or not decimals: %s", raw)
	}
	p.checkStats(s, got)
	delete(got, "destinationStats")
	if want, have := canonical(p.t, s.sent), canonical(p.t, got); want != have {
		p.found("the state was changed:\nsent %s\ngot  %s", want, have)
	}
	p.checkSettled(s)
}

// next is the id of the state of the stream that must come next.
func (p *platform) next(stream string) int {
	for _, s := range p.states {
		if s.stream == stream && s.id > p.previous[stream] {
			return s.id
		}
	}
	return 0
}

func (p *platform) find(id string) *state {
	for _, s := range p.states {
		if fmt.Sprint(s.id) == id {
			return s
		}
	}
	return nil
}

func (p *platform) checkStats(s *state, got map[string]any) {
	var stats struct {
		Records  float64 `json:"recordCount"`
		Rejected float64 `json:"rejectedRecordCount"`
	}
	if err := json.Unmarshal([]byte(canonical(p.t, got["destinationStats"])), &stats); err != nil {
		p.t.Fatal(err)
	}
	if int(stats.Records) != s.records-s.refused || int(stats.Rejected) != s.refused {
		p.found("state %d: %v delivered and %v rejected, want %d and %d", s.id, stats.Records, stats.Rejected, s.records-s.refused, s.refused)
	}
}

// checkSettled looks every row before the state up, in the sandbox's journal or in the rejects.
func (p *platform) checkSettled(s *state) {
	for _, e := range p.box.journal() {
		if !e.Committed {
			continue
		}
		for _, k := range e.Keys {
			p.landed[k] = true
		}
	}
	for _, phone := range s.good {
		if !p.landed[phone] {
			p.fatal("state %d was acknowledged, but %s is not in the CRM's journal", s.id, phone)
		}
	}
	rejected := bytes.Join(rejectLines(p.t, p.rejects), []byte("\n"))
	for _, mark := range s.bad {
		if !bytes.Contains(rejected, []byte(mark)) {
			p.fatal("state %d was acknowledged, but %s is neither in the CRM nor in the rejects", s.id, mark)
		}
	}
}

// canonical writes a value with sorted keys.
func canonical(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
