package inbox

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

// child appends from many goroutines until it is killed, and says each request that was acknowledged.
func child(dir string) {
	i, err := Open(ctx, Options{Dir: dir})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	var out sync.Mutex
	var work sync.WaitGroup
	for g := range 16 {
		work.Go(func() {
			for n := 0; ; n++ {
				body := fmt.Sprintf("%d-%d-%d", os.Getpid(), g, n)
				r, err := i.Append(ctx, Request{Endpoint: profiles, Body: []byte(body), Keys: []string{body, body + "b"}})
				out.Lock()
				if err != nil {
					fmt.Println("error", err)
				} else {
					fmt.Println("ack", r.Seq, body)
				}
				out.Unlock()
			}
		})
	}
	work.Wait()
}

// TestKill: a process that is killed while it writes has lost nothing that it said it had.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	acked := map[string]int64{}
	for kill := range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "SLUICE_INBOX_CHILD="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			var seq int64
			var body string
			if _, err := fmt.Sscanf(lines.Text(), "ack %d %s", &seq, &body); err != nil {
				if n < 200+100*kill {
					t.Errorf("the child says %q", lines.Text())
				}
				break // a line cut by the kill
			}
			acked[body] = seq
			if n == 200+100*kill {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // it was killed
		r, err := OpenReader(dir)
		if err != nil {
			t.Fatal(err)
		}
		holdsOnce(t, r, acked)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(acked) < 900 {
		t.Errorf("only %d requests were acknowledged", len(acked))
	}
	i := open(t, Options{Dir: dir})
	holdsOnce(t, i.Reader(), acked)
	if s, err := i.Stats(ctx); err != nil || s.Damaged != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

// holdsOnce checks that every acknowledged request is there once, under the sequence that its answer named.
func holdsOnce(t *testing.T, r *Reader, acked map[string]int64) {
	t.Helper()
	page := readAll(t, r, Query{})
	if len(page.Damaged) > 0 {
		t.Fatalf("damaged: %+v", page.Damaged)
	}
	found := map[string]int64{}
	for _, rec := range page.Records {
		if at, twice := found[string(rec.Body)]; twice {
			t.Fatalf("%s is there twice: %d and %d", rec.Body, at, rec.Seq)
		}
		found[string(rec.Body)] = rec.Seq
	}
	for body, seq := range acked {
		if found[body] != seq {
			t.Fatalf("%s was acknowledged as %d and is there as %d (0: lost)", body, seq, found[body])
		}
	}
}

// TestMigrate: a migration that dies leaves the old format whole, and is done at the next start.
func TestMigrate(t *testing.T) {
	for _, point := range []string{"migrate: before commit", "migrate: after commit"} {
		for _, version := range []int{0, 1} {
			dir := t.TempDir()
			if version > 0 {
				i := open(t, Options{Dir: dir})
				add(t, i, request(profiles, "old"))
				if err := i.Close(); err != nil {
					t.Fatal(err)
				}
			}
			steps := append(append([]string{}, migrations...), "CREATE TABLE extra (a); INSERT INTO extra VALUES (1)")
			_, err := Open(ctx, Options{Dir: dir, steps: steps, hook: func(p string) error {
				if p == point {
					return errors.New("planted")
				}
				return nil
			}})
			if err == nil {
				t.Fatal("the failpoint was not passed")
			}
			i := open(t, Options{Dir: dir, steps: steps})
			if n, err := i.c.number("SELECT count(*) FROM extra"); err != nil || n != 1 {
				t.Errorf("%s: %d rows, %v", point, n, err)
			}
			if h := i.w.m.head; h != int64(version) {
				t.Errorf("%s: head %d", point, h)
			}
			if err := i.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(ctx, Options{Dir: dir}); err == nil {
				t.Error("an older program must refuse the newer format")
			}
		}
	}
}

// TestFull: a full disk is told apart, loses nothing, and is over when there is space again.
func TestFull(t *testing.T) {
	dir := t.TempDir()
	clk := newClock()
	i := open(t, Options{Dir: dir, Clock: clk.Now, MaxAge: time.Hour, maxPages: 60})
	acked := map[string]int64{}
	var full int
	for n := 0; full < 3; n++ {
		body := fmt.Sprintf("%d %01000d", n, n)
		r, err := i.Append(ctx, request(profiles, body))
		switch {
		case err == nil:
			acked[body] = r.Seq
		case !errors.Is(err, ErrFull) || codeOf(err) != sqlite3.SQLITE_FULL:
			t.Fatal(err)
		default:
			full++
		}
		if n > 1000 {
			t.Fatal("the disk does not fill")
		}
	}
	holdsOnce(t, i.Reader(), acked)
	if s, err := i.Stats(ctx); err != nil || s.Full != 3 || s.Failures != 0 || !errors.Is(s.Failing, ErrFull) {
		t.Errorf("%+v, %v", s, err)
	}
	clk.add(day)
	if trimmed, err := i.Trim(ctx); err != nil || trimmed.Records != int64(len(acked)) {
		t.Errorf("%+v, %v", trimmed, err)
	}
	if err := i.Probe(ctx); err != nil {
		t.Error(err)
	}
	if s, err := i.Stats(ctx); err != nil || s.Failing != nil {
		t.Errorf("%v, %v", s.Failing, err)
	}
	add(t, i, request(profiles, "there is space again"))
}

// TestProbe: it writes as a request does, so it fails where one would, and sees when that is over.
func TestProbe(t *testing.T) {
	var fault error
	i := open(t, Options{Dir: t.TempDir(), hook: func(string) error { return fault }})
	if err := i.Probe(ctx); err != nil {
		t.Fatal(err)
	}
	fault = errors.New("a broken disk")
	if err := i.Probe(ctx); !errors.Is(err, ErrStore) {
		t.Error(err)
	}
	if _, err := i.Append(ctx, request(profiles, "1")); !errors.Is(err, ErrStore) {
		t.Error(err)
	}
	if s, err := i.Stats(ctx); err != nil || !errors.Is(s.Failing, fault) {
		t.Errorf("%v, %v", s.Failing, err)
	}
	fault = nil
	if err := i.Probe(ctx); err != nil {
		t.Error(err)
	}
	if s, err := i.Stats(ctx); err != nil || s.Failing != nil || s.Head != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestLostEnd: a write-ahead log that was damaged or removed takes acknowledged requests with it. SQLite does not
// notice; the inbox does, says which, and gives their sequences to nobody else.
func TestLostEnd(t *testing.T) {
	dir := t.TempDir()
	i := open(t, Options{Dir: dir})
	add(t, i, request(profiles, "1"))
	if err := i.c.exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	add(t, i, request(profiles, "2"))
	add(t, i, request(profiles, "3"))
	torn := copyDir(t, dir)
	if err := os.Truncate(filepath.Join(torn, databaseFile+"-wal"), 0); err != nil {
		t.Fatal(err)
	}
	want := Damage{From: 2, To: 3}
	r, err := OpenReader(torn)
	if err != nil {
		t.Fatal(err)
	}
	head, err := r.Head(ctx)
	if err != nil || head != 3 {
		t.Errorf("head %d, %v", head, err)
	}
	page := readAll(t, r, Query{Head: head})
	if len(page.Records) != 1 || len(page.Damaged) != 1 || page.Damaged[0].From != want.From || page.Damaged[0].To != want.To {
		t.Errorf("read only %+v", page)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		again := open(t, Options{Dir: torn})
		list, err := again.Reader().Quarantined(ctx, 0, 10)
		if err != nil || len(list) != 1 || list[0].From != 2 || list[0].To != 3 || list[0].Reason != reasonLost {
			t.Errorf("list %+v, %v", list, err)
		}
		page := readAll(t, again.Reader(), Query{})
		if page.Records[0].Seq != 1 || len(page.Damaged) != 1 || page.Damaged[0].From != 2 || page.Damaged[0].To != 3 {
			t.Errorf("%+v", page)
		}
		if r := add(t, again, request(profiles, "2")); !r.Duplicate && r.Seq != 4 {
			t.Errorf("sent again %+v", r)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
