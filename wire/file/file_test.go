package file

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func columns(names ...string) func(string) []string { return func(string) []string { return names } }

// write makes a file of the test's own.
func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func zip(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(text))
	w.Close()
	return b.String()
}

func gb(t testing.TB, text string) string {
	t.Helper()
	out, err := simplifiedchinese.GB18030.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// read reads everything: each row as JSON, each refused one as "code: message".
func read(t testing.TB, cfg Config, from connector.Position, names ...string) (got []string, last connector.Position, end error) {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	r := NewReader(cfg, columns(names...), mem)
	defer func() {
		if err := r.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}()
	if err := r.Open(t.Context(), from); err != nil {
		return nil, nil, err
	}
	for {
		b, err := r.Read(t.Context())
		if err != nil {
			return got, last, err
		}
		refused := map[int]connector.RowResult{}
		for _, x := range b.Refused {
			refused[x.Row] = x
		}
		for i := range b.NumRows() {
			if x, bad := refused[i]; bad {
				got = append(got, x.Code+": "+x.Message)
			} else {
				got = append(got, string(rows.AppendJSON(nil, b.Rows, i)))
			}
		}
		b.Rows.Release()
		last = b.Pos
	}
}

func equal(t testing.TB, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("row %d is missing: %s", i, want[i])
		case i >= len(want):
			t.Errorf("row %d is too much: %s", i, got[i])
		case got[i] != want[i]:
			t.Errorf("row %d:\n got %s\nwant %s", i, got[i], want[i])
		}
	}
}

const (
	people = `{"name":"Ana","age":31}` + "\n" + `{"name":"李","tags":["a"]}` + "\n"
	table3 = "name,note,age\nAna,\"a, \"\"b\"\"\nand c\",31\n李,,\n"
)

func TestForms(t *testing.T) {
	jsonRows := []string{`{"name":"Ana","age":31}`, `{"name":"李","tags":["a"]}`}
	csvRows := []string{`{"name":"Ana","age":"31","note":"a, \"b\"\nand c"}`, `{"name":"李"}`}
	for _, c := range []struct {
		name, text string
		cfg        Config
		want       []string
	}{
		{"a.jsonl", people, Config{}, jsonRows},
		{"a.ndjson", strings.TrimSuffix(people, "\n"), Config{}, jsonRows},
		{"a.json", "\ufeff\n \r\n" + strings.ReplaceAll(people, "\n", "\r\n\r\n"), Config{}, jsonRows},
		{"bom.jsonl", "\ufeff" + people, Config{}, jsonRows},
		{"a.jsonl.gz", zip(people), Config{}, jsonRows},
		{"two.jsonl.gz", zip(people[:10]) + zip(people[10:]), Config{}, jsonRows},
		{"unnamed", people, Config{}, jsonRows},
		{"unnamed-gz", zip(people), Config{}, jsonRows},
		{"gb.jsonl", gb(t, people), Config{Encoding: "GBK"}, jsonRows},
		{"a.csv", table3, Config{}, csvRows},
		{"bom.csv", "\ufeff" + table3, Config{}, csvRows},
		{"quoted.csv", "\ufeff" + strings.Replace(table3, "name", `"name"`, 1), Config{}, csvRows},
		{"crlf.csv", strings.ReplaceAll(table3, "\n", "\r\n"), Config{}, csvRows},
		{"blank.csv", "\n\n" + strings.ReplaceAll(table3, "31\n", "31\n\r\n\n") + "\n", Config{}, csvRows},
		{"noend.csv", strings.TrimSuffix(table3, "\n"), Config{}, csvRows},
		{"a.csv.gz", zip(table3), Config{}, csvRows},
		{"gb.csv", gb(t, table3), Config{Encoding: GB18030}, csvRows},
		{"gbbom.csv.gz", zip(gb(t, "\ufeff"+table3)), Config{Encoding: GB18030}, csvRows},
		{"unnamed-csv", table3, Config{}, csvRows},
		{"semicolon.csv", "name;note\nAna;\"x;y\"\n", Config{}, []string{`{"name":"Ana","note":"x;y"}`}},
		{"a.tsv", "name\tnote\nAna\tx,y\n\t\n", Config{}, []string{`{"name":"Ana","note":"x,y"}`, `{}`}},
		{"forced", "name;b,c\nAna;x\n", Config{Format: CSV, Delimiter: ";"}, []string{`{"name":"Ana","b,c":"x"}`}},
		{"empty.csv", "", Config{}, nil},
		{"empty.jsonl", "\n\n", Config{}, nil},
		{"empty.jsonl.gz", zip(""), Config{}, nil},
		{"nothing.gz", "", Config{}, nil},
		{"header.csv", "a,b\n", Config{}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.Path = write(t, c.name, c.text)
			got, _, end := read(t, c.cfg, nil, "name", "age")
			if end != io.EOF {
				t.Fatalf("end %v", end)
			}
			equal(t, got, c.want)

			c.cfg.Path, c.cfg.Stdin = "-", strings.NewReader(c.text)
			if strings.Contains(c.name, ".csv") && len(c.want) > 0 {
				c.cfg.Format = CSV
			}
			got, pos, end := read(t, c.cfg, nil, "name", "age")
			if end != io.EOF || pos != nil {
				t.Fatalf("standard input: end %v, position %s", end, pos)
			}
			equal(t, got, c.want)
		})
	}
}

// TestLateAndChangingFields: a field that the mapping names is its own column from whatever row on and of whatever type.
func TestLateAndChangingFields(t *testing.T) {
	text := `{"a":1}` + "\n" + `{"b":"x","other":1}` + "\n" + `{"b":{"deep":[1]},"a":"one"}` + "\n" + `{"b":null}` + "\n"
	r := NewReader(Config{Path: write(t, "a.jsonl", text)}, columns("b", "a"), nil)
	defer r.Close()
	if err := r.Open(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	b, err := r.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Rows.Release()
	column := b.Rows.Column(b.Rows.Schema().FieldIndices("b")[0])
	want := []string{"(null)", `"x"`, `{"deep":[1]}`, "null"}
	for i, w := range want {
		if got := column.ValueStr(i); got != w {
			t.Errorf("row %d: got %s, want %s", i, got, w)
		}
	}
	if b.Stream != "contacts" || b.Rows.NumCols() != 3 {
		t.Errorf("stream %q, %d columns", b.Stream, b.Rows.NumCols())
	}
}

// TestUnclosedQuoteBeyondTheLimit: one stray quote costs its line, not the rest of the file.
func TestUnclosedQuoteBeyondTheLimit(t *testing.T) {
	text := "a,b\n1,\"stray\n" + strings.Repeat("2,3\n", 100)
	got, _, end := read(t, Config{Path: write(t, "a.csv", text), max: 100}, nil, "a")
	if end != io.EOF || len(got) != 101 || !strings.HasPrefix(got[0], "bad_csv: line 2:") || got[100] != `{"a":"2","b":"3"}` {
		t.Fatalf("end %v, %d rows, first %q", end, len(got), got[0])
	}
}

func TestBatchesAreCutByBytes(t *testing.T) {
	r := NewReader(Config{Path: write(t, "a.jsonl", strings.Repeat(`{"a":"`+strings.Repeat("x", 1000)+`"}`+"\n", 100)), BatchBytes: 10_000}, columns("a"), nil)
	defer r.Close()
	if err := r.Open(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	var n int
	for {
		b, err := r.Read(t.Context())
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		n += b.NumRows()
		if b.NumRows() > 12 {
			t.Errorf("%d rows of 1,000 bytes in a batch of 10,000", b.NumRows())
		}
		b.Rows.Release()
	}
	if n != 100 {
		t.Errorf("%d rows", n)
	}
	if at, total := r.Progress(); at != total || total == 0 {
		t.Errorf("progress %d of %d", at, total)
	}
}

// TestStandardInputTrickles: an input that trickles gives its rows after a second.
func TestStandardInputTrickles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, out := io.Pipe()
		r := NewReader(Config{Path: "-", Stdin: in}, columns("a"), nil)
		if err := r.Open(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		fed := make(chan struct{})
		go func() {
			defer close(fed)
			for i := range 3 {
				fmt.Fprintf(out, `{"a":%d}`+"\n", i)
				<-time.After(700 * time.Millisecond)
			}
		}()
		start := time.Now()
		b, err := r.Read(t.Context())
		if err != nil || b.NumRows() != 2 || time.Since(start) != time.Second || b.Pos != nil {
			t.Fatalf("%d rows after %v, %v", b.NumRows(), time.Since(start), err)
		}
		b.Rows.Release()
		if _, total := r.Progress(); total != 0 {
			t.Errorf("standard input has a total of %d", total)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		<-fed
	})
}
