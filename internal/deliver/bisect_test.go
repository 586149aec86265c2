package deliver

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// extraCalls is the promised bound for one request of n rows with k bad.
func extraCalls(n, k int) int {
	if k == 0 {
		return 0
	}
	up := 1 << bits.Len(uint(n-1))
	return int(2*float64(k)*math.Log2(float64(up)/float64(k))) + 2*k
}

// TestBisectBound: one request with any rows bad, under any concurrency, ends with just these rejected, in so many calls.
func TestBisectBound(t *testing.T) {
	for seed := range uint64(80) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		n, wide := 1+rnd.IntN(128), 1+rnd.IntN(8)
		share := []float64{0, 0.01, 0.05, 0.3, 0.9, 1}[rnd.IntN(6)]
		bubble(t, func(t *testing.T, r *rig) {
			r.server.opaque = true
			r.limits.Rows, r.conf.Concurrency = n, wide
			rows, k := r.some(n), 0
			for i := range rows {
				if rnd.Float64() < share {
					rows[i].Bad = "28"
					k++
				}
			}
			o := r.open().write(rows)
			r.settle()
			if got, most := r.calls()-1, extraCalls(n, k); got > most {
				t.Errorf("seed %d: %d rows, %d bad, %d wide: %d extra calls, promised are %d", seed, n, k, wide, got, most)
			}
			want(t, "rejected", len(o.rejected), k)
			for _, x := range o.rejected {
				if rows[x.Row].Bad == "" || x.Code != "28" {
					t.Errorf("row %d was rejected as %q", x.Row, x.Code)
				}
			}
			want(t, "delivered", r.writer.Stats().Rows, int64(n-k))
			if o.err != nil {
				t.Error(o.err)
			}
		})
	}
}

// TestBisectBoundOfManyRequests: the bound holds for the sum over requests, with the doubt that several bad ones raise.
func TestBisectBoundOfManyRequests(t *testing.T) {
	for seed := range uint64(60) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		requests, wide := 1+rnd.IntN(8), 1+rnd.IntN(8)
		bubble(t, func(t *testing.T, r *rig) {
			const n = 32
			r.server.opaque = true
			r.server.latency = func(rnd *rand.Rand) time.Duration { return time.Duration(rnd.IntN(100)+1) * time.Millisecond }
			r.limits.Rows, r.conf.Concurrency = n, wide
			rows, most, all := r.some(n*requests), 0, 0
			for q := range requests {
				k := 0
				share := []float64{0, 0.02, 0.1, 0.5}[rnd.IntN(4)]
				for i := range n {
					if rnd.Float64() < share {
						rows[q*n+i].Bad = "28"
						k++
					}
				}
				most += extraCalls(n, k)
				all += k
			}
			o := r.open().write(rows)
			r.settle()
			if got := r.calls() - requests; got > most {
				t.Errorf("seed %d: %d requests, %d rows bad, %d wide: %d extra calls, promised are %d", seed, requests, all, wide, got, most)
			}
			want(t, "rejected", len(o.rejected), all)
		})
	}
}

func TestOnePoisonAmongTenThousand(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.opaque = true
		r.conf.Concurrency = 4
		rows := r.some(10_000)
		rows[5_555].Bad = "28"
		o := r.open().write(rows)
		r.settle()
		want(t, "rejected", len(o.rejected), 1)
		want(t, "row", o.rejected[0].Row, 5_555)
		want(t, "delivered", r.writer.Stats().Rows, 9_999)
		if got, most := r.calls()-100, extraCalls(100, 1); got > most {
			t.Errorf("%d extra calls, promised are %d", got, most)
		}
	})
}

// TestAllPoisoned: the run stops after few calls, names the code, and says that it is not the rows.
func TestAllPoisoned(t *testing.T) {
	for _, wide := range []int{1, 2, 8} {
		t.Run(fmt.Sprint(wide), func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.server.opaque = true
				r.conf.Concurrency = wide
				o := r.open().write(r.some(10_000, bad("1002")))
				r.settle()
				want(t, "kind", connector.KindOf(o.err), connector.KindConfig)
				if o.err == nil || !strings.Contains(o.err.Error(), "1002") || !strings.Contains(o.err.Error(), "not the rows") {
					t.Errorf("the message is: %v", o.err)
				}
				if n := r.calls(); n > doubtRequests+doubtRows+wide+3 {
					t.Errorf("%d calls, sizes %v", n, r.sizes())
				}
				want(t, "rejected", len(o.rejected), 0)
			})
		})
	}
}

// TestAllRejectedByName is the same where the vendor names the rows.
func TestAllRejectedByName(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		o := r.open().write(r.some(10_000, bad("15")))
		r.settle()
		want(t, "kind", connector.KindOf(o.err), connector.KindConfig)
		want(t, "calls", r.calls(), doubtRequests)
	})
}

// TestDoubtIsCleared: whatever passes shows that the configuration is sound, and then every row gets its own verdict.
func TestDoubtIsCleared(t *testing.T) {
	for name, c := range map[string]struct {
		n   int
		bad func(i int) string
	}{
		"first five requests bad":    {320, func(i int) string { return pick(i < 160, pick(i%7 == 0, "", "28"), "") }},
		"every second":               {320, func(i int) string { return pick(i%2 == 0, "28", "") }},
		"two whole requests bad":     {320, func(i int) string { return pick(i < 64, "28", "") }},
		"only two requests, all bad": {64, func(int) string { return "28" }},
		"all bad, with two codes":    {192, func(i int) string { return pick(i/32%2 == 0, "28", "22") }},
		"few rows, all bad":          {30, func(int) string { return "28" }},
		"halves of all requests":     {320, func(i int) string { return pick(i%32 < 16, "28", "") }},
		"three of four":              {320, func(i int) string { return pick(i%4 == 3, "", "28") }},
	} {
		for _, wide := range []int{1, 4} {
			t.Run(fmt.Sprintf("%s/%d", name, wide), func(t *testing.T) {
				bubble(t, func(t *testing.T, r *rig) {
					r.server.opaque = true
					r.conf.Concurrency, r.limits.Rows = wide, 32
					rows, k := r.some(c.n), 0
					for i := range rows {
						if rows[i].Bad = c.bad(i); rows[i].Bad != "" {
							k++
						}
					}
					o := r.open().write(rows)
					r.settle()
					if o.err != nil {
						t.Fatalf("the run ended: %v", o.err)
					}
					want(t, "rejected", len(o.rejected), k)
					for _, x := range o.rejected {
						if x.Code != rows[x.Row].Bad {
							t.Fatalf("row %d was rejected as %q, not %q", x.Row, x.Code, rows[x.Row].Bad)
						}
					}
					want(t, "delivered", r.writer.Stats().Rows, int64(c.n-k))
				})
			})
		}
	}
}

func pick[T any](c bool, a, b T) T {
	if c {
		return a
	}
	return b
}

// TestTrickleOfBadRows: rows that come one by one and are bad are rejected, not a reason to stop, until there are many.
func TestTrickleOfBadRows(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.opaque = true
		r.open()
		for range 10 {
			o := r.write(r.some(1, bad("28")))
			r.pass(time.Second)
			if o.err != nil || len(o.rejected) != 1 {
				t.Fatalf("answered %v, %v", o.rejected, o.err)
			}
		}
	})
}

// TestHalvesKeepTheirKeys: a later row of a person in a suspect request waits for the verdict.
func TestHalvesKeepTheirKeys(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.opaque = true
		r.limits.SplitAfter, r.conf.Concurrency, r.limits.Rows = time.Second, 4, 8
		r.server.script = func(_ int, rows []contact) *scripted {
			if len(rows) == 1 && rows[0].ID == 5 { // the row that is sent alone to find out
				s := lockedFor(time.Second)
				return &s
			}
			return nil
		}
		rows := r.some(8)
		rows[6].Bad = "28"
		r.open().write(rows)
		later := r.write(r.some(1, known(rows[0].WA, "")))
		other := r.write(r.some(8))
		r.pass(900 * time.Millisecond)
		want(t, "a stranger does not wait", other.done.Load(), true)
		want(t, "a row of the same person waits", later.done.Load(), false)
		r.settle()
		if len(r.server.wrong) > 0 {
			t.Error(r.server.wrong)
		}
	})
}

func TestHalvesAreRetriedAsTheyAre(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.opaque = true
		r.server.script = func(n int, _ []contact) *scripted {
			if n == 2 || n == 3 {
				return &gateway
			}
			return nil
		}
		r.limits.Rows = 8
		r.open().write(r.some(8, func(c *contact) { c.Bad = pick(c.ID == 1, "28", "") }))
		r.settle()
		got := r.sizes()
		slices.Sort(got)
		wantSlice(t, "request sizes", got, 1, 1, 2, 2, 4, 4, 4, 4, 8)
	})
}

func TestUnsplittable(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.opaque = true
		r.limits.Splittable = false
		o := r.open().write(r.some(50, func(c *contact) { c.Bad = pick(c.ID == 1, "28", "") }))
		r.settle()
		want(t, "calls", r.calls(), 1)
		want(t, "rejected", len(o.rejected), 50)
	})
}

// TestStatusSuspect: a refusal that only the status tells of is bisected as well.
func TestStatusSuspect(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.script = func(_ int, rows []contact) *scripted {
			if slices.ContainsFunc(rows, func(c contact) bool { return c.ID == 3 }) {
				return &scripted{status: 422, body: "no", before: true}
			}
			return nil
		}
		o := r.open().write(r.some(20))
		r.settle()
		want(t, "rejected", len(o.rejected), 1)
		want(t, "code", o.rejected[0].Code, "http_422")
		want(t, "row", o.rejected[0].Row, 2)
	})
}

func TestTooLargeByStatus(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.script = func(_ int, rows []contact) *scripted {
			if len(rows) > 30 {
				return &scripted{status: 413, before: true}
			}
			return nil
		}
		o := r.open().write(r.some(100))
		r.settle()
		want(t, "rejected", len(o.rejected), 0)
		want(t, "delivered", r.writer.Stats().Rows, 100)
	})
}

// TestListedSuspects: the vendor delivered some rows and says of others that one of them is bad.
func TestListedSuspects(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.opaque = true
		r.server.script = first(1, scripted{status: 200, before: true,
			body: `{"Code":"ok","Rows":[{"Row":1,"Code":"suspect"},{"Row":2,"Code":"28"},{"Row":4,"Code":"suspect"},{"Row":5,"Code":"suspect"}]}`})
		o := r.open().write(r.some(8, func(c *contact) { c.Bad = pick(c.ID == 5, "22", "") }))
		r.settle()
		wantSlice(t, "request sizes", r.sizes(), 8, 2, 1, 1, 1)
		want(t, "rejected", len(o.rejected), 2)
		want(t, "first", o.rejected[0].Row, 2)
		want(t, "second", o.rejected[1].Row, 4)
		want(t, "its code", o.rejected[1].Code, "22")
	})
}

// TestVerdictsThatMakeNoSense end the run instead of losing a row.
func TestVerdictsThatMakeNoSense(t *testing.T) {
	for name, body := range map[string]string{
		"pending":      `{"Code":"ok","Rows":[{"Row":1,"Code":"pending"}]}`,
		"out of range": `{"Code":"ok","Rows":[{"Row":9,"Code":"28"}]}`,
		"descending":   `{"Code":"ok","Rows":[{"Row":2,"Code":"28"},{"Row":1,"Code":"28"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.server.script = always(scripted{status: 200, body: body, before: true})
				o := r.open().write(r.some(4))
				r.settle()
				want(t, "kind", connector.KindOf(o.err), connector.KindInternal)
			})
		})
	}
}
