// Package spool holds the input of a mode that replaces whole groups until all of it is known: a connector.Reader around
// another one.
//
//	inner Reader ──▶ Plan ─▶ whose group? ──▶ memory, then disk ──▶ end of input ──▶ one Batch a group
//	      ▲                                                                                │
//	      └──────────── Ack of every inner batch, in order, with its own verdicts ◀── all settled
//
// A call of such a mode replaces what the CRM holds of a group, such as an agent's pool. So nothing is handed out before
// the inner Reader has said io.EOF: input that merely stopped, a signal or an error would make the CRM forget what was
// still to come. Nothing is handed out either where a group is more than one request can hold, in rows or in bytes, or
// where one group's rows come from two streams or schemas, since that would be two calls of which the second erases the
// first.
//
// The group of an input row is that of the row which the mapping makes of it, so the Plan is applied here as well as in
// the pipeline. Rows that have no group, because they were refused when read, filtered, rejected by the mapping or lack
// what names the group, come first, in batches of their own: there the pipeline counts and rejects them as it always does.
// Then each group is one Batch, in the order in which the groups first appeared, its rows in the order read. The last
// Batch has no rows; it carries the last position of the inner Reader.
//
// Once the last Batch is acked, every inner Batch is acked once, in the order read, with the verdicts on its own rows. A
// run that ends before that acks none: the input has to be read again from where it began.
//
// Memory holds the rows up to Config.Memory, one group at a time when it is handed out, 8 bytes for each row in flight, and
// the position and the rejected rows of each inner batch. What is more lies in one file that only its owner can read, and
// that has no name: it is gone when the program ends, however it ends.
package spool
