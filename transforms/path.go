package transforms

import "strings"

// pathOf cuts the name of a field into the names that lead to it: a.b.0 and a.b[0] are the member b of a and its first
// element. A field whose own name looks like a path is found before the path is followed.
func pathOf(name string) []string {
	if !strings.ContainsAny(name, ".[") {
		return []string{name}
	}
	var path []string
	for _, part := range strings.Split(name, ".") {
		head, rest, ok := strings.Cut(part, "[")
		if digits := strings.TrimSuffix(rest, "]"); !ok || !strings.HasSuffix(rest, "]") || head == "" && len(path) == 0 || !areIndexes(digits) {
			path = append(path, part)
			continue
		} else if head != "" {
			path = append(path, head)
		}
		path = append(path, strings.Split(strings.TrimSuffix(rest, "]"), "][")...)
	}
	return path
}

// areIndexes reports whether s is what stands between the outer brackets of [0] or [0][1].
func areIndexes(s string) bool {
	for _, digits := range strings.Split(s, "][") {
		if n, ok := parseInt(digits); !ok || n < 0 {
			return false
		}
	}
	return true
}

// headOf is the top-level field that a name leads into.
func headOf(name string) string { return pathOf(name)[0] }
