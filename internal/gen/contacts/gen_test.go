package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode"
	"unicode/utf8"
)

const testdata = "../../../testdata"

var generated = sync.OnceValue(generate)

func TestFilesAreCurrent(t *testing.T) {
	for name, want := range generated() {
		got, err := os.ReadFile(filepath.Join(testdata, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("testdata/%s is not what the generator writes: run go generate ./internal/gen/contacts", name)
		}
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	if err := write(dir); err != nil {
		t.Fatal(err)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 3 {
		t.Errorf("got %v, %v", list, err)
	}
	if err := write(filepath.Join(dir, "missing")); err == nil {
		t.Error("a missing folder is no error")
	}
}

func readTruth(t *testing.T, b []byte) map[int]truth {
	t.Helper()
	all := map[int]truth{}
	for line := range strings.SplitSeq(strings.TrimSpace(string(b)), "\n") {
		var one truth
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatal(err)
		}
		if _, twice := all[one.Row]; twice || one.ID == "" || len(one.Kinds) == 0 {
			t.Errorf("got %+v", one)
		}
		all[one.Row] = one
	}
	return all
}

// digits is a number as a CRM would compare it.
func digits(v any) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, cell(v))
}

func TestTruthIsTrue(t *testing.T) {
	files := generated()
	truths := readTruth(t, files["contacts.truth.jsonl"])
	lines := strings.Split(strings.TrimSpace(string(files["contacts.jsonl"])), "\n")
	kinds, codes, filtered := map[string]int{}, map[string]int{}, 0
	owner := map[string]int{} // identifier → first row of its person
	for i, line := range lines {
		one := truths[i+1]
		for _, k := range one.Kinds {
			kinds[k]++
		}
		var m map[string]any
		dec := json.NewDecoder(strings.NewReader(line))
		dec.UseNumber()
		err := dec.Decode(&m)
		if readable := err == nil && utf8.ValidString(line); readable != (one.Code != "bad_json" && one.Code != "bad_utf8") {
			t.Errorf("row %d: readable %t, truth %+v", i+1, readable, one)
		}
		switch {
		case one.Code != "":
			codes[one.Code]++
			continue
		case one.Filtered:
			filtered++
			continue
		}
		first := i + 1
		if one.Of != 0 {
			first = one.Of
		}
		for _, key := range []string{digits(m["mobile"]), strings.ToLower(strings.TrimSpace(cell(m["mail"])))} {
			if key == "" {
				continue
			}
			if owner[key] == 0 {
				owner[key] = first
			}
			if owner[key] != first {
				t.Errorf("row %d shares %s with row %d, which the truth does not say", i+1, key, owner[key])
			}
		}
		if m["wa"] != nil && m["wa"] != digits(m["mobile"]) {
			t.Errorf("row %d has two numbers: %v and %v", i+1, m["wa"], m["mobile"])
		}
	}
	bad := 0
	for _, d := range damages {
		if codes[d.code] == 0 {
			t.Errorf("no row has code %s", d.code)
		}
	}
	for _, n := range codes {
		bad += n
	}
	if len(lines) < 1200 || bad*100 < len(lines)*2 || bad*100 > len(lines)*4 || filtered < 10 {
		t.Errorf("%d rows, %d bad, %d filtered", len(lines), bad, filtered)
	}
	for _, k := range []string{"dirty phone", "dirty date", "dirty mail", "gender spelling", "emoji", "one name", "long notes", "tags as text", "tags with full-width commas", "tags as text with blanks", "repeat", "left", "blanks around"} {
		if kinds[k] < 8 {
			t.Errorf("only %d rows of kind %q", kinds[k], k)
		}
	}
}

func TestManyScripts(t *testing.T) {
	text := string(generated()["contacts.jsonl"])
	for name, table := range map[string]*unicode.RangeTable{
		"Han": unicode.Han, "Latin": unicode.Latin, "Arabic": unicode.Arabic, "Hangul": unicode.Hangul, "Hiragana": unicode.Hiragana,
		"Cyrillic": unicode.Cyrillic, "Thai": unicode.Thai, "symbols": unicode.So,
	} {
		n := 0
		for _, r := range text {
			if unicode.Is(table, r) {
				n++
			}
		}
		if n < 50 {
			t.Errorf("only %d characters of %s", n, name)
		}
	}
}

func TestTable(t *testing.T) {
	b := generated()["contacts.csv"]
	if !bytes.HasPrefix(b, []byte("\xef\xbb\xbfid,")) || !bytes.Contains(b, []byte("\r\n")) || !bytes.Contains(b, []byte(`,"Berlin, Mitte",`)) {
		t.Error("no byte order mark, no CRLF or no quoted comma")
	}
	records, err := csv.NewReader(bytes.NewReader(b[3:])).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	empty := 0
	for _, r := range records {
		for _, c := range r {
			if c == "" {
				empty++
			}
		}
	}
	if len(records) < 150 || empty < 100 {
		t.Errorf("got %d records with %d empty cells", len(records), empty)
	}
}
