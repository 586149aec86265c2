package connector

// FieldType is the type of a configuration value.
type FieldType string

const (
	TypeString  FieldType = "string"
	TypeInteger FieldType = "integer"
	TypeNumber  FieldType = "number"
	TypeBoolean FieldType = "boolean"
	TypeObject  FieldType = "object" // Fields lists its members, or OneOf its variants; neither: free-form
	TypeArray   FieldType = "array"  // Items describes its elements
	TypeMap     FieldType = "map"    // free string keys, Items describes the values
)

// Field describes one configuration value. Tables of fields are what strict decoding, the generated spec.json and the
// generated docs are made from; the struct that the values are decoded into stands beside its table and a test holds
// the two together.
type Field struct {
	Name     string // snake_case; the JSON and YAML key
	Type     FieldType
	Title    string
	Doc      string // for people: what it does and where to find the value
	Required bool
	Secret   bool
	Default  any // of the field's type; nil: none
	Enum     []string
	Examples []any
	Min, Max *float64
	Pattern  string // Go regular expression that strings must match
	Lines    bool   // a text of several lines
	Fields   []Field
	Items    *Field
	OneOf    []Variant
	// Discriminator is the property that names the variant where a OneOf is written flat; "": "type".
	Discriminator string
	// Advanced marks a setting that most users never touch; forms fold it away.
	Advanced bool
}

// Variant is one alternative of an object field; its Name is the value of the discriminator field.
type Variant struct {
	Name, Title, Doc string
	Fields           []Field
}

// Bound returns a pointer to v, for Field.Min and Field.Max.
func Bound(v float64) *float64 { return &v }
