package transforms

import (
	"context"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/sluicehq/sluice/connector"
)

// FuzzParse: any document is parsed or refused as a Config error with problems; what is parsed compiles or is refused
// likewise; what compiles runs.
func FuzzParse(f *testing.F) {
	f.Add(twelve)
	f.Add(dialect)
	f.Add(`{"streams":{"*":{"fields":{"a":{"from":["b.c","d"],"steps":[{"json":"decode"},{"keys":{"map":{"x":"y"}}}]}},"rest":"custom"}}}`)
	f.Add("streams: {s: {where: \"len(a) > 1 and b['x']\", rest: keep, on_delete: reject, fields: {a: {value: &v [1, {b: null}]}, b: {default: *v}}}}")
	f.Add("streams: {s: {explode: {field: b.c, as: i, empty: skip}, on_null: keep, fields: {o.p.q: \"b.c[0]\", x: {expr: \"[v for v in i or [] if v] + [field('a b')]\", on_null: clear}}}}")
	f.Add("streams: {s: {on_null: clear, explode: d, fields: {t: {from: b, each: [trim, {map: {x: null, 1.0: y}}, {default: 0x}], json: encode}, custom.a.b: {expr: \"d if d else None\"}}}}")
	for _, c := range faults {
		f.Add(c.doc)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		spec, err := Parse("doc", []byte(doc))
		if err != nil {
			if connector.KindOf(err) != connector.KindConfig || len(problemsOf(err)) == 0 {
				t.Fatalf("%v is no Config error with problems", err)
			}
			return
		}
		m, err := Compile(spec, Options{})
		if err != nil {
			if connector.KindOf(err) != connector.KindConfig {
				t.Fatal(err)
			}
			return
		}
		for _, s := range spec.streams {
			rec := rawRecord(t, memory.DefaultAllocator, m.Fields(s.pattern), `{"a":"x","b":{"c":[1]},"d":null}`, `{}`)
			plans, err := m.Plans(s.pattern, rec.Schema())
			if err != nil {
				if connector.KindOf(err) != connector.KindConfig {
					t.Fatal(err)
				}
				continue
			}
			for _, p := range plans {
				out, err := p.Apply(context.Background(), rec, nil)
				if err == nil {
					out.Rows.Release()
				}
				p.Key(rec, 0)
			}
		}
	})
}
