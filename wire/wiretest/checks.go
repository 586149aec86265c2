package wiretest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// got is what came out of a Reader, by stream.
type got map[string][]Row

// add appends the rows of a batch, checks its shape, and releases it.
func (g got) add(b connector.Batch) error {
	if b.Rows == nil {
		if len(b.Refused) > 0 {
			return errors.New("a batch without rows refuses rows")
		}
		return nil
	}
	defer b.Rows.Release()
	if size := rows.Size(b.Rows); b.Bytes < size {
		return fmt.Errorf("a batch is priced at %d bytes, its rows alone hold %d", b.Bytes, size)
	}
	refused := map[int]connector.RowResult{}
	last := -1
	for _, r := range b.Refused {
		if r.Row <= last || r.Row >= b.NumRows() || r.Verdict != connector.VerdictRejected || r.Message == "" {
			return fmt.Errorf("refusal %+v: want rows ascending within %d, the verdict rejected and a message", r, b.NumRows())
		}
		last = r.Row
		refused[r.Row] = r
	}
	for i := range b.NumRows() {
		row := Row{Stream: b.Stream}
		if r, bad := refused[i]; bad {
			row.Code = r.Code
			row.JSON = rawText(b, i)
		} else {
			row.JSON = string(rows.AppendJSON(nil, b.Rows, i))
		}
		g[b.Stream] = append(g[b.Stream], row)
	}
	return nil
}

// rawText returns what a refused row holds: its text in "_extra".
func rawText(b connector.Batch, row int) string {
	at := b.Rows.Schema().FieldIndices(connector.ColumnExtra)
	if len(at) == 0 || b.Rows.Column(at[0]).IsNull(row) {
		return ""
	}
	column, ok := b.Rows.Column(at[0]).(interface{ Value(int) string })
	if !ok {
		return ""
	}
	return column.Value(row)
}

// diff tells where the rows read differ from those that the input holds, from row skip on.
func (g got) diff(want []Row, skip map[string]int) error {
	left := got{}
	for _, r := range want {
		left[r.Stream] = append(left[r.Stream], r)
	}
	for stream, rows := range left {
		rows = rows[min(skip[stream], len(rows)):]
		have := g[stream]
		for i := range max(len(rows), len(have)) {
			switch {
			case i >= len(have):
				return fmt.Errorf("stream %s: row %d and what follows is missing: %s", stream, i, rows[i].JSON)
			case i >= len(rows):
				return fmt.Errorf("stream %s: row %d was not in the input: %s", stream, i, have[i].JSON)
			case rows[i].Code != have[i].Code:
				return fmt.Errorf("stream %s, row %d: refused with %q, want %q: %s", stream, i, have[i].Code, rows[i].Code, have[i].JSON)
			case rows[i].Code == "" && !sameJSON(rows[i].JSON, have[i].JSON), rows[i].Code != "" && rows[i].JSON != have[i].JSON:
				return fmt.Errorf("stream %s, row %d: got %s, want %s", stream, i, have[i].JSON, rows[i].JSON)
			}
		}
	}
	for stream := range g {
		if left[stream] == nil {
			return fmt.Errorf("rows of a stream that the input does not hold: %s", stream)
		}
	}
	return nil
}

func sameJSON(a, b string) bool { return canonical(a) == canonical(b) }

// canonical is a JSON text with its keys sorted and its numbers as they were; what is no JSON equals only itself.
func canonical(s string) string {
	var v any
	dec := json.NewDecoder(strings.NewReader(s))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return "\x00" + s
	}
	out, err := json.Marshal(v)
	if err != nil {
		return "\x00" + s
	}
	return string(out)
}

// settled answers a batch: its refused rows and those that reject picks are rejected.
func settled(b connector.Batch, reject func() bool) connector.Settled {
	s := connector.Settled{Pos: b.Pos, Rows: b.NumRows()}
	refused := map[int]connector.RowResult{}
	for _, r := range b.Refused {
		refused[r.Row] = r
	}
	for i := range b.NumRows() {
		if r, bad := refused[i]; bad {
			s.Rejected = append(s.Rejected, r)
		} else if reject() {
			s.Rejected = append(s.Rejected, connector.RowResult{Row: i, Verdict: connector.VerdictRejected, Code: "test"})
		}
	}
	return s
}

func never() bool { return false }

// take notes a batch in g (unless nil), releases it and acknowledges it. Every check answers what it reads: a Reader may
// wait for answers before it goes on, because what it keeps for them is bounded.
func take(r connector.Reader, g got, b connector.Batch) error {
	s := settled(b, never)
	if g == nil {
		g = got{}
	}
	if err := g.add(b); err != nil {
		return err
	}
	if err := r.Ack(context.Background(), s); err != nil {
		return fmt.Errorf("ack: %w", err)
	}
	return nil
}

// open makes and opens a reader of the whole input.
func open(h Harness, mem memory.Allocator, in io.Reader, from connector.Position) (connector.Reader, error) {
	r := h.New(mem, in)
	if err := r.Open(context.Background(), from); err != nil {
		return nil, errors.Join(fmt.Errorf("open: %w", err), r.Close())
	}
	return r, nil
}

// checkRows: every row, in its stream's order, with its content; then io.EOF, again and again.
func checkRows(h Harness) error {
	r, err := open(h, memory.DefaultAllocator, whole(h), nil)
	if err != nil {
		return err
	}
	defer r.Close()
	g := got{}
	for {
		b, err := r.Read(context.Background())
		if err != nil {
			if _, again := r.Read(context.Background()); err != io.EOF || again != io.EOF {
				return fmt.Errorf("the end of the input gives %v, then %v; want EOF twice", err, again)
			}
			return g.diff(h.Rows, nil)
		}
		if n := b.NumRows(); n > h.MaxRows || n > 1 && b.Bytes > h.MaxBytes {
			return fmt.Errorf("a batch of %d rows and %d bytes, want at most %d and %d", n, b.Bytes, h.MaxRows, h.MaxBytes)
		}
		if err := take(r, g, b); err != nil {
			return err
		}
	}
}

// checkMemory: the Reader keeps no reference to what it handed out, nor to rows that it has not when it is closed.
func checkMemory(h Harness) error {
	for _, batches := range []int{1 << 30, 1} {
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		r, err := open(h, mem, whole(h), nil)
		for i := 0; err == nil && i < batches; i++ {
			var b connector.Batch
			if b, err = r.Read(context.Background()); err == nil {
				err = take(r, nil, b)
			}
		}
		if err != nil && err != io.EOF {
			r.Close()
			return err
		}
		if err := r.Close(); err != nil {
			return fmt.Errorf("close: %w", err)
		}
		if err := unreleased(mem); err != nil {
			return err
		}
	}
	return nil
}

// checkStates: with acks that lag behind reading by random distances and random rejects, states come back in order, never
// early, unchanged, and with counts that add up.
func checkStates(h Harness) error {
	if len(h.States) == 0 {
		return nil
	}
	for seed := range uint64(20) {
		if err := statesRun(h, rand.New(rand.NewPCG(seed, 1))); err != nil {
			return fmt.Errorf("seed %d: %w", seed, err)
		}
	}
	return nil
}

func statesRun(h Harness, random *rand.Rand) error {
	r, err := open(h, memory.DefaultAllocator, whole(h), nil)
	if err != nil {
		return err
	}
	defer r.Close()
	j := newJudge(h)
	var waiting []connector.Batch
	for eof := false; !eof || len(waiting) > 0; {
		answer := eof || len(waiting) > 0 && random.IntN(3) == 0
		if !answer {
			b, ended, err := readFor(r, 2*h.Age)
			switch {
			case ended && len(waiting) == 0:
				return errors.New("Read waits although every batch is answered and the input has not ended")
			case ended: // it waits for answers
				answer = true
			case err == io.EOF:
				eof = true
			case err != nil:
				return err
			default:
				if b.Rows != nil {
					b.Rows.Release()
				}
				waiting = append(waiting, b)
			}
		}
		if answer && len(waiting) > 0 {
			s := settled(waiting[0], func() bool { return random.IntN(4) == 0 })
			j.settle(waiting[0].Stream, s)
			waiting = waiting[1:]
			if err := r.Ack(context.Background(), s); err != nil {
				return fmt.Errorf("ack: %w", err)
			}
		}
		if err := j.look(h.Emitted()); err != nil {
			return err
		}
	}
	return j.complete()
}

// checkConcurrent: Ack runs beside Read. The race detector watches.
func checkConcurrent(h Harness) error {
	r, err := open(h, memory.DefaultAllocator, whole(h), nil)
	if err != nil {
		return err
	}
	defer r.Close()
	type answer struct {
		stream  string
		settled connector.Settled
	}
	answers := make(chan answer, 8)
	var read, ack error
	j := newJudge(h)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(answers)
		for {
			b, err := r.Read(context.Background())
			if err != nil {
				read = err
				return
			}
			s := settled(b, never)
			if b.Rows != nil {
				b.Rows.Release()
			}
			answers <- answer{b.Stream, s}
		}
	})
	wg.Go(func() {
		for a := range answers {
			j.settle(a.stream, a.settled)
			if err := r.Ack(context.Background(), a.settled); err != nil && ack == nil {
				ack = err
			}
		}
	})
	wg.Wait()
	if read != io.EOF || ack != nil {
		return fmt.Errorf("read: %w, ack: %w", read, ack)
	}
	if len(h.States) == 0 {
		return nil
	}
	if err := j.look(h.Emitted()); err != nil {
		return err
	}
	return j.complete()
}

// checkResume: a Reader that is opened with a position reads exactly what came behind it.
func checkResume(h Harness) error {
	if !h.Positions {
		return nil
	}
	type point struct {
		pos  connector.Position
		read map[string]int
	}
	var points []point
	r, err := open(h, memory.DefaultAllocator, whole(h), nil)
	if err != nil {
		r.Close()
		return err
	}
	count := map[string]int{}
	for {
		b, err := r.Read(context.Background())
		if err == io.EOF {
			break
		}
		if err != nil {
			r.Close()
			return err
		}
		count[b.Stream] += b.NumRows()
		if err := take(r, nil, b); err != nil {
			r.Close()
			return err
		}
		if b.Pos == nil || !json.Valid(b.Pos) {
			r.Close()
			return fmt.Errorf("the position of a batch is not JSON: %q", b.Pos)
		}
		at := map[string]int{}
		for s, n := range count {
			at[s] = n
		}
		points = append(points, point{b.Pos, at})
	}
	if err := r.Close(); err != nil {
		return err
	}
	for _, p := range points {
		if err := suffix(h, p.pos, p.read); err != nil {
			return fmt.Errorf("from position %s: %w", p.pos, err)
		}
	}
	return nil
}

func suffix(h Harness, from connector.Position, skip map[string]int) error {
	r, err := open(h, memory.DefaultAllocator, whole(h), from)
	if err != nil {
		return err
	}
	defer r.Close()
	g := got{}
	for {
		b, err := r.Read(context.Background())
		if err == io.EOF {
			return g.diff(h.Rows, skip)
		}
		if err != nil {
			return err
		}
		if err := take(r, g, b); err != nil {
			return err
		}
	}
}
