package file

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/connector"
)

// TestCutGzipResumes: the complete lines before the cut come out, the error says so, and the whole file goes on from there.
func TestCutGzipResumes(t *testing.T) {
	var text strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&text, `{"a":%d,"b":"%x"}`+"\n", i, i*i*7919)
	}
	full := zip(text.String())
	path := write(t, "a.jsonl.gz", full[:len(full)*2/3])
	head, pos, err := read(t, Config{Path: path}, nil, "a", "b")
	// As io.ErrUnexpectedEOF it would be an input that merely stopped, and the run a success without a third of the file.
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || connector.KindOf(err) != connector.KindTransient || !strings.Contains(err.Error(), "ends in the middle") {
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
	equal(t, got, []string{`{"a":"3","b":"4"}`, "bad_csv: line 4: the row has 1 cell where the header has 2 columns"})
}
