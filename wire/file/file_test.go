package file

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
	"github.com/sluicehq/sluice/wire/wiretest"
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

func TestBadRowsKeepTheirPlace(t *testing.T) {
	for _, c := range []struct {
		name, text string
		cfg        Config
		want       []string
	}{
		{"a.jsonl", "{\"a\":1}\n{\"a\":\n\n[1]\n\"x\"\n{\"a\":\"\xff\"}\n{\"a\":2} {}\n{\"a\":3}", Config{}, []string{
			`{"a":1}`, "bad_json: line 2: ", "bad_json: line 4: ", "bad_json: line 5: ", "bad_utf8: line 6: ", "bad_json: line 7: ", `{"a":3}`}},
		{"a.csv", "a,b,\n1,\n2,3,,\n\"4\n4\",5\n6,\"x\"y\n7,z\"z\n8,\xff\n9,9,9\n10,10,\n\"open,1\n11,11,\n", Config{}, []string{
			"bad_value: line 2: the row has 2 cells where the header has 3 columns",
			`{"a":"2","b":"3"}`,
			"bad_value: line 4: the row has 2 cells", "bad_value: line 6: the row is not CSV: something follows",
			"bad_value: line 7: the row is not CSV: a quote stands inside", "bad_utf8: line 8: ",
			"bad_value: line 9: the row has a value in a column that has no name", `{"a":"10","b":"10"}`,
			"bad_value: line 11: a field opens a quote", `{"a":"11","b":"11"}`}},
		{"more.csv", "a,b\n1,2,3\n4,5\n", Config{}, []string{"bad_value: line 2: the row has 3 cells where the header has 2 columns", `{"a":"4","b":"5"}`}},
		{"gb.csv", "a\n\xff\xff\nok\n", Config{Encoding: GB18030}, []string{"bad_utf8: line 2: the row holds bytes that are not GB18030", `{"a":"ok"}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.Path = write(t, c.name, c.text)
			got, _, end := read(t, c.cfg, nil, "a")
			if end != io.EOF {
				t.Fatalf("end %v", end)
			}
			for i := range got {
				if i < len(c.want) && strings.HasPrefix(got[i], c.want[i]) && !strings.HasPrefix(c.want[i], "{") {
					got[i] = c.want[i] // the words behind are another package's
				}
			}
			equal(t, got, c.want)
		})
	}
}

func TestWrongInputSaysWhatAndHow(t *testing.T) {
	secret := write(t, "secret.csv", "a\n")
	if err := os.Chmod(secret, 0); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 200)
	for _, c := range []struct {
		name string
		cfg  Config
		says []string
	}{
		{"no path", Config{}, []string{"no input file", "Set `path`"}},
		{"missing", Config{Path: "nowhere.csv"}, []string{"there is no file nowhere.csv", "Check the path"}},
		{"folder", Config{Path: t.TempDir()}, []string{"is a directory", "Name one file"}},
		{"format", Config{Path: "-", Format: "xml"}, []string{`format "xml" is not known`, "auto, jsonl, csv"}},
		{"encoding", Config{Path: "-", Encoding: "latin1"}, []string{"encoding", "utf-8, gb18030"}},
		{"delimiter", Config{Path: "-", Delimiter: "\""}, []string{"cannot separate"}},
		{"not gzip", Config{Path: write(t, "a.csv", "a\n1\n"), Compression: Gzip}, []string{"is not gzip", "compression: auto"}},
		{"utf-16", Config{Path: write(t, "a.csv", "\xff\xfea\x00")}, []string{"UTF-16", "iconv"}},
		{"array", Config{Path: write(t, "a.json", "[{\"a\":1},\n{\"a\":2}]")}, []string{"one JSON document", "jq"}},
		{"pretty", Config{Path: write(t, "a.json", "{\n  \"a\": 1\n}\n")}, []string{"one JSON document", "jq"}},
		{"twice", Config{Path: write(t, "a.csv", "a,b,a\n")}, []string{"columns 1 and 3", "both called \"a\"", "Rename"}},
		{"header utf-8", Config{Path: write(t, "a.csv", gb(t, "姓名,a\n"))}, []string{"header", "not UTF-8", "gb18030"}},
		{"header quote", Config{Path: write(t, "a.csv", "a,\"b\n")}, []string{"header", "never closes"}},
		{"header bare quote", Config{Path: write(t, "a.csv", "a,b\"c\n")}, []string{"header", "cannot be read", "a quote stands inside"}},
		{"mac", Config{Path: write(t, "a.csv", "a\rb\rc")}, []string{"carriage return"}},
		{"long line", Config{Path: write(t, "a.jsonl", "{\"a\":1}\n\""+long+"\"\n"), max: 100}, []string{"line 2 of", "longer than", "split"}},
		{"long cell", Config{Path: write(t, "a.csv", "a,b\n1,\""+long+"\"\n"), max: 100}, []string{"line 2 of"}},
		{"damaged", Config{Path: write(t, "a.jsonl.gz", zip(people)[:12]+"\xff\xff\xff\xff\xff"+zip(people)[17:])}, []string{"damaged", "gzip -t"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := read(t, c.cfg, nil)
			if connector.KindOf(err) != connector.KindConfig {
				t.Fatalf("got %v of kind %v, want a config error", err, connector.KindOf(err))
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not say %q", err, s)
				}
			}
		})
	}
	// A superuser may read everything, so the sentence is tested where it is made.
	if err := pathError(secret, &fs.PathError{Op: "open", Path: secret, Err: syscall.EACCES}); !strings.Contains(err.Error(), "no permission to read "+secret) {
		t.Errorf("got %q", err)
	}
}

// TestCutGzipResumes: the complete lines before the cut come out, the error says so, and the whole file goes on from there.
func TestCutGzipResumes(t *testing.T) {
	var text strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&text, `{"a":%d,"b":"%x"}`+"\n", i, i*i*7919)
	}
	full := zip(text.String())
	path := write(t, "a.jsonl.gz", full[:len(full)*2/3])
	head, pos, err := read(t, Config{Path: path}, nil, "a", "b")
	if !errors.Is(err, io.ErrUnexpectedEOF) || connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), "ends in the middle") {
		t.Fatalf("got %v", err)
	}
	if len(head) == 0 || len(head) >= 5000 {
		t.Fatalf("%d rows before the cut", len(head))
	}
	if err := os.WriteFile(path, []byte(full), 0o600); err != nil {
		t.Fatal(err)
	}
	tail, _, err := read(t, Config{Path: path}, pos, "a", "b")
	if err != io.EOF || len(head)+len(tail) != 5000 || tail[0] != strings.Split(text.String(), "\n")[len(head)] {
		t.Fatalf("end %v, %d + %d rows", err, len(head), len(tail))
	}
}

func TestPositionOfAnotherFileIsRefused(t *testing.T) {
	var text strings.Builder
	text.WriteString("a,b\n")
	for i := range 400 {
		fmt.Fprintf(&text, "%d,x\n", i)
	}
	for _, name := range []string{"a.csv", "a.csv.gz"} {
		pack := func(s string) string { return s }
		if strings.HasSuffix(name, ".gz") {
			pack = zip
		}
		path := write(t, name, pack(text.String()))
		_, pos, err := read(t, Config{Path: path, BatchRows: 300}, nil, "a")
		if err != io.EOF {
			t.Fatal(err)
		}
		var p position
		if err := json.Unmarshal(pos, &p); err != nil || p.Row != 400 || p.Line != 401 || p.Offset != int64(text.Len()) {
			t.Fatalf("position %s (%v)", pos, err)
		}
		for what, change := range map[string]struct {
			text string
			pos  string
			says string
		}{
			"shorter":     {text.String()[:1500], "", "shorter"},
			"very short":  {"a", "", "shorter"},
			"other start": {"b" + text.String()[1:], "", "first bytes"},
			"other name":  {"", strings.Replace(string(pos), name, "b.csv", 1), "belongs to the file b.csv"},
			"no head":     {"", strings.Replace(string(pos), p.Head, "x", 1), "cannot be read"},
			"not JSON":    {"", "{", "cannot be read"},
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				if change.text != "" {
					if name != "a.csv" && what == "shorter" {
						return // other text packs into other first bytes
					}
					if err := os.WriteFile(path, []byte(pack(change.text)), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				from := pos
				if change.pos != "" {
					from = connector.Position(change.pos)
				}
				_, _, err := read(t, Config{Path: path}, from, "a")
				if connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), "elete the state") {
					t.Fatalf("got %v", err)
				}
				if !strings.Contains(err.Error(), change.says) && name == "a.csv" {
					t.Errorf("%q does not say %q", err, change.says)
				}
			})
			if err := os.WriteFile(path, []byte(pack(text.String())), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, _, err := read(t, Config{Path: "-", Stdin: strings.NewReader("a\n")}, connector.Position("{}")); connector.KindOf(err) != connector.KindConfig {
		t.Errorf("standard input with a position: %v", err)
	}
}

// TestGrownFileGoesOn: what was appended since the last run is read, the rest is not.
func TestGrownFileGoesOn(t *testing.T) {
	path := write(t, "a.csv", "a,b\n1,2\n")
	_, pos, _ := read(t, Config{Path: path}, nil, "a")
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("3,4\n5\n")
	f.Close()
	got, _, _ := read(t, Config{Path: path}, pos, "a")
	equal(t, got, []string{`{"a":"3","b":"4"}`, "bad_value: line 4: the row has 1 cell where the header has 2 columns"})
}

// TestUnclosedQuoteBeyondTheLimit: one stray quote costs its line, not the rest of the file.
func TestUnclosedQuoteBeyondTheLimit(t *testing.T) {
	text := "a,b\n1,\"stray\n" + strings.Repeat("2,3\n", 100)
	got, _, end := read(t, Config{Path: write(t, "a.csv", text), max: 100}, nil, "a")
	if end != io.EOF || len(got) != 101 || !strings.HasPrefix(got[0], "bad_value: line 2:") || got[100] != `{"a":"2","b":"3"}` {
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

// TestNamedPipe: neither its missing writer nor a stall holds up Open, Read or Close.
func TestNamedPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	r := NewReader(Config{Path: path}, columns("a"), nil)
	if err := r.Open(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		done <- os.WriteFile(path, []byte(`{"a":1}`), 0o600)
	}()
	got, pos, end := read(t, Config{Path: path}, nil, "a")
	if end != io.EOF || pos != nil || len(got) != 1 || <-done != nil {
		t.Errorf("got %q, position %s, end %v", got, pos, end)
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

// contract is an input of 45 rows with two bad ones.
func contract(t *testing.T, csv bool) wiretest.Harness {
	h := wiretest.Harness{MaxRows: 7, MaxBytes: 4 << 20, MaxAhead: 1 << 20, Age: time.Second}
	var text strings.Builder
	if csv {
		text.WriteString("\ufeffname,n,note\n")
	}
	for i := range 45 {
		line := fmt.Sprintf(`{"name":"N %d","n":%d,"note":"x\ny"}`, i, i)
		row := wiretest.Row{Stream: "contacts", JSON: line}
		if csv {
			line = fmt.Sprintf("N %d,%d,\"x\ny\"", i, i)
			row.JSON = fmt.Sprintf(`{"name":"N %d","n":"%d","note":"x\ny"}`, i, i)
		}
		if i == 5 || i == 44 {
			line = `{"broken ` + fmt.Sprint(i)
			row.JSON, row.Code = line, connector.CodeBadJSON
			if csv {
				row.Code = connector.CodeBadValue
			}
		}
		if i%10 == 9 {
			text.WriteString("\n")
		}
		text.WriteString(line + "\n")
		h.Rows = append(h.Rows, row)
	}
	h.Input = []byte(text.String())
	return h
}

func TestContract(t *testing.T) {
	for name, pack := range map[string]func(string) string{
		"a.jsonl": nil, "a.csv": nil, "a.jsonl.gz": zip, "a.csv.gz": zip, "gb.csv": func(s string) string { return gb(t, s) },
	} {
		h := contract(t, strings.Contains(name, "csv"))
		cfg := Config{BatchRows: 7, Path: "-"}
		text := string(h.Input)
		if pack != nil {
			text = pack(text)
		}
		if strings.HasPrefix(name, "gb") {
			cfg.Encoding = GB18030
		}
		t.Run(name, func(t *testing.T) {
			h := h
			cfg := cfg
			h.Fixed, h.Positions = true, true
			cfg.Path = write(t, name, text)
			h.New = func(mem memory.Allocator, _ io.Reader) connector.Reader {
				return NewReader(cfg, columns("name", "n"), mem)
			}
			wiretest.RunReader(t, h)
		})
		if pack != nil {
			continue // cut at half, gzip and double bytes are another input
		}
		t.Run("stdin "+name, func(t *testing.T) {
			h.New = func(mem memory.Allocator, in io.Reader) connector.Reader {
				cfg := cfg
				cfg.Stdin = in
				return NewReader(cfg, columns("name", "n"), mem)
			}
			wiretest.RunReader(t, h)
		})
	}
}

func FuzzCSVAsEncodingCSV(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "a\n\"x\ny\"\n", "a\n\"x\n", "a,b\n\"\"\"\",\n", "a\r\n1\r\n"} {
		f.Add(s)
	}
	f.Fuzz(compareCSV)
}
