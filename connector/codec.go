package connector

import (
	"fmt"
	"net/http"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
)

// Codec turns rows into request bytes and response bytes into verdicts. It is pure: no client, no clock, no goroutine,
// no state that changes. It is bound to one stream, mode and schema when it is made, and is safe for concurrent use.
type Codec interface {
	Limits() Limits
	// AppendKeys appends a hash of every identifier by which the vendor may match the row to a record. Rows that share
	// one are sent in order, never at the same time. Two spellings that the vendor takes for one must hash alike.
	AppendKeys(dst []uint64, rows arrow.Record, row int) []uint64
	// AppendRequest fills req (its Body and Header may be reused buffers: append to Body, set Header). A *RowsError says
	// that those rows are refused; the caller drops them and calls again with the rest. Any other error ends the run.
	AppendRequest(req *Request, rows arrow.Record) error
	// ParseResponse reads the answer to a request for these rows. An error means that the answer cannot be read; a 2xx
	// answer is then a lost reply: sent again if Limits().Idempotent, else Ambiguous.
	ParseResponse(resp *Response, rows arrow.Record) (Outcome, error)
}

// Signer is what a Codec or Probe implements whose requests are signed. Sign is called before each attempt, over the
// exact bytes that will be sent, with the sender's clock corrected by what the vendor said of its own.
type Signer interface {
	Sign(req *Request, now time.Time) error
}

// Poller is what a Codec implements whose verdicts come later than the answer.
type Poller interface {
	// AppendPoll asks for the outcome of an earlier request. token "" means that the reply was lost: look these rows up.
	AppendPoll(req *Request, token string, rows arrow.Record) error
	// ParsePoll reads the answer to a poll for token. Retry: the rows are known not to be there; a new Token: take the
	// next step at once.
	ParsePoll(resp *Response, token string, rows arrow.Record) (Outcome, error)
}

// Namer is what a Codec implements whose rows carry their key at the source, so that a message about one row can name
// another.
type Namer interface {
	// Name returns that key, else the identifier that the vendor knows the row by.
	Name(rows arrow.Record, row int) string
}

// Grouper is what the Codec of a Mode with Whole implements: one call replaces all that the CRM holds of a group.
type Grouper interface {
	// AppendGroup appends what names the row's group to people, such as the agent who owns the pool. Rows whose names
	// are equal belong to one group. Nothing appended: the row has no group and AppendRequest refuses it.
	AppendGroup(dst []byte, rows arrow.Record, row int) []byte
}

// Limits are the vendor's published limits of one request and the nature of the call.
type Limits struct {
	Rows       int           // rows per request
	Bytes      int           // body bytes per request; 0: no limit known
	PollRows   int           // rows per poll; 0: as Rows
	Timeout    time.Duration // per call; 0: 30 s
	SplitAfter time.Duration // wait before the halves of a bisected request are sent, if the vendor locks what it has just taken
	Idempotent bool          // a repeated call leaves the same state
	Splittable bool          // rows of one request may be sent in several; if not, one Batch is one request, never cut or joined
	Duplicates Duplicates
}

// Duplicates says what becomes of a row whose key is already waiting or in flight.
type Duplicates uint8

const (
	DuplicatesSeparate Duplicates = iota // the later row goes into a later request
	DuplicatesLastWins                   // the later row replaces the record whole, so an earlier one may be dropped
	DuplicatesReject                     // the vendor refuses repeats: where it took the earlier row, the later one is rejected as "duplicate"
)

// Request is one HTTP call before it is sent.
type Request struct {
	Method, URL string
	Endpoint    string // what the vendor limits as one: the governor's key
	Header      http.Header
	Body        []byte // the exact bytes that are signed and sent
}

// Response is one HTTP answer, its body read up to the cap.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Verdict is what befell a row.
type Verdict uint8

const (
	VerdictDelivered Verdict = iota // the vendor took it
	VerdictRetry                    // it may still pass: send again
	VerdictRejected                 // final; Code says why
	VerdictSuspect                  // at least one of these rows is bad and the vendor does not say which
	VerdictAmbiguous                // nobody knows whether it was taken
	VerdictPending                  // the verdict comes later, see Poller
)

func (v Verdict) String() string {
	names := [...]string{"delivered", "retry", "rejected", "suspect", "ambiguous", "pending"}
	if int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprintf("verdict(%d)", uint8(v))
}

// Outcome is the reading of one answer. Rows not listed in Rows take Verdict, Code and Message.
type Outcome struct {
	Verdict    Verdict
	RetryAfter time.Duration // the whole Endpoint waits that long
	Clock      time.Time     // the vendor's time, when it calls ours wrong: sign again at once with it
	Tries      int           // send at most so often for this cause; 0: the ordinary budget
	Stop       Kind          // not zero: the cause is not in the rows (a bad secret): the run ends with this kind
	Throttled  bool          // the vendor asks for fewer calls; spends none of a row's sends
	RequestID  string        // the vendor's trace id, for rejects and logs
	Token      string        // for Poller
	Code       string        // a key of Vendor.Errors or of LocalErrors, or the vendor's own number
	Message    string        // the vendor's text, verbatim
	Rows       []RowResult   // by row of the request, ascending
}

// RowResult is the verdict on one row. Row counts within the record that the surrounding call speaks of.
type RowResult struct {
	Row           int
	Verdict       Verdict
	RetryAfter    time.Duration // this row alone waits
	Code, Message string        // Message is the vendor's text, or ours for a local refusal
	Field         string        // the field at fault, where known
	Attempts      int           // sends this row took part in; 0 for a local refusal
	RequestID     string        // the vendor's trace id of the last one
}

// RowsError is returned by AppendRequest: these rows cannot be encoded and are refused.
type RowsError struct{ Rows []RowResult }

func (e *RowsError) Error() string {
	if len(e.Rows) == 1 {
		return fmt.Sprintf("row %d refused: %s: %s", e.Rows[0].Row, e.Rows[0].Code, e.Rows[0].Message)
	}
	return fmt.Sprintf("%d rows refused", len(e.Rows))
}
