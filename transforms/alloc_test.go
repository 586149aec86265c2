package transforms

import (
	"context"
	"testing"
)

// TestAllocations: what a plan allocates depends on the columns, not on the rows.
func TestAllocations(t *testing.T) {
	for _, preset := range []string{"", benchPreset} {
		m := benchMapping(t, preset)
		per := func(rows int) float64 {
			rec := benchRecord(t, m, rows)
			plans, err := m.Plans("contacts", rec.Schema())
			if err != nil {
				t.Fatal(err)
			}
			return testing.AllocsPerRun(5, func() {
				out, err := plans[0].Apply(context.Background(), rec, nil)
				if err != nil || len(out.Rejected) > 0 {
					t.Fatal(err, out.Rejected)
				}
				out.Rows.Release()
			})
		}
		few, many := per(100), per(3000)
		if grown := (many - few) / 2900; grown > 0.02 {
			t.Errorf("%.0f allocations for 100 rows and %.0f for 3000: %.3f a row", few, many, grown)
		}
		if few > 260 {
			t.Errorf("%.0f allocations for a record of 100 rows", few)
		}
	}
}
