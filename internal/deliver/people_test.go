package deliver

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestPeopleOrder enters random rows with few identifiers, lets free rows leave in random order, and checks against a
// slow model that rows of one person leave in the order they came.
func TestPeopleOrder(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		table := newPeople(1 << 10)
		names := newUnion()
		var rows []*row
		var after [][]int // per row, the earlier ones of its person, as known when it came
		var open []int
		left := []int{}
		for len(rows) < 80 || len(open) > 0 {
			if len(rows) < 80 && rnd.IntN(3) > 0 {
				keys := make([]uint64, rnd.IntN(4))
				for i := range keys {
					keys[i] = rnd.Uint64N(12)
				}
				r := &row{}
				after = append(after, names.tie(len(rows), keys))
				table.enter(r, keys)
				open = append(open, len(rows))
				rows = append(rows, r)
				continue
			}
			var free []int
			for _, i := range open {
				if rows[i].waits == 0 {
					free = append(free, i)
				}
			}
			if len(free) == 0 {
				if len(open) > 0 {
					t.Fatalf("seed %d: %d rows open and none is free", seed, len(open))
				}
				continue
			}
			i := free[rnd.IntN(len(free))]
			for _, j := range open {
				if slices.Contains(after[i], j) {
					t.Fatalf("seed %d: row %d may go before row %d of the same person", seed, i, j)
				}
			}
			freed := table.leave(rows[i], true)
			if freed != nil && freed.waits != 0 {
				t.Fatalf("seed %d: a row that still waits was called free", seed)
			}
			open = slices.DeleteFunc(open, func(j int) bool { return j == i })
			left = append(left, i)
		}
		if len(left) != len(rows) {
			t.Fatalf("seed %d: %d of %d rows left", seed, len(left), len(rows))
		}
	}
}

// union is the slow model of who is who.
type union struct {
	person map[uint64]int
	rows   map[int][]int
	n      int
}

func newUnion() *union { return &union{person: make(map[uint64]int), rows: make(map[int][]int)} }

// tie makes one person of the keys and returns his rows so far.
func (u *union) tie(row int, keys []uint64) (before []int) {
	if len(keys) == 0 {
		return nil
	}
	u.n++
	for _, k := range keys {
		old, ok := u.person[k]
		if !ok {
			u.person[k] = u.n
			continue
		}
		for x, p := range u.person {
			if p == old {
				u.person[x] = u.n
			}
		}
		before = append(before, u.rows[old]...)
		delete(u.rows, old)
	}
	u.rows[u.n] = append(slices.Clone(before), row)
	return before
}

func TestPeopleMemoryIsBounded(t *testing.T) {
	const past = 100
	table := newPeople(past)
	for i := range uint64(10_000) {
		r := &row{}
		table.enter(r, []uint64{i * 3, i*3 + 1, i*3 + 2})
		table.leave(r, true)
	}
	if got, want := table.byKey.n, past*3; got != want {
		t.Errorf("%d identifiers are kept of people without an open row, want %d", got, want)
	}
	for i := range uint64(1000) {
		r := &row{}
		table.enter(r, []uint64{1_000_000 + i})
		table.leave(r, true)
	}
	if got, want := table.byKey.n, past*3; got != want {
		t.Errorf("people of one identifier must not be kept: %d identifiers, want %d", got, want)
	}
}

func TestPeopleForgetsOnlyIdle(t *testing.T) {
	table := newPeople(1)
	first := &row{}
	table.enter(first, []uint64{1, 2})
	table.leave(first, true) // remembered
	again := &row{}
	table.enter(again, []uint64{1}) // the same person is open again
	other := &row{}
	table.enter(other, []uint64{8, 9})
	table.leave(other, true) // takes the only place in the memory
	alias := &row{}
	table.enter(alias, []uint64{2})
	if alias.waits != 1 {
		t.Error("a person with an open row was forgotten")
	}
}

func TestPeopleSameIdentifierTwice(t *testing.T) {
	table := newPeople(4)
	a, b := &row{}, &row{}
	table.enter(a, []uint64{7, 7})
	table.enter(b, []uint64{7, 3, 7})
	if a.waits != 0 || b.waits != 1 {
		t.Fatalf("waits %d and %d, want 0 and 1", a.waits, b.waits)
	}
	if freed := table.leave(a, true); freed != b {
		t.Fatal("the second row was not freed by the first")
	}
	table.leave(b, false)
	if table.byKey.n != 0 {
		t.Errorf("%d identifiers left", table.byKey.n)
	}
}

// BenchmarkPeople enters and leaves rows of two identifiers.
func BenchmarkPeople(b *testing.B) {
	for _, past := range []int{0, 1 << 12, 1 << 14, 1 << 16} {
		b.Run(fmt.Sprint(past), func(b *testing.B) {
			table := newPeople(past)
			slab := make([]row, 1000)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i%len(slab) == 0 {
					clear(slab)
				}
				r := &slab[i%len(slab)]
				table.enter(r, []uint64{uint64(i) * 0x9e3779b97f4a7c15, uint64(i)*0x9e3779b97f4a7c15 + 1})
				table.leave(r, true)
			}
		})
	}
}
