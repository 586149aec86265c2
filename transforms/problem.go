package transforms

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/sluicehq/sluice/connector"
)

// Problem is one fault of a document.
type Problem struct {
	File         string
	Line, Column int    // 1-based; 0: the fault has no place
	Path         string // such as streams.contacts.fields.birthday.date
	Message      string // what is wrong and what to write instead
}

func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// Problems are all the faults that were found, in the order of the document. errors.As finds them in what Parse, Compile
// and Plans return.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// err turns the collected problems into one Config error; nil where there is none.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	seen := make(map[Problem]bool, len(p))
	unique := p[:0:0]
	for _, one := range p {
		if !seen[one] {
			seen[one] = true
			unique = append(unique, one)
		}
	}
	sort.SliceStable(unique, func(i, j int) bool {
		if unique[i].File != unique[j].File {
			return unique[i].File < unique[j].File
		}
		return unique[i].Line < unique[j].Line
	})
	what := "the mapping has a fault"
	if len(unique) > 1 {
		what = fmt.Sprintf("the mapping has %d faults", len(unique))
	}
	return &connector.Error{Kind: connector.KindConfig, What: what, Err: unique}
}

// problemsOf gives the problems in an error that this package made.
func problemsOf(err error) Problems {
	var p Problems
	errors.As(err, &p)
	return p
}

// pos is a place in a document.
type pos struct {
	file         string
	line, column int
	path         string
}

func (p pos) problem(format string, args ...any) Problem {
	return Problem{File: p.file, Line: p.line, Column: p.column, Path: p.path, Message: fmt.Sprintf(format, args...)}
}

// didYouMean returns a hint that names the candidate nearest to what was written, or "" if none is near.
func didYouMean(written string, candidates []string) string {
	best, bestDistance := "", len(written)/3+1
	if len(written) <= 2 {
		bestDistance = 1
	}
	for _, c := range candidates {
		if strings.EqualFold(c, written) && c != written {
			return fmt.Sprintf(" (did you mean %q?)", c)
		}
		if d := editDistance(written, c); d > 0 && d <= bestDistance && (best == "" || d < bestDistance) {
			best, bestDistance = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// editDistance counts insertions, deletions, replacements and swaps of neighbours.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	var rows [3][65]int
	prev2, prev, cur := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
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
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
