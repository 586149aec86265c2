package wiretest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// model is a wire as small as the contract allows, with a switch for every defect that the suite has to catch. Its lines are
// rows, {"state": ...} or garbage; it reads one stream.
type model struct {
	defect  string
	release chan struct{} // closed after the check: what hangs or leaks ends then
	mem     memory.Allocator
	in      io.Reader

	builder *rows.Builder
	refused []connector.RowResult
	lines   chan string
	stop    chan struct{}
	end     bool
	skip    int // rows to pass over
	row     int
	timer   *time.Timer
	prev    connector.Position

	mu      sync.Mutex
	settled int
	rejects []bool
	states  []modelState
	counted int
	emitted []Emission
	read    int
}

type modelState struct {
	text string
	at   int
}

const (
	modelRows = 3
	modelAge  = time.Second
)

func (m *model) Open(_ context.Context, from connector.Position) error {
	if from != nil {
		var p struct {
			Row *int `json:"row"`
		}
		if json.Unmarshal(from, &p) != nil || p.Row == nil {
			if m.defect != "takes any position" {
				return connector.Configf("Delete the state", "the position cannot be read")
			}
			p.Row = new(int)
		}
		m.skip, m.row = *p.Row, *p.Row
	}
	m.builder = rows.NewBuilder(m.mem, rows.RawSchema([]string{"a", "b"}))
	size := 2
	if m.defect == "reads ahead without bound" {
		size = 1 << 12
	}
	m.lines, m.stop = make(chan string, size), make(chan struct{})
	m.timer = time.NewTimer(time.Hour)
	m.timer.Stop()
	go m.scan()
	if m.defect == "leaks a goroutine" {
		go func() { <-m.release }()
	}
	return nil
}

func (m *model) scan() {
	defer close(m.lines)
	in := bufio.NewReaderSize(m.in, 16)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		select {
		case m.lines <- line:
		case <-m.stop:
			return
		}
	}
}

func (m *model) Read(ctx context.Context) (connector.Batch, error) {
	if ctx.Err() != nil {
		if m.defect != "ignores a context that has ended" {
			return connector.Batch{}, ctx.Err()
		}
		ctx = context.Background()
	}
	limit := modelRows
	if m.defect == "batches without bound" {
		limit = 1 << 20
	}
	for !m.end && m.builder.Len() < limit {
		select {
		case line, ok := <-m.lines:
			m.end = !ok
			m.take(line)
		case <-m.timer.C:
			if m.builder.Len() > 0 && m.defect != "never flushes" {
				return m.cut(), nil
			}
		case <-ctx.Done():
			if m.defect == "hangs on cancel" {
				<-m.release
			}
			if m.defect == "loses rows on cancel" && m.builder.Len() > 0 {
				m.builder.NewRecord().Release()
				m.refused = nil
			}
			return connector.Batch{}, ctx.Err()
		}
	}
	if n := m.builder.Len(); n > 0 && !(m.end && n < modelRows && m.defect == "drops the last batch") {
		return m.cut(), nil
	}
	if m.defect == "hides the end" {
		return connector.Batch{}, io.ErrUnexpectedEOF
	}
	return connector.Batch{}, io.EOF
}

func (m *model) take(line string) {
	text := bytes.TrimSpace([]byte(line))
	if len(text) == 0 {
		return
	}
	if bytes.HasPrefix(text, []byte(`{"state":`)) {
		m.state(string(text[len(`{"state":`) : len(text)-1]))
		return
	}
	if m.skip > 0 {
		m.skip--
		return
	}
	if r := m.builder.Append(text); r != nil {
		if m.defect == "skips a bad line" {
			return
		}
		raw := text
		if m.defect == "loses the raw text" {
			raw = nil
		}
		if m.defect != "hides a refusal" {
			result := r.Result(m.builder.Len())
			if m.defect == "misplaces a refusal" {
				result.Row = 0
			}
			m.refused = append(m.refused, result)
		}
		m.builder.AppendRefused(raw)
	}
	m.read++
	if m.builder.Len() == 1 {
		m.timer.Reset(modelAge)
	}
}

func (m *model) cut() connector.Batch {
	m.timer.Stop()
	rec := m.builder.NewRecord()
	n := int(rec.NumRows())
	if m.defect == "swaps rows" && n > 1 {
		parts := []rows.Part{{Rec: rec, Rows: []int32{1, 0}}}
		for i := 2; i < n; i++ {
			parts[0].Rows = append(parts[0].Rows, int32(i))
		}
		swapped := rows.Take(m.mem, parts)
		rec.Release()
		rec = swapped
	}
	if m.defect == "leaks a record" {
		rec.Retain()
	}
	m.row += n
	at := m.row
	if m.defect == "position is one too far" {
		at++
	}
	if m.defect == "position is one short" {
		at--
	}
	b := connector.Batch{
		Stream: "s", Rows: rec, Refused: m.refused, Bytes: rows.Size(rec) + 100,
		Pos: connector.Position(fmt.Sprintf(`{"row":%d}`, at)),
	}
	if m.defect == "position lags a batch" {
		b.Pos, m.prev = m.prev, b.Pos
	}
	if m.defect == "no price" {
		b.Bytes = 1
	}
	m.refused = nil
	return b
}

func (m *model) state(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.defect == "loses a state's field" {
		var v map[string]json.RawMessage
		if json.Unmarshal([]byte(text), &v) == nil {
			delete(v, "extra")
			short, _ := json.Marshal(v)
			text = string(short)
		}
	}
	if m.defect == "a number becomes a float" {
		var v any
		if json.Unmarshal([]byte(text), &v) == nil {
			float, _ := json.Marshal(v)
			text = string(float)
		}
	}
	if m.defect == "skips a state" && len(m.states) > 0 {
		m.states = m.states[:len(m.states)-1]
	}
	m.states = append(m.states, modelState{text, m.read})
	m.advance()
}

func (m *model) advance() {
	for len(m.states) > 0 && (m.states[0].at <= m.settled || m.defect == "acks early") {
		s := m.states[0]
		if m.defect == "states out of order" && len(m.states) > 1 && m.states[1].at <= m.settled {
			s = m.states[1]
			m.states[1] = m.states[0]
		}
		m.states = m.states[1:]
		e := Emission{Text: s.text}
		from := min(m.counted, len(m.rejects))
		for _, bad := range m.rejects[from:max(from, min(s.at, len(m.rejects)))] {
			if bad {
				e.Rejected++
			}
			if !bad || m.defect == "counts rejects as committed" {
				e.Committed++
			}
		}
		if m.defect != "counts from the start" {
			m.counted = max(s.at, m.counted)
		}
		m.emitted = append(m.emitted, e)
		if m.defect == "gives a state back twice" {
			m.emitted = append(m.emitted, e)
		}
	}
}

func (m *model) Ack(_ context.Context, s connector.Settled) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.defect == "acks at the first row of a batch" {
		m.settled += s.Rows
		m.advance()
		m.settled -= s.Rows
	}
	base := len(m.rejects)
	m.rejects = append(m.rejects, make([]bool, s.Rows)...)
	for _, r := range s.Rejected {
		m.rejects[base+r.Row] = true
	}
	m.settled += s.Rows
	if m.defect == "settles a batch too much" {
		m.settled += modelRows
	}
	if m.defect != "loses a state when nothing more comes" || m.settled < m.read {
		m.advance()
	}
	return nil
}

func (m *model) Close() error {
	if m.defect == "hangs on close" {
		<-m.release
	}
	if m.builder != nil {
		close(m.stop)
		if m.defect != "hangs on cancel" { // then Read is still at it
			m.builder.Release()
		}
	}
	if m.defect == "close fails" {
		return errors.New("cannot close")
	}
	return nil
}
