package reject

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/pipeline"
	"github.com/sluicehq/sluice/internal/rows"
)

func fields(string) []string { return []string{"phone", "name"} }

// through is the identity plan.
type through struct{ schema *arrow.Schema }

func (p through) Stream() string               { return "out" }
func (p through) Schema() *arrow.Schema        { return p.schema }
func (p through) Key(arrow.Record, int) string { return "" }
func (p through) Apply(_ context.Context, in arrow.Record, skip []connector.RowResult) (connector.Applied, error) {
	skipped := func(row int) bool {
		return slices.ContainsFunc(skip, func(r connector.RowResult) bool { return r.Row == row })
	}
	out := connector.Applied{Index: []int32{}}
	for row := range int(in.NumRows()) {
		if !skipped(row) {
			out.Index = append(out.Index, int32(row))
		}
	}
	out.Rows = rows.Take(memory.DefaultAllocator, []rows.Part{{Rec: in, Rows: out.Index}})
	return out, nil
}

// vendor takes every row but those that hold "bad".
type vendor struct{ got []string }

func (v *vendor) Open(context.Context) error { return nil }
func (v *vendor) Close() error               { return nil }
func (v *vendor) Write(_ context.Context, b connector.Batch, done func([]connector.RowResult, error)) error {
	var rejected []connector.RowResult
	for row := range b.NumRows() {
		text := string(rows.AppendJSON(nil, b.Rows, row))
		if strings.Contains(text, "bad") {
			rejected = append(rejected, connector.RowResult{Row: row, Verdict: connector.VerdictRejected, Code: "1005"})
			continue
		}
		v.got = append(v.got, text)
	}
	b.Rows.Release()
	done(rejected, nil)
	return nil
}

// retry runs the retry through the pipeline, as the verb does: new rejects go to the same folder.
func retry(t *testing.T, d *Dir, r Retry) (*vendor, pipeline.Report) {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	v := &vendor{}
	report, err := pipeline.Run(t.Context(), pipeline.Config{
		Reader: NewReader(d, r, fields, mem), Writer: v, Rejects: d,
		Plans: func(_ string, schema *arrow.Schema) ([]connector.Plan, error) {
			return []connector.Plan{through{schema}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return v, report
}

func TestRetry(t *testing.T) {
	path := t.TempDir()
	first := openDir(t, path, "run1")
	write(t, first,
		letter("a", "1", "1005", `{"phone":"1","other":[1,2]}`),
		letter("a", "2", "1005", `{"phone":"2","name":"bad"}`),
		letter("b", "3", "1005", `{"phone":null}`),
		pipeline.Reject{Stream: "b", Row: []byte("no json"), Raw: true, Result: connector.RowResult{Code: "bad_json"}},
		letter("a", "5", "1005", `{"phone":12345678901234567890}`))
	_ = first.Close()

	second := openDir(t, path, "run2")
	v, report := retry(t, second, Retry{})
	if report.Read != 4 || report.Delivered != 3 || report.Rejected != 1 || !report.Complete {
		t.Errorf("got %+v", report)
	}
	want := []string{`{"phone":"1","other":[1,2]}`, `{"phone":null}`, `{"phone":12345678901234567890}`}
	if !slices.Equal(v.got, want) {
		t.Errorf("got %q, want %q", v.got, want)
	}
	var marks []Mark
	for _, e := range list(t, second, Filter{Run: "run1"}) {
		marks = append(marks, e.Mark)
	}
	if want := []Mark{MarkLanded, MarkAgain, MarkLanded, "", MarkLanded}; !slices.Equal(marks, want) {
		t.Errorf("got %q, want %q", marks, want)
	}
	open := list(t, second, Filter{Open: true})
	if got := ids(open); !slices.Equal(got, []string{"run1-1-4", "run2-1-1"}) {
		t.Errorf("open: %q", got)
	}
	if got := string(open[0].Original()); got != "no json" {
		t.Errorf("the raw text came back as %q", got)
	}
	_ = second.Close()

	// The second retry sends only what is open now, and the folder does not grow with copies of one row.
	third := openDir(t, path, "run3")
	if v, report := retry(t, third, Retry{Filter: Filter{Code: "1005"}}); report.Read != 1 || len(v.got) != 0 {
		t.Errorf("got %+v", report)
	}
	if n := len(list(t, third, Filter{Open: true})); n != 2 {
		t.Errorf("%d open", n)
	}
}

// TestRetryKeepsText: what is no row is not sent, not rejected a second time and not marked: it stays until somebody edits it.
func TestRetryKeepsText(t *testing.T) {
	path := t.TempDir()
	d := openDir(t, path, "run1")
	text := func(stream, code, row string) pipeline.Reject {
		return pipeline.Reject{Stream: stream, Row: []byte(row), Raw: true, Result: connector.RowResult{Code: code}}
	}
	write(t, d, text("a", "bad_csv", "1,2,3"), text("b", "bad_utf8", "{\"phone\":\"\uFFFD\"}"), text("b", "bad_json", "{"),
		letter("b", "1", "1005", `{"phone":"1"}`), text("a", "bad_utf8", "{\"phone\":\"\xff\"}"))
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	r := NewReader(d, Retry{}, fields, mem)
	if err := r.Open(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := r.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if b.Stream != "b" || b.NumRows() != 1 || len(b.Refused) != 0 {
		t.Errorf("got %d rows of %s, %d refused", b.NumRows(), b.Stream, len(b.Refused))
	}
	b.Rows.Release()
	if _, err := r.Read(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
	if held := r.Held(); held.Rows != 4 || held.First != "run1-1-1" || held.Why == "" {
		t.Errorf("got %+v", held)
	}
	if err := r.Ack(t.Context(), connector.Settled{Rows: 1}); err != nil {
		t.Fatal(err)
	}
	if n := len(list(t, d, Filter{Open: true})); n != 4 {
		t.Errorf("%d open", n)
	}
	// With an object in its place it goes.
	file := filepath.Join(t.TempDir(), "edited.jsonl")
	if err := os.WriteFile(file, []byte(`{"id":"run1-1-1","stream":"a","code":"bad_csv","row":{"phone":"7"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	if v, _ := retry(t, d, Retry{File: file}); !slices.Equal(v.got, []string{`{"phone":"7"}`}) {
		t.Errorf("got %q", v.got)
	}
}

// TestOneRetryAtATime: the second is refused while the first goes on, and free to go when it has ended; a dry run disturbs
// nobody.
func TestOneRetryAtATime(t *testing.T) {
	path := t.TempDir()
	d := openDir(t, path, "run1")
	write(t, d, letter("a", "1", "1005", `{"phone":"1"}`))
	first, second := NewReader(d, Retry{}, fields, memory.DefaultAllocator), NewReader(d, Retry{}, fields, memory.DefaultAllocator)
	if err := first.Open(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	wantConfig(t, second.Open(t.Context(), nil), "another retry", fmt.Sprintf("process %d", os.Getpid()))
	_ = second.Close()
	if v, _ := retry(t, d, Retry{DryRun: true}); len(v.got) != 1 {
		t.Errorf("the dry run sent %q", v.got)
	}
	_ = first.Close()
	if v, _ := retry(t, d, Retry{}); len(v.got) != 1 {
		t.Errorf("got %q", v.got)
	}
}

func TestRetryAnEditedFile(t *testing.T) {
	path := t.TempDir()
	d := openDir(t, path, "run1")
	write(t, d, letter("a", "1", "1005", `{"phone":"bad"}`), letter("a", "2", "1005", `{"phone":"2"}`), letter("a", "3", "1005", `{"phone":"bad"}`))
	if err := d.Mark([]string{"run1-1-2"}, MarkLanded); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(jsonlFiles(t, path)[0])
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.Replace(string(text), `"phone":"bad"`, `"phone":"good"`, 1)
	edited += "\n" + `{"stream":"a","row":{"phone":"by hand"}}` // without an id, a break and all the rest
	file := filepath.Join(t.TempDir(), "edited.jsonl")
	if err := os.WriteFile(file, []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	v, report := retry(t, d, Retry{File: file})
	if want := []string{`{"phone":"good"}`, `{"phone":"by hand"}`}; report.Read != 3 || !slices.Equal(v.got, want) {
		t.Errorf("got %+v, %q", report, v.got)
	}
	if got := list(t, d, Filter{})[0].Mark; got != MarkLanded {
		t.Errorf("mark %q", got)
	}
	// What was rejected again may be edited and sent again from the same file, what landed is not sent twice.
	mended := strings.ReplaceAll(edited, `"phone":"bad"`, `"phone":"mended"`)
	if err := os.WriteFile(file, []byte(mended), 0o600); err != nil {
		t.Fatal(err)
	}
	if v, _ := retry(t, d, Retry{File: file, Filter: Filter{Stream: "a", Code: "1005"}}); !slices.Equal(v.got, []string{`{"phone":"mended"}`}) {
		t.Errorf("got %q", v.got)
	}
}

func TestRetryRefusesABrokenFile(t *testing.T) {
	d := openDir(t, t.TempDir(), "run1")
	file := filepath.Join(t.TempDir(), "edited.jsonl")
	for text, want := range map[string]string{
		`{"row":{"a":1}}` + "\n" + `{"row":{"a":`: "line 2",
		`{"a":1}`:     `no "row"`,
		`{"row":[1]}`: "neither an object nor a string",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		r := NewReader(d, Retry{File: file}, fields, mem)
		if err := r.Open(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		_, err := r.Read(t.Context())
		wantConfig(t, err, want, "edited.jsonl")
		_ = r.Close()
		mem.AssertSize(t, 0)
	}
	for _, name := range []string{filepath.Join(t.TempDir(), "none"), t.TempDir()} {
		r := NewReader(d, Retry{File: name}, fields, memory.DefaultAllocator)
		wantConfig(t, r.Open(t.Context(), nil))
		_ = r.Close()
	}
	r := NewReader(d, Retry{}, fields, memory.DefaultAllocator)
	wantConfig(t, r.Open(t.Context(), connector.Position(`1`)))
	_ = r.Close()
}

func TestRetryDryRunMarksNothing(t *testing.T) {
	d := openDir(t, t.TempDir(), "run1")
	write(t, d, letter("a", "1", "1005", `{"phone":"1"}`))
	if v, _ := retry(t, d, Retry{DryRun: true}); len(v.got) != 1 {
		t.Errorf("got %q", v.got)
	}
	if n := len(list(t, d, Filter{Open: true})); n != 1 {
		t.Errorf("%d open", n)
	}
}

// TestReaderBatches: one stream a batch, of a bounded size, answered in order; filtered rows are not said to have landed.
func TestReaderBatches(t *testing.T) {
	d := openDir(t, t.TempDir(), "run1")
	var letters []pipeline.Reject
	for i := range retryRows + 10 {
		letters = append(letters, letter("a", fmt.Sprint(i), "c", `{"phone":"1"}`))
	}
	write(t, d, append(letters, letter("b", "x", "c", `{}`), letter("a", "y", "c", `{}`))...)
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	r := NewReader(d, Retry{}, fields, mem)
	if err := r.Open(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Ack(t.Context(), connector.Settled{Rows: 1}); connector.KindOf(err) != connector.KindInternal {
		t.Errorf("an answer to nothing: %v", err)
	}
	var sizes []int
	for {
		b, err := r.Read(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if b.Bytes <= 0 || b.Pos != nil {
			t.Errorf("bytes %d, position %s", b.Bytes, b.Pos)
		}
		sizes = append(sizes, b.NumRows())
		b.Rows.Release()
	}
	if want := []int{retryRows, 10, 1, 1}; !slices.Equal(sizes, want) {
		t.Fatalf("got %v, want %v", sizes, want)
	}
	for _, s := range []connector.Settled{{Rows: retryRows}, {Rows: 10, Filtered: 9, Rejected: []connector.RowResult{{Row: 3}}}, {Rows: 1, Filtered: 1}} {
		if err := r.Ack(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	count := map[Mark]int{}
	for _, e := range list(t, d, Filter{}) {
		count[e.Mark]++
	}
	if count[MarkLanded] != retryRows || count[MarkFiltered] != 10 || count[MarkAgain] != 1 || count[""] != 1 {
		t.Errorf("got %v", count)
	}
}

func TestReaderEndsWithContext(t *testing.T) {
	d := openDir(t, t.TempDir(), "run1")
	write(t, d, letter("a", "1", "c", `{}`))
	r := NewReader(d, Retry{}, fields, memory.DefaultAllocator)
	if err := r.Open(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
