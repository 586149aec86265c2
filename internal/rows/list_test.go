package rows

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
)

// listSchema is typedSchema with a list of texts where that has raw JSON.
var listSchema = func() *arrow.Schema {
	fields := typedSchema.Fields()
	for i, f := range fields {
		if f.Name == "l" {
			fields[i] = arrow.Field{Name: "l", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true}
		}
	}
	return arrow.NewSchema(fields, nil)
}()

func TestLists(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{`{"l":["a","b c"]}`, ""},
		{`{"l":[]}`, ""},
		{`{"l":null}`, ""},
		{`{}`, ""},
		{`{"l":["",null,"x"]}`, ""},
		{"{\"l\": [ \"a\" ,\n\"b\"\t] ,\"s\":\"x\"}", `{"s":"x","l":["a","b"]}`},
		{`{"l":["\u0041\n\"\ud83d\ude00","小明"]}`, `{"l":["A\n\"😀","小明"]}`},
		{`{"l":[12.50,true,false]}`, `{"l":["12.50","true","false"]}`},
		{`{"l":["x"],"l":["y","z"]}`, `{"l":["y","z"]}`},
	} {
		want := tc.want
		if want == "" {
			want = tc.in
		}
		rec := build(t, listSchema, `{"l":["before"]}`, tc.in, tc.in, `{"l":["after"],"i":5}`)
		for row, want := range []string{`{"l":["before"]}`, want, want, `{"i":5,"l":["after"]}`} {
			if got := string(AppendJSON(nil, rec, row)); got != want {
				t.Errorf("%s\n got %s\nwant %s", tc.in, got, want)
			}
		}
	}
	for _, in := range []string{`{"l":"a"}`, `{"l":1}`, `{"l":{"a":"b"}}`, `{"l":[["a"]]}`, `{"l":["a",{}]}`, `{"l":true}`} {
		b := NewBuilder(checked(t), listSchema)
		r := b.Append([]byte(in))
		if r == nil || r.Code != connector.CodeBadType || r.Field != "l" || strings.Contains(r.Message, `"a"`) {
			t.Errorf("%s: got %v", in, r)
		}
		b.AppendRefused([]byte(in))
		if r := b.Append([]byte(`{"l":["x"]}`)); r != nil {
			t.Error(r)
		}
		rec := b.NewRecord()
		if got := string(AppendJSON(nil, rec, 1)); got != `{"l":["x"]}` {
			t.Errorf("behind a refused list: %s", got)
		}
		rec.Release()
		b.Release()
	}
}

// Records that follow one another share nothing, and Bytes is an estimate from above.
func TestListsRecordByRecord(t *testing.T) {
	m := maker{rand.New(rand.NewPCG(3, 4))}
	b := NewBuilder(checked(t), listSchema)
	defer b.Release()
	for range 50 {
		var want []string
		for range m.IntN(20) {
			object := `{"l":[` + strings.Repeat(`"`+m.pick("a", "", "é")+`",`, m.IntN(30)) + `"end"]}`
			if r := b.Append([]byte(object)); r != nil {
				t.Fatal(r)
			}
			want = append(want, object)
		}
		estimate := b.Bytes()
		rec := b.NewRecord()
		if size := Size(rec); size > estimate+64 {
			t.Errorf("%d rows hold %d bytes, estimated %d", len(want), size, estimate)
		}
		for row, object := range want {
			if got := string(AppendJSON(nil, rec, row)); got != object {
				t.Fatalf("got %s, want %s", got, object)
			}
		}
		rec.Release()
	}
}
