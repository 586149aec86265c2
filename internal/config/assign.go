package config

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/sluicehq/sluice/connector"
)

var (
	choiceType = reflect.TypeFor[Choice]()
	rawType    = reflect.TypeFor[Raw]()
)

// target assigns and validates; an error is a defect of the caller.
func (d *decoder) target(into any, v *value) error {
	rv := reflect.ValueOf(into)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return connector.Internalf("", "config: decode into %T: not a pointer to a struct", into)
	}
	d.assign(rv.Elem(), v)
	if len(d.faults) == 0 {
		d.validate(into, v)
	}
	return nil
}

// assign writes a checked value into the struct. What fails here is a value that the table lets pass and the type does
// not, or a struct that does not fit its table; CheckTable finds the latter in tests.
func (d *decoder) assign(rv reflect.Value, v *value) {
	if rv.Kind() == reflect.Pointer {
		if v.absent {
			return
		}
		if rv.IsNil() {
			rv.Set(reflect.New(rv.Type().Elem()))
		}
		rv = rv.Elem()
	}
	switch {
	case rv.Type() == choiceType && v.variant != nil:
		rv.Set(reflect.ValueOf(Choice{Name: v.variant.name, v: v.variant.v, d: d}))
	case rv.Type() == rawType && v.raw != nil:
		rv.Set(reflect.ValueOf(*v.raw))
	case v.json != nil:
		d.leaf(rv, v)
	case v.variant != nil:
		d.assignMembers(rv, v, []named{*v.variant})
	case v.items != nil:
		d.assignItems(rv, v)
	case v.entries != nil:
		d.assignEntries(rv, v)
	default:
		d.assignMembers(rv, v, v.members)
	}
}

func (d *decoder) leaf(rv reflect.Value, v *value) {
	err := json.Unmarshal(v.json, rv.Addr().Interface())
	if err == nil {
		return
	}
	if v.secret {
		d.fault(v.place, v.path, "the value does not fit")
		return
	}
	d.fault(v.place, v.path, "the value does not fit: %s", strings.TrimPrefix(err.Error(), "json: "))
}

func (d *decoder) assignMembers(rv reflect.Value, v *value, members []named) {
	if rv.Kind() != reflect.Struct {
		d.fault(v.place, v.path, "cannot be held by %s", rv.Type())
		return
	}
	for _, m := range members {
		f, ok := fieldByTag(rv, m.name)
		if !ok {
			d.fault(m.v.place, m.v.path, "%s has no field for it", rv.Type())
			continue
		}
		d.assign(f, m.v)
	}
}

func (d *decoder) assignItems(rv reflect.Value, v *value) {
	if rv.Kind() != reflect.Slice {
		d.fault(v.place, v.path, "cannot be held by %s", rv.Type())
		return
	}
	out := reflect.MakeSlice(rv.Type(), len(v.items), len(v.items))
	for i, item := range v.items {
		d.assign(out.Index(i), item)
	}
	rv.Set(out)
}

func (d *decoder) assignEntries(rv reflect.Value, v *value) {
	if rv.Kind() != reflect.Map || rv.Type().Key().Kind() != reflect.String {
		d.fault(v.place, v.path, "cannot be held by %s", rv.Type())
		return
	}
	out := reflect.MakeMapWithSize(rv.Type(), len(v.entries))
	for _, e := range v.entries {
		val := reflect.New(rv.Type().Elem()).Elem()
		d.assign(val, e.v)
		out.SetMapIndex(reflect.ValueOf(e.name).Convert(rv.Type().Key()), val)
	}
	rv.Set(out)
}

// fieldByTag finds the field whose json tag is name, also in embedded structs.
func fieldByTag(rv reflect.Value, name string) (reflect.Value, bool) {
	t := rv.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		tag := tagOf(f)
		if tag == name && f.IsExported() {
			return rv.Field(i), true
		}
		if f.Anonymous && tag == "" && f.Type.Kind() == reflect.Struct {
			if found, ok := fieldByTag(rv.Field(i), name); ok {
				return found, true
			}
		}
	}
	return reflect.Value{}, false
}

func tagOf(f reflect.StructField) string {
	tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return tag
}
