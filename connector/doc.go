// Package connector is the vocabulary of Sluice: the few types that every wire and every vendor speak.
//
// Whatever produces rows is a [Reader], whatever takes them is a [Writer], and one loop (internal/pipeline) moves
// [Batch] values between them through a [Plan]. A CRM is a [Vendor]: a value that holds pure codecs between Arrow rows
// and HTTP bytes. The shared delivery chain (internal/deliver) turns a [Codec] into a Writer, so a vendor never sees a
// client, a clock or a goroutine.
//
//	stdin, file, topic ── Reader ──▶ Plan ──▶ Writer ◀── Codec ── CRM
//	                        ▲                  │
//	                        └────── Settled ◀──┘   (one answer per batch, in the order read)
//
// The package imports the standard library and Arrow only.
package connector
