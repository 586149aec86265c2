package config

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluicehq/sluice/connector"
)

// scalar checks a text, number or truth value. In YAML a string field takes the scalar as it is written, so `no`, `1.10`
// and `0123` stay text; in JSON every value has the type it is written with.
func (d *decoder) scalar(n *yaml.Node, path string, f *connector.Field) *value {
	want := article(f.Type)
	if n.Kind != yaml.ScalarNode {
		d.fault(placeOf(n), path, "must be %s, not %s", want, kindOf(n))
		return nil
	}
	tag, s, refers := n.ShortTag(), n.Value, nowhere
	switch tag {
	case "!!str":
		var ok bool
		if s, refers, ok = d.expand(n, path, d.StandIns); !ok {
			return nil
		}
		if refers == missing {
			return &value{path: path, place: placeOf(n), secret: true, json: mustJSON(StandIn(f))}
		}
	case "!!int", "!!float", "!!bool", "!!timestamp":
	case "!!null":
		d.fault(placeOf(n), path, "is empty; it must be %s", want)
		return nil
	default:
		d.fault(placeOf(n), path, "must be %s; a value that begins with ! is a YAML tag, put it in quotes", want)
		return nil
	}
	referred := refers != nowhere
	if f.Secret && !referred {
		d.literalSecrets++
	}
	v := &value{path: path, place: placeOf(n), secret: f.Secret || referred}
	shown := func() string { // how a fault may show the value
		if v.secret {
			return "the value"
		}
		if f.Type != connector.TypeString && tag != "!!str" {
			return clip(s)
		}
		return strconv.Quote(clip(s))
	}
	if f.Type == connector.TypeString {
		if d.json && tag != "!!str" {
			d.fault(placeOf(n), path, "must be text in quotes, not %s", kindOf(n))
			return nil
		}
		v.json = mustJSON(s)
		return d.text(v, s, shown, f)
	}
	if tag == "!!str" && !referred {
		d.fault(placeOf(n), path, "must be %s, not text", want)
		return nil
	}
	if v.json = literal(f.Type, strings.TrimSpace(s)); v.json == nil {
		d.fault(placeOf(n), path, "%s is not %s", shown(), want)
		return nil
	}
	return d.bounds(v, shown, f)
}

// text checks a string field's own rules.
func (d *decoder) text(v *value, s string, shown func() string, f *connector.Field) *value {
	switch {
	case s == "" && f.Required:
		d.fault(v.place, v.path, "required, but empty%s", where(f))
	case len(f.Enum) > 0 && !slices.Contains(f.Enum, s):
		hint := ""
		if !v.secret {
			hint = suggestOnly(s, f.Enum)
		}
		d.fault(v.place, v.path, "%s is not one of %s%s", shown(), strings.Join(f.Enum, ", "), hint)
	case f.Pattern != "" && s != "" && !regexp.MustCompile(f.Pattern).MatchString(s):
		hint := ""
		if len(f.Examples) > 0 && !f.Secret {
			hint = fmt.Sprintf(", such as %v", f.Examples[0])
		}
		d.fault(v.place, v.path, "%s does not have the form %s%s", shown(), f.Pattern, hint)
	default:
		return v
	}
	return nil
}

func (d *decoder) bounds(v *value, shown func() string, f *connector.Field) *value {
	if f.Type == connector.TypeBoolean {
		return v
	}
	x, err := strconv.ParseFloat(string(v.json), 64)
	if f.Type == connector.TypeInteger && err == nil {
		_, err = strconv.ParseInt(string(v.json), 10, 64)
	}
	switch {
	case err != nil:
		d.fault(v.place, v.path, "%s is out of range", shown())
	case f.Min != nil && x < *f.Min:
		d.fault(v.place, v.path, "%s is too small: at least %s", shown(), decimal(*f.Min))
	case f.Max != nil && x > *f.Max:
		d.fault(v.place, v.path, "%s is too large: at most %s", shown(), decimal(*f.Max))
	default:
		return v
	}
	return nil
}

// decimal writes a bound as people do, without an exponent.
func decimal(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

var (
	integer = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	number  = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
)

// literal returns the JSON text of a number or truth value; nil: it is none. Only plain decimal spellings count: 010,
// 0x1F, 1_000 and yes mean different things to different YAML readers.
func literal(t connector.FieldType, s string) []byte {
	switch t {
	case connector.TypeBoolean:
		if s == "true" || s == "false" {
			return []byte(s)
		}
	case connector.TypeInteger:
		if integer.MatchString(s) {
			return []byte(s)
		}
		// JSON knows one kind of number: 5.0 is a whole one.
		if x, err := strconv.ParseFloat(s, 64); err == nil && number.MatchString(s) && x == math.Trunc(x) && math.Abs(x) < 1<<53 {
			return strconv.AppendInt(nil, int64(x), 10)
		}
	case connector.TypeNumber:
		if number.MatchString(s) {
			return []byte(s)
		}
	}
	return nil
}

func article(t connector.FieldType) string {
	switch t {
	case connector.TypeInteger:
		return "a whole decimal number"
	case connector.TypeNumber:
		return "a decimal number"
	case connector.TypeBoolean:
		return "true or false"
	}
	return "text"
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("config: a default that is not JSON: %v", err)) // a faulty table
	}
	return b
}

// text is the string of a JSON string.
func text(b []byte) string {
	var s string
	_ = json.Unmarshal(b, &s) // written by mustJSON
	return s
}

func clip(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
