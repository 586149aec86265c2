package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
)

// Defaults of Config.
const (
	DefaultWindow      = 64 << 20
	DefaultStopTimeout = 8 * time.Second // below the ten seconds that hosts give
)

// Config says what one run joins. Reader, Writer and Plans are required.
type Config struct {
	// Reader and Writer are opened and closed by Run; one whose Open was never called is not closed.
	Reader connector.Reader
	Writer connector.Writer
	// From is where the Reader starts; nil: at the beginning.
	From connector.Position
	// Plans returns the transforms of a stream of that schema; none: the stream is dropped and its rows count as filtered.
	// It is called once per stream and schema, from one goroutine.
	Plans func(stream string, schema *arrow.Schema) ([]connector.Plan, error)
	// Rejects takes the dead letters; nil: rejected rows are counted and told to the Reader, and nothing more.
	Rejects Rejects
	// Checkpoint is given a position before the Reader hears that the batches up to it are settled; nil: not kept here. Where
	// several batches are ready at once it is called with the last position among them only. It need not write each
	// position down: one that passes some over makes a killed run repeat more, and its caller writes Report.Position when
	// the run has ended. Where Ack makes the source forget what it handed out, it must be durable when it returns.
	Checkpoint func(ctx context.Context, pos connector.Position) error

	Window      int64         // bytes between Read and Settle; 0: DefaultWindow
	StopTimeout time.Duration // what a stop gives to the batches in flight; 0: DefaultStopTimeout
	Limit       int64         // stop after so many rows; 0: all

	// MaxRejects stops the run as soon as more rows than that are rejected; nil: no limit, 0: the first one stops it.
	MaxRejects *int64
	// MaxRejectRatio stops the run when more than that share of the rows is rejected, counted from 1,000 rows on; rows that
	// the user filtered out do not count. 0: no limit.
	MaxRejectRatio float64

	Log *slog.Logger // nil: silent
	// Observe is told of progress, from one goroutine: after each settled batch, or less often where it is slower than
	// that, and once at the end. It never holds the run up. Report.Samples is filled in the last call only.
	Observe func(Report)
}

// Rejects takes dead letters. Write is called by one goroutine and returns when they are durable; it keeps nothing of
// what it is given.
type Rejects interface {
	Write(ctx context.Context, rejects []Reject) error
}

// Reject is one dead letter.
type Reject struct {
	Stream string // the source's stream
	Key    string // names the row for people; may be empty
	Result connector.RowResult
	Row    []byte // the original row as a JSON object; where Raw is set, its text as it came
	Raw    bool   // refused when it was read
}

// run is the state that the stages of one Run share.
type run struct {
	Config
	log    *slog.Logger
	window *Window[*flight]
	count  *counter
	letter *rejecter
	watch  *observer

	stopped <-chan struct{} // the caller's ctx
	stopErr func() error    // says why it ended
	reading context.Context // ends at a stop or at the first error: no more reading
	working context.Context // the Writer's: ends when the drain's time is up
	closing context.Context // of rejects, checkpoints and acks: ends a little later, so that what is settled still leaves

	halt, endWork, endClose context.CancelFunc // one for each of the three

	mu     sync.Mutex
	err    error // the first failure
	hung   error // a stage was left behind
	forced bool  // working was cancelled by us: what fails from then on fails because of that
}

// Run moves everything from the Reader to the Writer. It returns when the input has ended and every batch is answered
// and acked, or after a stop or an error, when what was in flight has been drained for at most Config.StopTimeout and a
// little. The Report is valid beside an error too.
//
// When ctx ends, the run stops in two phases; the error then wraps ctx's cause, unless everything was done already.
// ErrRejectLimit is returned (wrapped) when MaxRejects or MaxRejectRatio is exceeded. A stage that does not return even
// after its context ended is left behind, with an Internal error; then the run's own goroutines close the Reader and the
// Writer if it ever does.
func Run(ctx context.Context, c Config) (Report, error) {
	r, cancel := newRun(ctx, c)
	defer cancel()

	finished := make(chan struct{})
	go func() {
		defer close(finished)
		r.chain()
	}()
	r.supervise(finished)

	left := r.window.Abandon()
	report, err := r.finish(left)
	r.watch.close(report, r.grace())
	return report, err
}

func newRun(ctx context.Context, c Config) (*run, func()) {
	if c.Window <= 0 {
		c.Window = DefaultWindow
	}
	if c.StopTimeout <= 0 {
		c.StopTimeout = DefaultStopTimeout
	}
	r := &run{Config: c, log: c.Log, window: NewWindow[*flight](c.Window), count: newCounter()}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	r.letter = newRejecter()
	if tell := c.Observe; tell != nil {
		c.Observe = func(report Report) {
			_ = r.guard("telling of progress", func() error { tell(report); return nil }) // logged; no reason to end a run
		}
	}
	r.watch = newObserver(c.Observe, r.count.snapshot)
	r.stopped, r.stopErr = ctx.Done(), func() error { return context.Cause(ctx) }
	r.reading, r.halt = context.WithCancel(ctx)
	base := context.WithoutCancel(ctx)
	r.working, r.endWork = context.WithCancel(base)
	r.closing, r.endClose = context.WithCancel(base)
	return r, func() { r.halt(); r.endWork(); r.endClose() }
}

// chain runs the stages and returns when the last has ended.
func (r *run) chain() {
	if err := r.guard("opening the reader", func() error { return r.Reader.Open(r.reading, r.From) }); err != nil {
		r.fail(fmt.Errorf("open the input: %w", err))
		r.closeReader()
		return
	}
	if err := r.guard("opening the writer", func() error { return r.Writer.Open(r.working) }); err != nil {
		r.fail(fmt.Errorf("open the output: %w", err))
		r.closeWriter()
		r.closeReader()
		return
	}
	entered := make(chan *flight, 1)
	var stages sync.WaitGroup
	stages.Go(func() {
		defer close(entered)
		r.read(entered)
	})
	stages.Go(func() {
		r.feed(entered)
		r.closeWriter() // answers every batch
		r.letter.close()
	})
	stages.Go(func() {
		r.writeRejects()
		r.window.Close()
	})
	stages.Go(r.ack)
	stages.Wait()
	r.closeReader()
}

func (r *run) closeWriter() {
	if err := r.guard("closing the writer", r.Writer.Close); err != nil {
		r.fail(fmt.Errorf("close the output: %w", err))
	}
}

func (r *run) closeReader() {
	if err := r.guard("closing the reader", r.Reader.Close); err != nil {
		r.fail(fmt.Errorf("close the input: %w", err))
	}
}

// fail records the first failure and stops the reading. What follows from a stop is no failure: a context's error, and
// anything once the drain was cut short.
func (r *run) fail(err error) {
	r.mu.Lock()
	follows := r.forced || isContext(err) && r.stopErr() != nil
	if r.err == nil && !follows {
		r.err = err
	}
	r.mu.Unlock()
	r.halt()
}

// failed returns the first failure. A stop is none.
func (r *run) failed() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// guard turns a panic in fn into an Internal error.
func (r *run) guard(what string, fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.log.Error("panic", "while", what, "value", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = connector.Internalf("This is a defect: report it with the log's stack trace", "panic while %s: %v", what, p)
		}
	}()
	return fn()
}
