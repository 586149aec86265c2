// Package casefile runs cases that stand beside a mapping: a record, and what must become of it.
//
//	contacts.test.yaml ── Parse ──▶ File ── Run ──▶ Result per case ── Update ──▶ the file with what really came out
//
// A case expects the columns that the mapping alone makes (out), the body of the CRM's request (request), a refusal
// (reject) or that the row is left out (filtered). Nothing is sent, and no secret is needed.
package casefile
