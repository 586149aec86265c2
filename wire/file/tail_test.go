package file

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// A followed file is read on as it grows, an unfinished line waits for its end, and Close ends the wait.
func TestFollow(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	path := filepath.Join(t.TempDir(), "in.jsonl")
	add := func(text string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	add("{\"a\":1}\n{\"a\":")
	r := NewReader(Config{Path: path, Follow: true, BatchAge: time.Millisecond}, func(string) []string { return []string{"a"} }, mem)
	if err := r.Open(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	next := func(ctx context.Context) (connector.Batch, error) { return r.Read(ctx) }
	b, err := next(t.Context())
	if err != nil || b.NumRows() != 1 || len(b.Refused) != 0 {
		t.Fatalf("%d rows, %v, %v", b.NumRows(), b.Refused, err)
	}
	b.Rows.Release()
	add("2}\n")
	b, err = next(t.Context())
	if err != nil || b.NumRows() != 1 || len(b.Refused) != 0 {
		t.Fatalf("%d rows, %v, %v", b.NumRows(), b.Refused, err)
	}
	b.Rows.Release()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := next(ctx); err == nil {
		t.Error("Read went on after its context ended")
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestFollowGzip(t *testing.T) {
	r := NewReader(Config{Path: "x.jsonl.gz", Follow: true}, nil, nil)
	if err := r.Open(t.Context(), nil); connector.KindOf(err) != connector.KindConfig {
		t.Errorf("got %v", err)
	}
}

// A followed file has positions like any other, and goes on from one.
func TestFollowResumes(t *testing.T) {
	for _, name := range []string{"in.jsonl", "in.csv"} {
		text := "{\"a\":\"1\"}\n{\"a\":\"2\"}\n"
		if name == "in.csv" {
			text = "a\n1\n2\n"
		}
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, plain, _ := read(t, Config{Path: path, BatchRows: 1}, nil, "a")
		var pos connector.Position
		for row := range 2 {
			r := NewReader(Config{Path: path, Follow: true, BatchRows: 1}, columns("a"), nil)
			if err := r.Open(t.Context(), pos); err != nil {
				t.Fatal(err)
			}
			b, err := r.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want := fmt.Sprintf("{\"a\":\"%d\"}", row+1)
			if got := string(rows.AppendJSON(nil, b.Rows, 0)); got != want {
				t.Errorf("%s: got %s, want %s", name, got, want)
			}
			b.Rows.Release()
			pos = b.Pos
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if string(pos) != string(plain) {
			t.Errorf("%s: position %s, want %s as without following", name, pos, plain)
		}
	}
}
