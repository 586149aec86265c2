// Package deliver turns a connector.Codec into a connector.Writer: one chain of small stages that every vendor shares.
//
//	Write ─▶ keys ─▶ queue ─▶ governor ─▶ encode ─▶ sign ─▶ exchange ─▶ read ─▶ settle ─▶ done
//	                   ▲      (a slot)                                            │
//	                   └─── back to the front, asleep, bisected, or asked for ◀───┘
//
// Write fixes the order of keys and returns. A request is cut only when the governor of its endpoint has a free slot:
// from the front of the queue, across batches, of rows whose keys are free. One goroutine carries a request through
// encoding, signing, the call and the reading of the answer; everything that touches shared state happens under one
// lock and is a state machine over the clock, so that all of it can be tested in fake time.
//
// # Key order
//
// Rows that share an identifier are one person (see people). A person's rows form a chain, in the order written; only
// the first row of a chain may be sent. Identifiers that one row held together stay one person while the row is open
// and, within a bound, after that: a row known by its number and a later one known by the same person's e-mail address
// do not overtake each other.
//
// # What becomes of an answer
//
// The codec reads every answer, whatever its status; where it cannot (ParseResponse returns an error), the chain goes
// by the status:
//
//	2xx                  a lost reply: sent again if the call is idempotent, else ambiguous (see Late verdicts)
//	429                  throttled: the endpoint stops, no send is spent
//	503 + Retry-After    the same, but ambiguous for a call that is not idempotent
//	408, 5xx             as a lost reply
//	401, 403, 407        the run ends as a Config error: the credentials
//	3xx, 404, 405, 410   the run ends as a Config error: the address
//	413, other 4xx       at least one row is bad, nobody says which: bisected
//
// Bodies of requests and answers lie in buffers that are used again: a codec keeps no part of them.
//
// Retry-After on 429 and 503 is honoured also where the codec read the answer. A call that never reached the vendor
// (refused, unknown host, handshake) is repeated whatever its nature; a certificate that cannot be trusted ends the run
// as a Config error. A call whose answer never came is a lost reply.
//
// # Sends
//
// A row has Config.MaxAttempts sends. Throttles and calls that never reached the vendor spend none; lost replies and
// gateway errors spend one only if the endpoint's call before was answered, since otherwise it is the endpoint that is
// down and not the row that is at fault. Rows out of sends, or an endpoint without one success for Config.OutageLimit,
// end the run as a Transient error: an outage never becomes rejects. So do that many lost replies in a row where a call
// must not be repeated, since every further one would leave rows in doubt. Where Outcome.Tries limits a cause, rows that the
// vendor named are rejected after so many sends, a whole request ends the run.
//
// # Suspects
//
// A request of which the vendor says only that something in it is bad is halved until single rows are left, and those
// are rejected. When three whole requests in a row are bad with one code, nothing is delivered in between, and rows
// taken from all over them and sent alone are bad too, the run stops: it is the configuration, not the rows. See doubt.
//
// # Late verdicts
//
// A codec that is a connector.Poller may answer Pending: the rows stay open, their keys held, and are asked for later
// (see ask). Polls go through governor, signature and exchange as requests do, under the endpoint that AppendPoll
// names. Waits are 1, 2, 4, 8, 16 and then 30 s, a RetryAfter is their floor; it makes the rows wait and not the endpoint.
// Another Token is the next step, taken at once, unless the tokens go in a circle. Rows that a poll by token calls Retry
// go back to the front and have spent a send; those it calls Ambiguous are looked up. A poll that fails, is throttled or
// cannot be read says nothing of its rows and is made again. Config.PollLimit bounds the time that a step waits for its
// verdict, and that for which polls fail: then the run ends as a Transient error with the rows open.
//
// Where the codec is a Poller, rows that would be ambiguous are looked up (AppendPoll without a token), after 1 s and
// with the waits above. A look-up may take several steps, such as the pages of a list: rows are settled by whichever
// step finds them, and only the last one says of the others that they are not there. Found is delivered. An accepted
// import may not be in yet, so "not there" counts only when the sixth answered look-up says so, at least 61 s after the
// reply was lost; then the row is sent. A row of which the sixth look-up knows nothing is rejected as ambiguous. Look-ups
// that failed are not counted, nor those that say Pending.
//
// The first Config.LookupFirst rows of a run may have been sent by the run before. They are looked up in the same way
// before they are sent, which takes a minute; rows behind them do not wait.
//
// Limits.PollRows bounds a look-up. A token stands for a request, so its rows are asked for together: cut up, each part
// would fetch the same answer. A look-up finds what the vendor has of a person, by whichever row it came: a codec whose
// rows may repeat a person must tell them apart or use DuplicatesReject. Rows rejected by a poll raise no doubt of the
// configuration, since the vendor took the request.
//
// # Duplicates
//
// DuplicatesSeparate keeps rows of one person in separate requests. DuplicatesReject makes a later row that shares an
// identifier with one still open wait for its verdict, and refuses it if that one was taken, or is ambiguous; the repeat of
// a row that was refused goes out. DuplicatesLastWins behaves as Separate: to drop the earlier row is safe only if the
// later one lands, and that is not known before it has. Only in a request that must not be cut it is dropped.
//
// # Requests that must not be cut
//
// Where Limits.Splittable is false, a batch is one request: never joined, never in parts, never bisected, and sent again
// only as a whole. See whole.go.
//
// # Queries
//
// A Caller asks instead of sending: governor, signature, exchange, reading and waits are those of a Writer, and a query,
// which changes nothing, is asked again whenever its answer was lost.
//
// # Bounds
//
// Write does not block: the bytes of all open batches are bounded by the pipeline's window, which stays charged until
// done is called. Everything here is proportional to those batches, but for the memory of past people, which is capped.
package deliver
