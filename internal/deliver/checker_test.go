package deliver

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/sluicehq/sluice/connector"
)

// observed is what came back from a Writer: every verdict, and what its promises forbid.
type observed struct {
	mu      sync.Mutex
	server  *testServer
	rows    []contact // in the order written
	results map[int64]connector.RowResult
	wrong   []string
	waiting int
	errs    []error
}

func newObserved(s *testServer) *observed {
	return &observed{server: s, results: map[int64]connector.RowResult{}}
}

func (o *observed) accuse(format string, args ...any) {
	o.wrong = append(o.wrong, fmt.Sprintf(format, args...))
}

// done makes the callback of one batch.
func (o *observed) done(batch []contact) func([]connector.RowResult, error) {
	o.mu.Lock()
	o.rows = append(o.rows, batch...)
	o.waiting++
	o.mu.Unlock()
	calls := 0
	return func(rejected []connector.RowResult, err error) {
		o.server.mu.Lock()
		applied := maps.Clone(o.server.applied)
		o.server.mu.Unlock()
		o.mu.Lock()
		defer o.mu.Unlock()
		if calls++; calls > 1 {
			o.accuse("done was called %d times", calls)
			return
		}
		o.waiting--
		if err != nil {
			o.errs = append(o.errs, err)
			return
		}
		verdicts := map[int]connector.RowResult{}
		last := -1
		for _, r := range rejected {
			if r.Row <= last || r.Row >= len(batch) {
				o.accuse("rejected row %d of %d after row %d", r.Row, len(batch), last)
			}
			last = r.Row
			verdicts[r.Row] = r
		}
		for i, c := range batch {
			r, ok := verdicts[i]
			if !ok && applied[c.ID] == 0 {
				o.accuse("row %d was called delivered and the vendor does not have it", c.ID)
			}
			if ok && r.Verdict != connector.VerdictRejected {
				o.accuse("row %d is listed with the verdict %s", c.ID, r.Verdict)
			}
			o.results[c.ID] = r
		}
	}
}

// check compares everything with what a serial sender would have done. Empty: as promised.
func (o *observed) check() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.server
	wrong := append(slices.Clone(o.wrong), s.wrong...)
	accuse := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if o.waiting != 0 {
		accuse("%d batches were never answered", o.waiting)
	}
	if len(o.errs) > 0 {
		accuse("the run ended: %v", o.errs[0])
		return wrong
	}
	calls := map[int64][]*entry{}
	for _, e := range s.journal {
		for _, id := range e.ids() {
			calls[id] = append(calls[id], e)
		}
	}
	o.checkState(calls, accuse)
	o.checkOrder(calls, accuse)
	o.checkCalls(calls, accuse)
	return wrong
}

// checkState sends the rows one after the other to a store of its own and compares verdicts and state.
func (o *observed) checkState(calls map[int64][]*entry, accuse func(string, ...any)) {
	model := newStore(o.server.store.mode)
	for i := range o.rows {
		c := &o.rows[i]
		got, ok := o.results[c.ID]
		if !ok {
			accuse("row %d has no verdict", c.ID)
			continue
		}
		if got.Code == connector.CodeAmbiguous {
			if last := calls[c.ID]; model.mode != "insert" || len(last) == 0 || last[len(last)-1].code != "" {
				accuse("row %d is called ambiguous and is not", c.ID)
			}
			if o.server.applied[c.ID] > 0 {
				model.apply(c)
			}
			continue
		}
		want := model.refuses(c)
		if c.Refuse {
			want = connector.CodeTooLong
		}
		if want == "" {
			model.apply(c)
		}
		if got.Code != want {
			accuse("row %d has the verdict %q, a serial sender's is %q", c.ID, got.Code, want)
		}
	}
	if got, want := o.server.store.dump(), model.dump(); !maps.Equal(got, want) {
		accuse("the vendor's state is not a serial sender's:\n got %v\nwant %v", got, want)
	}
}

// checkOrder: rows that share an identifier are sent in order and never at the same time.
func (o *observed) checkOrder(calls map[int64][]*entry, accuse func(string, ...any)) {
	last := map[string]*contact{}
	for i := range o.rows {
		c := &o.rows[i]
		if len(calls[c.ID]) == 0 {
			continue
		}
		for _, key := range []string{"w" + c.WA, "e" + c.Email} {
			if len(key) == 1 {
				continue
			}
			if before := last[key]; before != nil {
				sent := calls[before.ID]
				if sent[len(sent)-1].left.After(calls[c.ID][0].arrived) || slices.Contains(calls[c.ID], sent[len(sent)-1]) {
					accuse("row %d was sent before row %d of the same person was settled", c.ID, before.ID)
				}
			}
			last[key] = c
		}
	}
}

// checkCalls looks at the calls of each row: what was answered is not sent again, what is rejected was tested alone, and
// parts of a suspect request are not merged.
func (o *observed) checkCalls(calls map[int64][]*entry, accuse func(string, ...any)) {
	for id, list := range calls {
		for i, e := range list {
			if i+1 < len(list) && e.code == "ok" && (slices.Contains(e.applied, id) || e.refused[id] != "") {
				accuse("row %d was sent again although it was answered", id)
			}
			if o.server.store.mode == "insert" && i+1 < len(list) && e.code == "" && slices.Contains(e.applied, id) {
				accuse("row %d was sent again although it may have been taken, and a repeat does harm", id)
			}
		}
		if r := o.results[id]; r.Code != "" && r.Code != connector.CodeAmbiguous {
			if list[len(list)-1].refused[id] != r.Code || list[len(list)-1].code == "" {
				accuse("row %d was rejected as %q and the vendor never said so of it", id, r.Code)
			}
			if r.Attempts != len(list) {
				accuse("row %d: %d attempts are reported, there were %d", id, r.Attempts, len(list))
			}
		}
	}
	if !o.server.opaque {
		return
	}
	from := map[int64]*entry{} // the last suspect request that the row was in
	for _, e := range o.server.journal {
		for _, id := range e.ids() {
			suspect := from[id]
			if suspect == nil {
				continue
			}
			if len(e.rows) >= len(suspect.rows) && suspect.code != "" && e.arrived.After(suspect.left) {
				accuse("row %d was in a suspect request of %d rows, and went next in one of %d", id, len(suspect.rows), len(e.rows))
			}
			for _, other := range e.ids() {
				if !slices.Contains(suspect.ids(), other) {
					accuse("row %d of a suspect request was merged with row %d, which was not in it", id, other)
				}
			}
		}
		if len(e.rows) > 1 && e.code != "" && e.code != "ok" && e.code != "clock" {
			for _, id := range e.ids() {
				from[id] = e
			}
		}
	}
}
