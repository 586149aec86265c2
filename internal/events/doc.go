// Package events reads webhooks out of an inbox as rows: a connector.Reader over one stream of one vendor account.
//
//	inbox.Log ── page ──▶ requests of the account ── Hook.Decode ──▶ rows.Builder ── cut ──▶ Batch + Position
//	                       │ damaged, trimmed: told          │ cannot be read: a row with the request as it came
//
// A position is the sequence of the last row, {"seq":N,"v":1,"inbox":"ID"}. Requests are decoded when they are read, so the same stretch
// gives the same rows each time, and a read from any position is the exact rest, also from the middle of a request. Where
// a request is done with, its position is the last sequence that an item of it could have.
//
// Items that were there before, in an earlier request, are left out. Nothing else is: what no decoder understands becomes
// a row of the webhook's first stream, and every request is a row of the stream raw_events, as it came.
//
// The inbox may have lost requests, or removed them by age before they were read. Both are told, with their numbers, or
// end the run where the configuration says so.
package events
