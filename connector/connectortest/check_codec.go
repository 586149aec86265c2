package connectortest

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
)

// checkAccepted: the sandbox takes what the codec makes, row for row, in every mode.
func checkAccepted(b *bench) {
	const n = 7
	rec := b.record(b.people(n)...)
	defer rec.Release()
	for _, m := range b.vendor.Modes {
		w := b.newWorld("", nil)
		w.deliver(b.codecIn(m.Name, rec.Schema()), rec)
		if got := len(w.service.Contents()); got != n {
			b.errorf("mode %s: %d rows of different persons leave %d records", m.Name, n, got)
		}
	}
}

// checkFieldsArrive: whatever column the preset fills reaches the vendor, and the three genders stay apart.
func checkFieldsArrive(b *bench) {
	full := b.person(1)
	seen := map[string]string{}
	for _, gender := range []string{"male", "female", "unknown"} {
		state := b.stateOf(full.but(contact{"gender": gender}))
		if other, ok := seen[state]; ok {
			b.errorf("gender %s and gender %s leave the same record %s", gender, other, state)
		}
		seen[state] = gender
	}
	whole := b.stateOf(full)
	required := slices.Concat(b.vendor.Required, b.vendor.MatchKeys)
	for _, column := range connector.Contact {
		less := full.but(contact{column.Name: nil})
		if len(less) == len(full) || slices.Contains(required, column.Name) || !b.fills(column.Name, full, less) {
			continue
		}
		if b.stateOf(less) == whole {
			b.errorf("column %s does not arrive: the record is the same without it", column.Name)
		}
	}
}

// fills reports whether the preset gives other columns for the contact with the column than without it.
func (b *bench) fills(column string, with, without contact) bool {
	applied := b.apply(with, without)
	defer applied.Rows.Release()
	if applied.Rows.NumRows() != 2 {
		return false // it is needed; checkPreset looks at that
	}
	lines := text(applied.Rows)
	return lines[0] != lines[1]
}

// stateOf sends one contact into an empty sandbox.
func (b *bench) stateOf(c contact) string {
	rec := b.record(c)
	defer rec.Release()
	w := b.newWorld("", nil)
	w.deliver(b.codec(rec.Schema()), rec)
	return strings.Join(w.service.Contents(), "\n")
}

// checkLimits: a request as large as the codec allows is taken.
func checkLimits(b *bench) {
	probe := b.record(b.person(0))
	limits := b.codec(probe.Schema()).Limits()
	probe.Release()
	if limits.Rows < 1 || limits.Bytes < 0 || limits.Timeout < 0 || limits.SplitAfter < 0 {
		b.fatalf("limits %+v make no sense", limits)
	}
	rec := b.recordOf(b.crowd(limits.Rows))
	defer rec.Release()
	c := b.codec(rec.Schema())
	req := &connector.Request{}
	b.must(c.AppendRequest(req, rec), "encode %d rows", limits.Rows)
	if limits.Bytes > 0 && len(req.Body) > limits.Bytes {
		b.errorf("%d rows make %d bytes, the codec's own limit is %d", limits.Rows, len(req.Body), limits.Bytes)
	}
	w := b.newWorld("", nil)
	o, err := w.exchange(c, req, rec)
	b.must(err, "%d rows", limits.Rows)
	w.delivered(w.follow(c, rec, o), rec)
	if got := len(w.service.Contents()); got != limits.Rows {
		b.errorf("a full request of %d rows leaves %d records", limits.Rows, got)
	}
}

// checkNature: what Limits promises about repeating and splitting is true of the sandbox.
func checkNature(b *bench) {
	for _, m := range b.vendor.Modes {
		rec := b.record(b.people(4)...)
		c := b.codecIn(m.Name, rec.Schema())
		limits := c.Limits()
		if m.Once == limits.Idempotent {
			b.errorf("mode %s: a row that goes twice does harm or it does not: Once is %t, Limits().Idempotent %t", m.Name, m.Once, limits.Idempotent)
		}
		once := b.after(c, rec)
		if limits.Idempotent && b.after(c, rec, rec) != once {
			b.errorf("mode %s: the codec calls itself idempotent, but a repeated request leaves another state", m.Name)
		}
		if limits.Splittable {
			head, tail := rec.NewSlice(0, 2), rec.NewSlice(2, 4)
			if b.after(c, head, tail) != once {
				b.errorf("mode %s: the codec calls itself splittable, but two halves leave another state than the whole", m.Name)
			}
			head.Release()
			tail.Release()
		}
		if limits.Duplicates == connector.DuplicatesLastWins {
			poorer := b.record(b.person(0).but(contact{"remark": nil, "gender": nil, "birthday": nil, "tags": nil}))
			others := rec.NewSlice(1, rec.NumRows())
			if b.after(c, rec, poorer) != b.after(c, others, poorer) {
				b.errorf("mode %s: the codec says that the last row of a key wins, but the earlier one leaves traces", m.Name)
			}
			others.Release()
			poorer.Release()
		}
		if limits.Duplicates == connector.DuplicatesReject {
			b.checkRejects(m.Name, c, rec)
		}
		rec.Release()
	}
}

// checkRejects: rows of persons that the vendor has already change nothing, and are not called delivered.
func (b *bench) checkRejects(mode string, c connector.Codec, rec arrow.Record) {
	var others []contact
	for i := range int(rec.NumRows()) {
		others = append(others, b.person(i).but(contact{"external_id": fmt.Sprint("other-", i), "remark": "other"}))
	}
	again := b.record(others...)
	defer again.Release()
	w := b.newWorld("", nil)
	w.deliver(c, rec)
	before := w.service.Contents()
	o := w.offer(c, again)
	if after := w.service.Contents(); !slices.Equal(before, after) {
		b.errorf("mode %s: the codec says that the vendor refuses repeats, but they leave another state:\n%s", mode, firstDifference(after, before))
	}
	if unconfirmed := b.vendor.Unconfirmed; unconfirmed != nil && unconfirmed(b.cfg) != "" {
		return // it was told no more
	}
	for i := range int(rec.NumRows()) {
		if verdictOf(o, i) == connector.VerdictDelivered {
			b.errorf("mode %s: a row that the vendor refused as a repeat is read as delivered", mode)
			return
		}
	}
}

// after sends the records one after the other into an empty sandbox.
func (b *bench) after(c connector.Codec, recs ...arrow.Record) string {
	w := b.newWorld("", nil)
	for _, rec := range recs {
		w.deliver(c, rec)
	}
	return strings.Join(w.service.Contents(), "\n")
}

// checkKeys: rows that the vendor takes for one person share a key, wherever they stand and whoever made the codec;
// different persons share none.
func checkKeys(b *bench) {
	p, other := b.person(1), b.person(2)
	variants := []contact{p, other}
	for _, name := range b.vendor.MatchKeys {
		v, _ := p[name].(string)
		variants = append(variants, b.only(p, name))
		if respelled := respell(v); respelled != v {
			variants = append(variants, b.only(p, name).but(contact{name: respelled}))
		}
		for _, as := range b.vendor.MatchKeys {
			if as != name && sameKind(v, p[as]) {
				variants = append(variants, b.only(p, as).but(contact{as: v})) // the number of one channel given as the other's
			}
		}
	}
	applied := b.apply(variants...)
	rec := applied.Rows
	defer rec.Release()
	c, again := b.codec(rec.Schema()), b.codec(rec.Schema())
	keys := make([][]uint64, rec.NumRows())
	for i := range keys {
		keys[i] = c.AppendKeys(nil, rec, i)
		if len(keys[i]) == 0 {
			b.errorf("row %s has no key", text(rec)[i])
		}
		slice := rec.NewSlice(int64(i), int64(i)+1)
		prefixed := again.AppendKeys([]uint64{42}, slice, 0)
		slice.Release()
		if prefixed[0] != 42 || !slices.Equal(prefixed[1:], keys[i]) {
			b.errorf("keys of row %d differ when another codec appends them for a slice: %x and %x", i, prefixed, keys[i])
		}
	}
	if share(keys[0], keys[1]) {
		b.errorf("two different persons share a key")
	}
	for i := range keys {
		for j := range i {
			if b.merges(c, rec, int32(j), int32(i)) && !share(keys[i], keys[j]) {
				b.errorf("the vendor takes these rows for one person, but they share no key:\n%s\n%s", text(rec)[j], text(rec)[i])
			}
		}
	}
}

// merges reports whether two rows sent one after the other leave one record.
func (b *bench) merges(c connector.Codec, rec arrow.Record, i, j int32) bool {
	if !c.Limits().Splittable {
		return b.mergesAtOnce(c, rec, i, j) // one after the other, the second replaces the first anyway
	}
	w := b.newWorld("", nil)
	for n, row := range []int32{i, j} {
		one := b.gather(rec, row)
		if n == 0 {
			w.deliver(c, one)
		} else {
			w.again(c, one)
		}
		one.Release()
	}
	return len(w.service.Contents()) == 1
}

// respell changes the case of letters; a text of digits stays.
func respell(s string) string {
	if upper := strings.ToUpper(s); upper != s {
		return upper
	}
	return strings.ToLower(s)
}

// sameKind reports whether both are numbers or both are not.
func sameKind(a string, b any) bool {
	other, ok := b.(string)
	return ok && strings.Contains(a, "@") == strings.Contains(other, "@")
}

func share(a, b []uint64) bool {
	return slices.ContainsFunc(a, func(k uint64) bool { return slices.Contains(b, k) })
}

// checkPurity: the same rows give the same bytes, whoever encodes them and into whatever buffer, and stay as they were.
func checkPurity(b *bench) {
	rec := b.record(b.people(5)...)
	defer rec.Release()
	before := text(rec)
	c := b.codec(rec.Schema())
	first := &connector.Request{}
	b.must(c.AppendRequest(first, rec), "encode")

	check := func(how string, c connector.Codec, rec arrow.Record, reused *connector.Request) {
		b.must(c.AppendRequest(reused, rec), "encode %s", how)
		if !bytes.Equal(reused.Body, first.Body) || reused.URL != first.URL || reused.Method != first.Method || reused.Endpoint != first.Endpoint {
			b.errorf("%s the request is another one:\n%s\n%s", how, first.Body, reused.Body)
		}
	}
	for range 3 {
		check("encoded again", c, rec, &connector.Request{})
	}
	check("by another codec", b.codec(rec.Schema()), rec, &connector.Request{})
	dirty := &connector.Request{Method: "PUT", URL: "http://old", Endpoint: "old", Header: http.Header{"Sign": {"old"}}, Body: make([]byte, 0, 1<<16)}
	check("into a used buffer", c, rec, dirty)
	behind := &connector.Request{Body: []byte("kept")}
	b.must(c.AppendRequest(behind, rec), "encode")
	if string(behind.Body) != "kept"+string(first.Body) {
		b.errorf("the body is not appended to what the buffer holds: %.60q", behind.Body)
	}
	gathered := b.gather(rec, 0, 1, 2, 3, 4)
	check("from a copy of the rows", c, gathered, &connector.Request{})
	gathered.Release()

	padded := b.gather(rec, 4, 0, 1, 2, 3, 4, 0)
	slice := padded.NewSlice(1, 6)
	check("from a slice", c, slice, &connector.Request{})
	slice.Release()
	padded.Release()

	for i := range int(rec.NumRows()) {
		c.AppendKeys(nil, rec, i)
	}
	_, _ = c.ParseResponse(&connector.Response{Status: 200, Header: http.Header{}, Body: []byte("{}")}, rec)
	if after := text(rec); !slices.Equal(before, after) {
		b.errorf("the codec changed the rows:\n%v\n%v", before, after)
	}
}

// checkConcurrency: one codec serves many calls at once. It needs the race detector to be of full use.
func checkConcurrency(b *bench) {
	rec := b.record(b.people(20)...)
	defer rec.Release()
	c := b.codec(rec.Schema())
	whole := &connector.Request{}
	b.must(c.AppendRequest(whole, rec), "encode")
	var answers []*connector.Response
	for i, resp := range corpus(b.world()) {
		if i%11 == 0 {
			answers = append(answers, resp)
		}
	}
	faults := make(chan string, 8)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var keys []uint64
			for _, resp := range answers {
				req := &connector.Request{}
				if err := c.AppendRequest(req, rec); err != nil || !bytes.Equal(req.Body, whole.Body) {
					faults <- fmt.Sprintf("a codec used by several goroutines makes other bytes or fails: %v", err)
					return
				}
				for i := range int(rec.NumRows()) {
					keys = c.AppendKeys(keys[:0], rec, i)
				}
				_, _, _ = parse(c, resp, rec)
			}
		})
	}
	wg.Wait()
	close(faults)
	for f := range faults {
		b.errorf("%s", f)
	}
}

// checkRefusals: rows that cannot be encoded are named one by one, and what is left can be sent.
func checkRefusals(b *bench) {
	good := b.record(b.people(4)...)
	defer good.Release()
	rec := withBlank(b, good, 2)
	defer rec.Release()
	c := b.codec(rec.Schema())
	err := c.AppendRequest(&connector.Request{}, rec)
	refused := asRowsError(err)
	if refused == nil {
		if err != nil {
			b.errorf("a row without any value ends the run: %v; want a *connector.RowsError for that row", err)
		}
		return // the vendor is asked instead
	}
	last := -1
	var left []int32
	for i := range int32(rec.NumRows()) {
		if !slices.ContainsFunc(refused.Rows, func(r connector.RowResult) bool { return r.Row == int(i) }) {
			left = append(left, i)
		}
	}
	for _, r := range refused.Rows {
		if r.Row <= last || r.Row >= int(rec.NumRows()) {
			b.errorf("refused rows are not ascending or out of range: %+v", refused.Rows)
		}
		last = r.Row
		if r.Verdict != connector.VerdictRejected || r.Message == "" {
			b.errorf("refused row %d has the verdict %v and the message %q", r.Row, r.Verdict, r.Message)
		}
		b.explained(r.Code, "a refused row")
	}
	if !slices.Equal(left, []int32{0, 1, 3, 4}) {
		b.fatalf("of five rows the third has no value; the codec refuses %+v", refused.Rows)
	}
	rest := b.gather(rec, left...)
	defer rest.Release()
	b.newWorld("", nil).deliver(c, rest)
}

// parse reads an answer and turns a panic into a finding.
func parse(c connector.Codec, resp *connector.Response, rec arrow.Record) (o connector.Outcome, panicked any, err error) {
	defer func() { panicked = recover() }()
	o, err = c.ParseResponse(resp, rec)
	return o, nil, err
}
