package sandbox

import (
	"strconv"

	"github.com/sluicehq/sluice/internal/sandbox"
)

// batchCreate answers POST …/customers/batch_create.
func (s *Service) batchCreate(c *sandbox.Call) sandbox.Reply {
	acct, f := s.authenticate(c)
	if f != nil {
		return answer(c, f, nil)
	}
	p, ok := s.parsers.Get().(*parser)
	if !ok {
		p = &parser{lenient: s.opts.Lenient, custom: s.custom}
	}
	defer s.parsers.Put(p)
	p.contract = s.contract(c)

	b, f := p.batch(c.Body)
	if f != nil {
		return answer(c, f, nil)
	}
	key, f := s.scope(acct, b.scopeID)
	if f == nil {
		f = b.fault()
	}
	if f != nil {
		r := answer(c, f, nil)
		r.Rows = b.count
		return r
	}
	r := s.commit(c, key, b)
	r.Rows, r.Keys = len(b.rows), make([]string, len(b.rows))
	for i := range b.rows {
		r.Keys[i] = b.rows[i].key()
	}
	return r
}

// fault returns what is wrong with the request beside its tenant and application.
func (b *batch) fault() *fault {
	switch {
	case b.kind < 0:
		return badParameter("type is required")
	case b.count == 0:
		return badParameter("customers must not be empty")
	case b.count > maxCustomers:
		return badParameter("customers holds " + strconv.Itoa(b.count) + " entries, at most 100 are taken")
	}
	return b.rowFault
}

// commit applies the rows; the fault "partial" leaves about one in ten out and says so in data.
func (s *Service) commit(c *sandbox.Call, key scopeKey, b *batch) sandbox.Reply {
	failed := make(map[int]bool)
	if c.Knob(string(sandbox.KindPartial)) {
		for i := range b.rows {
			if c.Rand()%10 == 0 {
				failed[i] = true
			}
		}
		if len(failed) == 0 {
			failed[int(c.Rand()%uint64(len(b.rows)))] = true
		}
	}
	s.mu.Lock()
	st := s.store(key)
	for i := range b.rows {
		if !failed[i] {
			st.apply(b.kind, &b.rows[i], c.Now, &s.totals.History)
		}
	}
	s.commits++
	commit := s.commits
	s.totals.Requests++
	s.totals.Rows += int64(len(b.rows))
	s.totals.Failed += int64(len(failed))
	s.mu.Unlock()

	r := answer(c, nil, partialData(b, failed))
	r.Commit = commit
	return r
}

// partialData is the data of a partial failure, nil where every row was taken.
func partialData(b *batch, failed map[int]bool) []byte {
	if len(failed) == 0 {
		return nil
	}
	out := []byte(`{"successCount":` + strconv.Itoa(len(b.rows)-len(failed)) + `,"failCount":` + strconv.Itoa(len(failed)) + `,"failList":[`)
	comma := ""
	for i := range b.rows {
		if failed[i] {
			out = append(out, comma+`{"index":`+strconv.Itoa(i)+`,"identifier":`+quote(b.rows[i].key())+`,"message":"save failed"}`...)
			comma = ","
		}
	}
	return append(out, "]}"...)
}
