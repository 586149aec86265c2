package transforms

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/sluicehq/sluice/connector"
	"pgregory.net/rapid"
)

func TestExplode(t *testing.T) {
	for _, c := range []struct{ explode, fields, in, want string }{
		{`phones`, `{phone: phones, id: id}`, `{"id":7,"phones":["1","2"]}`, `{"id":7,"phone":"1"} {"id":7,"phone":"2"}`},
		{`phones`, `{nr: phones.number, n: phones.kinds.0}`, `{"phones":[{"number":"1","kinds":["a"]},{"number":"2"}]}`, `{"n":"a","nr":"1"} {"nr":"2"}`},
		{`{field: order.lines}`, `{sku: lines.sku, no: order.no}`, `{"order":{"no":3,"lines":[{"sku":"a"},{"sku":"b"}]}}`, `{"no":3,"sku":"a"} {"no":3,"sku":"b"}`},
		{`{field: "orders[0].lines", as: line}`, `{sku: line.sku}`, `{"orders":[{"lines":[{"sku":"a"}]}]}`, `{"sku":"a"}`},
		{`phones`, `{phone: phones, id: id}`, `{"id":7,"phones":[]}`, `{"id":7}`},
		{`phones`, `{phone: phones, id: id}`, `{"id":7}`, `{"id":7}`},
		{`phones`, `{phone: phones, id: id}`, `{"id":7,"phones":null}`, `{"id":7}`},
		{`phones`, `{phone: phones, id: id}`, `{"id":7,"phones":"1"}`, `{"id":7,"phone":"1"}`},
		{`phones`, `{nr: phones.nr}`, `{"phones":{"nr":"1"}}`, `{"nr":"1"}`},
		{`phones`, `{phone: phones, id: id}`, `{"id":7,"phones":[null,"","2"]}`, `{"id":7} {"id":7,"phone":""} {"id":7,"phone":"2"}`},
		{`{field: phones, empty: skip}`, `{phone: phones}`, `{"phones":[]}`, ``},
		{`{field: phones, empty: skip}`, `{phone: phones}`, `{}`, ``},
		{`{field: phones, empty: skip}`, `{phone: phones}`, `{"phones":[""]}`, `{"phone":""}`},
		{`lists`, `{out: lists}`, `{"lists":[[1,[2]],{"a":"ä"}]}`, `{"out":[1,[2]]} {"out":{"a":"ä"}}`},
	} {
		out := apply(t, fmt.Sprintf("streams: {contacts: {explode: %s, fields: %s}}", c.explode, c.fields), "", c.in)
		if got := strings.Join(out.rows, " "); got != c.want || len(out.rejects) > 0 {
			t.Errorf("explode %s of %s: got %s %v, want %s", c.explode, c.in, got, out.rejects, c.want)
		}
	}
}

// TestExplodeRefusesWhole: a row goes on with all of its parts or with none, and the refusal names the element.
func TestExplodeRefusesWhole(t *testing.T) {
	out := apply(t, `streams: {contacts: {explode: p, where: "p != 'skip'", fields: {id: id, n: {from: p, type: integer}}}}`, "",
		`{"id":0,"p":["1","x","y"]}`, `{"id":1,"p":["1","2"]}`, `{"id":2,"p":["skip"]}`, `{"id":3,"p":"z"}`, `{"id":4,"p":["skip","4"]}`)
	if got, want := strings.Join(out.rows, " "), `{"id":1,"n":1} {"id":1,"n":2} {"id":4,"n":4}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if want := []int32{1, 1, 4}; !reflect.DeepEqual(out.index, want) {
		t.Errorf("index %v, want %v", out.index, want)
	}
	if len(out.rejects) != 2 || out.rejects[0].Row != 0 || out.rejects[1].Row != 3 ||
		out.rejects[0].Message != `element 2 of p: type: "x" is not integer` || out.rejects[1].Message != `type: "z" is not integer` {
		t.Errorf("refused %v", out.rejects)
	}
	many := "[" + strings.Repeat("1,", maxParts) + "1]"
	out = apply(t, `streams: {contacts: {explode: p, fields: {n: p}}}`, "", `{"p":`+many+`}`, `{"p":[1]}`)
	if len(out.rows) != 1 || len(out.rejects) != 1 || out.rejects[0].Code != connector.CodeTooBig || out.rejects[0].Row != 0 {
		t.Errorf("a row of too many elements: %d rows, refused %v", len(out.rows), out.rejects)
	}
}

func TestExplodeFaults(t *testing.T) {
	spec := mustParse(t, "m.yaml", "streams:\n  s:\n    explode: ordres\n    fields: {a: ordres.b}\n")
	if _, err := Compile(spec, Options{Once: true}); err == nil || !strings.Contains(err.Error(), "m.yaml:3: streams.s.explode: explode makes several rows of one") {
		t.Errorf("%v; want explode refused where a repeat does harm", err)
	}
	m, err := Compile(spec, Options{})
	if err != nil {
		t.Fatal(err)
	}
	text := arrow.Field{Name: "id", Type: arrow.BinaryTypes.String, Nullable: true}
	for want, name := range map[string]string{`has no field ordres (did you mean "orders"?)`: "orders", `takes a list, and ordres is text`: "ordres"} {
		f := text
		f.Name = name
		_, err := m.Plans("s", arrow.NewSchema([]arrow.Field{text, f}, nil))
		if err == nil || !strings.Contains(err.Error(), "m.yaml:3: streams.s.explode: "+want) && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	for doc, want := range map[string]string{
		`{field: a, empty: dorp}`: `takes keep or skip`, `{empty: skip}`: "names no field", `[a]`: "takes text", `{field: a, as: b.c}`: "takes a plain name",
	} {
		if _, err := Parse("m", []byte("streams: {s: {explode: "+doc+", fields: {x: a}}}")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", doc, err, want)
		}
	}
}

// TestExplodeTyped: lists of a typed column, with what stands beside them in every kind of column, marks of null too.
func TestExplodeTyped(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	in := rawRecord(t, mem, []string{"tags", "x"}, `{"tags":["a","b"],"x":null}`, `{"tags":["c"],"x":1,"more":2}`)
	defer in.Release()
	m, err := Compile(mustParse(t, "m", "streams: {s: {explode: tags, rest: keep, fields: {tag: tags}}}"), Options{Alloc: mem})
	if err != nil {
		t.Fatal(err)
	}
	plans, err := m.Plans("s", in.Schema())
	if err != nil {
		t.Fatal(err)
	}
	out, err := plans[0].Apply(context.Background(), in, []connector.RowResult{{Row: 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Rows.Release()
	if got, want := object(t, out.Rows, 0)+object(t, out.Rows, 1), `{"tag":"a"}{"tag":"b"}`; got != want || out.Rows.NumRows() != 2 {
		t.Errorf("got %s, want %s", got, want)
	}
	if key := plans[0].Key(in, 1); key != "" {
		t.Errorf("key %q of a mapping without identifiers", key)
	}
	e, err := m.Explain("s", in, 0)
	if err != nil || e.Parts != 2 || len(e.Fields) != 2 || e.Fields[1].Part != 2 || e.Fields[1].Value != `"b"` {
		t.Errorf("explained as %+v, %v", e, err)
	}
}

// TestExplodeAccounts: every row of any batch is in the output with as many rows as its list has elements, or refused,
// or filtered, however chunks fall.
func TestExplodeAccounts(t *testing.T) {
	m, err := Compile(mustParse(t, "m", "streams: {s: {explode: {field: p, empty: skip}, fields: {n: {from: p, type: integer}}}}"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		sizes := rapid.SliceOfN(rapid.SampledFrom([]int{0, 0, 1, 2, 3, 600}), 1, 12).Draw(rt, "sizes")
		objects := make([]string, len(sizes))
		bad := make([]bool, len(sizes))
		for i, n := range sizes {
			items := make([]string, n)
			for j := range items {
				items[j] = fmt.Sprint(j)
			}
			if n > 0 && rapid.IntRange(0, 3).Draw(rt, "bad") == 0 {
				items[rapid.IntRange(0, n-1).Draw(rt, "which")], bad[i] = `"x"`, true
			}
			objects[i] = `{"p":[` + strings.Join(items, ",") + `]}`
		}
		in := rawRecord(t, memory.DefaultAllocator, []string{"p"}, objects...)
		plans, err := m.Plans("s", in.Schema())
		if err != nil {
			rt.Fatal(err)
		}
		out, err := plans[0].Apply(context.Background(), in, nil)
		if err != nil {
			rt.Fatal(err)
		}
		got := make([]int, len(sizes))
		for _, row := range out.Index {
			got[row]++
		}
		refused := map[int]bool{}
		for _, r := range out.Rejected {
			refused[r.Row] = true
		}
		for i, n := range sizes {
			if bad[i] {
				n = 0
			}
			if got[i] != n || refused[i] != bad[i] {
				rt.Fatalf("row %d of %d elements: %d rows, refused %t", i, sizes[i], got[i], refused[i])
			}
		}
		if len(out.Index) != int(out.Rows.NumRows()) {
			rt.Fatalf("%d rows, an index of %d", out.Rows.NumRows(), len(out.Index))
		}
	})
}

// TestExplodeDropsNothing: the list that is taken apart is not among the fields that are told to be dropped.
func TestExplodeDropsNothing(t *testing.T) {
	for _, c := range []struct{ explode, fields, want string }{
		{"{field: a.l, as: n}", "{n: n}", "fields dropped: z"},
		{"n.0.l", "{x: l}", "fields dropped: a, z"},
		{"a", "{x: a}", "fields dropped: n, z"},
	} {
		out := apply(t, fmt.Sprintf("streams: {contacts: {explode: %s, fields: %s}}", c.explode, c.fields), "", `{"a":{"l":[1]},"n":[{"l":[2]}],"z":1}`)
		if got := strings.Join(out.notices, " "); !strings.Contains(got, c.want+" (") {
			t.Errorf("explode %s: %q, want %s", c.explode, got, c.want)
		}
	}
}
