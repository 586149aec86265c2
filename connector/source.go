package connector

import (
	"errors"
	"net/http"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
)

// ReadAnew is what to do about a position from which a stream cannot go on, whoever keeps the position.
const ReadAnew = "Read the stream from its beginning: with `sluice run --from-start`, or in Airbyte by clearing the stream"

// Source is what a vendor gives back, as streams of rows: webhooks that it sends and queries that it answers. Like
// Vendor it is a value, and all its functions are pure.
type Source struct {
	// NewConfig returns a pointer to a Config filled with defaults: one account to hear from and to query. Fields is the
	// table of the same struct.
	NewConfig func() Config
	Fields    []Field
	Streams   []Stream
	Webhooks  []Webhook
	// Tenant is what tickets of this configuration's webhooks name as their tenant, so that of an inbox with several accounts
	// nobody reads those of another; "": they name none. A source without webhooks needs none.
	Tenant func(cfg Config) string
	// Puller makes the query behind a stream, whose rows are in canonical form as those of webhooks are; nil, or a nil
	// Puller: the stream comes from webhooks alone, or this configuration has no account to ask.
	Puller func(cfg Config, stream string) (Puller, error)
	// Lookup makes a call, once before queries, whose ParseResponse completes the configuration with what only the CRM
	// knows, such as the names of custom fields; nil, or a nil Probe: this configuration needs none.
	Lookup func(cfg Config) (Probe, error)
	// Check makes a call that changes nothing and tells whether queries will be answered; nil, or a nil Probe: there is
	// nothing to ask.
	Check func(cfg Config) (Probe, error)
}

// Stream describes rows that a vendor gives.
type Stream struct {
	Name, Title, Doc string
	Columns          []StreamColumn
	Key              []string // columns that name a row, never null
	Cursor           string   // column that grows from row to row; "": the stream is read whole each time
}

// StreamColumn is a column of a Stream.
type StreamColumn struct {
	Name string
	Type ColumnType
	Doc  string
}

// ColumnType says what values a column holds.
type ColumnType uint8

const (
	ColumnText    ColumnType = iota
	ColumnInteger            // 64 bits
	ColumnBoolean
	ColumnTimestamp // RFC 3339 with zone, as text
	ColumnDate      // 2006-01-31, as text
	ColumnTexts     // list of texts
	ColumnJSON      // any JSON value, raw
)

// Schema returns the Arrow schema of the stream's rows.
func (s *Stream) Schema() *arrow.Schema {
	fields := make([]arrow.Field, len(s.Columns))
	for i, c := range s.Columns {
		f := arrow.Field{Name: c.Name, Type: arrow.BinaryTypes.String, Nullable: true}
		switch c.Type {
		case ColumnInteger:
			f.Type = arrow.PrimitiveTypes.Int64
		case ColumnBoolean:
			f.Type = arrow.FixedWidthTypes.Boolean
		case ColumnTexts:
			f.Type = arrow.ListOf(arrow.BinaryTypes.String)
		case ColumnJSON:
			f = JSONField(c.Name)
		}
		fields[i] = f
	}
	return arrow.NewSchema(fields, nil)
}

// Columns that every row of a webhook stream begins with.
var EventColumns = []StreamColumn{
	{Name: "event_id", Type: ColumnText, Doc: "the vendor's id of the event, or a hash of the item where it gives none"},
	{Name: "seq", Type: ColumnInteger, Doc: "grows with each event, in the order in which they were stored"},
	{Name: "received_at", Type: ColumnTimestamp, Doc: "when the request arrived"},
	{Name: "occurred_at", Type: ColumnTimestamp, Doc: "when it happened, by the vendor's clock; absent where the vendor does not say"},
	{Name: "vendor", Type: ColumnText, Doc: "the CRM"},
	{Name: "tenant_id", Type: ColumnText, Doc: "the account at the CRM, from the part of the request that is authenticated"},
}

// StreamRawEvents is the stream of every accepted webhook, verbatim. It is made by the shared code, for every vendor.
const StreamRawEvents = "raw_events"

// Webhook is one kind of request that a vendor sends.
type Webhook struct {
	Name       string // snake_case; part of the endpoint's address
	Title, Doc string
	Streams    []string // that it feeds, beside StreamRawEvents
	// Hook binds it to an account.
	Hook func(cfg Config) (Hook, error)
}

// Refusals of Hook.Verify.
var (
	ErrForged = errors.New("the request is not signed by a secret of this account")
	ErrStale  = errors.New("the request was signed too long ago, or in the future")
)

// Hook verifies, splits, decodes and answers the requests of one Webhook and account. It is pure and safe for
// concurrent use.
type Hook interface {
	// Verify tells whether req was made, about now, by someone who knows one of the account's secrets. It reads the exact
	// bytes received, compares in constant time, and tries every secret. ErrForged and ErrStale (wrapped) are its refusals.
	Verify(req *Request, now time.Time) (Ticket, error)
	// Split finds the items of a body and the key by which a repeated item is known. It looks no deeper than it has to. An
	// error means that the body cannot be split: it is stored all the same, as one item.
	Split(body []byte) ([]Item, error)
	// Decode appends the rows of every stream that the request feeds, items that were seen before left out. Items it
	// cannot read become rows too, with what is known of them and the item in "raw"; an error means that the body holds no items.
	Decode(in *Received, out Events) error
	// Reply is the answer that the vendor wants. err nil: stored. ErrForged and ErrStale refuse the request for good; any
	// other error asks the vendor to send it again.
	Reply(err error) Response
}

// Fetcher is what a Hook implements whose requests may name an address where their content lies. Whoever keeps the
// requests calls it once a request is stored and answered, past a guard against addresses that must not be called, and
// stores what ParseFetch makes of the answer as a further request of the same webhook; Split gives its items keys of
// their own. What cannot be fetched changes nothing: the rows of the first request hold the address. One that implements
// Signer is signed.
type Fetcher interface {
	// AppendFetch asks for what a stored body lacks. False: it lacks nothing. An error: the address is not one to call.
	AppendFetch(req *Request, body []byte) (bool, error)
	// ParseFetch appends to dst the body with its content in place. Verdicts of the Outcome are those of
	// Puller.ParsePage; nothing is appended unless it is Delivered.
	ParseFetch(dst []byte, resp *Response, body []byte) ([]byte, Outcome, error)
}

// Confirmer is what a Hook implements whose requests may name an address where their sender wants to be told, apart from
// the answer, that they were stored. Whoever keeps the requests calls it once a request is stored and answered, if the
// host of the address is one that a person has listed, and past the same guard as a Fetcher's.
type Confirmer interface {
	// AppendConfirm makes the call for a stored body, signed for now. False: none is asked for.
	AppendConfirm(req *Request, body []byte, now time.Time) (bool, error)
	// ParseConfirm reads the answer: Delivered, Retry, or Rejected for good. An error means that it cannot be read.
	ParseConfirm(resp *Response) (Outcome, error)
}

// Ticket is what a signature proves. Where it does not cover the body, the same one with another body is suspicious.
// Without a Token nothing was signed: only the address of the endpoint is proved, and no repeat is suspicious.
type Ticket struct {
	Tenant  string
	Signed  time.Time // by the vendor's clock; zero: it does not say
	Expires time.Time // from then on Verify takes it for stale; zero: never
	Token   string    // what was verified; kept as a hash only
	HasBody bool      // the signature covers the body
}

// Item is one event of a webhook request.
type Item struct {
	// Key names the event across deliveries; "": the hash of Bytes names it.
	Key   string
	Bytes []byte // part of the body
}

// Received is a webhook request as it was stored.
type Received struct {
	Seq    int64 // of the request; an item's is Seq<<16 + its index
	At     time.Time
	Tenant string
	Header http.Header
	Body   []byte
	// Seen tells whether an item was stored before, with an earlier request.
	Seen func(item int) bool
}

// ItemSeq is the sequence number of an item.
func (r *Received) ItemSeq(item int) int64 { return r.Seq<<16 + int64(item) }

// Puller is a query as a stream. It is pure and safe for concurrent use. One that implements Signer is signed.
type Puller interface {
	// AppendQuery asks for the page at from; nil: the first. The position is one that ParsePage gave.
	AppendQuery(req *Request, from Position) error
	// ParsePage appends the rows of the page that was asked for at from. Verdicts of the Outcome: Delivered, the rows are
	// in; Retry, ask again; Rejected, the query cannot be answered and the stream ends with Code and Message. An error
	// means that the answer cannot be read.
	ParsePage(resp *Response, from Position, out Rows) (Page, Outcome, error)
}

// Page is what a Puller read.
type Page struct {
	Next Position // where the next page begins; where More is false: where a later run begins, nil: at the first page again
	More bool
}
