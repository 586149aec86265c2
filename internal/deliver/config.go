package deliver

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
)

// Config says what to deliver and how. Codec and, unless DryRun is set, Transport are needed; the rest has defaults.
type Config struct {
	// Codec makes the codec of a stream and schema. It is called once for each that comes along.
	Codec func(stream string, schema *arrow.Schema) (connector.Codec, error)
	// Transport makes the calls. It must return soon once a request's context is done.
	Transport http.RoundTripper
	// Concurrency is how many calls of one endpoint may be in flight; 0: 4.
	Concurrency int
	// RequestsPerSecond is the pace of one endpoint; 0: no limit.
	RequestsPerSecond float64
	// Linger is how long a request that is not full waits for more rows; 0: 200 ms, negative: not at all.
	Linger time.Duration
	// Timeout of one call; 0: the codec's, else 30 s.
	Timeout time.Duration
	// MaxAttempts is how often a row is sent before the run ends; 0: 8.
	MaxAttempts int
	// OutageLimit is how long an endpoint may be without one success before the run ends; 0: 15 min.
	OutageLimit time.Duration
	// PollLimit is how long an accepted row may be without a verdict, where the codec is a Poller, before the run ends;
	// 0: 15 min.
	PollLimit time.Duration
	// LookupFirst is how many rows, from the first of the run, an earlier run may have sent; 0: none. Where a repeat
	// does harm and the codec is a Poller, they are looked up before they are sent.
	LookupFirst int
	Alloc       memory.Allocator
	Log         *slog.Logger
	// DryRun, if set, is handed every request instead of sending it; nothing is signed, and the rows count as delivered.
	// It is called from one goroutine at a time; the request is valid only during the call. Its error ends the run.
	DryRun func(*connector.Request) error
}

func (c Config) withDefaults() Config {
	if c.Concurrency <= 0 {
		c.Concurrency = 4
	}
	if c.Linger == 0 {
		c.Linger = 200 * time.Millisecond
	}
	if c.MaxAttempts <= 0 {
		c.MaxAttempts = 8
	}
	if c.OutageLimit <= 0 {
		c.OutageLimit = 15 * time.Minute
	}
	if c.PollLimit <= 0 {
		c.PollLimit = 15 * time.Minute
	}
	if c.Alloc == nil {
		c.Alloc = memory.DefaultAllocator
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Stats counts what a Writer has done so far.
type Stats struct {
	Requests   int64 `json:"requests"`   // calls made that carry rows
	Retries    int64 `json:"retries"`    // of these, calls that held rows sent before
	Throttled  int64 `json:"throttled"`  // answers that asked for fewer calls
	Lost       int64 `json:"lost"`       // calls that ended in a server error, or whose answer never came or could not be read
	Bisections int64 `json:"bisections"` // suspect requests that were split or set aside
	Rows       int64 `json:"rows"`       // rows delivered
	Rejected   int64 `json:"rejected"`   // rows rejected
	Resigned   int64 `json:"resigned"`   // calls repeated because the vendor called our clock wrong
	// Polls counts the calls that ask for verdicts, beside Requests.
	Polls int64 `json:"polls,omitempty"`
}

// CodeError is the cause in an error that ends a run because of what the vendor answered. Code is a key of the vendor's
// error table, where meaning and fix are.
type CodeError struct{ Code, Message, RequestID string }

func (e *CodeError) Error() string {
	var s strings.Builder
	if e.Code != "" {
		fmt.Fprintf(&s, "code %s", e.Code)
	}
	if e.Message != "" {
		if s.Len() > 0 {
			s.WriteString(", ")
		}
		fmt.Fprintf(&s, "%q", e.Message)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&s, " (request id %s)", e.RequestID)
	}
	return s.String()
}
