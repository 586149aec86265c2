package file

import (
	"encoding/csv"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sluicehq/sluice/internal/rows"
)

// compareCSV: what encoding/csv reads without a fault, we read alike, and nothing that it reads is refused.
func compareCSV(t *testing.T, text string) {
	if !utf8.ValidString(text) || strings.Contains(text, "\r") {
		return
	}
	text = "a,b\n" + text
	plain := csv.NewReader(strings.NewReader(text))
	var want []string
	for {
		cells, err := plain.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return // a fault, or rows of different length: other tests
		}
		line, _ := plain.FieldPos(0)
		blank := len(cells) == 1 && strings.TrimSpace(cells[0]) == "" && line > 1
		if line == 1 || blank {
			continue
		}
		out := []byte("{")
		for i, c := range cells {
			if c == "" {
				continue
			}
			if len(out) > 1 {
				out = append(out, ',')
			}
			out = append(rows.AppendString(out, string("ab"[i])), ':')
			out = rows.AppendString(out, c)
		}
		want = append(want, string(append(out, '}')))
	}
	got, _, end := read(t, Config{Path: "-", Stdin: strings.NewReader(text), Format: CSV, Delimiter: ","}, nil, "a", "b")
	if end != io.EOF {
		t.Fatalf("end %v", end)
	}
	equal(t, got, want)
}

func FuzzCSVAsEncodingCSV(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "a\n\"x\ny\"\n", "a\n\"x\n", "a,b\n\"\"\"\",\n", "a\r\n1\r\n"} {
		f.Add(s)
	}
	f.Fuzz(compareCSV)
}
