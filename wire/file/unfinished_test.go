package file

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// readAll reads a file from a position and returns its rows and the last position.
func readAll(t *testing.T, path string, from connector.Position) (got []string, pos connector.Position, err error) {
	t.Helper()
	r := NewReader(Config{Path: path}, func(string) []string { return []string{"a"} }, memory.DefaultAllocator)
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := r.Open(t.Context(), from); err != nil {
		return nil, nil, err
	}
	for {
		b, err := r.Read(t.Context())
		if errors.Is(err, io.EOF) {
			return got, pos, nil
		}
		if err != nil {
			return got, pos, err
		}
		for i := range b.NumRows() {
			got = append(got, string(rows.AppendJSON(nil, b.Rows, i)))
		}
		pos = b.Pos
		b.Rows.Release()
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A file that is still being written may end in the middle of a row: the next run reads that row again, whole.
func TestUnfinishedLastRow(t *testing.T) {
	for name, c := range map[string]struct{ first, more, want string }{
		"jsonl":         {`{"a":1}` + "\n" + `{"a":2`, "2}\n" + `{"a":3}` + "\n", `{"a":22} {"a":3}`},
		"csv":           {"a,b\nx,1\ny,Bo", "rodin\nz,3\n", `{"a":"y","b":"Borodin"} {"a":"z","b":"3"}`},
		"only newline":  {`{"a":1}`, "\n" + `{"a":2}`, `{"a":1} {"a":2}`}, // once more: nobody knew that it was whole
		"nothing comes": {`{"a":1}` + "\n" + `{"a":2}`, "", ``},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "in")
			put(t, path, c.first)
			_, pos, err := readAll(t, path, nil)
			if err != nil {
				t.Fatal(err)
			}
			put(t, path, c.first+c.more)
			got, _, err := readAll(t, path, pos)
			if err != nil || strings.Join(got, " ") != c.want {
				t.Errorf("got %v, %v, want %s", got, err, c.want)
			}
		})
	}
}

// A file that was written anew with the same beginning is not gone on with.
func TestChangedBeforeTheOffset(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.jsonl")
	lines := strings.Repeat(`{"a":"the same first rows"}`+"\n", 100)
	put(t, path, lines+`{"a":1}`+"\n")
	_, pos, err := readAll(t, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	put(t, path, lines+`{"a":2}`+"\n"+`{"a":3}`+"\n")
	if _, _, err := readAll(t, path, pos); connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), "has changed") {
		t.Errorf("got %v", err)
	}
}
