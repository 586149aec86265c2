package inbox

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func asking(at Endpoint, body string) Request {
	req := request(at, body, body)
	req.FollowUp = true
	return req
}

// holdsList checks the list of what is to be done.
func holdsList(t *testing.T, r *Reader, of func(Endpoint) bool, want ...int64) {
	t.Helper()
	got, err := r.FollowUps(ctx, of, 0, 100)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("to be done: %v, %v, want %v", got, err, want)
	}
}

// TestFollowUps: a record is on the list from the moment it is stored until it is taken off, also for whoever opens what
// a dead process left. One that must not be applied gets there when it may, one that is no new record does not.
func TestFollowUps(t *testing.T) {
	dir := t.TempDir()
	i := open(t, Options{Dir: dir})
	add(t, i, asking(profiles, "1"))
	add(t, i, request(profiles, "2"))
	add(t, i, asking(follows, "3"))
	held := asking(profiles, "4")
	held.Quarantine = "token_reuse"
	add(t, i, held)
	if r := add(t, i, asking(profiles, "1")); !r.Duplicate {
		t.Errorf("%+v", r)
	}
	holdsList(t, i.Reader(), nil, 1, 3)
	holdsList(t, i.Reader(), func(e Endpoint) bool { return e == follows }, 3)
	if list, err := i.Reader().FollowUps(ctx, nil, 1, 1); err != nil || !slices.Equal(list, []int64{3}) {
		t.Errorf("%v, %v", list, err)
	}
	if list, err := i.Reader().FollowUps(ctx, nil, 0, 1); err != nil || !slices.Equal(list, []int64{1}) {
		t.Errorf("%v, %v", list, err)
	}
	if err := i.Done(ctx, []int64{1, 2, 77}); err != nil {
		t.Fatal(err)
	}
	holdsList(t, i.Reader(), nil, 3)
	if r, err := i.Release(ctx, 4); err != nil || r.Seq != 5 {
		t.Fatal(r, err)
	}
	if r, err := i.Replay(ctx, 1); err != nil || r.Seq != 6 {
		t.Fatal(r, err)
	}
	if _, err := i.Replay(ctx, 2); err != nil {
		t.Fatal(err)
	}
	holdsList(t, i.Reader(), nil, 3, 5, 6)
	for seq, want := range map[int64]bool{1: true, 2: false, 4: true, 5: true} {
		if rec, err := i.Reader().Get(ctx, seq); err != nil || rec.FollowUp != want {
			t.Errorf("record %d: %v, %v", seq, rec.FollowUp, err)
		}
	}
	if s, err := i.Stats(ctx); err != nil || s.FollowUps != 3 {
		t.Errorf("%+v, %v", s, err)
	}
	again := open(t, Options{Dir: copyDir(t, dir)})
	holdsList(t, again.Reader(), nil, 3, 5, 6)
}

// TestFollowUpFailpoints: a record and its place on the list are stored together or not at all, and so is the end of it.
func TestFollowUpFailpoints(t *testing.T) {
	for point, want := range map[string][]int64{
		"append: before commit": {1}, "append: after commit": {1, 2}, "done: before commit": {1, 2}, "done: after commit": {2},
		"give up: before commit": {2}, "give up: after commit": {},
	} {
		dir, picture := t.TempDir(), ""
		armed := false
		clk := newClock()
		i := open(t, Options{Dir: dir, Clock: clk.Now, hook: func(p string) error {
			if armed && p == point && picture == "" {
				picture = copyDir(t, dir)
			}
			return nil
		}})
		add(t, i, asking(profiles, "1"))
		armed = true
		add(t, i, asking(profiles, "2"))
		if err := i.Done(ctx, []int64{1}); err != nil {
			t.Fatal(err)
		}
		if _, err := i.GiveUp(ctx, clk.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		again := open(t, Options{Dir: picture})
		holdsList(t, again.Reader(), nil, want...)
	}
}

// TestRetentionWaits: what something is still to be done about is kept until it is done or given up.
func TestRetentionWaits(t *testing.T) {
	clk := newClock()
	i := open(t, Options{Dir: t.TempDir(), Clock: clk.Now, MaxAge: time.Hour})
	add(t, i, request(profiles, "1"))
	add(t, i, asking(profiles, "2"))
	add(t, i, asking(profiles, "3"))
	clk.add(2 * time.Hour)
	add(t, i, asking(profiles, "4"))
	if got, err := i.Trim(ctx); err != nil || got.Floor != 1 || got.Waits != WaitsForFollowUp {
		t.Errorf("%+v, %v", got, err)
	}
	if err := i.Done(ctx, []int64{2}); err != nil {
		t.Fatal(err)
	}
	if got, err := i.Trim(ctx); err != nil || got.Floor != 2 || got.Waits != WaitsForFollowUp {
		t.Errorf("%+v, %v", got, err)
	}
	if g, err := i.GiveUp(ctx, clk.Now().Add(-2*time.Hour)); err != nil || g != (GivenUp{}) {
		t.Errorf("given up though of that very moment: %+v, %v", g, err)
	}
	if g, err := i.GiveUp(ctx, clk.Now().Add(-time.Hour)); err != nil || g != (GivenUp{Records: 1, First: 3, Last: 3}) {
		t.Errorf("%+v, %v", g, err)
	}
	if got, err := i.Trim(ctx); err != nil || got.Floor != 3 || got.Waits != "" {
		t.Errorf("%+v, %v", got, err)
	}
	holdsList(t, i.Reader(), nil, 4)
}

// TestGiveUpMany: more than one transaction of them, and an entry that is damaged holds nothing up.
func TestGiveUpMany(t *testing.T) {
	clk := newClock()
	i := open(t, Options{Dir: t.TempDir(), Clock: clk.Now})
	add(t, i, asking(profiles, "1"))
	if err := i.c.exec("UPDATE followup SET data = x'00' || substr(data, 2)"); err != nil {
		t.Fatal(err)
	}
	holdsList(t, i.Reader(), nil)
	_, err := i.do(ctx, func() (Receipt, error) {
		return Receipt{}, i.w.tx("fill", func(*meta) error {
			for n := range int64(2*giveUpRows + 5) {
				if err := i.w.putFollowUp(2+n, 1); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	g, err := i.GiveUp(ctx, clk.Now().Add(time.Second))
	if want := (GivenUp{Records: 2*giveUpRows + 5, First: 2, Last: 2*giveUpRows + 6, Damaged: 1}); err != nil || g != want {
		t.Errorf("%+v, %v, want %+v", g, err, want)
	}
	holdsList(t, i.Reader(), nil)
}

// TestFollowUpFormats: an inbox of the format before has an empty list, and one that is salvaged keeps its list.
func TestFollowUpFormats(t *testing.T) {
	dir := t.TempDir()
	old, err := dial(filepath.Join(dir, databaseFile), "mode=rwc", writerPragmas...)
	if err != nil {
		t.Fatal(err)
	}
	err = migrate(old, 0, migrations[:1], func(string) error { return nil })
	if err = errors.Join(err, old.exec("INSERT INTO seen VALUES (x'00', 1, 1)")); err != nil {
		t.Fatal(err)
	}
	dead := copyDir(t, dir)
	if err := old.close(); err != nil {
		t.Fatal(err)
	}
	if s, err := Salvage(ctx, Options{Dir: dead}); err != nil || s.Keys != 1 || s.Lost {
		t.Errorf("%+v, %v", s, err)
	}
	for _, dir := range []string{dir, dead} {
		i := open(t, Options{Dir: dir})
		holdsList(t, i.Reader(), nil)
		add(t, i, asking(profiles, "1"))
		if err := i.Close(); err != nil {
			t.Fatal(err)
		}
		if s, err := Salvage(ctx, Options{Dir: dir}); err != nil || s.Records != 1 || s.Lost {
			t.Errorf("%+v, %v", s, err)
		}
		i = open(t, Options{Dir: dir})
		holdsList(t, i.Reader(), nil, 1)
	}
}
