package rows

import (
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
)

// The hot paths allocate per record batch, never per row.
func TestAllocs(t *testing.T) {
	typed := mustSchema(contactSchema)
	objects := map[string]string{
		"contact":   contact,
		"spaced":    "{ \"phone\" : \"1\" ,\n \"id\" : 7 }",
		"escapes":   `{"phone":"a\nb\u00e9","full_name":"\ud83d\ude00"}`,
		"unknown":   `{"zip":"1","city":"\n","phone":"1","list":[[{"a":1}]]}`,
		"fitted":    `{"id":"12","phone":12,"income":"1.5","active":"true"}`,
		"null":      `{"id":null,"phone":null,"tags":null}`,
		"reordered": `{"tags":[],"phone":"1","id":1,"email":"x"}`,
	}
	for name, object := range objects {
		for schemaName, schema := range map[string]*arrow.Schema{"typed": typed, "raw": RawSchema([]string{"phone", "id"})} {
			b := NewBuilder(nil, schema)
			in := []byte(object)
			run := func() {
				if r := b.Append(in); r != nil {
					t.Fatal(r)
				}
				b.Bytes()
			}
			for range 5000 { // grow once
				run()
			}
			b.NewRecord().Release()
			if n := testing.AllocsPerRun(1000, run); n != 0 {
				t.Errorf("%s, %s: %v allocations a row", name, schemaName, n)
			}
		}
	}
	const rows = 1000
	b := NewBuilder(nil, typed)
	in := []byte(contact)
	batch := func() {
		for range rows {
			if r := b.Append(in); r != nil {
				t.Fatal(r)
			}
		}
		b.NewRecord().Release()
	}
	batch()
	// Ten or so objects per column.
	if n, limit := testing.AllocsPerRun(5, batch), 12*float64(typed.NumFields()); n > limit {
		t.Errorf("%v allocations for a record of %d rows, want at most %v", n, rows, limit)
	}
}

func TestEncodeAllocs(t *testing.T) {
	rec := build(t, mustSchema(contactSchema), contact, `{"phone":null,"zz":1,"full_name":"a\n\"b"}`)
	enc := NewEncoder(rec.Schema(), nil)
	dst := make([]byte, 0, 1<<12)
	if n := testing.AllocsPerRun(1000, func() {
		enc.Bind(rec)
		dst = enc.AppendObject(enc.AppendObject(dst[:0], 0), 1)
	}); n != 0 {
		t.Errorf("encoder: %v allocations", n)
	}
	col := rec.Column(1)
	if n := testing.AllocsPerRun(1000, func() {
		dst = AppendValue(AppendString(dst[:0], "é\n"), col, false, 0)
	}); n != 0 {
		t.Errorf("AppendValue: %v allocations", n)
	}
	if n := testing.AllocsPerRun(1000, func() { dst = AppendJSON(dst[:0], rec, 0) }); n != 0 {
		t.Errorf("AppendJSON: %v allocations", n)
	}
}
