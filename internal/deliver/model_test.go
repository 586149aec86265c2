package deliver

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
)

// world is one case of the model test. The wrap functions plant a defect.
type world struct {
	seed    uint64
	mode    string
	opaque  bool
	rows    int
	persons int
	faults  float64
	bad     float64
	skew    time.Duration
	conf    Config

	wrapCodec  func(connector.Codec) connector.Codec
	wrapWire   func(http.RoundTripper) http.RoundTripper
	wrapWriter func(connector.Writer) connector.Writer
}

// aWorld draws a case.
func aWorld(seed uint64) *world {
	rnd := rand.New(rand.NewPCG(seed, 77))
	w := &world{
		seed: seed, mode: []string{"merge", "replace", "insert"}[seed%3], opaque: seed/3%2 == 0,
		rows: 6 + rnd.IntN(34), persons: 3 + rnd.IntN(30), faults: rnd.Float64() * 0.3, bad: rnd.Float64() * 0.2,
		skew: []time.Duration{0, 0, 0, time.Hour, -time.Minute}[rnd.IntN(5)],
		conf: Config{Concurrency: 1 + rnd.IntN(6), RequestsPerSecond: []float64{0, 0, 20}[rnd.IntN(3)], MaxAttempts: 60},
	}
	if w.mode == "insert" {
		w.persons = w.rows // else most rows exist already, and the run rightly stops
	}
	return w
}

// people of the world have a number and an e-mail address; a row knows one, the other, or both.
func (w *world) contacts(rnd *rand.Rand) []contact {
	out := make([]contact, w.rows)
	for i := range out {
		p := min(rnd.IntN(w.persons), rnd.IntN(w.persons)) // some are hot
		c := &out[i]
		c.ID = int64(i + 1)
		if c.WA = fmt.Sprintf("86%d", p); rnd.IntN(3) == 0 {
			c.WA = ""
		}
		if rnd.IntN(2) == 0 || c.WA == "" {
			c.Email = fmt.Sprintf("p%d@x", p)
			if rnd.IntN(12) == 0 {
				c.Email = fmt.Sprintf("p%d@x", rnd.IntN(w.persons)) // shared with somebody else
			}
		}
		if rnd.IntN(20) == 0 {
			c.WA, c.Email = "", fmt.Sprintf("lone%d@x", i)
		}
		c.Name = fmt.Sprintf("n%d", i)
		if rnd.IntN(2) == 0 {
			c.Note = fmt.Sprintf("note%d", i)
		}
		if rnd.Float64() < w.bad {
			c.Bad = []string{"28", "22"}[rnd.IntN(2)]
		}
		c.Refuse = rnd.IntN(25) == 0
		c.Busy = !w.opaque && rnd.IntN(25) == 0
	}
	return out
}

// run plays the case and returns what is wrong. It must be called in a synctest bubble.
func (w *world) run(t testing.TB, mem memory.Allocator) []string {
	rnd := rand.New(rand.NewPCG(w.seed, 5))
	server := newTestServer(w.mode)
	server.opaque, server.seed, server.faults, server.skew = w.opaque, w.seed, w.faults, w.skew
	server.maxRows, server.maxCalls = 1+rnd.IntN(12), w.conf.Concurrency
	server.latency = func(r *rand.Rand) time.Duration { return time.Duration(1+r.IntN(300)) * time.Millisecond }
	seen := newObserved(server)

	conf := w.conf
	conf.Alloc, conf.Transport = mem, server
	if w.wrapWire != nil {
		conf.Transport = w.wrapWire(server)
	}
	conf.Codec = func(string, *arrow.Schema) (connector.Codec, error) {
		var c connector.Codec = &testCodec{endpoint: "import", limits: connector.Limits{
			Rows: server.maxRows, Idempotent: w.mode != "insert", Splittable: true, SplitAfter: time.Duration(w.seed%2) * 100 * time.Millisecond}}
		if w.wrapCodec != nil {
			c = w.wrapCodec(c)
		}
		return c, nil
	}
	var writer connector.Writer = New(conf)
	if w.wrapWriter != nil {
		writer = w.wrapWriter(writer)
	}
	if err := writer.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	schemas := []*arrow.Schema{contactSchema, contactSchema}
	for rest := w.contacts(rnd); len(rest) > 0; {
		n := min(1+rnd.IntN(20), len(rest))
		batch := rest[:n]
		rest = rest[n:]
		rec := record(mem, schemas[n%2], batch)
		if err := writer.Write(context.Background(), connector.Batch{Stream: []string{"a", "b"}[n%2], Rows: rec}, seen.done(batch)); err != nil {
			seen.accuse("write: %v", err)
			break
		}
		if rnd.IntN(3) == 0 {
			leave(t.Context(), time.Duration(rnd.IntN(400))*time.Millisecond, false)
		}
	}
	if err := writer.Close(); err != nil {
		seen.accuse("close: %v", err)
	}
	return seen.check()
}

var cases = flag.Uint64("cases", 800, "cases of the model test; run more with -args -cases 20000")

// TestModel: random rows with hot and aliased keys, bad rows, faults, throttles and lost replies end in exactly the state
// that a serial sender would leave.
func TestModel(t *testing.T) {
	const shares = 2
	for share := range uint64(shares) {
		t.Run(fmt.Sprint(share), func(t *testing.T) {
			t.Parallel()
			for seed := share; seed < *cases && !t.Failed(); seed += shares {
				synctest.Test(t, func(t *testing.T) {
					mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
					defer mem.AssertSize(t, 0)
					w := aWorld(seed)
					for _, x := range w.run(t, mem) {
						t.Errorf("seed %d (%s, opaque %t): %s", seed, w.mode, w.opaque, x)
					}
				})
			}
		})
	}
}
