package inbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// TestRetentionBySize: the oldest go first, as many as needed, but none that the slowest consumer still needs.
func TestRetentionBySize(t *testing.T) {
	i := open(t, Options{Dir: t.TempDir(), MaxBytes: 50_000})
	for n := range 100 {
		add(t, i, request(profiles, fmt.Sprintf("%d %01000d", n, n)))
	}
	for name, seq := range map[string]int64{"slow": 10, "fast": 90} {
		if err := i.SetCursor(ctx, identity(t, i), name, seq); err != nil {
			t.Fatal(err)
		}
	}
	got, err := i.Trim(ctx)
	if err != nil || got.Floor != 10 || got.Records != 10 || got.Waits != "slow" {
		t.Errorf("held by the slow one: %+v, %v", got, err)
	}
	if list, err := i.Reader().Consumers(ctx); err != nil || len(list) != 2 || list[1].Name != "slow" || list[1].Seq != 10 {
		t.Errorf("consumers %+v, %v", list, err)
	}
	if err := i.DropConsumer(ctx, "slow"); err != nil {
		t.Fatal(err)
	}
	got, err = i.Trim(ctx)
	if err != nil || got.Waits != "" {
		t.Errorf("%+v, %v", got, err)
	}
	s, err := i.Stats(ctx)
	if err != nil || s.Bytes > 50_000 || s.Bytes < 48_000 || s.Floor != got.Floor {
		t.Errorf("%+v, %v", s, err)
	}
	page := readAll(t, i.Reader(), Query{After: 3})
	if page.Trimmed != got.Floor || page.Records[0].Seq != got.Floor+1 || int64(len(page.Records)) != 100-got.Floor {
		t.Errorf("a reader that comes late: trimmed %d, %d records", page.Trimmed, len(page.Records))
	}
	for _, bad := range []int64{-1, 101} {
		if err := i.SetCursor(ctx, identity(t, i), "x", bad); connector.KindOf(err) != connector.KindConfig {
			t.Errorf("cursor %d: %v", bad, err)
		}
	}
	if err := i.SetCursor(ctx, identity(t, i), "", 1); connector.KindOf(err) != connector.KindConfig {
		t.Errorf("no name: %v", err)
	}
}

// TestQuarantine: a flagged request is kept and listed, and its keys do not stand in the way of an honest request.
func TestQuarantine(t *testing.T) {
	i := open(t, Options{Dir: t.TempDir()})
	held := request(profiles, "forged", "k1", "k2")
	held.Quarantine = "token_reuse"
	if r := add(t, i, held); r.Seq != 1 || r.Seen != 0 {
		t.Errorf("%+v", r)
	}
	if r := add(t, i, held); !r.Duplicate || r.Seq != 1 {
		t.Errorf("the same again fills the disk: %+v", r)
	}
	if r := add(t, i, request(profiles, "honest", "k1")); r.Duplicate || r.Seen != 0 {
		t.Errorf("%+v", r)
	}
	if page := readAll(t, i.Reader(), Query{}); len(page.Records) != 1 || page.Held != 1 {
		t.Errorf("%+v", page)
	}
	rec, err := i.Reader().Get(ctx, 1)
	if err != nil || rec.Quarantine != "token_reuse" || string(rec.Body) != "forged" {
		t.Errorf("%+v, %v", rec, err)
	}
	if r, err := i.Release(ctx, 1); err != nil || r != (Receipt{Seq: 3, Items: 2, Seen: 1}) {
		t.Errorf("released: %+v, %v", r, err)
	}
	list, err := i.Reader().Quarantined(ctx, 0, 10)
	if err != nil || len(list) != 1 || list[0].From != 1 || list[0].Reason != "token_reuse" || list[0].Released != 3 {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := i.Release(ctx, 1); !errors.Is(err, ErrNotHeld) {
		t.Errorf("twice: %v", err)
	}
	page := readAll(t, i.Reader(), Query{After: 2})
	if len(page.Records) != 1 || page.Records[0].Origin != 1 || !page.Records[0].Seen(0) || page.Records[0].Seen(1) {
		t.Errorf("%+v", page.Records)
	}
	if _, err := i.Reader().Get(ctx, 9); !errors.Is(err, ErrNotFound) {
		t.Errorf("a record of the future: %v", err)
	}
}

// TestVerify: what was spoilt while the inbox was closed is found, listed, not served, not replayed, and counted.
func TestVerify(t *testing.T) {
	dir := t.TempDir()
	i := open(t, Options{Dir: dir})
	for n := range 10 {
		add(t, i, request(profiles, fmt.Sprintf("body %d of ten", n)))
	}
	if err := i.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, databaseFile)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Replace(b, []byte("body 4 of ten"), []byte("body 4 of TEN"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	i = open(t, Options{Dir: dir})
	if n, err := i.Verify(ctx, 0); err != nil || n != 1 {
		t.Errorf("%d, %v", n, err)
	}
	list, err := i.Reader().Quarantined(ctx, 0, 10)
	if err != nil || len(list) != 1 || list[0].From != 5 || list[0].Reason != errSum.Error() {
		t.Errorf("%+v, %v", list, err)
	}
	if page := readAll(t, i.Reader(), Query{}); len(page.Records) != 9 || len(page.Damaged) != 1 || page.Damaged[0].From != 5 {
		t.Errorf("%+v", page)
	}
	if _, err := i.Reader().Get(ctx, 5); !errors.Is(err, ErrDamaged) {
		t.Errorf("get: %v", err)
	}
	if _, err := i.Replay(ctx, 5); !errors.Is(err, ErrDamaged) {
		t.Errorf("replay: %v", err)
	}
	if s, err := i.Stats(ctx); err != nil || s.Damaged != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestReaderWritesNothing: neither after the writer's death nor after its end does a reader touch any file.
func TestReaderWritesNothing(t *testing.T) {
	dir := t.TempDir()
	i := open(t, Options{Dir: dir})
	for n := range 20 {
		add(t, i, request(profiles, fmt.Sprint(n)))
	}
	dead := copyDir(t, dir)
	if err := i.Close(); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"dead": dead, "ended": dir} {
		before := listing(t, dir)
		r, err := OpenReader(dir)
		if err != nil {
			t.Fatal(err)
		}
		if page := readAll(t, r, Query{}); len(page.Records) != 20 || len(page.Damaged) > 0 {
			t.Errorf("%s: %+v", name, page)
		}
		if err := r.c.exec("DELETE FROM record"); err == nil {
			t.Errorf("%s: the reader can delete", name)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if after := listing(t, dir); after != before {
			t.Errorf("%s: before\n%s\nafter\n%s", name, before, after)
		}
	}
}

// listing says all about the files of a folder.
func listing(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var s strings.Builder
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&s, "%s %v %s %x\n", e.Name(), info.Mode(), info.ModTime().Format(time.RFC3339Nano), sum(0, b))
	}
	return s.String()
}

// TestSalvage: a database that is refused is rebuilt of what is whole; records, keys and consumers stay what they were.
func TestSalvage(t *testing.T) {
	files, want := sample(t)
	dir := t.TempDir()
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	db, err := dial(filepath.Join(dir, databaseFile), "mode=rw")
	if err != nil {
		t.Fatal(err)
	}
	page, err := db.number("SELECT pageno FROM dbstat WHERE name = 'record' AND pagetype = 'leaf' ORDER BY pageno LIMIT 1 OFFSET 1")
	if err = errors.Join(err, db.exec("PRAGMA wal_checkpoint(TRUNCATE)"), db.close()); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, databaseFile), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(bytes.Repeat([]byte{0xff}, 4096), (page-1)*4096)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	for _, end := range []string{"-wal", "-shm"} { // the plain close took them away
		if err := os.WriteFile(filepath.Join(dir, databaseFile+end), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	clk := newClock()
	if _, err := Open(ctx, Options{Dir: dir, Clock: clk.Now}); !errors.Is(err, ErrDamaged) {
		t.Fatalf("a broken tree: %v", err)
	}
	for range 2 { // the first one must not leave it as closed in order
		largeIsCheckedBeside(t, dir, clk)
	}
	got, err := Salvage(ctx, Options{Dir: dir, Clock: clk.Now})
	if err != nil || got.Records == 0 || got.Damaged == 0 || got.Records+got.Damaged != sampleSize {
		t.Fatalf("%+v, %v", got, err)
	}
	i := open(t, Options{Dir: dir, Clock: clk.Now})
	if list, err := i.Reader().Consumers(ctx); err != nil || len(list) != 1 || list[0].Seq != 7 {
		t.Errorf("consumers %+v, %v", list, err)
	}
	if r := add(t, i, request(profiles, "again", "0")); !r.Duplicate {
		t.Errorf("a key was lost: %+v", r)
	}
	if r := add(t, i, request(profiles, "new", "new")); r.Seq != sampleSize+1 {
		t.Errorf("%+v", r)
	}
	left, damaged, err := survivors(dir)
	if err != nil || int64(len(damaged)) != got.Damaged || len(left) != len(want)-len(damaged)+1 {
		t.Fatalf("%d left, %d damaged, %v", len(left), len(damaged), err)
	}
	for seq, text := range left {
		if seq <= sampleSize && want[seq] != text {
			t.Errorf("record %d has changed", seq)
		}
	}
}

// largeIsCheckedBeside: a database that is too large to be checked before it is opened is refused once the check has
// come to the damage.
func largeIsCheckedBeside(t *testing.T, dir string, clk *clock) {
	t.Helper()
	i, err := Open(ctx, Options{Dir: dir, Clock: clk.Now, CheckBytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, _, refused := i.queue.load(); refused != nil {
			break
		}
		runtime.Gosched()
	}
	if _, err := i.Append(ctx, request(profiles, "new")); !errors.Is(err, ErrDamaged) {
		t.Errorf("a request while the tree is broken: %v", err)
	}
	if s, err := i.Stats(ctx); err != nil || !errors.Is(s.Refused, ErrDamaged) {
		t.Errorf("%+v, %v", s, err)
	}
	if err := i.Close(); err != nil {
		t.Fatal(err)
	}
}
