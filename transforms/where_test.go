package transforms

import (
	"strings"
	"testing"
)

func TestWhere(t *testing.T) {
	for _, c := range []struct {
		where, in string
		want      string // "kept", "filtered", or part of the refusal's message
	}{
		{`status != 'deleted'`, `{"status":"live"}`, "kept"},
		{`status != 'deleted'`, `{"status":"deleted"}`, "filtered"},
		{`status != 'deleted'`, `{}`, "kept"},
		{`status == None`, `{"status":null}`, "kept"},
		{`'vip' in tags`, `{"tags":["vip","x"]}`, "kept"},
		{`len(tags) > 1 and tags[0].startswith("v")`, `{"tags":["vip","x"]}`, "kept"},
		{`address["city"] == "Köln"`, `{"address":{"city":"Köln"}}`, "kept"},
		{`any([t == "x" for t in tags])`, `{"tags":["x"]}`, "kept"},
		{`type == "person" and len(hash) == 2`, `{"type":"person","hash":"ab"}`, "kept"},
		{`score > 1.5`, `{"score":1.6}`, "kept"},
		{`n == 12345678901234567890`, `{"n":12345678901234567890}`, "kept"},
		{`age > 3`, `{"age":"x"}`, "where: string > int not implemented"},
		{`name`, `{"name":""}`, "filtered"},
		{`[x for x in range(1000000)]`, `{}`, "where: gave up: a range of more than 10000 numbers"},
		{`[x for x in range(9999) for y in range(9999)]`, `{}`, "where: gave up after 100000 steps of work"},
		{`field("Status Code") == 7`, `{"Status Code":7}`, "kept"},
		{`email`, `{"email":"a","status":1}`, "kept"},
	} {
		out := apply(t, "streams: {contacts: {where: "+string(mustJSON(t, c.where))+", fields: {email: email}}}", "", c.in)
		got := "filtered"
		switch {
		case len(out.rejects) > 0:
			got = out.rejects[0].Message
		case len(out.rows) > 0:
			got = "kept"
		}
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("where %s of %s: %s, want %s", c.where, c.in, got, c.want)
		}
	}
}

func TestWhereFaults(t *testing.T) {
	for where, want := range map[string]string{
		`x) or (y`:                         "not a condition",
		`lambda: x`:                        "",
		`x; y`:                             "not a condition",
		`load("file", x)`:                  "",
		`1 +`:                              "not a condition",
		`print("x") == 1`:                  "there is no function print",
		`size(tags) > 1`:                   "there is no function size",
		`lne(tags) > 1`:                    "did you mean \"len\"?",
		`getattr(a, "b")`:                  "there is no function getattr",
		`a.append(1)`:                      "would change a value",
		`field(a)`:                         "in quotes",
		`true`:                             `at character 1: true is no word of the language: write True, or field("true")`,
		`a and b == null`:                  `at character 12: null is no word of the language: write None`,
		`[none for none in a] == [x.null]`: "",
	} {
		spec, err := Parse("m", []byte("streams: {s: {where: "+string(mustJSON(t, where))+"}}"))
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("where %s: %v, want a fault", where, err)
		}
		if want == "" && err == nil && spec.streams[0].where.call == nil {
			t.Errorf("where %s has no function", where)
		}
	}
}
