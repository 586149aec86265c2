package inbox

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestKeysWait: keys that wait in memory, that are on their way into their table and that are there stop a repeat alike, and
// name the record that was first; also after transactions that failed, and after a death of the process at any moment.
func TestKeysWait(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	fail := false
	opts := Options{generation: 50, stride: 8, hook: func(point string) error {
		if fail && point == "append: before commit" {
			return errors.New("planted")
		}
		return nil
	}}
	opts.Dir = t.TempDir()
	i := open(t, opts)
	first := map[string]int64{}
	var keys []string
	for n := 0; n < 150 || len(i.w.keys.old) == 0 || len(i.w.keys.young) == 0; n++ {
		var mine []string
		for range random.IntN(12) {
			mine = append(mine, fmt.Sprintf("k%d", random.IntN(1500)))
		}
		req := request(profiles, fmt.Sprint("body", n), mine...)
		if fail = n%7 == 3; fail {
			if _, err := i.Append(ctx, req); !errors.Is(err, ErrStore) {
				t.Fatal(err)
			}
			fail = false
		}
		before := len(i.w.keys.old)
		r := add(t, i, req)
		if moved := before - len(i.w.keys.old); moved > 2*opts.stride+12 {
			t.Fatalf("%d keys moved with a request of %d", moved, len(mine))
		}
		for _, k := range mine {
			if first[k] == 0 {
				first[k], keys = r.Seq, append(keys, k)
			}
		}
		if waits := len(i.w.keys.seen); waits > 2*opts.generation+12+opts.stride {
			t.Fatalf("%d keys wait", waits)
		}
	}
	settled := i.w.m.settled
	total, err := i.c.number("SELECT count(*) FROM seen")
	if err != nil || settled == 0 || settled == i.w.m.head || len(i.w.keys.old) == 0 || len(i.w.keys.young) == 0 {
		t.Fatalf("settled %d of %d, %d and %d wait, %v", settled, i.w.m.head, len(i.w.keys.old), len(i.w.keys.young), err)
	}
	if distinct := int64(len(i.w.keys.seen)) + total; distinct < int64(len(first)) {
		t.Errorf("%d keys of %d are known", distinct, len(first))
	}
	dead := open(t, Options{Dir: copyDir(t, opts.Dir), generation: 50, stride: 8})
	total, err = dead.c.number("SELECT count(*) FROM seen")
	if known := int64(len(dead.w.keys.seen)) + total; err != nil || known < int64(len(first)) {
		t.Errorf("%d keys of %d are known after the death, %v", known, len(first), err)
	}
	for _, box := range []*Inbox{i, dead} {
		for _, k := range keys {
			if r := add(t, box, request(profiles, "again "+k, k)); !r.Duplicate || r.Seq != first[k] {
				t.Fatalf("%s came again as %+v, it was first in %d", k, r, first[k])
			}
		}
	}
}

// TestKeysOfShortLives: processes that die before a generation of keys has come leave no more and more of them for the next.
func TestKeysOfShortLives(t *testing.T) {
	const lives, each = 30, 7
	opts := Options{Dir: t.TempDir(), generation: 20, stride: 4}
	most := 0
	for life := range lives {
		i := open(t, opts)
		if most = max(most, len(i.w.keys.seen)); most >= opts.generation {
			t.Fatalf("%d keys wait at the start of life %d", most, life+1)
		}
		for n := range each {
			add(t, i, request(profiles, "body", fmt.Sprint("k", life*each+n)))
		}
		opts.Dir = copyDir(t, opts.Dir)
	}
	i := open(t, opts)
	if most < each || i.w.m.settled < (lives-3)*each {
		t.Errorf("%d keys waited at the most, %d records are settled", most, i.w.m.settled)
	}
	for n := range lives * each {
		if r := add(t, i, request(profiles, "again", fmt.Sprint("k", n))); !r.Duplicate || r.Seq != int64(n+1) {
			t.Errorf("k%d came again as %+v", n, r)
		}
	}
}

// TestKeysOutliveTheirRecords: retention that takes a record whose keys wait takes care of the keys first.
func TestKeysOutliveTheirRecords(t *testing.T) {
	clk := newClock()
	dir := t.TempDir()
	i := open(t, Options{Dir: dir, Clock: clk.Now, MaxAge: time.Hour})
	for n := range 100 {
		add(t, i, request(profiles, fmt.Sprint(n), fmt.Sprint("k", n)))
	}
	clk.add(2 * time.Hour)
	add(t, i, request(profiles, "young", "young"))
	if got, err := i.Trim(ctx); err != nil || got.Floor != 100 || i.w.m.settled < 100 {
		t.Fatalf("%+v, settled %d, %v", got, i.w.m.settled, err)
	}
	dead := open(t, Options{Dir: copyDir(t, dir), Clock: clk.Now})
	for n := range 100 {
		if r := add(t, dead, request(profiles, "again", fmt.Sprint("k", n))); !r.Duplicate || r.Seq != int64(n+1) {
			t.Errorf("k%d came again as %+v", n, r)
		}
	}
}

// TestKeysOfDamagedRecord: a record that is damaged while its keys wait does not keep the inbox from opening, nor the keys
// of the others from counting.
func TestKeysOfDamagedRecord(t *testing.T) {
	dir := t.TempDir()
	i := open(t, Options{Dir: dir})
	for n := range 9 {
		add(t, i, request(profiles, fmt.Sprint(n), fmt.Sprint("k", n)))
	}
	if err := i.c.exec("UPDATE record SET data = x'00' WHERE seq = 4"); err != nil {
		t.Fatal(err)
	}
	dead := open(t, Options{Dir: copyDir(t, dir)})
	for n := range 9 {
		if r := add(t, dead, request(profiles, "again", fmt.Sprint("k", n))); r.Duplicate == (n == 3) {
			t.Errorf("k%d came again as %+v", n, r)
		}
	}
}

// TestSalvageKeys: keys that are lost with their table are known from the records.
func TestSalvageKeys(t *testing.T) {
	dir := t.TempDir()
	i := open(t, Options{Dir: dir, generation: 10, stride: 2})
	for n := range 40 {
		add(t, i, request(profiles, fmt.Sprint(n), fmt.Sprint("k", n)))
	}
	if err := i.c.exec("DELETE FROM seen"); err != nil {
		t.Fatal(err)
	}
	if err := i.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := Salvage(ctx, Options{Dir: dir}); err != nil || got.Keys != 40 || got.Records != 40 {
		t.Fatalf("%+v, %v", got, err)
	}
	again := open(t, Options{Dir: dir})
	for n := range 40 {
		if r := add(t, again, request(profiles, "again", fmt.Sprint("k", n))); !r.Duplicate || r.Seq != int64(n+1) {
			t.Errorf("k%d came again as %+v", n, r)
		}
	}
}

// withOldHead is a copy of an inbox whose head row has the size of an older format.
func withOldHead(t *testing.T, i *Inbox, size int) (dir string) {
	t.Helper()
	b := i.w.m.encode()[:size]
	copy(b, sumFirst(0, b[4:])[:4])
	if err := i.c.exec("UPDATE meta SET data = ? WHERE id = 1", b); err != nil {
		t.Fatal(err)
	}
	return copyDir(t, i.opts.Dir)
}

// TestKeysOfFormatTwo: an inbox whose head row says nothing of keys has all of them in their table.
func TestKeysOfFormatTwo(t *testing.T) {
	m := meta{head: 9, floor: 2, bytes: 700, clean: 1, consumers: 1}
	b := m.encode()[:oldMetaSize]
	copy(b, sumFirst(0, b[4:])[:4])
	m.settled = 9
	if got, err := decodeMeta(b); err != nil || got != m {
		t.Errorf("%+v, %v, want %+v", got, err, m)
	}
	i := open(t, Options{Dir: t.TempDir(), steps: migrations[:2]})
	add(t, i, request(profiles, "1", "k"))
	if err := i.w.tx("test", i.w.settleAll); err != nil {
		t.Fatal(err)
	}
	old := withOldHead(t, i, oldMetaSize)
	r, err := OpenReader(old)
	if err != nil {
		t.Fatal(err)
	}
	if page := readAll(t, r, Query{}); len(page.Records) != 1 {
		t.Errorf("a reader of the old format: %+v", page)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if r := add(t, open(t, Options{Dir: old}), request(profiles, "again", "k")); !r.Duplicate || r.Seq != 1 {
		t.Errorf("%+v", r)
	}
}

// TestReleasedKeysCount: a key of a request that is released counts from then on, whatever waits of it from long ago.
func TestReleasedKeysCount(t *testing.T) {
	clk := newClock()
	i := open(t, Options{Dir: t.TempDir(), Clock: clk.Now})
	add(t, i, request(profiles, "1", "k"))
	clk.add(8 * day)
	held := request(profiles, "2", "k")
	held.Quarantine = "token_reuse"
	add(t, i, held)
	if r, err := i.Release(ctx, 2); err != nil || r.Seq != 3 || r.Seen != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	if r := add(t, i, request(profiles, "3", "k")); !r.Duplicate || r.Seq != 3 {
		t.Errorf("%+v", r)
	}
}
