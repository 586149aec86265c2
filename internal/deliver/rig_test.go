package deliver

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
)

// rig is one Writer before one test server, in fake time.
type rig struct {
	t      *testing.T
	server *testServer
	limits connector.Limits
	conf   Config
	mem    *memory.CheckedAllocator
	writer *Writer
	next   int64
	out    []*outcome
}

// outcome is the answer to one batch.
type outcome struct {
	done     atomic.Bool
	at       time.Time
	rejected []connector.RowResult
	err      error
}

// bubble runs a test in fake time with a rig.
func bubble(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		defer mem.AssertSize(t, 0)
		r := &rig{t: t, mem: mem, server: newTestServer("merge"),
			limits: connector.Limits{Rows: 100, Idempotent: true, Splittable: true},
			conf:   Config{Concurrency: 1}}
		f(t, r)
		if r.writer != nil {
			if err := r.writer.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
		for i, o := range r.out {
			if !o.done.Load() {
				t.Errorf("batch %d was never answered", i)
			}
		}
	})
}

func (r *rig) open() *rig {
	r.conf.Alloc = r.mem
	if r.conf.Transport == nil {
		r.conf.Transport = r.server
	}
	r.conf.Codec = func(string, *arrow.Schema) (connector.Codec, error) {
		return &testCodec{limits: r.limits, endpoint: "import"}, nil
	}
	r.writer = New(r.conf)
	if err := r.writer.Open(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	return r
}

// some makes n rows of different people.
func (r *rig) some(n int, change ...func(*contact)) []contact {
	out := make([]contact, n)
	for i := range out {
		r.next++
		out[i] = contact{ID: r.next, WA: fmt.Sprintf("86%d", r.next), Name: "x"}
		for _, f := range change {
			f(&out[i])
		}
	}
	return out
}

func bad(code string) func(*contact)        { return func(c *contact) { c.Bad = code } }
func known(wa, email string) func(*contact) { return func(c *contact) { c.WA, c.Email = wa, email } }

func (r *rig) write(contacts []contact) *outcome {
	r.t.Helper()
	o := &outcome{}
	r.out = append(r.out, o)
	err := r.writer.Write(r.t.Context(), connector.Batch{Stream: "s", Rows: record(r.mem, contactSchema, contacts)}, o.answer(r.t))
	if err != nil {
		r.t.Fatalf("write: %v", err)
	}
	return o
}

func (o *outcome) answer(t *testing.T) func([]connector.RowResult, error) {
	return func(rejected []connector.RowResult, err error) {
		if o.done.Load() {
			t.Error("done was called twice")
		}
		o.at, o.rejected, o.err = time.Now(), rejected, err
		o.done.Store(true)
	}
}

// settle closes the writer, which waits for everything.
func (r *rig) settle() {
	r.t.Helper()
	if err := r.writer.Close(); err != nil {
		r.t.Errorf("close: %v", err)
	}
}

// pass lets fake time pass.
func (r *rig) pass(d time.Duration) {
	leave(r.t.Context(), d, false)
	synctest.Wait()
}

// sizes are the rows of each call so far.
func (r *rig) sizes() []int {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	var out []int
	for _, e := range r.server.journal {
		out = append(out, len(e.rows))
	}
	return out
}

func (r *rig) calls() int { return len(r.sizes()) }

// always answers every call alike.
func always(s scripted) func(int, []contact) *scripted {
	return func(int, []contact) *scripted { return &s }
}

// first answers the first n calls like this, and lets the others pass.
func first(n int, s scripted) func(int, []contact) *scripted {
	return func(i int, _ []contact) *scripted {
		if i <= n {
			return &s
		}
		return nil
	}
}

func says(code string) scripted {
	return scripted{status: http.StatusOK, body: `{"Code":"` + code + `"}`, before: true}
}

func (o *outcome) codes() map[string]int {
	out := map[string]int{}
	for _, r := range o.rejected {
		out[r.Code]++
	}
	return out
}
