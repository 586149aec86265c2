package rows

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
)

// describe names a column's type as this package sees it.
func describe(f arrow.Field) string {
	switch {
	case IsNumber(f):
		return "number"
	case connector.IsJSON(f):
		return "json"
	}
	return f.Type.String()
}

func TestSchemaFromJSON(t *testing.T) {
	for _, tc := range []struct{ property, want string }{
		{`{"type":"string"}`, "utf8"},
		{`{"type":["null","string"],"format":"date-time"}`, "utf8"},
		{`{"type":["string","null"],"airbyte_type":"big_integer"}`, "utf8"},
		{`{"type":"integer"}`, "int64"},
		{`{"type":["null","integer"],"minimum":0,"maximum":9223372036854775807}`, "int64"},
		{`{"type":"integer","minimum":-9223372036854775808,"maximum":1e3}`, "int64"},
		{`{"type":"integer","maximum":18446744073709551615}`, "number"},
		{`{"type":"integer","maximum":9223372036854775808}`, "number"},
		{`{"type":"integer","minimum":-9223372036854775809}`, "number"},
		{`{"type":"integer","maximum":1e999999999999}`, "number"},
		{`{"type":"integer","maximum":null}`, "int64"},
		{`{"type":"integer","airbyte_type":"big_integer"}`, "number"},
		{`{"type":"number"}`, "number"},
		{`{"type":"number","airbyte_type":"integer"}`, "int64"},
		{`{"type":["number","integer","null"],"multipleOf":0.01}`, "number"},
		{`{"airbyte_type":"integer","type":"number","maximum":1e30}`, "number"},
		{`{"type":"boolean"}`, "bool"},
		{`{"type":"array","items":{"type":"string"}}`, "json"},
		{`{"type":"object","properties":{"type":{"type":"string"}}}`, "json"},
		{`{"type":["string","integer"]}`, "json"},
		{`{"type":["object","string","null"]}`, "json"},
		{`{"type":"null"}`, "json"},
		{`{"type":[]}`, "json"},
		{`{"type":7}`, "json"},
		{`{"type":"date"}`, "json"},
		{`{}`, "json"},
		{`true`, "json"},
		{`{"$ref":"#/definitions/x"}`, "json"},
		{`{"enum":["a","b"]}`, "json"},
		{`{"anyOf":[{"type":"string","format":"date-time"},{"type":"null"}]}`, "utf8"},
		{`{"oneOf":[{"type":"integer"},{"type":"number"}]}`, "number"},
		{`{"oneOf":[{"type":"integer","maximum":1e30},{"type":"null"}]}`, "number"},
		{`{"oneOf":[{"type":"string"},{"type":"boolean"}]}`, "json"},
		{`{"anyOf":[{"type":"string"},{}]}`, "json"},
		{`{"anyOf":[{"anyOf":[{"type":"boolean"}]}]}`, "bool"},
		{`{"anyOf":7}`, "json"},
		{`{"type":"object","oneOf":[{"type":"string"}]}`, "json"},
		{`{"oneOf":[{"properties":{}}],"type":["null","string"]}`, "utf8"},
	} {
		schema, err := SchemaFromJSON([]byte(`{"$schema":"x","type":["null","object"],"properties":{"x":` + tc.property + `},"additionalProperties":true}`))
		if err != nil {
			t.Errorf("%s: %v", tc.property, err)
			continue
		}
		if got := describe(schema.Field(0)); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.property, got, tc.want)
		}
	}
}

func TestSchemaColumns(t *testing.T) {
	schema := mustSchema(`{"required":["z"],"properties":{"z":{"type":"string"},"_extra":{"type":"string"},"a":{"type":"integer"},
		"m\u00e9":{"type":"boolean"},"_key":{},"a":{"type":"number"}}}`)
	var got []string
	for _, f := range schema.Fields() {
		if !f.Nullable {
			t.Errorf("column %s is not nullable", f.Name)
		}
		got = append(got, f.Name+":"+describe(f))
	}
	if got, want := strings.Join(got, " "), "z:utf8 a:number mé:bool _null:binary _extra:json"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, doc := range []string{`{}`, `{"type":"object"}`, `{"properties":{}}`} {
		if got := mustSchema(doc).NumFields(); got != 2 {
			t.Errorf("%s: %d columns, want 2", doc, got)
		}
	}
}

func TestSchemaErrors(t *testing.T) {
	for _, tc := range []struct{ doc, want string }{
		{``, "empty"},
		{`[]`, "array, not an object"},
		{`{"properties":{`, "too early"},
		{`{"properties":[]}`, `its "properties" are not an object`},
		{`{"properties":null}`, `its "properties" are not an object`},
		{`{"type":"string"}`, `its "type" is not object`},
		{`{"type":["null","array"]}`, `its "type" is not object`},
		{"{\"properties\":{\"\xff\":{}}}", "not UTF-8"},
		{`{"properties":{"x":` + strings.Repeat(`{"anyOf":[`, 6000) + strings.Repeat(`]}`, 6000) + `}}`, "nested deeper"},
	} {
		_, err := SchemaFromJSON([]byte(tc.doc))
		if connector.KindOf(err) != connector.KindConfig || !strings.Contains(fmt.Sprint(err), tc.want) || len(fmt.Sprint(err)) > 200 {
			t.Errorf("%.60s: got %v, want %s", tc.doc, err, tc.want)
		}
	}
}
