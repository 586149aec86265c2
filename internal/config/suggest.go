package config

import (
	"sort"
	"strings"
)

// suggest ends an "unknown key" fault: the nearest known name, or the list of all where none is near.
func suggest(got string, known []string) string {
	if s := suggestOnly(got, known); s != "" {
		return s
	}
	if len(known) == 0 {
		return "; none is known here"
	}
	list := append([]string(nil), known...)
	sort.Strings(list)
	return "; known here: " + strings.Join(list, ", ")
}

// suggestOnly is "; did you mean …?" or nothing.
func suggestOnly(got string, known []string) string {
	if best := Nearest(got, known); best != "" {
		return "; did you mean " + best + "?"
	}
	return ""
}

// Nearest returns the known name that got may be a slip of the pen for; "" if none is near.
func Nearest(got string, known []string) string {
	best, dist := "", 1+max(1, len(got)/3)
	for _, k := range known {
		if n := distance(fold(got), fold(k)); n < dist {
			best, dist = k, n
		}
	}
	return best
}

// fold makes spellings of one name equal: accessKey, access-key and ACCESS_KEY.
func fold(s string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(s))
}

// distance is the number of inserted, removed, changed or swapped neighbouring bytes between a and b.
func distance(a, b string) int {
	prev2, prev := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur := make([]int, len(b)+1)
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev = prev, cur
	}
	return prev[len(b)]
}
