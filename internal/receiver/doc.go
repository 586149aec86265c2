// Package receiver takes webhooks: it verifies a request, puts it into the inbox, and answers only when it is on the disk.
//
//	connection: limits ─▶ path known? ─▶ source allowed, within its rate? ─▶ body, bounded ─▶ Hook.Verify over the bytes
//	   ─▶ ticket seen with another body? ─▶ Hook.Split ─▶ inbox.Append ─▶ Hook.Reply ─▶ later: Fetcher, Confirmer
//
// The calls of Fetchers and Confirmers are on a list in the inbox until they are made: see later.go.
//
// Every answer to a known path has the vendor's own shape, Hook.Reply. Whatever keeps a good request from being stored
// asks the sender to send it again: nothing is acknowledged out of memory.
//
// A second listener, the admin, serves health, metrics and the API by which readers in other containers read the inbox
// and people release and replay: see api.go and the package client.
//
// # What a signature proves
//
// Some vendors sign the time of a request but not its body. Such a Ticket is good for any body as long as it is fresh, so
// the receiver remembers each ticket that it has accepted, with the hash of its body, until it expires. The same ticket
// with another body is stored, but quarantined as "token_reuse", which raises a log line and a metric; it is answered as
// if all were well, since it may be an honest sender who signed two requests in one millisecond. The hash of the ticket
// and when it expires are kept with the record, so that a receiver that starts again remembers those which were stored in
// the last two hours, up to the last 100,000 records. It forgets those of requests that brought nothing new (their items
// are known, so a repeat of them has no effect), and the earliest ones if more than two million are fresh at once, which
// it counts.
package receiver
