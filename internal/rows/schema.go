package rows

import (
	"errors"
	"math/big"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/go-faster/jx"

	"github.com/sluicehq/sluice/connector"
)

// metaType marks, beside connector.MetaKey, a raw JSON column that holds numbers only.
const (
	metaType   = "sluice.type"
	metaNumber = "number"
)

// NumberField returns the Arrow field of a number column: raw JSON text, so that every digit is kept.
func NumberField(name string) arrow.Field {
	f := connector.JSONField(name)
	f.Metadata = arrow.NewMetadata([]string{connector.MetaKey, metaType}, []string{connector.MetaJSON, metaNumber})
	return f
}

// IsNumber reports whether the column is a number column, see [NumberField].
func IsNumber(f arrow.Field) bool {
	v, ok := f.Metadata.GetValue(metaType)
	return ok && v == metaNumber && connector.IsJSON(f)
}

// RawSchema returns the schema of rows whose types nobody knows: one raw JSON column per field, in the order given, and
// "_extra". Reserved and repeated names are left out.
func RawSchema(fields []string) *arrow.Schema {
	out := make([]arrow.Field, 0, len(fields)+1)
	seen := make(map[string]bool, len(fields))
	for _, name := range fields {
		if connector.IsReserved(name) || seen[name] {
			continue
		}
		seen[name] = true
		out = append(out, connector.JSONField(name))
	}
	return arrow.NewSchema(append(out, connector.JSONField(connector.ColumnExtra)), nil)
}

// SchemaFromJSON returns the schema of rows that a JSON Schema describes: a column per member of its "properties", in
// the order written, then "_null" and "_extra". A property of several types, or of none, becomes a raw JSON column;
// "null" beside one other type only says that the value may be missing, as it may anyhow. Reserved names get no column.
func SchemaFromJSON(jsonSchema []byte) (*arrow.Schema, error) {
	p, err := readSchema(jsonSchema)
	if err != nil {
		return nil, connector.Configf("Check the json_schema of the stream", "read the JSON schema: %w", err)
	}
	fields := make([]arrow.Field, 0, len(p.names)+2)
	for i, name := range p.names {
		if !connector.IsReserved(name) {
			fields = append(fields, p.kinds[i].field(name))
		}
	}
	fields = append(fields,
		arrow.Field{Name: connector.ColumnNull, Type: arrow.BinaryTypes.Binary, Nullable: true},
		connector.JSONField(connector.ColumnExtra))
	return arrow.NewSchema(fields, nil), nil
}

// properties are the members of "properties" in the order written.
type properties struct {
	names []string
	kinds []typeSet
}

func readSchema(doc []byte) (properties, error) {
	var p properties
	if r := refuse(doc); r != nil {
		return p, errors.New(r.Message)
	}
	top := typeSet(0)
	d := jx.DecodeBytes(doc)
	err := d.ObjBytes(func(d *jx.Decoder, key []byte) error {
		switch string(key) {
		case "type":
			var err error
			top, err = readTypes(d)
			return err
		case "properties":
			return p.read(d)
		}
		return d.Skip()
	})
	if err == nil && top != 0 && top&(typeObject|typeAny) == 0 {
		err = errors.New(`its "type" is not object`)
	}
	return p, cause(err)
}

func (p *properties) read(d *jx.Decoder) error {
	if d.Next() != jx.Object {
		return errors.New(`its "properties" are not an object`)
	}
	at := map[string]int{}
	return d.ObjBytes(func(d *jx.Decoder, key []byte) error {
		name := string(key)
		t, err := readProperty(d)
		if i, repeated := at[name]; repeated {
			p.kinds[i] = t
			return err
		}
		at[name] = len(p.names)
		p.names, p.kinds = append(p.names, name), append(p.kinds, t)
		return err
	})
}

// typeSet is the set of JSON types that a property may have.
type typeSet uint16

const (
	typeNull typeSet = 1 << iota
	typeString
	typeInteger
	typeNumber
	typeBoolean
	typeArray
	typeObject
	typeAny
	typeBig // beyond 64 bits
)

func (t typeSet) field(name string) arrow.Field {
	switch t &^ typeNull {
	case typeString:
		return arrow.Field{Name: name, Type: arrow.BinaryTypes.String, Nullable: true}
	case typeInteger:
		return arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Int64, Nullable: true}
	case typeBoolean:
		return arrow.Field{Name: name, Type: arrow.FixedWidthTypes.Boolean, Nullable: true}
	case typeNumber, typeNumber | typeInteger, typeNumber | typeBig, typeInteger | typeBig, typeNumber | typeInteger | typeBig:
		return NumberField(name)
	}
	return connector.JSONField(name)
}

// readProperty reads one property's schema. "type" decides; where it is missing, the alternatives of anyOf and oneOf.
func readProperty(d *jx.Decoder) (typeSet, error) {
	if d.Next() != jx.Object { // true and false are schemas as well
		return typeAny, d.Skip()
	}
	var own, union, big typeSet
	var format string
	err := d.ObjBytes(func(d *jx.Decoder, key []byte) (err error) {
		switch string(key) {
		case "type":
			own, err = readTypes(d)
		case "anyOf", "oneOf":
			var t typeSet
			t, err = readAlternatives(d)
			union |= t
		case "airbyte_type":
			format, err = readText(d)
		case "maximum", "minimum":
			var t typeSet
			t, err = readBound(d)
			big |= t
		default:
			err = d.Skip()
		}
		return err
	})
	if own == 0 {
		own = union
	}
	switch {
	case own == 0:
		own = typeAny
	case own&(typeInteger|typeNumber) == 0:
	case format == "big_integer" || format == "big_number":
		own |= typeBig
	case format == "integer":
		own = own&^typeNumber | typeInteger
	}
	if own&typeInteger != 0 {
		own |= big
	}
	return own, err
}

func readAlternatives(d *jx.Decoder) (typeSet, error) {
	if d.Next() != jx.Array {
		return typeAny, d.Skip()
	}
	var union typeSet
	err := d.Arr(func(d *jx.Decoder) error {
		t, err := readProperty(d)
		union |= t
		return err
	})
	return union, err
}

// readTypes reads the value of "type": a name or a list of names.
func readTypes(d *jx.Decoder) (typeSet, error) {
	if d.Next() != jx.Array {
		return readType(d)
	}
	var all typeSet
	err := d.Arr(func(d *jx.Decoder) error {
		t, err := readType(d)
		all |= t
		return err
	})
	return all, err
}

func readType(d *jx.Decoder) (typeSet, error) {
	name, err := readText(d)
	switch name {
	case "null":
		return typeNull, err
	case "string":
		return typeString, err
	case "integer":
		return typeInteger, err
	case "number":
		return typeNumber, err
	case "boolean":
		return typeBoolean, err
	case "array":
		return typeArray, err
	case "object":
		return typeObject, err
	}
	return typeAny, err
}

// readText reads a string; a value of another kind is passed over.
func readText(d *jx.Decoder) (string, error) {
	if d.Next() != jx.String {
		return "", d.Skip()
	}
	return d.Str()
}

// readBound reads a maximum or minimum: typeBig if it is beyond 64 bits.
func readBound(d *jx.Decoder) (typeSet, error) {
	raw, err := d.Raw()
	if err != nil || raw.Type() != jx.Number {
		return 0, err
	}
	v, _, err := big.ParseFloat(string(raw), 10, 128, big.ToNearestEven)
	if err != nil { // an exponent beyond reason
		return typeBig, nil
	}
	if n, accuracy := v.Int64(); accuracy != big.Exact && (n == 1<<63-1 || n == -1<<63) {
		return typeBig, nil
	}
	return 0, nil
}
