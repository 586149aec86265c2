package inbox

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestFailpoints takes a picture of the files at every edge of durability, as a death of the process there would leave
// them, and opens it again: what was acknowledged before is there once, what was under way is there wholly or not at all.
func TestFailpoints(t *testing.T) {
	clk := newClock()
	for _, c := range []struct {
		point string
		act   func(*Inbox) error
		after bool // the work was committed
	}{
		{"append: in the group", appendThird, false},
		{"append: before commit", appendThird, false},
		{"append: after commit", appendThird, true},
		{"trim: before commit", trimAll, false},
		{"trim: after commit", trimAll, true},
		{"cursor: before commit", func(i *Inbox) error { return i.SetCursor(ctx, identity(t, i), "c", 2) }, false},
		{"cursor: after commit", func(i *Inbox) error { return i.SetCursor(ctx, identity(t, i), "c", 2) }, true},
		{"release: before commit", releaseSecond, false},
		{"release: after commit", releaseSecond, true},
		{"replay: before commit", replayFirst, false},
		{"replay: after commit", replayFirst, true},
		{"forget: before commit", trimAll, false},
		{"forget: after commit", trimAll, true},
		{"probe: before commit", probeNow, false},
		{"probe: after commit", probeNow, true},
		{"close: before commit", (*Inbox).Close, false},
		{"close: after commit", (*Inbox).Close, true},
	} {
		t.Run(c.point, func(t *testing.T) {
			dir, picture, armed := t.TempDir(), "", false
			i := open(t, Options{Dir: dir, Clock: clk.Now, MaxAge: 1, hook: func(point string) error {
				if armed && point == c.point && picture == "" {
					picture = copyDir(t, dir)
				}
				return nil
			}})
			clk.add(-day)
			add(t, i, request(profiles, "first", "k1"))
			held := request(profiles, "second", "k2")
			held.Quarantine = "token_reuse"
			add(t, i, held)
			clk.add(day)
			armed = true
			if err := c.act(i); err != nil {
				t.Fatal(err)
			}
			if picture == "" {
				t.Fatal("the point was not passed")
			}
			sameAs(t, picture, c.point, c.after, clk)
		})
	}
}

func appendThird(i *Inbox) error {
	_, err := i.Append(ctx, request(profiles, "third", "k1", "k3"))
	return err
}
func probeNow(i *Inbox) error      { return i.Probe(ctx) }
func trimAll(i *Inbox) error       { _, err := i.Trim(ctx); return err }
func releaseSecond(i *Inbox) error { _, err := i.Release(ctx, 2); return err }
func replayFirst(i *Inbox) error   { _, err := i.Replay(ctx, 1); return err }

// sameAs checks the picture of a store in which one thing was under way.
func sameAs(t *testing.T, dir, point string, after bool, clk *clock) {
	t.Helper()
	dead, err := OpenReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	bodies := func(r *Reader) string {
		page := readAll(t, r, Query{Quarantined: true})
		if len(page.Damaged) > 0 {
			t.Fatalf("damaged: %+v", page.Damaged)
		}
		s := ""
		for _, rec := range page.Records {
			s += fmt.Sprintf("%d=%s ", rec.Seq, rec.Body)
		}
		return s
	}
	was := bodies(dead)
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	i := open(t, Options{Dir: dir, Clock: clk.Now})
	if now := bodies(i.Reader()); now != was {
		t.Errorf("a reader saw %q, and after the restart %q", was, now)
	}
	what, _, _ := strings.Cut(point, ":")
	want := "1=first 2=second "
	list, err := i.Reader().Consumers(ctx)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case what == "append" && after:
		want += "3=third "
	case what == "release" && after:
		want += "3=second "
	case what == "replay" && after:
		want += "3=first "
	case what == "forget", what == "trim" && after:
		want = ""
	}
	if was != want {
		t.Errorf("it holds %q, want %q", was, want)
	}
	if (len(list) == 1) != (what == "cursor" && after) {
		t.Errorf("consumers %+v", list)
	}
	next := int64(3)
	if after && (what == "append" || what == "release" || what == "replay") {
		next = 4
	}
	if r := add(t, i, request(profiles, "next", "k9")); r.Seq != next {
		t.Errorf("the next request is %d, want %d", r.Seq, next)
	}
	if r := add(t, i, request(profiles, "first", "k1")); !r.Duplicate || r.Seq != 1 {
		t.Errorf("the first sent again %+v", r)
	}
	// What was under way is sent again: a duplicate if it was committed, else new.
	if what == "append" {
		if r := add(t, i, request(profiles, "third", "k1", "k3")); r.Duplicate != after {
			t.Errorf("sent again %+v", r)
		}
	}
}

// TestFailedTransaction: an error at any edge answers everyone in the group, and harms nothing that comes later.
func TestFailedTransaction(t *testing.T) {
	for _, point := range []string{"append: in the group", "append: before commit", "append: after commit"} {
		fail := false
		dir := t.TempDir()
		i := open(t, Options{Dir: dir, hook: func(p string) error {
			if fail && p == point {
				return errors.New("planted")
			}
			return nil
		}})
		add(t, i, request(profiles, "1"))
		fail = true
		if _, err := i.Append(ctx, request(follows, "2")); !errors.Is(err, ErrStore) {
			t.Errorf("%s: %v", point, err)
		}
		fail = false
		committed := point == "append: after commit"
		if r := add(t, i, request(follows, "2")); r.Seq != 2 || r.Duplicate != committed {
			t.Errorf("%s: sent again %+v", point, r)
		}
		page := readAll(t, i.Reader(), Query{})
		if len(page.Records) != 2 || len(page.Damaged) > 0 || page.Records[1].Endpoint != follows {
			t.Errorf("%s: %+v", point, page)
		}
	}
}

// TestFailpointRecall: a start that dies while it puts the keys that a dead process has left into their table leaves an inbox
// in which all requests are, and none comes in twice.
func TestFailpointRecall(t *testing.T) {
	const requests = 25
	for _, point := range []string{"recall: before commit", "recall: after commit"} {
		opts := Options{Dir: t.TempDir(), generation: 10 * requests, stride: 4}
		i := open(t, opts)
		acked := map[string]int64{}
		for n := range requests {
			body := fmt.Sprint("body", n)
			acked[body] = add(t, i, request(profiles, body, body)).Seq
		}
		opts.Dir, opts.generation = copyDir(t, opts.Dir), requests/2
		picture := ""
		opts.hook = func(p string) error {
			if p == point {
				picture = copyDir(t, opts.Dir)
			}
			return nil
		}
		open(t, opts)
		if picture == "" {
			t.Fatalf("%s was not passed", point)
		}
		i = open(t, Options{Dir: picture, generation: 10 * requests, stride: 4})
		for body, seq := range acked {
			if r := add(t, i, request(profiles, body, body)); !r.Duplicate || r.Seq != seq {
				t.Errorf("%s: %s came again as %+v", point, body, r)
			}
		}
		holdsOnce(t, i.Reader(), acked)
		if r := add(t, i, request(profiles, "new", "new")); r.Duplicate || r.Seq != requests+1 {
			t.Errorf("%s: the next request is %+v", point, r)
		}
	}
}

// TestFailpointVerify: a death while what is damaged gets on the list leaves it off the list or on it, and the rest as it was.
func TestFailpointVerify(t *testing.T) {
	for _, c := range []struct {
		point  string
		listed int
	}{{"verify: before commit", 0}, {"verify: after commit", 1}} {
		dir, picture := t.TempDir(), ""
		i := open(t, Options{Dir: dir, hook: func(point string) error {
			if point == c.point {
				picture = copyDir(t, dir)
			}
			return nil
		}})
		for n := range 3 {
			add(t, i, request(profiles, fmt.Sprint("body", n), fmt.Sprint("k", n)))
		}
		if err := i.c.exec("UPDATE record SET data = zeroblob(length(data)) WHERE seq = 2"); err != nil {
			t.Fatal(err)
		}
		if n, err := i.Verify(ctx, 0); err != nil || n != 1 || picture == "" {
			t.Fatalf("%s: %d damaged, %v", c.point, n, err)
		}
		i = open(t, Options{Dir: picture})
		page := readAll(t, i.Reader(), Query{})
		if len(page.Records) != 2 || string(page.Records[0].Body) != "body0" || string(page.Records[1].Body) != "body2" ||
			len(page.Damaged) != 1 || page.Damaged[0].From != 2 || page.Damaged[0].To != 2 {
			t.Errorf("%s: %+v", c.point, page)
		}
		if list, err := i.Reader().Quarantined(ctx, 0, 10); err != nil || len(list) != c.listed {
			t.Errorf("%s: listed %+v, %v", c.point, list, err)
		}
		if r := add(t, i, request(profiles, "body2", "k2")); !r.Duplicate || r.Seq != 3 {
			t.Errorf("%s: the last sent again %+v", c.point, r)
		}
		if r := add(t, i, request(profiles, "next", "k9")); r.Seq != 4 {
			t.Errorf("%s: the next request is %+v", c.point, r)
		}
		if n, err := i.Verify(ctx, 0); err != nil || n != 1 {
			t.Errorf("%s: verified again: %d damaged, %v", c.point, n, err)
		}
	}
}
