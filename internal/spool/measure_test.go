package spool

import (
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
)

// TestSizeIsThatOfTheRequest: rows that the codec refuses are not part of it.
func TestSizeIsThatOfTheRequest(t *testing.T) {
	long := strings.Repeat("x", 55) // 57 bytes with its quotes; three rows may have 60
	for _, raws := range [][]string{{long}, {long, "refuse"}, {"refuse", "refuse", long}, {"refuse"}} {
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		r := open(t, &source{mem: mem, batches: []input{in("a", keep("ann", raws...)...)}}, 3, 1)
		b, err := r.Read(t.Context())
		if err != nil || b.NumRows() != len(raws) {
			t.Errorf("%.60q: %d rows, %v", raws, b.NumRows(), err)
		}
		if b.Rows != nil {
			b.Rows.Release()
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		mem.AssertSize(t, 0)
	}
}
