package transforms

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestEachOverChunks: elements are gathered from many rows, and a long list is cut; every element comes back to its row.
func TestEachOverChunks(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var objects, want []string
		refused := 0
		for _, n := range rapid.SliceOfN(rapid.SampledFrom([]int{-3, -2, -1, 0, 1, 2, 5, 511, 512, 700}), 1, 8).Draw(rt, "sizes") {
			var in, out []string
			for i := range n {
				in, out = append(in, fmt.Sprintf(`"a%d "`, i)), append(out, fmt.Sprintf(`"A%d"`, i))
			}
			switch n {
			case -3:
				objects, refused = append(objects, `{"l":["toolong"]}`), refused+1
			case -2:
				objects, refused = append(objects, `{"l":["x",["y"]]}`), refused+1
			case -1:
				objects, want = append(objects, `{"l":null}`), append(want, `{}`)
			default:
				objects = append(objects, `{"l":[`+strings.Join(in, ",")+`]}`)
				want = append(want, `{"r":[`+strings.Join(out, ",")+`]}`)
			}
		}
		out := apply(t, `streams: {contacts: {fields: {r: {from: l, each: [trim, {case: upper}, {max_length: 5}]}}}}`, "", objects...)
		if got := strings.Join(out.rows, "\n"); got != strings.Join(want, "\n") || len(out.rejects) != refused {
			rt.Fatalf("got %s\nwant %s\nrefused %v, want %d", got, want, out.rejects, refused)
		}
	})
}

func TestEachRefusals(t *testing.T) {
	for _, c := range []struct{ field, in, want string }{
		{`{from: l, each: [{type: integer}], on_error: null}`, `{"l":["1","x","3"]}`, `{"r":[1,3]}`},
		{`{from: l, each: [{type: integer}], on_error: null, default: [9]}`, `{"l":[["1"],"2"]}`, `{"r":[9]}`},
		{`{from: l, each: [{type: integer}]}`, `{"l":{"a":1}}`, `each takes a list, not an object`},
		{`{from: l, each: [{type: integer}]}`, `{"l":["1","x"]}`, `type: "x" is not integer`},
		{`{from: l, each: [{type: integer}]}`, `{"l":" 5"}`, `{"r":5}`},
		{`{from: l, each: [{map: {a: null, b: c}}]}`, `{"l":["a","b"]}`, `{"r":["c"]}`},
	} {
		out := apply(t, "streams: {contacts: {fields: {r: "+c.field+"}}}", "", c.in)
		got := strings.Join(out.rows, " ")
		if len(out.rejects) > 0 {
			got = out.rejects[0].Message
		}
		if got != c.want {
			t.Errorf("%s of %s: got %s, want %s", c.field, c.in, got, c.want)
		}
	}
	for field, want := range map[string]string{
		`{from: l, each: [{splt: ","}]}`:                "m:1: streams.s.fields.r.each[0].splt: splt is no step for an element",
		`{from: l, each: [{split: ","}]}`:               "split is no step for an element",
		`{from: l, each: [{mpa: {a: b}}]}`:              `did you mean "map"?`,
		`{from: l, each: [{trim: true, case: lower}]}`:  "a step has one key",
		`{from: l, each: [{map: {a: 1}}, {case: bad}]}`: "each[1].case: takes lower, upper or title",
		`{from: l, each: [down]}`:                       "takes trim, lower or upper",
	} {
		_, err := Parse("m", []byte("streams: {s: {fields: {r: "+field+"}}}"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", field, err, want)
		}
	}
}
