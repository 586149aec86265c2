package file

import (
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/sluicehq/sluice/connector"
)

func TestBadRowsKeepTheirPlace(t *testing.T) {
	for _, c := range []struct {
		name, text string
		cfg        Config
		want       []string
	}{
		{"a.jsonl", "{\"a\":1}\n{\"a\":\n\n[1]\n\"x\"\n{\"a\":\"\xff\"}\n{\"a\":2} {}\n{\"a\":3}", Config{}, []string{
			`{"a":1}`, "bad_json: line 2: ", "bad_json: line 4: ", "bad_json: line 5: ", "bad_utf8: line 6: ", "bad_json: line 7: ", `{"a":3}`}},
		{"a.csv", "a,b,\n1,\n2,3,,\n\"4\n4\",5\n6,\"x\"y\n7,z\"z\n8,\xff\n9,9,9\n10,10,\n\"open,1\n11,11,\n", Config{}, []string{
			"bad_csv: line 2: the row has 2 cells where the header has 3 columns",
			`{"a":"2","b":"3"}`,
			"bad_csv: line 4: the row has 2 cells", "bad_csv: line 6: the row is not CSV: something follows",
			"bad_csv: line 7: the row is not CSV: a quote stands inside", "bad_utf8: line 8: ",
			"bad_csv: line 9: the row has a value in a column that has no name", `{"a":"10","b":"10"}`,
			"bad_csv: line 11: a field opens a quote", `{"a":"11","b":"11"}`}},
		{"more.csv", "a,b\n1,2,3\n4,5\n", Config{}, []string{"bad_csv: line 2: the row has 3 cells where the header has 2 columns", `{"a":"4","b":"5"}`}},
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
