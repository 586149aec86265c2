package deliver

import (
	"testing"

	"pgregory.net/rapid"
)

// TestKeyTable compares the table with a map over random steps, with keys that share homes and keys that are zero.
func TestKeyTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table, want := newKeyTable(), map[uint64]*person{}
		who := make([]person, 4)
		key := rapid.OneOf(rapid.Uint64Range(0, 40), rapid.Map(rapid.Uint64Range(0, 40), func(k uint64) uint64 { return k << 58 }))
		for range rapid.IntRange(0, 400).Draw(t, "steps") {
			k := key.Draw(t, "key")
			switch _, in := want[k]; {
			case in && rapid.Bool().Draw(t, "delete"):
				table.delete(k)
				delete(want, k)
			case !in && rapid.Bool().Draw(t, "put"):
				p := &who[rapid.IntRange(0, 3).Draw(t, "who")]
				table.put(k, p)
				want[k] = p
			case !in:
				table.delete(k)
			}
			if got := table.get(k); got != want[k] {
				t.Fatalf("key %d: got %p, want %p", k, got, want[k])
			}
		}
		if table.n != len(want) {
			t.Fatalf("%d keys, want %d", table.n, len(want))
		}
		for k, p := range want {
			if got := table.get(k); got != p {
				t.Fatalf("key %d: got %p, want %p", k, got, p)
			}
		}
	})
}
