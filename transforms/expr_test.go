package transforms

import (
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/sluicehq/sluice/connector"
)

// TestExprReachesNothing: what an expression may call is listed; all else is a fault of the document, with its place.
func TestExprReachesNothing(t *testing.T) {
	for expr, want := range map[string]string{
		`open("/etc/passwd")`:                 "there is no function open",
		`load("x", y)`:                        "not an expression",
		`print("x")`:                          "there is no function print",
		`getattr([], "append")(1)`:            "there is no function getattr",
		`[a.append(a) for a in [[1]]]`:        "would change a value",
		`{}.update(b)`:                        "would change a value",
		`x = 1`:                               "write == to compare",
		`[]).x(`:                              "not an expression",
		`lenn(tags)`:                          `did you mean "len"?`,
		"a ==\n  bcd(1)":                      "in its line 2, at character 3",
		`field("a" + "b")`:                    "in quotes",
		strings.Repeat("a+", exprChars) + "a": "longer than",
	} {
		_, err := Parse("m.yaml", []byte("streams:\n  s:\n    fields:\n      out: {expr: "+string(mustJSON(t, expr))+"}\n"))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "m.yaml:4: streams.s.fields.out.expr") {
			t.Errorf("%.60s: %v, want %s with its place", expr, err, want)
		}
	}
}

// TestExprIsBounded: every way to make much of little, or to work without end, refuses the row soon. Each of these would
// take minutes, or all memory, if its work were not counted.
func TestExprIsBounded(t *testing.T) {
	for _, expr := range []string{
		`"x" * 1000000000`, `[0] * 100000000`, `1000000000 * "x"`, `(1,) * 100000000`, `len("x" * 1000000 * 1000000)`,
		`[x for x in range(10000) for y in range(10000)]`, `range(1000000000000)`, `max(range(100000000))`, `list(range(1000000))`,
		`[sum for i in range(10000) for sum in [sorted(range(10000))]]`,
		`[max(big) for big in [list(range(10000))] for i in range(10000)]`,
		`[f for a in ["x" * 1000] for b in [a * 1000] for c in [b + b] for d in [c + c] for e in [d + d] for f in [e + e]]`,
		`[str(f) for a in [[1] * 99] for b in [[a] * 99] for c in [[b] * 99] for d in [[c] * 99] for f in [[d] * 99]]`,
		`[f == g for a in [[1] * 99] for b in [[a] * 99] for c in [[b] * 99] for d in [[c] * 99] for f in [[d] * 99] for g in [list(f)]]`,
		`[{f: 1} for a in [(1,) * 99] for b in [(a,) * 99] for c in [(b,) * 99] for d in [(c,) * 99] for f in [(d,) * 99]]`,
		`[d for a in [[1] * 99] for b in [[a] * 99] for c in [[b] * 99] for d in [[c] * 99]]`,
		`("," * 1000000).join(["x"] * 1000)`, `("a" * 1000000).replace("a", "b" * 1000000)`, `("a" * 1000000).replace("", "b" * 1000)`,
		`("{0}" * 100000).format("x" * 100000)`, `("%s" * 1000) % (("x" * 1000000,) * 1000)`,
		`(lambda f: [f(f(f(f("x" * 100000)))) for i in range(1000)])(lambda s: s * 10)`,
		`["%s" % s for s in ["x" * 1000000] for i in range(9999)]`, `[a in b for a in ["y" * 9999] for b in ["x" * 999999] for i in range(9999)]`,
	} {
		out := apply(t, "streams: {contacts: {fields: {out: {expr: "+string(mustJSON(t, expr))+"}}}}", "", `{}`)
		if len(out.rejects) != 1 || out.rejects[0].Code != codeBadValue || !strings.HasPrefix(out.rejects[0].Message, "expr: gave up") {
			t.Errorf("%s: refused as %v, want a row that gave up", expr, out.rejects)
		}
	}
}

// TestExprAfterALimit: a row that runs away harms no row behind it, and refused fields follow on_error.
func TestExprAfterALimit(t *testing.T) {
	out := apply(t, `streams: {contacts: {fields: {out: {expr: "len([i for i in range(n) for j in range(n)])"}, soft: {expr: "1 // n", on_error: null, default: -1}}}}`, "",
		`{"n":2}`, `{"n":9999}`, `{"n":0}`, `{"n":3}`)
	if len(out.rejects) != 1 || out.rejects[0].Row != 1 || out.rejects[0].Field != "out" {
		t.Fatalf("refused %v, want row 1 alone", out.rejects)
	}
	if got, want := strings.Join(out.rows, " "), `{"out":4,"soft":0} {"out":0,"soft":-1} {"out":9,"soft":0}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestExprResults: what comes out is a value that a field can hold, or a refusal that says why.
func TestExprResults(t *testing.T) {
	for _, c := range []struct{ expr, want string }{
		{`12345678901234567890 * 10`, `123456789012345678900`},
		{`1e300 * 1e300`, "is no number that a field can hold"},
		{`float("nan")`, "is no number that a field can hold"},
		{`("a", 1, None, (True,))`, `["a",1,null,[true]]`},
		{`{"b": {1: 2}}`, "names of members are texts"},
		{`{"b": [], "a": {}}`, `{"b":[],"a":{}}`},
		{`"ä"[:1]`, "cut inside a character"},
		{`len`, ``}, // a field that the record does not have
		{`type(a)`, `"NoneType"`},
		{`sorted(["bb", "a"], key=len)`, `["a","bb"]`},
		{`[len]`, `[null]`},
		{`[s.upper]`, "NoneType has no .upper"},
		{`["x".upper]`, "which a field cannot hold"},
		{`set([2, 1, 2])`, `[2,1]`},
		{`reversed(list("ab".elems()))`, `["b","a"]`},
		{`"%s-%d" % ("x", 2)`, `"x-2"`},
		{`"{a}/{}".format(1, a=2)`, `"2/1"`},
		{`[i for i in range(3) if i % 2 == 0]`, `[0,2]`},
		{`{k: v for k, v in zip(["x", "y"], range(2))}["y"]`, `1`},
		{`(lambda n: n + 1)(1)`, `2`},
		{`not a and -1 < 0 <= 0`, "not an expression"},
		{`(not a) and (-1 < 0)`, `true`},
		{`1.0`, `1`},
	} {
		doc := "streams: {contacts: {fields: {out: {expr: " + string(mustJSON(t, c.expr)) + "}}}}"
		if _, err := Parse("m", []byte(doc)); err != nil {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %s", c.expr, err, c.want)
			}
			continue
		}
		out := apply(t, doc, "", `{}`)
		got := ""
		switch {
		case len(out.rejects) > 0 && strings.Contains(out.rejects[0].Message, c.want):
			continue
		case len(out.rejects) > 0:
			got = out.rejects[0].Message
		case out.rows[0] != "{}":
			got = strings.TrimSuffix(strings.TrimPrefix(out.rows[0], `{"out":`), "}")
		}
		if got != c.want && !(got != "" && c.want != "" && sameJSON(got, c.want)) {
			t.Errorf("%s: got %s, want %s", c.expr, got, c.want)
		}
	}
}

// TestExprUnknownNames: where the source gave a schema, a name that it does not list is a fault of the mapping; field("…")
// may read what only some rows bring.
func TestExprUnknownNames(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "status", Type: arrow.BinaryTypes.String, Nullable: true}, {Name: "age", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		connector.JSONField(connector.ColumnExtra),
	}, nil)
	compile := func(doc string) error {
		m, err := Compile(mustParse(t, "m.yaml", doc), Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = m.Plans("s", schema)
		return err
	}
	err := compile("streams:\n  s:\n    where: \"statsu == 'x' and age > 1\"\n    fields:\n      a: {expr: \"aeg + [x for x in [1]][0]\"}\n      b: {expr: \"field('late') or status\"}\n")
	if n := len(problemsOf(err)); n != 2 {
		t.Fatalf("%v; want two faults", err)
	}
	for _, want := range []string{`m.yaml:3: streams.s.where: the schema of stream s has no field statsu (did you mean "status"?)`, `m.yaml:5: streams.s.fields.a.expr: the schema of stream s has no field aeg (did you mean "age"?)`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}

// TestExprCountsElements: functions that go over a list count its elements as work, so that a row of them cannot take
// hundreds of milliseconds.
func TestExprCountsElements(t *testing.T) {
	for expr, want := range map[string]string{
		"[len(set(range(9000))) for i in range(20)]":  "",
		"[len(list(range(9000))) for i in range(20)]": "",
		"[len(set(range(9))) for i in range(3)]":      `{"r":[9,9,9]}`,
		"len(set([i for i in range(5000)]))":          `{"r":5000}`,
	} {
		out := apply(t, "streams: {contacts: {fields: {r: {expr: "+string(mustJSON(t, expr))+"}}}}", "", `{}`)
		switch {
		case want == "" && (len(out.rejects) != 1 || out.rejects[0].Message != "expr: gave up after 100000 steps of work"):
			t.Errorf("%s: %v %v", expr, out.rows, out.rejects)
		case want != "" && (len(out.rows) != 1 || out.rows[0] != want):
			t.Errorf("%s: %v %v", expr, out.rows, out.rejects)
		}
	}
}
