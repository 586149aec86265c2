package inbox

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/connector"
)

// TestSalvageOfWhatIsLeft: each file may be missing or spoilt. What is whole is kept, the rest named; the old files are kept
// as they were; and the new inbox can be read at once.
func TestSalvageOfWhatIsLeft(t *testing.T) {
	files, want := sample(t)
	for what, c := range map[string]struct {
		spoil func(files map[string][]byte)
		least int64 // how many are kept
	}{
		"no log":         {func(f map[string][]byte) { delete(f, databaseFile+"-wal") }, sampleSize - 8},
		"no index":       {func(f map[string][]byte) { delete(f, databaseFile+"-shm") }, sampleSize},
		"neither":        {func(f map[string][]byte) { delete(f, databaseFile+"-wal"); delete(f, databaseFile+"-shm") }, sampleSize - 8},
		"a garbage log":  {func(f map[string][]byte) { f[databaseFile+"-wal"] = bytes.Repeat([]byte("garbage "), 999) }, sampleSize - 8},
		"cut":            {func(f map[string][]byte) { f[databaseFile] = f[databaseFile][:21_000] }, 8},
		"no first page":  {func(f map[string][]byte) { copy(f[databaseFile], make([]byte, 4096)) }, sampleSize},
		"no database":    {func(f map[string][]byte) { delete(f, databaseFile) }, 0},
		"empty database": {func(f map[string][]byte) { f[databaseFile] = nil }, 0},
		"garbage":        {func(f map[string][]byte) { f[databaseFile] = bytes.Repeat([]byte("garbage "), 9999) }, 0},
		"all garbage": {func(f map[string][]byte) {
			f[databaseFile], f[databaseFile+"-wal"] = bytes.Repeat([]byte("garbage "), 999), bytes.Repeat([]byte("garbage "), 999)
		}, 0},
	} {
		t.Run(what, func(t *testing.T) {
			spoilt := map[string][]byte{}
			for name, b := range files {
				spoilt[name] = bytes.Clone(b)
			}
			c.spoil(spoilt)
			dir := writeFiles(t, spoilt)
			got, err := Salvage(ctx, Options{Dir: dir, hook: func(string) error { privateFiles(t, dir); return nil }})
			if err != nil || got.Records < c.least || got.Records+got.Damaged != sampleSize {
				t.Fatalf("%+v, %v; want at least %d", got, err, c.least)
			}
			privateFiles(t, dir)
			onlyInbox(t, dir, 1)
			for _, end := range []string{"", "-wal"} {
				b, err := os.ReadFile(filepath.Join(got.Old, databaseFile+end))
				if old, had := spoilt[databaseFile+end]; had != (err == nil) || !bytes.Equal(b, old) {
					t.Errorf("the old inbox.db%s is not kept: %v", end, err)
				}
			}
			left, damaged, err := survivors(dir)
			if err != nil || int64(len(left)) != got.Records || int64(len(damaged)) != got.Damaged {
				t.Fatalf("%d are read, %d named, %v", len(left), len(damaged), err)
			}
			for seq, text := range left {
				if text != want[seq] {
					t.Errorf("record %d has changed", seq)
				}
			}
			i := open(t, Options{Dir: dir})
			if r := add(t, i, request(profiles, "new", "new")); r.Seq != sampleSize+1 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestSalvageFromLog: where the database is gone, what is in its log is kept as far as it stands by itself.
func TestSalvageFromLog(t *testing.T) {
	dir := t.TempDir()
	i := open(t, Options{Dir: dir})
	for _, body := range []string{"1", "2", "3"} {
		add(t, i, request(profiles, body, body))
	}
	for _, spoil := range []func(db string) error{os.Remove, func(db string) error { return os.Truncate(db, 0) }, func(db string) error { return os.Truncate(db, 100) }} {
		dead := copyDir(t, dir)
		if err := spoil(filepath.Join(dead, databaseFile)); err != nil {
			t.Fatal(err)
		}
		if got, err := Salvage(ctx, Options{Dir: dead}); err != nil || got.Records != 3 || got.Damaged != 0 || got.Keys != 3 || !got.Lost {
			t.Errorf("%+v, %v", got, err)
		}
		if r := add(t, open(t, Options{Dir: dead}), request(profiles, "again", "2")); !r.Duplicate || r.Seq != 2 {
			t.Errorf("%+v", r)
		}
	}
}

// privateFiles checks that nobody else may read what is in a folder.
func privateFiles(t *testing.T, dir string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if info, err := e.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", e.Name(), info.Mode(), err)
		}
	}
}

// onlyInbox checks that a folder holds an inbox and so many folders of old files, and nothing half done.
func onlyInbox(t *testing.T, dir string, old int) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := ""
	for _, e := range list {
		if strings.HasPrefix(e.Name(), "damaged-") {
			old--
			continue
		}
		names += e.Name() + " "
	}
	if names != "head inbox.db inbox.db-shm inbox.db-wal lock " || old != 0 {
		t.Errorf("the folder holds %s, and %d folders too few", names, old)
	}
}

// TestSalvageOfNothing says so, and makes nothing.
func TestSalvageOfNothing(t *testing.T) {
	files, _ := sample(t)
	for what, files := range map[string]map[string][]byte{
		"no file":     {},
		"only a head": {headName: files[headName]},
		"empty files": {headName: files[headName], databaseFile: nil, databaseFile + "-wal": nil, databaseFile + "-shm": files[databaseFile+"-shm"]},
	} {
		dir := writeFiles(t, files)
		before := listing(t, dir)
		_, err := Salvage(ctx, Options{Dir: dir})
		if connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), "there is nothing to salvage") ||
			!strings.Contains(err.Error(), "start the receiver") {
			t.Errorf("%s: %v", what, err)
		}
		if after := listing(t, dir); after != before {
			t.Errorf("%s: before\n%s\nafter\n%s", what, before, after)
		}
	}
}

// TestSalvageFails: one that ends with an error leaves the folder as it was.
func TestSalvageFails(t *testing.T) {
	files, _ := sample(t)
	for _, point := range []string{"migrate: before commit", "salvage: before commit"} {
		for _, first := range []byte{'S', 0} { // without the first page there is a stand-in too
			spoilt := bytes.Clone(files[databaseFile])
			spoilt[0] = first
			dir := writeFiles(t, map[string][]byte{databaseFile: spoilt, databaseFile + "-wal": files[databaseFile+"-wal"],
				databaseFile + "-shm": files[databaseFile+"-shm"], headName: files[headName]})
			before := filesOf(t, dir)
			_, err := Salvage(ctx, Options{Dir: dir, hook: func(p string) error {
				if p == point {
					return errors.New("planted")
				}
				return nil
			}})
			if err == nil || !strings.Contains(err.Error(), "planted") {
				t.Errorf("%s: %v", point, err)
			}
			if after := filesOf(t, dir); after != before {
				t.Errorf("%s: before\n%s\nafter\n%s", point, before, after)
			}
		}
	}
	dir := writeFiles(t, nil)
	c, err := dial(filepath.Join(dir, databaseFile), "mode=rwc")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.exec("CREATE TABLE theirs (a)"), c.close()); err != nil {
		t.Fatal(err)
	}
	before := filesOf(t, dir)
	if _, err := Salvage(ctx, Options{Dir: dir}); connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), "something else") {
		t.Error(err)
	}
	if after := filesOf(t, dir); after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
}

// TestSalvageKilled: a salvage that dies at any point is as if it had not begun, or is finished by the next start or salvage;
// nobody takes the old database for whole while its log is gone.
func TestSalvageKilled(t *testing.T) {
	files, want := sample(t)
	for point, finished := range map[string]bool{
		"migrate: after commit": false, "salvage: before commit": false, "salvage: after commit": true, "salvage: without the old log": true,
	} {
		picture := ""
		dir := writeFiles(t, files)
		if _, err := Salvage(ctx, Options{Dir: dir, hook: func(p string) error {
			if p == point && picture == "" {
				picture = copyDir(t, dir)
			}
			return nil
		}}); err != nil || picture == "" {
			t.Fatalf("%s: %v", point, err)
		}
		again := copyDir(t, picture)
		r, err := OpenReader(picture)
		if finished == (err == nil) || finished && !strings.Contains(err.Error(), "salvage of the inbox") {
			t.Errorf("%s: the reader says %v", point, err)
		}
		if err == nil {
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
		i := open(t, Options{Dir: picture})
		if page := readAll(t, i.Reader(), Query{Quarantined: true}); len(page.Records) != len(want) || len(page.Damaged) > 0 {
			t.Errorf("%s: after the start %d are there, %v", point, len(page.Records), page.Damaged)
		}
		if got, err := Salvage(ctx, Options{Dir: again}); err != nil || got.Records != sampleSize || got.Damaged != 0 {
			t.Errorf("%s: salvaged again: %+v, %v", point, got, err)
		}
		left, damaged, err := survivors(again)
		if err != nil || len(left) != len(want) || len(damaged) > 0 {
			t.Errorf("%s: %d are there, %v, %v", point, len(left), damaged, err)
		}
	}
}
