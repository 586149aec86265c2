package deliver

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
)

// lateWorld is one case: rows, a vendor that imports later, and runs over them that may be cut short and begun again.
type lateWorld struct {
	seed    uint64
	server  *lateServer
	rows    []contact
	conf    Config
	cuts    []time.Duration // how long the runs before the last one live
	blind   bool            // do not look up after a resume
	dark    bool            // some rows cannot be looked up
	codec   func(*lateCodec) connector.Codec
	writer  func(*Writer) connector.Writer
	mu      sync.Mutex
	results map[int64]string
	wrong   []string
}

func aLateWorld(seed uint64) *lateWorld {
	rnd := rand.New(rand.NewPCG(seed, 7))
	s := newLateServer()
	s.seed, s.faults, s.gone = seed, rnd.Float64()*0.3, rnd.Float64()*0.2
	s.straight = []float64{0, 0, 0.5, 1}[rnd.IntN(4)]
	s.slow = time.Duration(1+rnd.IntN(55)) * time.Second
	s.separate = rnd.IntN(2) == 0
	s.pages = []int{1, 1, 1, 4}[rnd.IntN(4)]
	s.rows, s.pollRows, s.maxCalls = 1+rnd.IntN(12), 1+rnd.IntN(6), 1+rnd.IntN(4)
	w := &lateWorld{seed: seed, server: s, dark: rnd.IntN(4) == 0, results: map[int64]string{}}
	w.conf = Config{Concurrency: s.maxCalls, RequestsPerSecond: []float64{0, 0, 20}[rnd.IntN(3)], MaxAttempts: 60}
	bad := rnd.Float64() * 0.3
	w.rows = make([]contact, 4+rnd.IntN(36))
	for i := range w.rows {
		w.rows[i] = contact{ID: int64(i + 1), WA: fmt.Sprint("86", i)}
		if i > 0 && rnd.IntN(6) == 0 {
			w.rows[i].WA = w.rows[rnd.IntN(i)].WA
		}
		if rnd.Float64() < bad {
			w.rows[i].Bad = "28"
		}
		if w.dark && rnd.IntN(4) == 0 {
			w.rows[i].Note = "dark"
		}
	}
	for range rnd.IntN(3) {
		w.cuts = append(w.cuts, time.Duration(rnd.IntN(90_000))*time.Millisecond)
	}
	return w
}

func (w *lateWorld) accuse(format string, args ...any) {
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

// run plays the case and returns what is wrong. It must be called in a synctest bubble.
func (w *lateWorld) run(t testing.TB, mem memory.Allocator) []string {
	rnd := rand.New(rand.NewPCG(w.seed, 8))
	for i, life := range append(slices.Clone(w.cuts), 0) {
		ctx, cancel := context.WithCancel(t.Context())
		if life > 0 {
			timer := time.AfterFunc(life, cancel)
			defer timer.Stop()
		}
		w.once(ctx, mem, rnd, i > 0, life == 0)
		cancel()
	}
	leave(t.Context(), time.Minute, false) // what was accepted gets in
	return w.check()
}

// once is one run over all rows that have no verdict yet.
func (w *lateWorld) once(ctx context.Context, mem memory.Allocator, rnd *rand.Rand, resumed, last bool) {
	w.server.mu.Lock()
	clear(w.server.heard)
	w.server.mu.Unlock()
	conf := w.conf
	conf.Alloc, conf.Transport = mem, w.server
	conf.Codec = func(string, *arrow.Schema) (connector.Codec, error) {
		if w.codec != nil {
			return w.codec(newLateCodec(w.server)), nil
		}
		return newLateCodec(w.server), nil
	}
	if resumed && !w.blind {
		conf.LookupFirst = len(w.rows)
	}
	var writer connector.Writer = New(conf)
	if w.writer != nil {
		writer = w.writer(writer.(*Writer))
	}
	if err := writer.Open(ctx); err != nil {
		w.accuse("open: %v", err)
		return
	}
	var rest []contact
	for _, c := range w.rows {
		if _, done := w.results[c.ID]; !done {
			rest = append(rest, c)
		}
	}
	var answers []func() int
	for len(rest) > 0 {
		n := min(1+rnd.IntN(15), len(rest))
		done, times := w.done(rest[:n], last)
		if err := writer.Write(ctx, connector.Batch{Stream: "s", Rows: record(mem, contactSchema, rest[:n])}, done); err != nil {
			if last {
				w.accuse("write: %v", err)
			}
			break
		}
		answers = append(answers, times)
		rest = rest[n:]
		leave(ctx, time.Duration(rnd.IntN(400))*time.Millisecond, false)
	}
	if err := writer.Close(); err != nil {
		w.accuse("close: %v", err)
	}
	for _, times := range answers {
		if n := times(); n != 1 {
			w.accuse("done was called %d times", n)
		}
	}
}

func (w *lateWorld) done(batch []contact, last bool) (done answer, times func() int) {
	calls := 0
	return func(rejected []connector.RowResult, err error) {
		w.server.mu.Lock()
		in := w.server.present(batch, time.Now())
		w.server.mu.Unlock()
		w.mu.Lock()
		defer w.mu.Unlock()
		if calls++; err != nil {
			if last {
				w.accuse("the run ended: %v", err)
			}
			return
		}
		for i, c := range batch {
			code := ""
			if len(rejected) > 0 && rejected[0].Row == i {
				code, rejected = rejected[0].Code, rejected[1:]
			}
			if code == "" && !slices.Contains(in, c.ID) {
				w.accuse("row %d was called delivered and the vendor does not have it", c.ID)
			}
			w.results[c.ID] = code
		}
	}, func() int { w.mu.Lock(); defer w.mu.Unlock(); return calls }
}

func (w *lateWorld) check() []string {
	s := w.server
	s.mu.Lock()
	defer s.mu.Unlock()
	w.wrong = append(w.wrong, s.wrong...)
	for i := range w.rows {
		c := &w.rows[i]
		code, ok := w.results[c.ID]
		n := len(s.in[c.ID])
		switch {
		case n > 1:
			w.accuse("row %d was imported %d times", c.ID, n)
		case !ok:
			w.accuse("row %d has no verdict", c.ID)
		case code == connector.CodeAmbiguous:
			if c.Note != "dark" || (!s.lost[c.ID] && len(w.cuts) == 0) {
				w.accuse("row %d is called ambiguous and is not", c.ID)
			}
		case code == "" && n != 1, code == "" && c.Bad != "":
			w.accuse("row %d was called delivered and is not in", c.ID)
		case code == connector.CodeDuplicate:
			had := func(o contact) bool {
				code, ok := w.results[o.ID]
				return o.WA == c.WA && ok && (code == "" || code == connector.CodeAmbiguous)
			}
			if n > 0 && len(w.cuts) == 0 || s.separate || !slices.ContainsFunc(w.rows[:i], had) {
				w.accuse("row %d is called a duplicate and is not", c.ID)
			}
		case code != "" && (code != "not_imported" || c.Bad == ""):
			w.accuse("row %d was rejected as %q, which is not so", c.ID, code)
		}
	}
	return w.wrong
}

// TestLateModel: a vendor that imports later, loses replies and drops what it accepted, under runs that are cut short
// and begun again: nothing is imported twice, and every row has its true verdict.
func TestLateModel(t *testing.T) {
	const shares = 2
	for share := range uint64(shares) {
		t.Run(fmt.Sprint(share), func(t *testing.T) {
			t.Parallel()
			for seed := share; seed < *cases && !t.Failed(); seed += shares {
				synctest.Test(t, func(t *testing.T) {
					mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
					defer mem.AssertSize(t, 0)
					for _, x := range aLateWorld(seed).run(t, mem) {
						t.Errorf("seed %d: %s", seed, x)
					}
				})
			}
		})
	}
}
