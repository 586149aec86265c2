// Command contacts writes the made-up contacts in testdata: what a careless source hands over.
//
//	contacts.jsonl        the contacts, one JSON object a line; about 3 % are wrong on purpose
//	contacts.truth.jsonl  what is odd or wrong in which line, and what must become of it under contacts.yaml
//	contacts.csv          some of the sound ones as a table, with a byte order mark and quoted commas
//
// The mapping testdata/contacts.yaml is written by hand. The program is seeded: it writes the same bytes each time, and a
// test holds the files to what it writes. Run it with go generate after a change. Nobody in the files exists: mail
// domains are those reserved for examples, and so are the numbers wherever a country reserves some.
package main

//go:generate go run . -out ../../../testdata
