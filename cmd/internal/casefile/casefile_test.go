package casefile

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector/all"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDiff(t *testing.T) {
	for _, c := range []struct {
		want, got string
		lines     []string
	}{
		{`{"a":1,"b":[1,2]}`, `{"b":[1,2],"a":1}`, nil},
		{`{"a":{"b":"x"}}`, `{"a":{"b":"y","c":null}}`, []string{`a.b: want "x", got "y"`, `a.c: want nothing, got null`}},
		{`[1,2]`, `[1]`, []string{`[1]: want 2, got nothing`}},
		{`[1]`, `[1,{"z":1,"a":"<"}]`, []string{`[1]: want nothing, got {"a":"<","z":1}`}},
		{`{"a":1}`, `{"a":"1"}`, []string{`a: want 1, got "1"`}},
		{`{"a":12345678901234567890}`, `{"a":12345678901234567891}`, []string{`a: want 12345678901234567890, got 12345678901234567891`}},
		{`{"a":[]}`, `{"a":{}}`, []string{`a: want [], got {}`}},
	} {
		if got := diff([]byte(c.want), []byte(c.got)); !slices.Equal(got, c.lines) {
			t.Errorf("%s, %s: got %q, want %q", c.want, c.got, got, c.lines)
		}
	}
}

// TestScalars: what versions of YAML disagree about is text, in records and in what is expected of them.
func TestScalars(t *testing.T) {
	f, err := Parse("c.test.yaml", []byte("cases:\n- in: {a: NO, b: 0123, c: 2024-01-01, d: 1.50, e: ~, f: true, g: 0x1F, h: yes, i: .inf, j: 1e3, k: 12_000, l: \"1\"}\n  filtered: true\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"a":"NO","b":"0123","c":"2024-01-01","d":1.50,"e":null,"f":true,"g":"0x1F","h":"yes","i":".inf","j":1e3,"k":"12_000","l":"1"}`
	if got := string(f.Cases[0].In); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestUpdate: the expectations that failed are written anew, and no other byte.
func TestUpdate(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("m.yaml", "streams: {contacts: {fields: {email: {from: mail, trim: true}}}}")
	before := "# cases\ncases:\n  - name: one # a word\n    in: {mail: a}\n    out:\n      email: b\n\n      x: 1\n  # between\n  - in: {mail: c}\n    out: {email: c}   # stays\n"
	path := write("m.test.yaml", before)
	run := func() (*File, []Result) {
		f, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Open(f, all.Vendors)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		defer mem.AssertSize(t, 0)
		s.mem = mem
		var all []Result
		for i := range f.Cases {
			r, err := s.Run(t.Context(), &f.Cases[i])
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, r)
		}
		return f, all
	}
	f, results := run()
	if _, err := f.Update(results); err == nil {
		t.Fatal("a value with an empty line in it was rewritten")
	}
	if text, _ := os.ReadFile(path); string(text) != before {
		t.Fatalf("a refused update changed the file to\n%s", text)
	}
	write("m.test.yaml", strings.Replace(before, "\n\n      x", "\n      x", 1))
	f, results = run()
	if n, err := f.Update(results); err != nil || n != 1 {
		t.Fatalf("got %d, %v", n, err)
	}
	want := "# cases\ncases:\n  - name: one # a word\n    in: {mail: a}\n    out: {\"email\":\"a\"}\n  # between\n  - in: {mail: c}\n    out: {email: c}   # stays\n"
	text, err := os.ReadFile(path)
	if err != nil || string(text) != want {
		t.Errorf("got\n%s\nwant\n%s%v", text, want, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the file's mode changed: %v %v", info.Mode(), err)
	}
	if _, results = run(); len(results[0].Wrong)+len(results[1].Wrong) != 0 {
		t.Errorf("the updated file does not hold: %v", results)
	}
}

// FuzzParse: whatever stands in a file, cases come out whole or faults with the file's name.
func FuzzParse(f *testing.F) {
	f.Add([]byte("cases:\n- in: {a: 1}\n  out: {b: [1, {c: ~}]}\n  request: x\n"))
	f.Add([]byte("to: nxlink\nsettings: {tenant_id: 1}\ncases:\n- {in: '{}', reject: {code: a, field: b}}\n"))
	f.Add([]byte("a: &a [*a]\ncases: *a\n"))
	f.Add([]byte("cases: [{in: {<<: {a: 1}}, filtered: yes}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := Parse("f.yaml", text)
		if err != nil {
			if !strings.Contains(err.Error(), "f.yaml") {
				t.Errorf("a fault without its file: %v", err)
			}
			return
		}
		for _, c := range file.Cases {
			if c.Out != nil && !json.Valid(c.Out) || c.Request != nil && !json.Valid(c.Request) {
				t.Errorf("expected values that are no JSON: %s, %s", c.Out, c.Request)
			}
			if c.Out == nil && c.Request == nil && c.Reject == nil && !c.Filtered {
				t.Error("a case that expects nothing")
			}
		}
	})
}
