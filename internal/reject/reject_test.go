package reject

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/pipeline"
	"github.com/sluicehq/sluice/internal/state/disk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func explain(code string) (connector.ErrorInfo, bool) {
	if code != "1005" {
		return connector.ErrorInfo{}, false
	}
	return connector.ErrorInfo{Code: code, Meaning: "the phone is not known", Cause: "a typing error", Fix: "mend it"}, true
}

func openDir(t *testing.T, path, run string) *Dir {
	t.Helper()
	d, err := Open(Config{Dir: path, Run: run, Explain: explain, Now: func() time.Time { return epoch }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func letter(stream, key, code, row string) pipeline.Reject {
	return pipeline.Reject{Stream: stream, Key: key, Row: []byte(row), Result: connector.RowResult{
		Verdict: connector.VerdictRejected, Code: code, Message: "vendor says <no> & \"never\"", Field: "phone", Attempts: 2, RequestID: "req-1",
	}}
}

func write(t *testing.T, d *Dir, list ...pipeline.Reject) {
	t.Helper()
	if err := d.Write(t.Context(), list); err != nil {
		t.Fatal(err)
	}
}

func list(t *testing.T, d *Dir, f Filter) (out []Entry) {
	t.Helper()
	if _, err := d.Each(f, func(e Entry) error { out = append(out, e); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

func ids(entries []Entry) (out []string) {
	for _, e := range entries {
		out = append(out, e.ID)
	}
	return out
}

func wantConfig(t *testing.T, err error, parts ...string) {
	t.Helper()
	if connector.KindOf(err) != connector.KindConfig {
		t.Fatalf("got %v, want a Config error", err)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("got %q, want %q in it", err, part)
		}
	}
}

func jsonlFiles(t *testing.T, path string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(path, "2*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestWriteOneLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "rejects")
	d := openDir(t, path, "run1")
	if files := jsonlFiles(t, path); len(files) > 0 {
		t.Errorf("a file before the first reject: %q", files)
	}
	write(t, d, letter("contacts", "+8613", "1005", `{"n":9007199254740993.10,"b":"<&>",  "b":2}`))
	text, err := os.ReadFile(filepath.Join(path, "20260102T030405Z-run1-0001.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"run1-1-1","run":"run1","time":"2026-01-02T03:04:05Z","stream":"contacts","key":"+8613","code":"1005","field":"phone",` +
		`"message":"vendor says <no> & \"never\"","explanation":{"meaning":"the phone is not known","cause":"a typing error","fix":"mend it"},` +
		`"attempts":2,"request_id":"req-1","row":{"n":9007199254740993.10,"b":"<&>","b":2}}` + "\n"
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	for name, mode := range map[string]os.FileMode{path: 0o700, filepath.Join(path, "20260102T030405Z-run1-0001.jsonl"): 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

// TestOriginalComesBack: whatever text a row was, it is what is sent again.
func TestOriginalComesBack(t *testing.T) {
	d := openDir(t, t.TempDir(), "run1")
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.OneOf(
			rapid.String(),
			rapid.Custom(func(rt *rapid.T) string {
				b, _ := json.Marshal(map[string]any{rapid.String().Draw(rt, "k"): rapid.String().Draw(rt, "v")})
				return string(b)
			}),
			rapid.SampledFrom([]string{"", "{", `{"a":1} x`, "[1]", `"text"`, "null", "a\nb", `{"s":"\ud800"}`, "\u2028"}),
		).Draw(rt, "text")
		if err := d.Write(t.Context(), []pipeline.Reject{{Row: []byte(text), Raw: true}}); err != nil {
			rt.Fatal(err)
		}
		n++
		var last Entry
		total := 0
		if _, err := d.Each(Filter{}, func(e Entry) error { last = e; total++; return nil }); err != nil || total != n {
			rt.Fatalf("%d entries of %d, %v", total, n, err)
		}
		got := last.Original()
		var want bytes.Buffer
		if json.Compact(&want, []byte(text)) != nil || !strings.HasPrefix(strings.TrimSpace(text), "{") {
			want.Reset()
			want.WriteString(text)
		}
		if string(got) != want.String() {
			rt.Fatalf("got %q, want %q", got, want.String())
		}
	})
}

func TestOriginalBrokenUTF8(t *testing.T) {
	d := openDir(t, t.TempDir(), "run1")
	write(t, d, pipeline.Reject{Row: []byte("a\xffb"), Raw: true})
	if got := list(t, d, Filter{})[0].Original(); string(got) != "a\uFFFDb" {
		t.Errorf("got %q", got)
	}
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Config{Dir: file})
	wantConfig(t, err, "is a file", "`rejects: {dir: …}`")
	_, err = Open(Config{Dir: filepath.Join(file, "below")})
	wantConfig(t, err, "cannot be made", "`rejects: {dir: …}`")
	_, err = Open(Config{Dir: "/proc"}) // not even root may write there; elsewhere it cannot be made
	wantConfig(t, err, "`rejects: {dir: …}`")
	_, err = Open(Config{Dir: t.TempDir(), Run: "../up"})
	wantConfig(t, err, "cannot name a run")
	_, err = At(file)
	wantConfig(t, err, "is a file")
	_, err = At(filepath.Join(t.TempDir(), "none"))
	wantConfig(t, err, "run the pipeline first")
	d, err := At(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Write(t.Context(), []pipeline.Reject{letter("s", "k", "c", "{}")}); err == nil {
		t.Error("wrote to a folder that is only looked at")
	}
}

func TestRotation(t *testing.T) {
	path := t.TempDir()
	d, err := Open(Config{Dir: path, Run: "run1", MaxFile: 600, Now: func() time.Time { return epoch }})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		write(t, d, letter("s", fmt.Sprint(i), "c", `{"a":1}`))
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(jsonlFiles(t, path)); n < 3 || n > 8 {
		t.Errorf("%d files", n)
	}
	// The run goes on under its name: no file is touched again and no id comes twice.
	again := openDir(t, path, "run1")
	write(t, again, letter("s", "10", "c", `{}`))
	all := list(t, again, Filter{})
	seen := map[string]bool{}
	for i, e := range all {
		if seen[e.ID] || e.Key != fmt.Sprint(i) {
			t.Errorf("entry %d has id %s and key %s", i, e.ID, e.Key)
		}
		seen[e.ID] = true
	}
	if len(all) != 11 {
		t.Errorf("%d entries", len(all))
	}
}

// TestRunsShareAFolder: two runs write side by side, each into its own files.
func TestRunsShareAFolder(t *testing.T) {
	path := t.TempDir()
	a, b := openDir(t, path, ""), openDir(t, path, "")
	for range 3 {
		write(t, a, letter("s", "a", "c", `{}`))
		write(t, b, letter("s", "b", "c", `{}`))
	}
	if a.Run() == b.Run() || len(jsonlFiles(t, path)) != 2 {
		t.Errorf("runs %s and %s, files %q", a.Run(), b.Run(), jsonlFiles(t, path))
	}
	if got := list(t, a, Filter{Run: b.Run()}); len(got) != 3 || got[0].Key != "b" {
		t.Errorf("got %v", got)
	}
}

// TestTornTail cuts the file at every byte of its last line, as a crash may.
func TestTornTail(t *testing.T) {
	path := t.TempDir()
	d := openDir(t, path, "run1")
	write(t, d, letter("s", "one", "c", `{"a":1}`))
	write(t, d, letter("s", "two", "c", `{"a":2}`))
	name := jsonlFiles(t, path)[0]
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	first := bytes.IndexByte(whole, '\n') + 1
	for cut := first; cut <= len(whole); cut++ {
		if err := os.WriteFile(name, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		n := 0
		damaged, err := d.Each(Filter{}, func(Entry) error { n++; return nil })
		wantN, wantDamaged := 1, 1
		switch {
		case cut == first:
			wantDamaged = 0
		case cut >= len(whole)-1: // whole, with or without its break
			wantN, wantDamaged = 2, 0
		}
		if err != nil || n != wantN || damaged != wantDamaged {
			t.Fatalf("cut at %d of %d: %d entries, %d damaged, %v", cut, len(whole), n, damaged, err)
		}
	}
	// Zeros, as some file systems leave them.
	if err := os.WriteFile(name, append(whole[:first:first], make([]byte, 100)...), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := d.Summarise(Filter{}); err != nil || s.Total != 1 || s.Damaged != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestWriteGoesOnAfterAnError: the file in doubt is left, the next reject has a new one.
func TestWriteGoesOnAfterAnError(t *testing.T) {
	path := t.TempDir()
	d := openDir(t, path, "run1")
	write(t, d, letter("s", "one", "c", `{}`))
	_ = d.file.Close() // the disk fails
	if err := d.Write(t.Context(), []pipeline.Reject{letter("s", "two", "c", `{}`)}); connector.KindOf(err) != connector.KindTransient {
		t.Errorf("got %v", err)
	}
	write(t, d, letter("s", "three", "c", `{}`))
	if got := list(t, d, Filter{}); len(got) != 2 || got[1].Key != "three" || len(jsonlFiles(t, path)) != 2 {
		t.Errorf("got %v", got)
	}
}

func TestFilter(t *testing.T) {
	path := t.TempDir()
	a, b := openDir(t, path, "runA"), openDir(t, path, "runB")
	write(t, a, letter("x", "k1", "1", `{}`), letter("y", "k2", "2", `{}`))
	write(t, b, letter("x", "k2", "1", `{}`))
	if err := a.Mark([]string{"runA-1-1"}, MarkLanded); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		filter Filter
		want   []string
	}{
		{Filter{}, []string{"runA-1-1", "runA-1-2", "runB-1-1"}},
		{Filter{Run: "runA"}, []string{"runA-1-1", "runA-1-2"}},
		{Filter{Stream: "x"}, []string{"runA-1-1", "runB-1-1"}},
		{Filter{Code: "2"}, []string{"runA-1-2"}},
		{Filter{Key: "k2", Stream: "x"}, []string{"runB-1-1"}},
		{Filter{IDs: []string{"runB-1-1", "none"}}, []string{"runB-1-1"}},
		{Filter{Open: true}, []string{"runA-1-2", "runB-1-1"}},
		{Filter{Since: epoch}, []string{"runA-1-1", "runA-1-2", "runB-1-1"}},
		{Filter{Before: epoch}, nil},
	} {
		if got := ids(list(t, a, tt.filter)); !slices.Equal(got, tt.want) {
			t.Errorf("%+v: got %q, want %q", tt.filter, got, tt.want)
		}
	}
	stop := errors.New("enough")
	if _, err := a.Each(Filter{}, func(Entry) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

func TestSummarise(t *testing.T) {
	d := openDir(t, t.TempDir(), "run1")
	for i := range 8 {
		write(t, d, letter("s", fmt.Sprint("k", i), "1005", `{}`))
	}
	write(t, d, letter("t", "", "too_long", `{}`))
	if err := d.Mark([]string{"run1-1-1", "run1-1-2"}, MarkLanded); err != nil {
		t.Fatal(err)
	}
	s, err := d.Summarise(Filter{})
	if err != nil || s.Total != 9 || s.Open != 7 || s.Files != 1 || s.Bytes == 0 || len(s.Codes) != 2 {
		t.Fatalf("%+v, %v", s, err)
	}
	c := s.Codes[0]
	if c.Code != "1005" || c.Total != 8 || c.Open != 6 || len(c.Keys) != keysPerCode || c.Explanation == nil || c.Explanation.Fix != "mend it" || !c.First.Equal(epoch) {
		t.Errorf("%+v", c)
	}
	if c := s.Codes[1]; len(c.Keys) != 0 || c.Explanation != nil || !slices.Equal(c.Streams, []string{"t"}) {
		t.Errorf("%+v", c)
	}
}

func TestMarks(t *testing.T) {
	path := t.TempDir()
	d := openDir(t, path, "run1")
	write(t, d, letter("s", "1", "c", `{}`), letter("s", "2", "c", `{}`), letter("s", "3", "c", `{}`))
	mark := func(m Mark, ids ...string) {
		t.Helper()
		if err := d.Mark(ids, m); err != nil {
			t.Fatal(err)
		}
	}
	mark(MarkAgain, "run1-1-1", "run1-1-2")
	mark(MarkLanded)
	// A crash in the middle of a mark: the line is lost, the next one is not.
	f, err := os.OpenFile(filepath.Join(path, marksFile), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"mark":"landed","ids":["run1-1-3`); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	mark(MarkLanded, "run1-1-2")
	var got []Mark
	for _, e := range list(t, d, Filter{}) {
		got = append(got, e.Mark)
	}
	if want := []Mark{MarkAgain, MarkLanded, ""}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if info, err := os.Stat(filepath.Join(path, marksFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestPurge(t *testing.T) {
	path := t.TempDir()
	now := epoch
	d, err := Open(Config{Dir: path, Run: "run1", MaxFile: 700, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 9 {
		now = epoch.Add(time.Duration(i) * time.Hour)
		write(t, d, letter("s", fmt.Sprint(i), "c", `{}`))
	}
	all := ids(list(t, d, Filter{}))
	if err := d.Mark([]string{all[0], all[5]}, MarkLanded); err != nil {
		t.Fatal(err)
	}
	look, err := At(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = look.Purge(Purge{All: true})
	wantConfig(t, err, "a run is writing")
	_ = d.Close()
	_, err = look.Purge(Purge{})
	wantConfig(t, err, "without a condition")

	check := func(p Purge, removed int, want ...string) {
		t.Helper()
		if n, err := look.Purge(p); err != nil || n != removed {
			t.Fatalf("removed %d, %v, want %d", n, err, removed)
		}
		var keys []string
		for _, e := range list(t, look, Filter{}) {
			keys = append(keys, e.Key)
		}
		if !slices.Equal(keys, want) {
			t.Errorf("got %q, want %q", keys, want)
		}
	}
	check(Purge{Before: epoch.Add(2 * time.Hour), Marked: true}, 1, "1", "2", "3", "4", "5", "6", "7", "8")
	check(Purge{Before: epoch.Add(3 * time.Hour)}, 2, "3", "4", "5", "6", "7", "8")
	if got := list(t, look, Filter{Key: "5"}); got[0].Mark != MarkLanded {
		t.Error("a mark was lost")
	}
	check(Purge{Marked: true}, 1, "3", "4", "6", "7", "8")
	if _, err := os.Stat(filepath.Join(path, marksFile)); !errors.Is(err, os.ErrNotExist) {
		t.Error("marks of entries that are gone")
	}
	check(Purge{All: true}, 5)
	if files := jsonlFiles(t, path); len(files) > 0 {
		t.Errorf("left: %q", files)
	}
}

func TestPurgeKeepsTheFolderToItself(t *testing.T) {
	path := t.TempDir()
	lock, err := disk.Exclusive(filepath.Join(path, lockFile))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	_, err = Open(Config{Dir: path})
	wantConfig(t, err, "purge")
}
