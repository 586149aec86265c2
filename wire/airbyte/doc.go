// Package airbyte lets a program be an Airbyte destination, or a source: the commands spec, check, discover and write or
// read, and the messages on standard input and output.
//
//	stdin ─▶ internal/lines ─▶ envelope ─┬─ RECORD ─▶ the stream's rows.Builder ─▶ Batch ─▶ (the run)
//	                                     └─ STATE ──▶ ledger ◀───────────── Ack(Settled) ◀────┘
//	                                                    │ every row before it is settled
//	stdout ◀─ output ◀──────────────────────────────────┘ the state as it came + destinationStats
//
// Batches are cut by rows, bytes and age, never at a STATE: the ledger keeps each state with the number of rows of its
// stream that came before it, and lets it go, in order, once so many rows have been acknowledged. A state that covers
// several streams (GLOBAL, the old untyped form, or one of a stream that the catalog does not name) waits for the rows of all
// of them. What a state holds is never read beyond that, so it leaves with every property that it came with.
//
// A source reads the streams of its catalog one after another, each by a run of its own:
//
//	vendor's Reader ─▶ emitter ─▶ stdout: STARTED · RUNNING · RECORD … STATE · RECORD … STATE · COMPLETE or INCOMPLETE
//
// A STATE stands exactly behind the records that it covers. A stream that cannot be read does not keep the others back.
// While the CRM wants fewer calls, the stream is RUNNING with the reason RATE_LIMITED, and plain RUNNING once it has got on.
//
// Nothing but output writes to standard output, and it has a goroutine of its own: a host that does not read
// while it writes cannot stall the run.
package airbyte
