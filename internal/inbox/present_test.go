package inbox

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/connector"
)

// TestFilesTakenAway: nothing is acknowledged into files that nobody can read any more.
func TestFilesTakenAway(t *testing.T) {
	for name, take := range map[string]func(dir string) error{
		"database removed": func(dir string) error { return os.Remove(filepath.Join(dir, databaseFile)) },
		"log removed":      func(dir string) error { return os.Remove(filepath.Join(dir, databaseFile+"-wal")) },
		"lock removed":     func(dir string) error { return os.Remove(filepath.Join(dir, lockName)) },
		"folder moved":     func(dir string) error { return os.Rename(dir, dir+"-moved") },
		"database replaced": func(dir string) error {
			other := filepath.Join(dir, "other.db")
			return errors.Join(os.WriteFile(other, []byte("x"), 0o600), os.Rename(other, filepath.Join(dir, databaseFile)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			clk := newClock()
			dir := filepath.Join(t.TempDir(), "inbox")
			i, err := Open(ctx, Options{Dir: dir, Clock: clk.Now})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = i.Close() }) // it may fail
			add(t, i, request(profiles, "1", "1"))
			if err := take(dir); err != nil {
				t.Fatal(err)
			}
			clk.add(lookEvery)
			for n := range 3 {
				r, err := i.Append(ctx, request(profiles, "2", "2"))
				if connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), "while it was open") {
					t.Errorf("request %d: %+v, %v", n+2, r, err)
				}
			}
			if s, _ := i.Stats(ctx); s.Refused == nil {
				t.Error("whoever asks is not told that it refuses")
			}
		})
	}
}

// TestFilesTakenFromIdle: it need not wait for a request to be noticed.
func TestFilesTakenFromIdle(t *testing.T) {
	dir := t.TempDir()
	i, err := Open(ctx, Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = i.Close() })
	if s, err := i.Stats(ctx); err != nil || s.Refused != nil {
		t.Fatalf("%v, %v", s.Refused, err)
	}
	if err := os.Remove(filepath.Join(dir, databaseFile+"-wal")); err != nil {
		t.Fatal(err)
	}
	if s, _ := i.Stats(ctx); s.Refused == nil {
		t.Error("it still takes requests")
	}
}
