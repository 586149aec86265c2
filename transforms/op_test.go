package transforms

import (
	"fmt"
	"testing"
)

// TestExamples runs every example of every op: they are what the reference shows.
func TestExamples(t *testing.T) {
	for _, op := range Ops() {
		t.Run(op.Name, func(t *testing.T) {
			if len(op.Examples) == 0 {
				t.Fatal("the op has no example")
			}
			if op.Signature == "" || op.Doc == "" {
				t.Error("the op has no documentation")
			}
			codes := map[string]bool{}
			for _, ex := range op.Examples {
				codes[ex.Code] = true
				out := apply(t, fmt.Sprintf("streams: {contacts: {fields: {result: %s}}}", ex.Field), "", ex.In)
				switch {
				case ex.Code != "":
					if len(out.rejects) != 1 || out.rejects[0].Code != ex.Code || out.rejects[0].Field != "result" {
						t.Errorf("%s of %s: refused as %v, want %s", ex.Field, ex.In, out.rejects, ex.Code)
					}
				case len(out.rows) != 1:
					t.Errorf("%s of %s: refused as %v, want %s", ex.Field, ex.In, out.rejects, ex.Out)
				default:
					want := "{}"
					if ex.Out != "" {
						want = fmt.Sprintf(`{"result":%s}`, ex.Out)
					}
					if !sameJSON(out.rows[0], want) {
						t.Errorf("%s of %s: got %s, want %s", ex.Field, ex.In, out.rows[0], want)
					}
				}
			}
			for _, code := range op.Errors {
				if code != codeBadValue && !codes[code] {
					t.Errorf("no example shows %s", code)
				}
			}
		})
	}
}
