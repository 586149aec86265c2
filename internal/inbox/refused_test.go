package inbox

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// writeFiles makes a folder of files.
func writeFiles(t *testing.T, files map[string][]byte) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// filesOf is the listing of a folder but for the lock.
func filesOf(t *testing.T, dir string) (list string) {
	t.Helper()
	for _, line := range strings.SplitAfter(listing(t, dir), "\n") {
		if !strings.HasPrefix(line, lockName+" ") {
			list += line
		}
	}
	return list
}

func startAndStop(dir string) error {
	i, err := Open(ctx, Options{Dir: dir})
	if err == nil {
		err = i.Close()
	}
	return err
}

// breakPages spoils n pages behind so many.
func breakPages(db string, behind, n int) error {
	f, err := os.OpenFile(db, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(bytes.Repeat([]byte{0xff}, n*4096), int64(behind)*4096)
	return errors.Join(err, f.Close())
}

// TestRefusedStaysAsItIs: a start that is refused, and a reader, change and remove no file: the log may be the only copy of
// what was acknowledged.
func TestRefusedStaysAsItIs(t *testing.T) {
	files, _ := sample(t)
	for what, spoil := range map[string]func(dir, db string) error{
		"cut":                      func(_, db string) error { return os.Truncate(db, 21_000) },
		"empty":                    func(_, db string) error { return os.Truncate(db, 0) },
		"missing":                  func(_, db string) error { return os.Remove(db) },
		"garbage":                  func(_, db string) error { return os.WriteFile(db, bytes.Repeat([]byte("garbage "), 4096), 0o600) },
		"zeros":                    func(_, db string) error { return os.WriteFile(db, make([]byte, 32<<10), 0o600) },
		"broken pages":             func(_, db string) error { return breakPages(db, 8, 3) },
		"cut, and closed in order": func(dir, db string) error { return errors.Join(startAndStop(dir), os.Truncate(db, 21_000)) },
		// the root of the table of endpoints
		"a broken page, and closed in order": func(dir, db string) error { return errors.Join(startAndStop(dir), breakPages(db, 3, 1)) },
	} {
		t.Run(what, func(t *testing.T) {
			dir := writeFiles(t, files)
			if err := spoil(dir, filepath.Join(dir, databaseFile)); err != nil {
				t.Fatal(err)
			}
			before := filesOf(t, dir)
			if r, err := OpenReader(dir); err == nil {
				if _, err := r.Read(ctx, Query{}); err != nil && !errors.Is(err, ErrDamaged) {
					t.Error(err)
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			} else if !errors.Is(err, ErrDamaged) {
				t.Errorf("the reader: %v", err)
			}
			if after := filesOf(t, dir); after != before {
				t.Errorf("the reader changed\n%s\nto\n%s", before, after)
			}
			if _, err := Open(ctx, Options{Dir: dir}); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "sluice inbox salvage") {
				t.Errorf("the start: %v", err)
			}
			if after := filesOf(t, dir); after != before {
				t.Errorf("the start changed\n%s\nto\n%s", before, after)
			}
		})
	}
}

// TestReaderWithoutLog: where the log is missing, a reader says what the receiver would say: what is to be salvaged, and what
// belongs to something else. Only where a start helps is one sent to it.
func TestReaderWithoutLog(t *testing.T) {
	files, _ := sample(t)
	const salvage, start, elsewhere = "sluice inbox salvage", "Start the receiver on that folder once", "Give the inbox a folder of its own"
	db := files[databaseFile]
	foreign := bytes.Clone(db)
	copy(foreign[68:72], "them") // where the header has the application's id
	whole := writeFiles(t, files)
	if err := startAndStop(whole); err != nil {
		t.Fatal(err)
	}
	moved, err := os.ReadFile(filepath.Join(whole, databaseFile))
	if err != nil || len(moved) <= len(db) {
		t.Fatalf("the log adds nothing to %d bytes, %v", len(db), err)
	}
	moved = append(moved[:4096], db[4096:]...) // the first page is moved first, and counts the others
	for what, c := range map[string]struct {
		files map[string][]byte
		want  string
	}{
		"whole":                   {map[string][]byte{databaseFile: db}, start},
		"empty":                   {map[string][]byte{databaseFile: nil}, start},
		"nothing":                 {nil, start},
		"garbage":                 {map[string][]byte{databaseFile: bytes.Repeat([]byte("garbage "), 4096)}, salvage},
		"a few bytes":             {map[string][]byte{databaseFile: []byte("garbage")}, salvage},
		"garbage, and its index":  {map[string][]byte{databaseFile: []byte("garbage"), databaseFile + "-shm": nil}, salvage},
		"garbage, an empty log":   {map[string][]byte{databaseFile: []byte("garbage"), databaseFile + "-wal": nil}, salvage},
		"zeros":                   {map[string][]byte{databaseFile: make([]byte, 32<<10)}, salvage},
		"cut":                     {map[string][]byte{databaseFile: db[:21_000]}, salvage},
		"of something else":       {map[string][]byte{databaseFile: foreign}, elsewhere},
		"a first start that died": {map[string][]byte{databaseFile: make([]byte, 4096), databaseFile + "-journal": hotJournal}, start},
		"a log without its index": {map[string][]byte{databaseFile: db, databaseFile + "-wal": files[databaseFile+"-wal"]}, start},
		"a checkpoint that died":  {map[string][]byte{databaseFile: moved, databaseFile + "-wal": files[databaseFile+"-wal"]}, start},
	} {
		dir := writeFiles(t, c.files)
		before := filesOf(t, dir)
		_, err := OpenReader(dir)
		if connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), c.want) || errors.Is(err, ErrDamaged) != (c.want == salvage) {
			t.Errorf("%s: %v", what, err)
		}
		if after := filesOf(t, dir); after != before {
			t.Errorf("%s: the reader changed\n%s\nto\n%s", what, before, after)
		}
		if err := startAndStop(dir); (err == nil) != (c.want == start) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the start: %v", what, err)
		}
	}
}

// TestForeignDatabase: one of something else is not touched, nor one of a later format.
func TestForeignDatabase(t *testing.T) {
	for _, text := range []string{"CREATE TABLE theirs (a)", "PRAGMA application_id = 0x536c6962; PRAGMA user_version = 99"} {
		dir := t.TempDir()
		c, err := dial(filepath.Join(dir, databaseFile), "mode=rwc")
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(c.exec(text), c.close()); err != nil {
			t.Fatal(err)
		}
		before := filesOf(t, dir)
		if _, err := Open(ctx, Options{Dir: dir}); connector.KindOf(err) != connector.KindConfig || errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", text, err)
		}
		if after := filesOf(t, dir); after != before {
			t.Errorf("%s: before\n%s\nafter\n%s", text, before, after)
		}
	}
}

// hotJournal is what SQLite writes before it makes the first page.
var hotJournal = append([]byte("\xd9\xd5\x05\xf9\x20\xa1\x63\xd7\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x10\x00"), make([]byte, 484)...)

// TestFirstStartDied: what the first start leaves in each moment before the schema is there is no damage.
func TestFirstStartDied(t *testing.T) {
	for what, files := range map[string]map[string][]byte{
		"no byte":          {databaseFile: nil},
		"an empty log":     {databaseFile: nil, databaseFile + "-wal": nil},
		"a hot journal":    {databaseFile: make([]byte, 4096), databaseFile + "-journal": hotJournal},
		"no index of logs": {},
	} {
		dir := writeFiles(t, files)
		i, err := Open(ctx, Options{Dir: dir})
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		add(t, i, request(profiles, "1"))
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestGarbageLog: a log that is none is told soon, with what to do; the start then names what was lost with it.
func TestGarbageLog(t *testing.T) {
	files, want := sample(t)
	files[databaseFile+"-wal"] = bytes.Repeat([]byte("garbage "), 4096)
	dir := writeFiles(t, files)
	before, start := filesOf(t, dir), time.Now()
	_, err := OpenReader(dir)
	if connector.KindOf(err) != connector.KindTransient || !strings.Contains(err.Error(), "died as it started, or its log inbox.db-wal is damaged") ||
		!strings.Contains(err.Error(), "Keep a copy of the folder") {
		t.Error(err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if after := filesOf(t, dir); after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
	i := open(t, Options{Dir: dir})
	list, err := i.Reader().Quarantined(ctx, 0, 100)
	if err != nil || len(list) == 0 || list[len(list)-1].To != int64(len(want)) || list[len(list)-1].Reason != reasonLost {
		t.Errorf("%+v, %v", list, err)
	}
}

// childReads holds a reader open until its standard input ends.
func childReads(dir string) {
	r, err := OpenReader(dir)
	if err == nil {
		_, err = r.Head(ctx)
	}
	fmt.Println("reads", err)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// TestIndexLeftHalfWritten: a writer that dies as it writes the index of the log leaves one that a reader may still hold. Only
// a writer can make it anew, so the start does not stop at it.
func TestIndexLeftHalfWritten(t *testing.T) {
	dir := t.TempDir()
	i := open(t, Options{Dir: dir})
	add(t, i, request(profiles, "1"))
	if err := i.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := dialWriter(filepath.Join(dir, databaseFile)) // whose close leaves what it wrote in the log
	if err != nil {
		t.Fatal(err)
	}
	if err := c.exec("REPLACE INTO meta SELECT * FROM meta"); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SLUICE_INBOX_READER="+dir)
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "reads <nil>\n" {
		t.Errorf("the reader says %q, %v", line, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, databaseFile+"-shm"), os.O_RDWR, 0)
	if err = errors.Join(err, c.close()); err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(make([]byte, 48), 48) // the second copy of its header
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	if page := readAll(t, open(t, Options{Dir: dir}).Reader(), Query{}); len(page.Records) != 1 {
		t.Errorf("%+v", page)
	}
	if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
		t.Error(err)
	}
}

// TestIdleLog: a log that is nothing but a header cannot be read without a writer, so there is none while the inbox is
// open; if the process dies in the one moment of the start when there is, the reader says what to do, and that helps.
func TestIdleLog(t *testing.T) {
	const header = 32
	dir := t.TempDir()
	i := open(t, Options{Dir: dir})
	add(t, i, request(profiles, "1"))
	if err := i.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, Options{Dir: dir})
	idle := copyDir(t, dir)
	if r, err := OpenReader(idle); err != nil || len(readAll(t, r, Query{Head: 1}).Records) != 1 {
		t.Errorf("an idle inbox whose process died: %v", err)
	} else if err := r.Close(); err != nil {
		t.Error(err)
	}
	wal := filepath.Join(idle, databaseFile+"-wal")
	if s, err := os.Stat(wal); err != nil || s.Size() <= header {
		t.Fatalf("the log has %v bytes, %v", s.Size(), err)
	}
	if err := os.Truncate(wal, header); err != nil {
		t.Fatal(err)
	}
	if r, err := OpenReader(idle); connector.KindOf(err) != connector.KindTransient || !strings.Contains(err.Error(), "its writer died as it started, or its log inbox.db-wal is damaged") ||
		!strings.Contains(err.Error(), "Keep a copy of the folder, then start the receiver") {
		t.Errorf("got %v, %v", r, err)
	}
	if r := open(t, Options{Dir: idle}).Reader(); len(readAll(t, r, Query{Head: 1}).Records) != 1 {
		t.Error("the start did not help")
	}
}
