// Package config reads configuration strictly, by tables of connector.Field, and turns the same tables into JSON Schema.
//
//	bytes ─ parse ─▶ nodes with lines ─ check by table ─▶ values ─ assign ─▶ struct (json tags)
//	                                     │
//	                                     └─▶ faults: every one at once, "file:line: path: what is wrong, how to mend it"
//
// YAML and JSON are read alike. A string may hold references: ${env:NAME} is an environment variable, ${file:PATH} the
// text of a file without its trailing line breaks (a relative path starts at the configuration file's folder), and $${
// stands for a plain ${. What a reference yields is not looked at again. A missing variable or file is a fault.
//
// An object with OneOf is written as one key that names the variant,
//
//	to: {nxlink: {access_key: …}}
//
// or flat, with the field's discriminator; that is the form of the generated schema:
//
//	{"crm": {"vendor": "nxlink", "access_key": "…"}}
//
// A map is written as a mapping or, as forms do, as a list of {"name": …, "value": …}. A free-form object (TypeObject
// without Fields and OneOf) is handed over as text in a [Raw], with its lines in place.
//
// The value of a secret field never appears in a fault, and no value that came from a reference does.
package config
