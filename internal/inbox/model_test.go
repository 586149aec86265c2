package inbox

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is the obvious inbox: all in memory, all by linear search.
type model struct {
	head, floor int64
	records     []modelRecord
	keys        map[string]modelKey
	consumers   map[string]int64
	released    map[int64]bool
}

type modelRecord struct {
	seq, origin int64
	at          Endpoint
	body, held  string
	keys        []string
	seen        []bool
	received    time.Time
}

type modelKey struct {
	seq int64
	at  time.Time
}

// enter applies the keys of a request and returns which were seen.
func (m *model) enter(at Endpoint, keys []string, now time.Time) (seen []bool) {
	for _, k := range keys {
		k = at.Name + "/" + k
		old, ok := m.keys[k]
		if ok = ok && now.Sub(old.at) <= 7*day; !ok {
			m.keys[k] = modelKey{m.head + 1, now}
		}
		seen = append(seen, ok)
	}
	return seen
}

func (m *model) append(r modelRecord, now time.Time) Receipt {
	keys := r.keys
	if len(keys) == 0 {
		keys = []string{"body " + r.body}
	}
	items := len(keys)
	if r.held != "" {
		keys = []string{"inert " + r.body}
	}
	r.seen = m.enter(r.at, keys, now)
	got := Receipt{Seq: m.head + 1, Items: items}
	if !slices.Contains(r.seen, false) {
		got.Seq, got.Seen, got.Duplicate = m.keys[r.at.Name+"/"+keys[0]].seq, items, true
		return got
	}
	if r.held != "" {
		r.seen = make([]bool, items)
	}
	for _, s := range r.seen {
		if s {
			got.Seen++
		}
	}
	m.push(r)
	return got
}

func (m *model) push(r modelRecord) {
	m.head++
	r.seq = m.head
	m.records = append(m.records, r)
}

func (m *model) find(seq int64) (modelRecord, bool) {
	for _, r := range m.records {
		if r.seq == seq {
			return r, true
		}
	}
	return modelRecord{}, false
}

func (m *model) release(seq int64, now time.Time) (Receipt, error) {
	r, ok := m.find(seq)
	switch {
	case !ok:
		return Receipt{}, ErrNotFound
	case r.held == "" || m.released[seq]:
		return Receipt{}, ErrNotHeld
	}
	m.released[seq] = true
	r.held, r.origin = "", seq
	return m.append(r, now), nil
}

func (m *model) replay(seq int64) (Receipt, error) {
	r, ok := m.find(seq)
	switch {
	case !ok:
		return Receipt{}, ErrNotFound
	case r.held != "":
		return Receipt{}, ErrNotHeld
	}
	if r.origin == 0 {
		r.origin = seq
	}
	m.push(r)
	n := 0
	for _, s := range r.seen {
		if s {
			n++
		}
	}
	return Receipt{Seq: m.head, Items: len(r.seen), Seen: n}, nil
}

func (m *model) trim(oldest, now time.Time) {
	limit := m.head
	for _, seq := range m.consumers {
		limit = min(limit, seq)
	}
	for len(m.records) > 0 && m.records[0].seq <= limit && m.records[0].received.Before(oldest) {
		m.floor = m.records[0].seq
		m.records = m.records[1:]
	}
	for k, v := range m.keys {
		if now.Sub(v.at) > 7*day {
			delete(m.keys, k)
		}
	}
}

// text is what a reader sees of the records after after.
func (m *model) text(after int64, only string) string {
	var b strings.Builder
	for _, r := range m.records {
		if r.seq > after && r.held == "" && (only == "" || r.at.Name == only) {
			fmt.Fprintf(&b, "%d<%d %s %s %v\n", r.seq, r.origin, r.at.Name, r.body, r.seen)
		}
	}
	return b.String()
}

func pageText(p Page) string {
	var b strings.Builder
	for _, r := range p.Records {
		var seen []bool
		for k := range r.Items {
			seen = append(seen, r.Seen(k))
		}
		fmt.Fprintf(&b, "%d<%d %s %s %v\n", r.Seq, r.Origin, r.Endpoint.Name, r.Body, seen)
	}
	return b.String()
}

// TestInboxModel holds random histories, with restarts, to the model: every receipt, and every suffix of every read.
func TestInboxModel(t *testing.T) {
	if err := flag.Set("rapid.checks", "10"); err != nil { // each step is synced to the disk
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		clk := newClock()
		dir := t.TempDir()
		age := 3 * day
		start := func() *Inbox {
			i, err := Open(ctx, Options{Dir: dir, Clock: clk.Now, MaxAge: age, generation: 4, stride: 2})
			if err != nil {
				rt.Fatal(err)
			}
			return i
		}
		i := start()
		defer func() { _ = i.Close() }()
		m := &model{keys: map[string]modelKey{}, consumers: map[string]int64{}, released: map[int64]bool{}}
		same := func(got Receipt, err error, want Receipt, wantErr error) {
			if !errors.Is(err, wantErr) || wantErr == nil && (err != nil || got != want) {
				rt.Fatalf("receipt %+v, %v; want %+v, %v", got, err, want, wantErr)
			}
		}
		anySeq := func() int64 { return rapid.Int64Range(0, m.head+1).Draw(rt, "seq") }
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(rt *rapid.T) {
				r := modelRecord{
					at:   rapid.SampledFrom([]Endpoint{profiles, follows}).Draw(rt, "endpoint"),
					body: rapid.StringMatching(`[a-c]{0,2}`).Draw(rt, "body"), received: clk.Now(),
					keys: rapid.SliceOfN(rapid.StringMatching(`[a-f]`), 0, 4).Draw(rt, "keys"),
				}
				if rapid.IntRange(0, 9).Draw(rt, "held") == 0 {
					r.held = "token_reuse"
				}
				req := request(r.at, r.body, r.keys...)
				req.Quarantine = r.held
				got, err := i.Append(ctx, req)
				same(got, err, m.append(r, clk.Now()), nil)
			},
			"release": func(rt *rapid.T) {
				seq := anySeq()
				got, err := i.Release(ctx, seq)
				want, wantErr := m.release(seq, clk.Now())
				same(got, err, want, wantErr)
			},
			"replay": func(rt *rapid.T) {
				seq := anySeq()
				got, err := i.Replay(ctx, seq)
				want, wantErr := m.replay(seq)
				same(got, err, want, wantErr)
			},
			"cursor": func(rt *rapid.T) {
				name, seq := rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "consumer"), anySeq()
				if err := i.SetCursor(ctx, identity(t, i), name, seq); (err == nil) != (seq <= m.head) {
					rt.Fatalf("cursor %d of %d: %v", seq, m.head, err)
				} else if err == nil {
					m.consumers[name] = seq
				}
			},
			"drop": func(rt *rapid.T) {
				if err := i.DropConsumer(ctx, "a"); err != nil {
					rt.Fatal(err)
				}
				delete(m.consumers, "a")
			},
			"wait": func(rt *rapid.T) { clk.add(time.Duration(rapid.IntRange(1, 60).Draw(rt, "hours")) * time.Hour) },
			"trim": func(rt *rapid.T) {
				got, err := i.Trim(ctx)
				m.trim(clk.Now().Add(-age), clk.Now())
				if err != nil || got.Floor != m.floor {
					rt.Fatalf("%+v, %v; want the floor %d", got, err, m.floor)
				}
			},
			"restart": func(rt *rapid.T) {
				if err := i.Close(); err != nil {
					rt.Fatal(err)
				}
				i = start()
			},
			"": func(rt *rapid.T) {
				after := rapid.Int64Range(0, m.head).Draw(rt, "after")
				only := rapid.SampledFrom([]string{"", "profiles", "follows"}).Draw(rt, "only")
				q := Query{After: after, Rows: rapid.IntRange(1, 5).Draw(rt, "rows")}
				if only != "" {
					q.Endpoint = func(e Endpoint) bool { return e.Name == only }
				}
				page := readAll(t, i.Reader(), q)
				if got, want := pageText(page), m.text(after, only); got != want || len(page.Damaged) > 0 {
					rt.Fatalf("after %d:\n%s\nwant\n%s\ndamaged %+v", after, got, want, page.Damaged)
				}
				if wants := m.floor > after; (page.Trimmed > 0) != wants || wants && page.Trimmed != m.floor {
					rt.Fatalf("trimmed %d, want %d", page.Trimmed, m.floor)
				}
			},
		})
	})
}

// TestReadersBesideTheWriter: readers of this process and one that could be of another read while requests come in. Each
// sees a prefix without holes, bounded by the head that it took.
func TestReadersBesideTheWriter(t *testing.T) {
	dir := t.TempDir()
	i := open(t, Options{Dir: dir})
	add(t, i, request(profiles, "0"))
	const writers, each = 4, 60
	var work sync.WaitGroup
	for w := range writers {
		work.Go(func() {
			for n := range each {
				if _, err := i.Append(ctx, request(profiles, fmt.Sprint(w, n))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	other, err := OpenReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	for _, r := range []*Reader{i.Reader(), other} {
		work.Go(func() {
			for head := int64(0); head < writers*each+1; {
				var err error
				if head, err = r.Head(ctx); err != nil {
					t.Error(err)
					return
				}
				page, err := r.Read(ctx, Query{Head: head, Rows: 10000})
				if err != nil || len(page.Damaged) > 0 || int64(len(page.Records)) != head || page.Last != head {
					t.Errorf("head %d: %d records to %d, damaged %v, %v", head, len(page.Records), page.Last, page.Damaged, err)
					return
				}
			}
		})
	}
	work.Wait()
}
