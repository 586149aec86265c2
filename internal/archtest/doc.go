// Package archtest holds the project's import rules. It has tests only.
//
//	connector ◀── transforms, internal/*, wire/*, vendors ◀── cmd
//
// A vendor knows the vocabulary, connector/restapi and internal/rows; a wire knows no vendor; only cmd and connector/all
// know vendors by name; standard output belongs to cmd and to the wires whose protocol it carries.
package archtest
