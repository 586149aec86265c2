package deliver

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
)

// poolCodec is testCodec where a request replaces the pool of an agent, who is the contact's note.
type poolCodec struct{ *testCodec }

func (c *poolCodec) AppendGroup(dst []byte, rec arrow.Record, row int) []byte {
	return append(dst, parseLine(rec.Column(0).(*array.String).Value(row)).Note...)
}

// poolWorld is a case of whole batches. The wrap functions plant a defect.
type poolWorld struct {
	seed     uint64
	opaque   bool
	faults   float64
	wrapWire func(http.RoundTripper) http.RoundTripper
	wrap     func(*poolCodec) connector.Codec

	batches [][]contact
	server  *testServer
	results map[int64]string // code by row, "" delivered
	wrong   []string
}

func (w *poolWorld) accuse(format string, args ...any) {
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

// draw makes batches of three agents, some of them of the same one, with rows that share a number.
func (w *poolWorld) draw(rnd *rand.Rand) {
	id := int64(0)
	for range 2 + rnd.IntN(6) {
		agent := fmt.Sprintf("agent%d", rnd.IntN(3))
		var batch []contact
		for range 1 + rnd.IntN(12) {
			id++
			c := contact{ID: id, WA: fmt.Sprintf("86%s%d", agent, rnd.IntN(10)), Note: agent, Name: fmt.Sprintf("n%d", id)}
			if rnd.IntN(12) == 0 {
				c.Bad = []string{"28", "22"}[rnd.IntN(2)]
			}
			c.Refuse, c.Busy = rnd.IntN(15) == 0, !w.opaque && rnd.IntN(15) == 0
			batch = append(batch, c)
		}
		w.batches = append(w.batches, batch)
	}
}

// run plays the case and returns what is wrong. It must be called in a synctest bubble.
func (w *poolWorld) run(t testing.TB, mem memory.Allocator) []string {
	rnd := rand.New(rand.NewPCG(w.seed, 6))
	w.opaque, w.faults, w.results = w.seed%4 == 0, max(w.faults, rnd.Float64()*0.3), map[int64]string{}
	w.draw(rnd)
	w.server = newTestServer("pool")
	w.server.opaque, w.server.seed, w.server.faults = w.opaque, w.seed, w.faults
	w.server.skew = []time.Duration{0, 0, time.Hour}[rnd.IntN(3)]
	w.server.latency = func(r *rand.Rand) time.Duration { return time.Duration(1+r.IntN(300)) * time.Millisecond }
	conf := Config{Concurrency: 3, MaxAttempts: 60, Alloc: mem, Transport: w.server}
	if w.wrapWire != nil {
		conf.Transport = w.wrapWire(w.server)
	}
	conf.Codec = func(string, *arrow.Schema) (connector.Codec, error) {
		c := &poolCodec{&testCodec{endpoint: "import", limits: connector.Limits{Rows: 12, Idempotent: true, Duplicates: connector.DuplicatesLastWins}}}
		if w.wrap != nil {
			return w.wrap(c), nil
		}
		return c, nil
	}
	out := New(conf)
	if err := out.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, batch := range w.batches {
		done := func(rejected []connector.RowResult, err error) {
			w.server.answered(func() { w.answer(batch, rejected, err) })
		}
		b := connector.Batch{Stream: "s", Rows: record(mem, contactSchema, batch)}
		if err := out.Write(context.Background(), b, done); err != nil {
			t.Fatal(err)
		}
		if rnd.IntN(2) == 0 {
			leave(t.Context(), time.Duration(rnd.IntN(400))*time.Millisecond, false)
		}
	}
	if err := out.Close(); err != nil {
		w.accuse("close: %v", err)
	}
	w.check()
	return append(w.wrong, w.server.wrong...)
}

// answered runs f under the server's lock.
func (s *testServer) answered(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (w *poolWorld) answer(batch []contact, rejected []connector.RowResult, err error) {
	if err != nil {
		w.accuse("a batch failed: %v", err)
	}
	for i := range batch {
		if _, twice := w.results[batch[i].ID]; twice {
			w.accuse("row %d was answered twice", batch[i].ID)
		}
		w.results[batch[i].ID] = ""
	}
	for _, r := range rejected {
		w.results[batch[r.Row].ID] = r.Code
	}
}

// expect says what becomes of the rows of a batch and which of them are sent: the last of each number that the codec
// takes. With an opaque vendor one bad row among those spoils all.
func (w *poolWorld) expect(batch []contact) (codes map[int64]string, sent []int64, pool map[string]string) {
	codes, pool = map[int64]string{}, map[string]string{}
	standing := map[string]*contact{}
	spoiled := ""
	for i := len(batch) - 1; i >= 0; i-- {
		c := &batch[i]
		if c.Refuse && standing[c.WA] == nil {
			codes[c.ID] = connector.CodeTooLong
			continue
		}
		if standing[c.WA] == nil {
			standing[c.WA] = c
			sent = append(sent, c.ID)
			if w.opaque && c.Bad != "" {
				spoiled = c.Bad
			}
		}
	}
	slices.Reverse(sent)
	for i := len(batch) - 1; i >= 0; i-- {
		c := &batch[i]
		s := standing[c.WA]
		code := ""
		if s != nil {
			if code = s.Bad; spoiled != "" {
				code = spoiled
			}
		}
		switch {
		case codes[c.ID] != "":
		case s == c:
			if codes[c.ID] = code; code == "" {
				pool[c.WA] = c.Name
			}
		case code != "":
			codes[c.ID] = connector.CodeDuplicate
		default:
			codes[c.ID] = ""
		}
	}
	return codes, sent, pool
}

func (w *poolWorld) check() {
	of := map[int64]int{} // row → batch
	pools := map[string]map[string]string{}
	sent := make([][]int64, len(w.batches))
	for i, batch := range w.batches {
		codes, ids, pool := w.expect(batch)
		sent[i] = ids
		for j := range batch {
			id := batch[j].ID
			of[id] = i
			if got, ok := w.results[id]; !ok || got != codes[id] {
				w.accuse("row %d of batch %d ended as %q (%t), want %q", id, i, got, ok, codes[id])
			}
		}
		if len(ids) > 0 && !(w.opaque && len(pool) == 0) { // a refused request leaves the pool as it was
			pools[batch[0].Note] = pool
		}
	}
	for agent, want := range pools {
		if got := w.server.pools[agent]; !maps.Equal(got, want) {
			w.accuse("the pool of %s is %v, want %v", agent, got, want)
		}
	}
	w.checkRequests(of, sent)
}

// checkRequests: each holds all that is left of one batch, and no earlier batch of that agent is open.
func (w *poolWorld) checkRequests(of map[int64]int, sent [][]int64) {
	last := map[string]int{}
	left := map[string]time.Time{}
	for _, e := range w.server.journal {
		batch := of[e.rows[0].ID]
		if ids := e.ids(); !slices.Equal(ids, sent[batch]) {
			w.accuse("a request holds the rows %v, the batch has %v to send", ids, sent[batch])
		}
		if e.code == "ok" {
			sent[batch] = slices.DeleteFunc(slices.Clone(sent[batch]), func(id int64) bool { return e.refused[id] != "" && e.refused[id] != "busy" })
		}
		agent := e.rows[0].Note
		if batch < last[agent] || batch > last[agent] && e.arrived.Before(left[agent]) {
			w.accuse("a request of batch %d overtook one of batch %d of the same agent", batch, last[agent])
		}
		last[agent], left[agent] = batch, e.left
	}
}

// TestWholeModel: pools that are sent under every fault end as the last batch of their agent says, each request holds one
// batch, and every row has its verdict.
func TestWholeModel(t *testing.T) {
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) {
			mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
			defer mem.AssertSize(t, 0)
			w := &poolWorld{seed: seed}
			for _, x := range w.run(t, mem) {
				t.Errorf("seed %d (opaque %t): %s", seed, w.opaque, x)
			}
		})
		if t.Failed() {
			return
		}
	}
}

// TestWholeDefectsAreCaught proves the checker of whole batches.
func TestWholeDefectsAreCaught(t *testing.T) {
	for _, d := range []struct {
		name, says string
		plant      func(w *poolWorld)
	}{
		{"cuts a batch in two", "a request holds", func(w *poolWorld) {
			w.wrap = func(c *poolCodec) connector.Codec { c.limits.Splittable, c.limits.Rows = true, 3; return c }
		}},
		{"sends only the rows that were sent back", "a request holds", func(w *poolWorld) { w.wrapWire = onlyTheRest }},
		{"knows no groups", "overtook", func(w *poolWorld) {
			w.wrap = func(c *poolCodec) connector.Codec { return groupless{c} }
		}},
		{"sends repeats of a contact", "a request holds", func(w *poolWorld) {
			w.wrap = func(c *poolCodec) connector.Codec { return keyless{c} }
		}},
	} {
		t.Run(d.name, func(t *testing.T) {
			for seed := range uint64(300) {
				var wrong []string
				synctest.Test(t, func(t *testing.T) {
					w := &poolWorld{seed: seed, faults: 0.1}
					d.plant(w)
					wrong = w.run(t, memory.DefaultAllocator)
				})
				if slices.ContainsFunc(wrong, func(s string) bool { return strings.Contains(s, d.says) }) {
					return
				}
			}
			t.Errorf("nothing said %q", d.says)
		})
	}
}

// groupless calls every row a group of its own, so that nothing orders batches.
type groupless struct{ *poolCodec }

func (c groupless) AppendGroup(dst []byte, rec arrow.Record, row int) []byte {
	return append(dst, rec.Column(0).(*array.String).Value(row)...)
}

type keyless struct{ *poolCodec }

func (keyless) AppendKeys(dst []uint64, _ arrow.Record, _ int) []uint64 { return dst }

// onlyTheRest leaves rows out of a request that an answer before called taken.
func onlyTheRest(next http.RoundTripper) http.RoundTripper {
	var mu sync.Mutex
	taken := map[string]bool{}
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		body := bodyOf(r)
		var kept, lines []string
		mu.Lock()
		for line := range strings.Lines(string(body)) {
			if lines = append(lines, line); !taken[line] {
				kept = append(kept, line)
			}
		}
		if len(kept) == 0 {
			kept = lines
		}
		mu.Unlock()
		resp, err := resend(next, r, []byte(strings.Join(kept, "")))
		if err == nil && resp.StatusCode == http.StatusOK {
			mu.Lock()
			defer mu.Unlock()
			for _, line := range lines {
				taken[line] = !strings.HasSuffix(strings.TrimSpace(line), "true") // the busy ones are not
			}
		}
		return resp, err
	})
}
