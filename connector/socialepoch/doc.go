// Package socialepoch writes contacts to SocialEpoch, a CRM for WhatsApp in which every contact belongs to an agent.
//
// One codec serves its import interfaces; they differ in a row of the table endpoints:
//
//	mode          path                                                what it does
//	import        /wscrm-bus-api/customer/api/batchImport             adds or updates the agent's customers
//	pool_append   /wscrm-bus-api/customer/api/batchImportAppendV2     adds to the agent's import pool
//	pool_replace  /wscrm-bus-api/customer/api/batchImportWhatsContact replaces the agent's import pool, as a whole
//
// A request carries up to 10,000 contacts. Three headers authorise it: the company's id, the time in milliseconds, and
// the MD5 of both joined with the API key. The body is not signed.
//
// The answer speaks of single contacts, but not always well: a failed one may come without its number, and several may be
// counted where one is listed. A failure is given to a row only where the answer says whose it is, or where it is every
// row's; else the rows it may lie in are Suspect, and the delivery chain bisects them. See reading.go.
//
// What a canonical contact becomes on the wire is said by preset.yaml. The vendor names no match key; what is assumed is
// agent and WhatsApp number together.
//
// # The way back
//
// Two webhooks and a query come back as streams, see streams.go:
//
//	request ─ Verify ─ Split ─▶ (stored, repeats marked) ─ Decode ─▶ profile_changes, follow_ups
//	query of one account after another ─ ParsePage ─▶ contacts
//
// The signature of a webhook covers the company and the time, not the body. frame.go finds the items by brackets alone, at
// the door and when reading, so both always count alike; only then is an item looked into. An item that cannot be read is
// a row that holds it as a text.
package socialepoch
