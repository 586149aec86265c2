// Package pull turns a connector.Puller into a connector.Reader: the pages of a query, one after another.
//
//	Read ─▶ Caller (pace, signature, repeats) ─▶ ParsePage ─▶ rows ─▶ batches of the page ─▶ its position on the last of them
//
// A walk goes from page to page until the vendor says that there is no more; then Read gives io.EOF, or, where the reader
// follows, waits and begins the next walk. An answer that cannot be read takes none of its rows along: the page is asked
// for again, so that no row is lost and, within one walk, none comes twice for that reason. A walk that cannot go on ends
// with an error that says why, never with io.EOF.
//
// # Positions
//
// A position stands at the end of each page; the batches before the last one of a page have none. The position at the end
// of a walk is where the next one begins: behind what was read where the vendor tells changes apart, else at the first
// page again. Every position is that of one vendor and stream, and Open refuses those of others.
//
// # Bounds
//
// What is held is one page, which the caller's cap on answers bounds, in batches of bounded rows and bytes. The next page
// is asked for only when all of one are handed out.
package pull
