package inbox

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/state/disk"
)

// TestOpenAsserts: a start does not go on with a connection that is less durable than promised.
func TestOpenAsserts(t *testing.T) {
	for _, pragma := range []string{"synchronous(NORMAL)", "journal_mode(DELETE)", "locking_mode(EXCLUSIVE)", "mmap_size(1048576)"} {
		dir := t.TempDir()
		i, err := Open(ctx, Options{Dir: dir, pragmas: []string{pragma}})
		if err == nil {
			_ = i.Close()
		}
		if connector.KindOf(err) != connector.KindConfig {
			t.Errorf("%s: %v", pragma, err)
		}
		if err := startAndStop(dir); err != nil {
			t.Errorf("after %s: %v", pragma, err)
		}
	}
}

// TestNamesAreSynced: the folder's own name, those of folders made above it and those of its files are durable before a
// request is acknowledged. A later start makes no names, and syncs none.
func TestNamesAreSynced(t *testing.T) {
	var synced []string
	syncDir = func(path string) error {
		synced = append(synced, path)
		return disk.SyncDir(path)
	}
	t.Cleanup(func() { syncDir = disk.SyncDir })
	top := t.TempDir()
	t.Chdir(top)
	if err := os.Mkdir("empty", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		dir  string
		want []string
	}{
		{filepath.Join(top, "a", "b", "c"), []string{filepath.Join(top, "a", "b"), filepath.Join(top, "a"), top, filepath.Join(top, "a", "b", "c")}},
		{filepath.Join("a", "d") + string(filepath.Separator), []string{"a", filepath.Join("a", "d")}},
		{"near", []string{".", "near"}},
		{"empty", []string{"empty"}},
	} {
		for _, want := range [][]string{c.want, nil} {
			synced = nil
			if err := startAndStop(c.dir); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(synced, want) {
				t.Errorf("%s: synced %q, want %q", c.dir, synced, want)
			}
		}
	}
}
