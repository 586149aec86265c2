package disk

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	take := func(kind func(string) (*Lock, error), want bool) *Lock {
		t.Helper()
		l, err := kind(path)
		if (err == nil) != want {
			t.Fatalf("got %v", err)
		}
		if !want && !errors.Is(err, ErrHeld) {
			t.Fatalf("got %v, want ErrHeld", err)
		}
		return l
	}
	a, b := take(Shared, true), take(Shared, true)
	take(Exclusive, false)
	_ = a.Close()
	take(Exclusive, false)
	_ = b.Close()
	c := take(Exclusive, true)
	take(Shared, false)
	if _, err := Exclusive(path); err == nil || !strings.Contains(err.Error(), "locked by process") {
		t.Errorf("got %v", err)
	}
	_ = c.Close()
	_ = take(Shared, true).Close()
	if _, err := Shared(filepath.Join(path, "below")); err == nil || errors.Is(err, ErrHeld) {
		t.Errorf("got %v", err)
	}
}

func TestHolderUnknown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	l, err := Shared(path) // writes no id
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := Exclusive(path); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("got %v", err)
	}
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "x")
	for _, want := range []string{"one", "", "three"} {
		if err := Replace(name, []byte(want)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(name); string(got) != want || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	// A name that cannot be replaced leaves nothing behind.
	if err := os.MkdirAll(filepath.Join(dir, "full", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Replace(filepath.Join(dir, "full"), []byte("y")); err == nil {
		t.Error("replaced a folder")
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 2 {
		t.Errorf("the folder holds %v", entries)
	}
	if err := Replace(filepath.Join(dir, "none", "x"), nil); err == nil {
		t.Error("replaced in a folder that is not there")
	}
}

// TestForesee: whether a folder could be written to is found out without a trace, also where it is not there yet.
func TestForesee(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, good := range []string{dir, filepath.Join(dir, "new"), filepath.Join(dir, "new", "below")} {
		if err := Foresee(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{file, filepath.Join(file, "below")} {
		if err := Foresee(bad); err == nil {
			t.Errorf("%s could be written to", bad)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("the folder holds %v", entries)
	}
}
