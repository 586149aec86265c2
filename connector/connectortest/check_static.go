package connectortest

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/config"
)

// checkTable: the table of fields and the struct that it is decoded into say the same.
func checkTable(b *bench) {
	config.CheckTable(b.report, b.vendor.Fields, b.vendor.NewConfig())
	if b.vendor.NewConfig() == b.vendor.NewConfig() {
		b.errorf("NewConfig returns the same value twice; one run would see the other's settings")
	}
	hasSecret := false
	for _, f := range b.vendor.Fields {
		hasSecret = hasSecret || f.Secret
	}
	if hasSecret && len(b.secrets) == 0 {
		b.errorf("the sandbox's configuration has no value for any secret field, so no check can find a leak")
	}
}

// checkValidate: a required field that is missing, and a value out of its choice, are refused as Config errors that name
// the field; the error shows no secret.
func checkValidate(b *bench) {
	for _, f := range b.vendor.Fields {
		if f.Required {
			values := maps.Clone(b.sandbox.Config)
			delete(values, f.Name)
			b.refused(values, f.Name, "without it")
		}
		if len(f.Enum) > 0 {
			b.refused(b.with(f.Name, "no such choice"), f.Name, "with a value out of its choice")
		}
	}
	// Validate alone, as a host calls it that fills the struct by itself.
	err := b.vendor.NewConfig().Validate()
	if connector.KindOf(err) != connector.KindConfig {
		b.fatalf("Validate of an empty configuration gives %v, want a config error", err)
	}
	for _, f := range b.vendor.Fields {
		if f.Required && !strings.Contains(err.Error(), f.Name) {
			b.errorf("Validate of an empty configuration does not name %s: %v", f.Name, err)
		}
	}
}

func (b *bench) refused(values map[string]any, field, how string) {
	_, err := decode(b.vendor, values)
	if connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), field) {
		b.errorf("field %s %s: got %v, want a config error that names it", field, how, err)
		return
	}
	b.public("a config error", err.Error())
}

var lowerName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// checkTexts: what docs, forms and rejects are made of is there, and consistent.
func checkTexts(b *bench) {
	v := b.vendor
	if !lowerName.MatchString(v.Name) || v.Title == "" || v.Doc == "" {
		b.errorf("name %q, title %q or description is missing or malformed", v.Name, v.Title)
	}
	var modes []string
	for _, m := range v.Modes {
		if slices.Contains(modes, m.Name) || !lowerName.MatchString(m.Name) || m.Title == "" || m.Doc == "" {
			b.errorf("mode %q is repeated, malformed or without title or description", m.Name)
		}
		modes = append(modes, m.Name)
	}
	if len(modes) == 0 {
		b.fatalf("no modes")
	}
	if got := v.Mode(v.NewConfig()); got != modes[0] {
		b.errorf("the default configuration asks for mode %q, the first mode is %q", got, modes[0])
	}
	if got := v.Mode(b.cfg); !slices.Contains(modes, got) {
		b.errorf("mode %q is none of %v", got, modes)
	}
	if v.Pace.Concurrency < 1 || v.Pace.RequestsPerSecond <= 0 || v.Pace.Source == "" {
		b.errorf("pace %+v: figures and their source are needed", v.Pace)
	}
	for _, name := range slices.Concat(v.MatchKeys, v.Required) {
		if !slices.ContainsFunc(connector.Contact, func(c connector.Column) bool { return c.Name == name }) {
			b.errorf("match key or required column %q is no canonical column", name)
		}
	}
	if len(v.MatchKeys) == 0 {
		b.errorf("no match keys")
	}
	checkErrorTable(b)
}

func checkErrorTable(b *bench) {
	classes := []connector.Class{connector.ClassOK, connector.ClassConfig, connector.ClassRetry, connector.ClassRow, connector.ClassRows}
	seen := map[string]bool{}
	for _, e := range b.vendor.Errors {
		if e.Code == "" || seen[e.Code] {
			b.errorf("error code %q is empty or explained twice", e.Code)
		}
		seen[e.Code] = true
		if e.Meaning == "" || e.Cause == "" || e.Fix == "" {
			b.errorf("error code %s lacks its meaning, cause or fix", e.Code)
		}
		if !slices.Contains(classes, e.Class) {
			b.errorf("error code %s has the class %q, which is none", e.Code, e.Class)
		}
		for _, text := range []string{e.Meaning, e.Cause, e.Fix} {
			if strings.HasSuffix(text, ".") || strings.TrimSpace(text) != text {
				b.errorf("error code %s: %q ends with a stop or has blanks around it; texts are joined into sentences", e.Code, text)
			}
		}
	}
	if len(seen) == 0 {
		b.errorf("no error codes are explained")
	}
}

// explained wants a code that a person may see to have an explanation.
func (b *bench) explained(code, where string) {
	b.report.Helper()
	if _, ok := b.vendor.Explain(code); !ok {
		b.errorf("%s gives code %q, which is not explained", where, code)
	}
}

// checkPreset: the preset compiles for the configuration and turns a canonical contact into columns that the codec takes;
// a contact without any identifier is rejected, not sent.
func checkPreset(b *bench) {
	again, err := b.vendor.Preset(b.cfg)
	b.must(err, "preset")
	first, err := b.vendor.Preset(b.cfg)
	b.must(err, "preset")
	if string(again) != string(first) {
		b.errorf("the preset differs from call to call")
	}
	rec := b.record(b.people(3)...)
	defer rec.Release()
	for _, m := range b.vendor.Modes {
		b.codecIn(m.Name, rec.Schema())
	}
	if _, err := b.vendor.Codec(b.cfg, stream, "no_such_mode", rec.Schema()); connector.KindOf(err) != connector.KindConfig {
		b.errorf("an unknown mode gives %v, want a config error", err)
	}

	applied := b.apply(b.person(0), b.only(b.person(1)), b.person(2))
	defer applied.Rows.Release()
	switch {
	case len(applied.Rejected) != 1 || applied.Rejected[0].Row != 1 || applied.Rows.NumRows() != 2:
		b.errorf("of three contacts the second has no identifier; rejected: %+v, left: %d", applied.Rejected, applied.Rows.NumRows())
	case applied.Rejected[0].Code != connector.CodeNoIdentifier && applied.Rejected[0].Code != connector.CodeRequired:
		b.errorf("a contact without identifier is rejected as %q, want %s or %s", applied.Rejected[0].Code, connector.CodeNoIdentifier, connector.CodeRequired)
	}
	for _, r := range applied.Rejected {
		b.explained(r.Code, "the preset")
	}
	for _, word := range []string{"1", "2", "0", "true"} {
		applied := b.apply(b.person(0).but(contact{"gender": word}))
		if len(applied.Rejected) != 1 {
			b.errorf("gender %q passes the preset as %s; a bare number means something else at each vendor", word, fmt.Sprint(text(applied.Rows)))
		}
		applied.Rows.Release()
	}
}
