package inbox

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestIdentity: an inbox keeps its identity for life, also where its database is salvaged without a head row, and no other
// has the same.
func TestIdentity(t *testing.T) {
	of := func(dir string) Identity {
		t.Helper()
		r, err := OpenReader(dir)
		if err != nil {
			t.Fatal(err)
		}
		id, err := r.Identity(ctx)
		if err = errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		if again, err := ParseIdentity(id.String()); err != nil || again != id {
			t.Errorf("%s is read as %s, %v", id, again, err)
		}
		return id
	}
	dir := t.TempDir()
	i := open(t, Options{Dir: dir})
	first := of(dir)
	add(t, i, request(profiles, "1", "k"))
	if page, err := i.Reader().Read(ctx, Query{}); err != nil || page.ID != first {
		t.Errorf("a page is of %s, not %s, %v", page.ID, first, err)
	}
	if err := i.c.exec("UPDATE meta SET data = x'00'"); err != nil {
		t.Fatal(err)
	}
	hurt := copyDir(t, dir)
	if _, err := Open(ctx, Options{Dir: hurt}); !errors.Is(err, ErrDamaged) {
		t.Fatalf("got %v", err)
	}
	if _, err := Salvage(ctx, Options{Dir: hurt}); err != nil {
		t.Fatal(err)
	}
	healed := open(t, Options{Dir: hurt})
	add(t, healed, request(profiles, "2", "k2"))
	if got := of(hurt); got != first {
		t.Errorf("salvaged as %s, was %s", got, first)
	}
	other := t.TempDir()
	open(t, Options{Dir: other})
	if of(other) == first {
		t.Error("two inboxes have one identity")
	}
}

func identity(t *testing.T, i *Inbox) Identity {
	t.Helper()
	id, err := i.Reader().Identity(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestCursorOfAnother: what was read in an inbox that is gone moves nobody forward in the one that took its place.
func TestCursorOfAnother(t *testing.T) {
	i := open(t, Options{Dir: t.TempDir()})
	add(t, i, request(profiles, "1"))
	for _, of := range []Identity{identity(t, i) + 1, 0} {
		if err := i.SetCursor(ctx, of, "late", 1); !errors.Is(err, errCursor) {
			t.Errorf("of %s: %v", of, err)
		}
	}
	if list, err := i.Reader().Consumers(ctx); err != nil || len(list) != 0 {
		t.Errorf("consumers %+v, %v", list, err)
	}
	add(t, i, request(profiles, "2")) // the writer goes on
	if err := i.SetCursor(ctx, identity(t, i), "late", 2); err != nil {
		t.Error(err)
	}
}

// TestHeadOfAnother: a head file that was left by another inbox says nothing of this one.
func TestHeadOfAnother(t *testing.T) {
	dirs := []string{t.TempDir(), t.TempDir()}
	for n, dir := range dirs {
		i := open(t, Options{Dir: dir})
		for range 5 - 4*n {
			add(t, i, request(profiles, t.Name(), "k"+newIdentity().String()))
		}
		if err := i.Close(); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dirs[0], headName))
	if err = errors.Join(err, os.WriteFile(filepath.Join(dirs[1], headName), text, 0o600)); err != nil {
		t.Fatal(err)
	}
	i := open(t, Options{Dir: dirs[1]})
	if head, err := i.Reader().Head(ctx); err != nil || head != 1 || i.w.m.head != 1 {
		t.Errorf("head %d and %d, %v", head, i.w.m.head, err)
	}
}

// TestIdentityOfFormatThree: an inbox of before has none until the writer opens it.
func TestIdentityOfFormatThree(t *testing.T) {
	old := withOldHead(t, open(t, Options{Dir: t.TempDir(), steps: migrations[:3]}), metaWithoutID)
	r, err := OpenReader(old)
	if err != nil {
		t.Fatal(err)
	}
	if id, err := r.Identity(ctx); id != 0 || err != nil {
		t.Errorf("%s, %v", id, err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if id, err := open(t, Options{Dir: old}).Reader().Identity(ctx); id == 0 || err != nil {
		t.Errorf("%s, %v", id, err)
	}
}
