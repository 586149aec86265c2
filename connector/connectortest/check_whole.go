package connectortest

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
)

// group is the name of a row's group, "" if the codec has none for it.
func (b *bench) group(c connector.Codec, rec arrow.Record, row int) string {
	g, ok := c.(connector.Grouper)
	if !ok {
		b.fatalf("a mode replaces whole groups, and its codec does not name them")
	}
	return string(g.AppendGroup(nil, rec, row))
}

// grouped is the person with another value in the column that names the group; "" gives the person as it is.
func (b *bench) grouped(c contact, column, name string) contact {
	if name == "" {
		return c
	}
	return c.but(contact{column: name})
}

// groupColumn finds the canonical column that decides which group a row belongs to.
func (b *bench) groupColumn(mode string) string {
	for _, column := range connector.Contact {
		if column.List || slices.Contains(b.vendor.MatchKeys, column.Name) {
			continue
		}
		applied := b.apply(b.person(0), b.person(0).but(contact{column.Name: "Group-2"}))
		rec := applied.Rows
		differs := false
		if rec.NumRows() == 2 {
			c := b.codecIn(mode, rec.Schema())
			one, two := b.group(c, rec, 0), b.group(c, rec, 1)
			differs = two != "" && one != two
		}
		rec.Release()
		if differs {
			return column.Name
		}
	}
	b.fatalf("mode %s: no canonical column decides which group a row belongs to", mode)
	return ""
}

// checkWhole: a mode that replaces whole groups says so everywhere, and the sandbox agrees: a request leaves its own rows
// of its group and touches no other group.
func checkWhole(b *bench) {
	for _, m := range b.vendor.Modes {
		rec := b.record(b.people(4)...)
		c := b.codecIn(m.Name, rec.Schema())
		if !m.Whole {
			if limits := c.Limits(); !limits.Splittable {
				b.errorf("mode %s: its requests must not be cut, and the mode does not say that it replaces anything whole", m.Name)
			}
			rec.Release()
			continue
		}
		if limits := c.Limits(); limits.Splittable || !limits.Idempotent {
			b.errorf("mode %s replaces whole groups: cut in parts, or not repeatable, it would leave the last part only; limits %+v", m.Name, limits)
		}
		b.checkGroups(c, rec)
		rec.Release()
		b.checkReplaces(m.Name)
	}
}

// checkGroups: a row has one name of a group wherever it stands, and none where it cannot be sent.
func (b *bench) checkGroups(c connector.Codec, rec arrow.Record) {
	names := make([]string, rec.NumRows())
	for i := range names {
		if names[i] = b.group(c, rec, i); names[i] == "" {
			b.errorf("row %d can be sent and has no group", i)
		}
	}
	for i := range names {
		slice := rec.NewSlice(int64(i), int64(i)+1)
		prefixed := c.(connector.Grouper).AppendGroup([]byte("kept"), slice, 0)
		slice.Release()
		if string(prefixed) != "kept"+names[i] {
			b.errorf("the group of row %d is %q, and of a slice %q", i, names[i], prefixed)
		}
	}
	blank := withBlank(b, rec, 1)
	defer blank.Release()
	if re := asRowsError(c.AppendRequest(&connector.Request{}, blank)); re != nil && b.group(c, blank, 1) != "" {
		b.errorf("a row that the codec refuses has the group %q", b.group(c, blank, 1))
	}
}

// checkReplaces sends a group, another group, and the first group again with other people.
func (b *bench) checkReplaces(mode string) {
	column := b.groupColumn(mode)
	send := func(w *world, group string, people ...int) {
		var list []contact
		for _, i := range people {
			list = append(list, b.grouped(b.person(i), column, group))
		}
		rec := b.record(list...)
		defer rec.Release()
		w.deliver(b.codecIn(mode, rec.Schema()), rec)
	}
	w, fresh := b.newWorld("", nil), b.newWorld("", nil)
	send(w, "", 0, 1, 2)
	send(w, "Group-2", 0, 1)
	send(w, "", 2, 3)
	send(fresh, "Group-2", 0, 1)
	send(fresh, "", 2, 3)
	if got, want := w.service.Contents(), fresh.service.Contents(); !slices.Equal(got, want) {
		b.errorf("mode %s: a group that is sent again leaves another state than if it had been sent so at first: %s", mode, firstDifference(got, want))
	}
	send(fresh, "Group-2", 4)
	if got := len(fresh.service.Contents()); got != 3 {
		b.errorf("mode %s: two groups of two and one leave %d records", mode, got)
	}
	both := b.newWorld("", nil)
	rec := b.record(b.person(2), b.grouped(b.person(4), column, "Group-2"), b.person(3))
	defer rec.Release()
	both.deliver(b.codecIn(mode, rec.Schema()), rec)
	if got, want := both.service.Contents(), fresh.service.Contents(); !slices.Equal(got, want) {
		b.errorf("mode %s: two groups in one request leave another state than one after the other: %s", mode, firstDifference(got, want))
	}
}

// wholeLoad is batches that each hold all rows of one of three groups, some people twice.
func (b *bench) wholeLoad(mode string, seed uint64) [][]contact {
	rnd := rand.New(rand.NewPCG(seed, 12))
	column := b.groupColumn(mode)
	var batches [][]contact
	for n := range 12 {
		group := []string{"", "Group-2", "Group-3"}[rnd.IntN(3)]
		var batch []contact
		for range 1 + rnd.IntN(40) {
			i := rnd.IntN(30)
			c := b.grouped(b.person(i), column, group).but(contact{"remark": fmt.Sprintf("batch %d row %d", n, len(batch)), "address": nil, "birthday": nil})
			for _, name := range []string{"tags", "country", "gender"} {
				if rnd.IntN(2) == 0 {
					delete(c, name)
				}
			}
			batch = append(batch, c)
		}
		batches = append(batches, batch)
	}
	return batches
}

// serialWhole sends batch after batch; of rows that share a key the last one.
func (b *bench) serialWhole(mode string, load [][]contact) []string {
	w := b.world()
	for _, batch := range load {
		rec := b.record(batch...)
		c := b.codecIn(mode, rec.Schema())
		var kept []int32
		seen := map[uint64]bool{}
		for i := int32(rec.NumRows()) - 1; i >= 0; i-- {
			keys := c.AppendKeys(nil, rec, int(i))
			if !slices.ContainsFunc(keys, func(k uint64) bool { return seen[k] }) {
				kept = append(kept, i)
			}
			for _, k := range keys {
				seen[k] = true
			}
		}
		slices.Reverse(kept)
		one := b.gather(rec, kept...)
		w.deliver(c, one)
		one.Release()
		rec.Release()
	}
	return w.service.Contents()
}

// mergesAtOnce reports whether two rows of one request leave one record.
func (b *bench) mergesAtOnce(c connector.Codec, rec arrow.Record, i, j int32) bool {
	w := b.newWorld("", nil)
	both := b.gather(rec, i, j)
	defer both.Release()
	w.deliver(c, both)
	return len(w.service.Contents()) == 1
}
