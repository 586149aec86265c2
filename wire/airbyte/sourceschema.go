package airbyte

import (
	"slices"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// jsonSchema describes the records of a stream, its columns in their order. Key and cursor are never null; everything else
// may be.
func jsonSchema(s *connector.Stream) []byte {
	b := []byte(`{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","additionalProperties":true,"description":`)
	b = append(rows.AppendString(b, s.Doc), `,"properties":{`...)
	for i, c := range s.Columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(rows.AppendString(b, c.Name), `:{`...)
		b = append(b, typeOf(c, c.Name != s.Cursor && !slices.Contains(s.Key, c.Name))...)
		b = append(rows.AppendString(append(b, `,"description":`...), c.Doc), '}')
	}
	return append(b, `}}`...)
}

func typeOf(c connector.StreamColumn, nullable bool) string {
	one := func(name string) string {
		if nullable {
			return `"type":["null","` + name + `"]`
		}
		return `"type":"` + name + `"`
	}
	switch c.Type {
	case connector.ColumnInteger:
		return one("integer")
	case connector.ColumnBoolean:
		return one("boolean")
	case connector.ColumnTimestamp:
		return one("string") + `,"format":"date-time","airbyte_type":"timestamp_with_timezone"`
	case connector.ColumnDate:
		return one("string") + `,"format":"date"`
	case connector.ColumnTexts:
		return one("array") + `,"items":{"type":["null","string"]}`
	case connector.ColumnJSON:
		return `"type":["null","object","array","string","number","boolean"]`
	}
	return one("string")
}
