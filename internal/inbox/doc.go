// Package inbox is a durable log of webhook requests. A request that Append has answered without an error is on the
// disk; readers walk the log by its sequence and always see the same suffix, also after a crash.
//
//	Append → bounded queue → one writer: BEGIN · records · keys from earlier · head · COMMIT (synced) → head file → answers
//	Reader (this or another process) → snapshot → checked records
//
// The folder holds
//
//	inbox.db, inbox.db-wal, inbox.db-shm   an SQLite database in WAL mode
//	head                                   the last sequence that was answered: see below
//	lock                                   the process id of the writer
//	inbox.db-salvaged                      the database that a salvage has made, until it takes the place of the old one
//
// SQLite's pages carry no checksum, and a write-ahead log that is damaged in its middle is silently cut there. So the
// package trusts neither:
//
//   - Every record carries a CRC-32C over its sequence and its bytes; so do the head, the endpoints and the consumers.
//   - Sequences have no holes: of the sequences from the floor (what was trimmed) to the head, one that is not there was
//     lost, and readers say so.
//   - The file head is written after each commit and before its answers, but not synced each time: it survives the
//     death of the process. If it is ahead of the database, answered requests have vanished. They are reported as lost,
//     and their sequences are never used again.
//
// A record that is damaged is never served: Read names it beside the records that are good.
//
// Some requests ask for something that can be done only when they are stored. Such a record gets onto the list FollowUps
// in the transaction that stores it, and stays there, and out of reach of retention, until Done or GiveUp.
//
// A record, behind its sequence and a tag (its endpoint, with a check, so that a reader of one endpoint need not load
// the records of others), is one blob, integers little-endian:
//
//	crc32c u32 | version u8 | flags u8 | endpoint u32 | received, ns u64 | origin u64 | items u32 |
//	seen, one bit an item | flags 1 (quarantined) and 4 only: a 16-byte key an item |
//	method | note | reason | header: count, then name and value each | body to the end
//
// where texts and counts are led by a uvarint.
package inbox
