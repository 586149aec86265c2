package rows

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
)

func TestObject(t *testing.T) {
	var o Object
	if got := string(o.Bytes()); got != "{}" {
		t.Errorf("empty: %s", got)
	}
	for range 2 { // the second time in memory that was used before
		o.Reset()
		o.Text("none", "")
		o.Texts("nothing", nil)
		o.Raw("absent", nil)
		o.Time("never", time.Time{})
		o.Text("a", "<\"x\">\n你")
		o.Int("n", 0)
		o.Texts("t", []string{"p", ""})
		o.Time("at", time.Date(2026, 1, 6, 20, 0, 0, 0, time.FixedZone("", 8*3600)))
		o.Raw("raw", []byte(`{"k": [1.00, null]}`))
		want := `{"a":"<\"x\">\n你","n":0,"t":["p",""],"at":"2026-01-06T20:00:00+08:00","raw":{"k": [1.00, null]}}`
		if got := string(o.Bytes()); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
}

// FuzzObjectRaw: whatever JSON a vendor sends, the row that holds it is one that a Builder takes, and says the same.
func FuzzObjectRaw(f *testing.F) {
	for _, seed := range []string{`{"a":"\ud83d\ude00"}`, `["\ud800"]`, "\"\xff\"", `"\\ud800"`, `123456789012345678901234567890.10`, `{"a":"\u003c"}`, `null`, `1E700`, "[1,\n2]"} {
		f.Add([]byte(seed))
	}
	schema := arrow.NewSchema([]arrow.Field{connector.JSONField("raw")}, nil)
	f.Fuzz(func(t *testing.T, value []byte) {
		if !json.Valid(value) {
			return
		}
		var o Object
		o.Raw("raw", value)
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		defer mem.AssertSize(t, 0)
		b := NewBuilder(mem, schema)
		defer b.Release()
		object := o.Bytes()
		if refused := b.Append(object); refused != nil {
			t.Fatalf("%q of %q is refused: %v", object, value, refused)
		}
		var got struct{ Raw any }
		var want any
		if err := json.Unmarshal(value, &want); err != nil {
			return // a number that no float holds
		}
		if err := json.Unmarshal(object, &got); err != nil {
			t.Fatal(err)
		}
		a, errA := json.Marshal(got.Raw)
		w, errW := json.Marshal(want)
		if errA != nil || errW != nil || string(a) != string(w) {
			t.Errorf("%q became %q", value, object)
		}
	})
}
