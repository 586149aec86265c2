package sluice

import _ "embed"

// DemoContacts is a file of made-up contacts, one JSON object a line; some are wrong on purpose.
//
//go:embed testdata/contacts.jsonl
var DemoContacts []byte

// DemoMapping is the mapping that belongs to DemoContacts.
//
//go:embed testdata/contacts.yaml
var DemoMapping []byte
