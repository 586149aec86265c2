package airbyte

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
)

// A row that does not fit its stream is a record: what fits is there, what does not is null and named, and the row as it
// came is in raw. Its key is never null.
func TestSourceUnfitRows(t *testing.T) {
	for _, tc := range []struct{ row, data, nulled string }{
		{`{"id":"a","n":"many","tags":["x"],"raw":{"y":1}}`, `{"id":"a","tags":["x"],"raw":{"y":1}}`, "n"},
		{`{"id":"a","n":1.5,"tags":{"x":"<&>"}}`, `{"id":"a","raw":{"id":"a","n":1.5,"tags":{"x":"<&>"}}}`, "n tags"},
		{`{"id":{"x":1},"n":7,"more":[1]}`, `{"id":"{\"x\":1}","n":7,"raw":{"id":{"x":1},"n":7,"more":[1]},"more":[1]}`, ""},
		{`{"id":["é"],"n":true,"raw":1}`, `{"id":"[\"é\"]","raw":1}`, "n"},
		{"{\"id\":\"a\xff\",\"n\":1,\"tags\":[\"\xfe\"],\"raw\":\"\xff\"}", `{"id":"a�","n":1,"raw":"�"}`, "tags"},
		{`{"id":"a","n":1`, `{"id":"unreadable-HASH","raw":"{\"id\":\"a\",\"n\":1"}`, "n tags"},
		{`{"id":"\ud800","n":1}`, `{"id":"unreadable-HASH","raw":"{\"id\":\"\\ud800\",\"n\":1}"}`, "n tags"},
		{`[1]`, `{"id":"unreadable-HASH","raw":"[1]"}`, "n tags"},
		{``, `{"id":"unreadable-HASH","raw":""}`, "n tags"},
	} {
		s := newShelf(t)
		s.rows = map[int]string{1: tc.row, 5: tc.row}
		code, lines := s.read(t.Context(), s.source(), sourceCatalogOf("contacts"), "")
		var changed []string
		for _, l := range of(lines, "RECORD") {
			var m struct {
				Record struct {
					Data json.RawMessage
					Meta *struct {
						Changes []struct{ Field, Change, Reason string }
					}
				}
			}
			if err := json.Unmarshal([]byte(l), &m); err != nil {
				t.Fatalf("%v: %s", err, l)
			}
			if m.Record.Meta == nil {
				continue
			}
			var names []string
			for _, c := range m.Record.Meta.Changes {
				names = append(names, c.Field)
				if c.Change != "NULLED" || c.Reason != "SOURCE_SERIALIZATION_ERROR" {
					t.Errorf("%s: %+v", tc.row, c)
				}
			}
			changed = append(changed, string(m.Record.Data)+" "+strings.Join(names, " "))
		}
		sum := sha256.Sum256([]byte(tc.row))
		want := strings.Replace(tc.data, "HASH", hex.EncodeToString(sum[:8]), 1) + " " + tc.nulled
		equal(t, tc.row, changed, []string{want, want})
		all := strings.Join(lines, "\n")
		if code != 0 || len(of(lines, "RECORD")) != 7 || !strings.Contains(all, "rows that did not fit stream=contacts rows=2") || !strings.Contains(all, `"recordCount":7.0`) {
			t.Errorf("%s: exit code %d\n%s", tc.row, code, all)
		}
	}
}
