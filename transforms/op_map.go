package transforms

import (
	"strconv"
	"strings"

	"github.com/sluicehq/sluice/connector"
)

var opMap = Op{
	Name:      "map",
	Signature: "map: {from: to, …}",
	Doc: "Replaces values by a table. Keys compare as text, so `1`, `\"1\"` and `true` stand for what they look like, whatever kind the record holds; case counts " +
		"(put `case: lower` before it if it should not). A key that leads to null makes the value absent. A value that the table does not list goes to a " +
		"`default` that follows, and is refused where there is none.",
	In: Scalar, Out: 0, Errors: []string{connector.CodeUnmapped, codeBadValue},
	Examples: []Example{
		{Field: `{from: sex, map: {F: female, M: male, "1": male, 2: female}}`, In: `{"sex":2}`, Out: `"female"`},
		{Field: `{from: sex, map: {F: female, M: male, "1": male, 2: female}}`, In: `{"sex":"1"}`, Out: `"male"`},
		{Field: `{from: vip, map: {true: 1, false: 0}}`, In: `{"vip":true}`, Out: `1`},
		{Field: `{from: land, map: {NO: Norway}}`, In: `{"land":"NO"}`, Out: `"Norway"`},
		{Field: `{from: sex, map: {M: 1, unknown: null}}`, In: `{"sex":"unknown"}`, Out: ``},
		{Field: `{from: sex, map: {M: 1}, default: 2}`, In: `{"sex":"x"}`, Out: `2`},
		{Field: `{from: sex, map: {M: 1}}`, In: `{"sex":"x"}`, Code: connector.CodeUnmapped},
		{Field: `{from: sex, map: {M: 1}}`, In: `{"sex":["M"]}`, Code: codeBadValue},
	},
	parse: func(a arg) *step {
		entries := a.entries()
		if a.isMap() && len(entries) == 0 {
			a.problem("the table is empty")
		}
		t := &mapTable{to: make(map[string]value, len(entries))}
		for _, e := range entries {
			if e.at.isNull() {
				e.at.problem("null never comes to map: `default` fills it in; put the key in quotes if it is a text")
			}
			v := e.value.constant()
			t.to[e.key] = v
			t.kinds |= v.kinds()
		}
		for _, e := range entries {
			if key := canonicalKey(e.at); key != e.key {
				if _, ok := t.to[key]; !ok {
					t.to[key] = t.to[e.key]
				}
			}
		}
		t.words = newWordTable(t.to)
		return &step{table: t, out: always(t.kinds), run: texts(t.lookupTexts, t.lookup)}
	},
}

// mapTable is the table of a map step.
type mapTable struct {
	to      map[string]value
	words   *wordTable // the same, for texts
	kinds   Kinds
	lenient bool // a default follows: what is not listed becomes absent
}

// canonicalKey spells an unquoted boolean or number of the document as records do: True is true, 1.0 is 1.
func canonicalKey(key arg) string {
	s := key.node.Value
	switch key.node.ShortTag() {
	case "!!bool":
		return strings.ToLower(s)
	case "!!float":
		return canonicalNumber(s)
	}
	return s
}

// canonicalNumber drops a fraction that is zero; other spellings stay as they are.
func canonicalNumber(s string) string {
	if whole, zeros, ok := strings.Cut(s, "."); ok && whole != "" && strings.Trim(zeros, "0") == "" {
		return whole
	}
	return s
}

// lookupTexts finds the texts that the table lists.
func (t *mapTable) lookupTexts(x *exec, vec *vector, rows []int32) {
	for _, r := range rows {
		if to, ok := t.words.get(vec.text[r]); ok {
			vec.set(r, to)
		} else {
			x.leave(r)
		}
	}
}

func (t *mapTable) lookup(x *exec, v value) (value, *fault) {
	var (
		to value
		ok bool
	)
	switch v.k {
	case kindText:
		to, ok = t.to[v.s]
	case kindInt:
		var digits [20]byte
		to, ok = t.to[string(strconv.AppendInt(digits[:0], v.n, 10))]
	case kindBool:
		to, ok = t.to[strconv.FormatBool(v.n != 0)]
	case kindNumber:
		if to, ok = t.to[canonicalNumber(v.s)]; !ok {
			to, ok = t.to[v.s]
		}
	default:
		return v, &fault{codeBadValue, "map takes a single value, not " + v.noun()}
	}
	if !ok && !t.lenient {
		return v, &fault{connector.CodeUnmapped, "map does not list " + x.shown(v)}
	}
	return to, nil
}
