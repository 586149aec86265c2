// Package sandbox is the server frame that the vendors' local CRMs share: routing of several services on one port, a
// clock and a seed, faults, a journal of every request, and admin routes. A vendor's sandbox is a [Service]; it keeps
// state and answers [Call] values, and sees neither sockets nor faults.
//
//	request ─▶ route ─▶ faults before ─▶ service (state changes here) ─▶ faults after ─▶ journal ─▶ reply
//	                     │ latency, rate, 429, 5xx,     │                    │ stall, malformed, truncate,
//	                     │ html, drop-before            │ knobs (partial)    │ 5xx-after, drop
//
// The journal holds a request before its reply leaves, so whatever a client was told is in it. A fault from the left
// side leaves no trace in the state; one from the right side hits a request that took effect, which is what makes lost
// replies testable.
//
// [Server] is an [net/http.Handler]. [Transport] serves it in process without sockets or goroutines, so it runs inside a
// testing/synctest bubble; [Server.Start] and [Server.Serve] put it on a port, on 127.0.0.1 unless told otherwise.
//
// Admin routes:
//
//	GET  /_sandbox/health                     services, requests so far, clock, faults
//	GET  /_sandbox/state[?service=][&summary] what each service holds
//	GET  /_sandbox/journal[?service=][&after=SEQ][&limit=N]
//	GET  /_sandbox/faults                     the faults in force
//	POST /_sandbox/faults                     body: the syntax of ParseFaults, or {"faults": "..."}; empty: none
//	POST /_sandbox/reset                      back to the start: empty state and journal, the faults of the start
package sandbox
