package inbox

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// damagedCopies is how many spoilt copies of a store TestDamage looks at; `make chaos` asks for 1,000, without the race
// detector, which slows SQLite down tenfold.
var damagedCopies = flag.Int("copies", 200, "spoilt copies")

// sampleSize is how many records each of them holds.
const sampleSize = 40

// TestDamage spoils copies of a store, most of them by one flipped bit anywhere in its files, some by cutting the end
// off a file. Whatever is read then is what was written, and each acknowledged record is served, named as damaged, or the
// store is refused as a whole. SQLite alone would not do: its pages carry no checksum, and it takes the good beginning of a spoilt
// log for all of it.
func TestDamage(t *testing.T) {
	files, want := sample(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	var refused, named, harmless, lost int
	dir := t.TempDir()
	for n := range *damagedCopies {
		what := spoil(rnd, files, dir, n)
		if n%100 < 2 { // as the owner leaves it after its start
			ownerStarts(t, what, dir)
		}
		got, damaged, err := survivors(dir)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("%s: %v", what, err)
			}
			refused++
			continue
		}
		for seq, text := range got {
			if want[seq] != text && seq <= sampleSize {
				t.Fatalf("%s: record %d was served as %.200q, and is %.200q", what, seq, text, want[seq])
			}
		}
		for seq := range want {
			if _, ok := got[seq]; !ok && !damaged[seq] {
				t.Fatalf("%s: record %d is neither served nor named", what, seq)
			}
		}
		switch {
		case len(damaged) == 0:
			harmless++
		case len(got) == 0:
			lost++
		default:
			named++
		}
	}
	t.Logf("%d copies: %d refused, %d with records named as damaged, %d of them nothing else, %d harmless", *damagedCopies, refused, named+lost, lost, harmless)
	if refused == 0 || named == 0 || harmless == 0 || named+harmless < *damagedCopies/2 {
		t.Error("the damage does not reach everywhere")
	}
}

// ownerStarts opens a spoilt store to write to it, and checks that no sequence is given twice.
func ownerStarts(t *testing.T, what, dir string) {
	t.Helper()
	i, err := Open(ctx, Options{Dir: dir, Clock: newClock().Now})
	if err != nil {
		if !errors.Is(err, ErrDamaged) {
			t.Fatalf("%s: %v", what, err)
		}
		return
	}
	r, err := i.Append(ctx, request(profiles, "after the damage"))
	if err != nil && !errors.Is(err, ErrDamaged) || err == nil && r.Seq <= sampleSize {
		t.Fatalf("%s: a new request is %+v, %v", what, r, err)
	}
	if err := i.Close(); err != nil && !errors.Is(err, ErrDamaged) {
		t.Fatalf("%s: %v", what, err)
	}
}

// sample makes a store whose records are partly in the database and partly in its log, as a dead process leaves it, and
// returns the files and what each record says.
func sample(t *testing.T) (files map[string][]byte, want map[int64]string) {
	t.Helper()
	dir := t.TempDir()
	clk := newClock()
	i := open(t, Options{Dir: dir, Clock: clk.Now})
	for n := range sampleSize {
		if n == sampleSize-8 {
			if err := i.c.exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
				t.Fatal(err)
			}
		}
		at := []Endpoint{profiles, follows}[n%2]
		req := request(at, fmt.Sprintf("%d ", n)+string(bytes.Repeat([]byte{byte('a' + n%26)}, n*n)), fmt.Sprint(n), fmt.Sprint(n/3))
		if n%10 == 9 {
			req.Quarantine = "token_reuse"
		}
		req.FollowUp = n%4 == 0
		add(t, i, req)
	}
	if err := i.SetCursor(ctx, identity(t, i), "slow", 7); err != nil {
		t.Fatal(err)
	}
	dead := copyDir(t, dir)
	files = map[string][]byte{}
	for _, name := range []string{databaseFile, databaseFile + "-wal", databaseFile + "-shm", headName} {
		b, err := os.ReadFile(filepath.Join(dead, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = b
	}
	want, damaged, err := survivors(dead)
	if err != nil || len(want) != sampleSize || len(damaged) != 0 {
		t.Fatalf("the sample itself: %d records, %v, %v", len(want), damaged, err)
	}
	return files, want
}

// spoil writes the n-th spoilt copy into dir and says what is wrong with it.
func spoil(rnd *rand.Rand, files map[string][]byte, dir string, n int) string {
	names := slices.Sorted(maps.Keys(files))
	name := []string{databaseFile, databaseFile + "-wal"}[n%2]
	if n%20 == 19 {
		name = names[rnd.IntN(len(names))]
	}
	b := slices.Clone(files[name])
	var what string
	if n%5 == 4 {
		b = b[:rnd.IntN(len(b))]
		what = fmt.Sprintf("copy %d: %s cut to %d bytes", n, name, len(b))
	} else {
		at := rnd.IntN(len(b) * 8)
		b[at/8] ^= 1 << (at % 8)
		what = fmt.Sprintf("copy %d: bit %d of %s at byte %d of %d", n, at%8, name, at/8, len(b))
	}
	for _, other := range names {
		text := files[other]
		if other == name {
			text = b
		}
		path := filepath.Join(dir, other)
		_ = os.Remove(path) // a file that is written over is flushed when it is closed
		if err := os.WriteFile(path, text, 0o600); err != nil {
			panic(err)
		}
	}
	return what
}

// survivors reads all that a store still serves.
func survivors(dir string) (got map[int64]string, damaged map[int64]bool, err error) {
	r, err := OpenReader(dir)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	head, err := r.Head(ctx)
	if err != nil {
		return nil, nil, err
	}
	if _, err := r.Consumers(ctx); err != nil {
		return nil, nil, err
	}
	list, err := r.FollowUps(ctx, nil, 0, 2*sampleSize)
	if err != nil {
		return nil, nil, err
	}
	for _, seq := range list {
		if seq%4 != 1 || seq > sampleSize {
			return nil, nil, fmt.Errorf("nothing is to be done about %d", seq)
		}
	}
	got, damaged = map[int64]string{}, map[int64]bool{}
	for q := (Query{Head: head, Quarantined: true, Rows: 30}); ; {
		page, err := r.Read(ctx, q)
		if err != nil {
			return nil, nil, err
		}
		for _, rec := range page.Records {
			got[rec.Seq] = fmt.Sprint(rec.Endpoint, rec.ReceivedAt.UnixNano(), rec.Method, rec.Items, rec.seen, rec.Quarantine, string(rec.Body))
		}
		for _, d := range page.Damaged {
			for seq := d.From; seq <= d.To; seq++ {
				damaged[seq] = true
			}
		}
		if q.After = page.Last; !page.More {
			return got, damaged, nil
		}
	}
}
