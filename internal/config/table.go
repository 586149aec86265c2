package config

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/sluicehq/sluice/connector"
)

// T is what CheckTable needs of a *testing.T.
type T interface {
	Helper()
	Errorf(format string, args ...any)
}

// CheckTable holds a table of fields and the struct that it is decoded into together: every field has a struct field of
// a type that can hold it, every struct field with a json tag is in the table, secrets are of type connector.Secret,
// defaults and examples keep the field's own rules, and every field has a title and a description. into points to the
// struct with its defaults set; a default in both places must be the same.
func CheckTable(t T, fields []connector.Field, into any) {
	t.Helper()
	for _, fault := range tableFaults(fields, into) {
		t.Errorf("%s", fault)
	}
}

func tableFaults(fields []connector.Field, into any) []string {
	c := &tableCheck{}
	rv := reflect.ValueOf(into)
	if rv.Kind() != reflect.Pointer || rv.IsNil() || rv.Elem().Kind() != reflect.Struct {
		c.fault("", "%T is not a pointer to a struct", into)
		return c.faults
	}
	c.object("", fields, rv.Elem())
	return c.faults
}

type tableCheck struct{ faults []string }

func (c *tableCheck) fault(path, format string, args ...any) {
	c.faults = append(c.faults, strings.TrimPrefix(path+": ", ": ")+fmt.Sprintf(format, args...))
}

var snakeCase = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

func (c *tableCheck) object(path string, fields []connector.Field, rv reflect.Value) {
	c.table(path, fields)
	for i := range fields {
		f := &fields[i]
		at := join(path, f.Name)
		field, ok := fieldByTag(rv, f.Name)
		if !ok {
			c.fault(at, "%s has no exported field with the tag json:%q", rv.Type(), f.Name)
			continue
		}
		c.fits(at, f, field)
	}
	for _, tag := range tags(rv.Type()) {
		if find(fields, tag) == nil {
			c.fault(join(path, tag), "in %s, but not in the table", rv.Type())
		}
	}
}

// table checks what needs no struct.
func (c *tableCheck) table(path string, fields []connector.Field) {
	seen := map[string]bool{}
	for i := range fields {
		f := &fields[i]
		at := join(path, f.Name)
		if seen[f.Name] {
			c.fault(at, "is in the table twice")
		}
		seen[f.Name] = true
		if !snakeCase.MatchString(f.Name) {
			c.fault(at, "the name is not snake_case")
		}
		if f.Title == "" || f.Doc == "" {
			c.fault(at, "has no title or no description")
		}
		c.rules(at, f)
	}
}

func (c *tableCheck) rules(at string, f *connector.Field) {
	switch f.Type {
	case connector.TypeString, connector.TypeInteger, connector.TypeNumber, connector.TypeBoolean:
	case connector.TypeObject:
		c.choice(at, f)
	case connector.TypeArray, connector.TypeMap:
		if f.Items == nil {
			c.fault(at, "a list or map needs Items")
		}
	default:
		c.fault(at, "unknown type %q", f.Type)
		return
	}
	if f.Required && f.Default != nil {
		c.fault(at, "a required field cannot have a default")
	}
	if f.Secret && (f.Type != connector.TypeString || f.Default != nil || len(f.Examples) > 0) {
		c.fault(at, "a secret is text without default and examples")
	}
	if _, err := regexp.Compile(f.Pattern); err != nil {
		c.fault(at, "pattern: %v", err)
		return
	}
	for _, v := range append([]any{f.Default}, f.Examples...) {
		if v != nil {
			c.example(at, f, v)
		}
	}
}

// example checks that a default or example would pass as the field's value.
func (c *tableCheck) example(at string, f *connector.Field, v any) {
	d := &decoder{Options: Options{Literal: true}, data: mustJSON(map[string]any{"x": v})}
	root, err := d.parse()
	if err != nil {
		c.fault(at, "%v", err)
		return
	}
	d.field(root.Content[1], at, f)
	for _, x := range d.faults {
		c.fault(at, "default or example %v: %s", v, x.text)
	}
}

func (c *tableCheck) choice(at string, f *connector.Field) {
	seen := map[string]bool{}
	for _, v := range f.OneOf {
		if seen[v.Name] || v.Name == "" || v.Title == "" {
			c.fault(at, "variant %q is repeated or has no name or title", v.Name)
		}
		seen[v.Name] = true
		if find(v.Fields, discriminator(f)) != nil {
			c.fault(join(at, v.Name), "a member has the discriminator's name %q", discriminator(f))
		}
		c.table(join(at, v.Name), v.Fields)
	}
}

func (c *tableCheck) fits(at string, f *connector.Field, rv reflect.Value) {
	t := rv.Type()
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if secret := t == reflect.TypeFor[connector.Secret](); secret != f.Secret {
		c.fault(at, "Secret is %v in the table, the type is %s", f.Secret, t)
		return
	}
	if f.Default != nil && !rv.IsZero() {
		want, got := string(mustJSON(f.Default)), string(mustJSON(rv.Interface()))
		if got != want {
			c.fault(at, "default is %s in the table and %s in the struct", want, got)
		}
	}
	switch {
	case f.Secret:
	case f.Type == connector.TypeObject:
		c.fitsObject(at, f, t, rv)
	case f.Type == connector.TypeArray && t.Kind() == reflect.Slice, f.Type == connector.TypeMap && t.Kind() == reflect.Map:
		c.fits(at+"[]", f.Items, reflect.New(t.Elem()).Elem())
	default:
		if !holds(f.Type, t) {
			c.fault(at, "%s cannot hold a value of type %s", t, f.Type)
		}
	}
}

func (c *tableCheck) fitsObject(at string, f *connector.Field, t reflect.Type, rv reflect.Value) {
	switch {
	case len(f.OneOf) > 0 && t == choiceType:
	case len(f.OneOf) == 0 && len(f.Fields) == 0:
		if t != rawType {
			c.fault(at, "a free-form object needs a config.Raw, not %s", t)
		}
	case t.Kind() != reflect.Struct:
		c.fault(at, "%s cannot hold an object", t)
	default:
		if rv.Kind() == reflect.Pointer {
			rv = reflect.New(t).Elem()
		}
		if len(f.OneOf) > 0 {
			c.fitsVariants(at, f, rv)
			return
		}
		c.object(at, f.Fields, rv)
	}
}

// fitsVariants checks a struct that has one pointer per variant.
func (c *tableCheck) fitsVariants(at string, f *connector.Field, rv reflect.Value) {
	for _, v := range f.OneOf {
		field, ok := fieldByTag(rv, v.Name)
		if !ok || field.Kind() != reflect.Pointer || field.Type().Elem().Kind() != reflect.Struct {
			c.fault(join(at, v.Name), "%s has no pointer to a struct for this variant", rv.Type())
			continue
		}
		c.object(join(at, v.Name), v.Fields, reflect.New(field.Type().Elem()).Elem())
	}
}

// holds reports whether the Go type can hold values of the table's type. A type that reads JSON itself may hold any.
func holds(ft connector.FieldType, t reflect.Type) bool {
	if reflect.PointerTo(t).Implements(reflect.TypeFor[interface{ UnmarshalJSON([]byte) error }]()) {
		return true
	}
	switch ft {
	case connector.TypeString:
		return t.Kind() == reflect.String || reflect.PointerTo(t).Implements(reflect.TypeFor[interface{ UnmarshalText([]byte) error }]())
	case connector.TypeInteger:
		return t.Kind() == reflect.Int || t.Kind() == reflect.Int64
	case connector.TypeNumber:
		return t.Kind() == reflect.Float64
	case connector.TypeBoolean:
		return t.Kind() == reflect.Bool
	}
	return false
}

// tags lists the json names of a struct's fields, also of embedded structs.
func tags(t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		f := t.Field(i)
		tag := tagOf(f)
		switch {
		case tag == "-":
		case tag != "":
			out = append(out, tag)
		case f.Anonymous && f.Type.Kind() == reflect.Struct:
			out = append(out, tags(f.Type)...)
		case f.IsExported():
			out = append(out, f.Name+" (no json tag)")
		}
	}
	return out
}
