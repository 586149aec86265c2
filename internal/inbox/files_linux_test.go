package inbox

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoFileLeftOpen: a statement that is not closed keeps SQLite's files open behind a closed connection.
func TestNoFileLeftOpen(t *testing.T) {
	dir := t.TempDir()
	i := open(t, Options{Dir: dir})
	add(t, i, request(profiles, "1"))
	if _, err := i.Trim(ctx); err != nil {
		t.Fatal(err)
	}
	if n := filesOpen(t, dir); n < 4 {
		t.Errorf("%d files are open while the inbox is", n)
	}
	if err := i.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := OpenReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	readAll(t, r, Query{})
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if n := filesOpen(t, dir); n != 0 {
		t.Errorf("%d files are still open", n)
	}
}

func filesOpen(t *testing.T, dir string) (n int) {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if to, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name())); err == nil && strings.HasPrefix(to, dir+"/") {
			n++
		}
	}
	return n
}
