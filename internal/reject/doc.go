// Package reject keeps dead letters: a directory of JSON lines, one a rejected row, that people read, mend and send
// again.
//
//	20260102T030405Z-3fa9c1d2-0001.jsonl   the rejects of one run: <opened>-<run>-<number>; mode 0600, rotated by size
//	marks.jsonl                            what became of them: {"time":…,"mark":"landed","ids":[…]}, only appended to
//	lock                                   shared by runs that write, exclusive to a purge
//	retry.lock                             held by a retry: there is one at a time
//
// A line is written once and never changed; it is durable when Write returns, and only then does its row count as
// settled. What a crash cuts off in the middle of a line was never settled, so its row is read again by the next run:
// such a tail is counted and passed over, never an error.
//
//	{"id":"3fa9c1d2-1-17","run":"3fa9c1d2","time":"2026-01-02T03:04:05Z","stream":"contacts","key":"+8613…",
//	 "code":"1005","field":"","message":"the vendor's text, verbatim",
//	 "explanation":{"meaning":"…","cause":"…","fix":"…"},"attempts":1,"request_id":"…","row":{…}}
//
// "row" is the original row: an object, or a string where what was read is no JSON object, such as a broken CSV line. It is
// the only member to edit before a line is sent again; a string that is no JSON object is not sent again unless an object
// takes its place.
package reject
