// Package file reads contacts from JSON lines and CSV: from a file or standard input, plain or gzip, UTF-8 or GB18030.
//
// There is no schema: the fields that the mapping names become columns of raw JSON, everything else goes to "_extra". So a
// field may come late and change its type. A CSV cell is a JSON string; an empty one is absent.
//
//	file ─▶ gunzip ─▶ decode ─▶ internal/lines ─▶ line, or CSV record as a JSON object ─▶ rows.Builder ─▶ Batch
//
// The position behind every batch of a file is
//
//	{"file":"contacts.csv","offset":1234,"line":18,"row":17,"head":"1024:89abcdef01234567"}
//
// offset counts bytes of text (after gunzip and decoding), line the newlines and row the rows before it; head is the length and
// a hash of the file's first bytes, by which another file of the same name is known. What is not a regular file (standard
// input, a pipe) has no positions.
package file
