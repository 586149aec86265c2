package pipeline

import (
	"slices"
	"sync"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
)

// flight is one batch on its way from Read to Ack. The reader goroutine makes it, the feeder splits it into parts (one
// per plan), the writer's answers close it, and the window's line carries it to the acker.
type flight struct {
	ticket  *Ticket[*flight]
	stream  string
	pos     connector.Position
	rows    int
	cut     bool                  // the limit fell into this batch: its rows go, but it is never acked
	refused []connector.RowResult // when read
	dropped bool                  // its stream has no plan
	in      arrow.Record          // owned until the flight is closed; nil: no rows
	plans   []connector.Plan
	parts   []part
	left    int // rows that no plan let through, by the user's choice

	mu      sync.Mutex // guards the rest, and the answers in parts
	open    int        // parts without an answer
	err     error      // the first part that could not be settled
	counted bool       // the rows were counted as delivered, filtered or rejected
}

// part is what one plan made of the batch.
type part struct {
	rows     arrow.Record // the feeder's until Write takes it over; then nil
	n        int          // of rows
	index    []int32
	refused  []connector.RowResult // by the plan
	rejected []connector.RowResult // by the writer, by output row
}

// refusal is a rejected row and the plan that can name it; plan -1: none.
type refusal struct {
	connector.RowResult
	plan int
}

// release frees the input. The flight is closed then: no other goroutine looks at it but for the acker's fields.
func (f *flight) release() {
	if f.in != nil {
		f.in.Release()
		f.in = nil
	}
}

// waits reports whether a part was written and never answered.
func (f *flight) waits() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.open > 0
}

func (f *flight) isCounted() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counted
}

// answer notes a part's answer. last: no other part is open any more; err is the first failure of any part so far.
func (f *flight) answer(i int, rejected []connector.RowResult, failure error) (last bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := &f.parts[i]
	if failure == nil {
		failure = checkRows("the writer's verdicts", rejected, p.n)
	}
	if failure != nil && f.err == nil {
		f.err = failure
	}
	p.rejected = slices.Clone(rejected) // the writer may use its slice again
	f.open--
	return f.open == 0, f.err
}

// refusals gathers the rejected rows of all parts by input row, ascending and each once: what the reader said first,
// then the plans in their order, then the writer. Called when every part is answered.
func (f *flight) refusals() []refusal {
	n := len(f.refused)
	for _, p := range f.parts {
		n += len(p.refused) + len(p.rejected)
	}
	if n == 0 || f.dropped {
		return nil
	}
	all := make([]refusal, 0, n)
	for _, v := range f.refused {
		all = append(all, refusal{v, -1})
	}
	for i, p := range f.parts {
		for _, v := range p.refused {
			all = append(all, refusal{v, i})
		}
	}
	for i, p := range f.parts {
		for _, v := range p.rejected {
			if p.index != nil {
				v.Row = int(p.index[v.Row])
			}
			all = append(all, refusal{v, i})
		}
	}
	slices.SortStableFunc(all, func(a, b refusal) int { return a.Row - b.Row })
	return slices.CompactFunc(all, func(a, b refusal) bool { return a.Row == b.Row })
}

// countFiltered finds how many rows appear in no part. Called once all plans were applied.
func (f *flight) countFiltered() int {
	for _, p := range f.parts {
		if p.index == nil {
			return 0 // one to one: every row passed
		}
	}
	seen := make([]bool, f.rows)
	left := f.rows
	mark := func(row int) {
		if !seen[row] {
			seen[row] = true
			left--
		}
	}
	for _, v := range f.refused {
		mark(v.Row)
	}
	for _, p := range f.parts {
		for _, row := range p.index {
			mark(int(row))
		}
		for _, v := range p.refused {
			mark(v.Row)
		}
	}
	return left
}

// checkPart holds a plan to its contract, for a wrong row number would blame or lose another row.
func checkPart(p part, rows int) error {
	if err := checkRows("the mapping's rejected rows", p.refused, rows); err != nil {
		return err
	}
	if p.index == nil {
		if p.n != rows {
			return connector.Internalf("This is a defect of the mapping: report it",
				"the mapping made %d rows of %d without saying which", p.n, rows)
		}
		return nil
	}
	if len(p.index) != p.n {
		return connector.Internalf("This is a defect of the mapping: report it",
			"the mapping made %d rows and named the origin of %d", p.n, len(p.index))
	}
	last := int32(0)
	for _, row := range p.index {
		if row < last || int(row) >= rows {
			return connector.Internalf("This is a defect of the mapping: report it",
				"the mapping named row %d after row %d in a batch of %d", row, last, rows)
		}
		last = row
	}
	return nil
}

func checkRows(what string, list []connector.RowResult, rows int) error {
	last := -1
	for _, v := range list {
		if v.Row <= last || v.Row >= rows {
			return connector.Internalf("This is a defect: report it",
				"%s name row %d after row %d in a batch of %d", what, v.Row, last, rows)
		}
		last = v.Row
	}
	return nil
}
