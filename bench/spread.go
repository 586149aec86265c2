package main

import (
	"fmt"
	"slices"
)

// spread is the median of some figures, and their range.
type spread struct{ least, mid, most float64 }

func (s spread) String() string {
	if s.least == s.most {
		return fmt.Sprintf("%.2f", s.mid)
	}
	return fmt.Sprintf("%.2f (%.2f to %.2f)", s.mid, s.least, s.most)
}

// ratios compares what was measured side by side: what the machine does meanwhile is in both.
func ratios[T any](a, b []T, of func(T) float64) spread {
	list := make([]float64, len(a))
	for i := range a {
		list[i] = of(a[i]) / of(b[i])
	}
	slices.Sort(list)
	return spread{list[0], list[len(list)/2], list[len(list)-1]}
}
