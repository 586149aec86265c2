package airbyte

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUsage   = 2
	exitStopped = 128 + 15 // asked to stop, by a signal
)

// Destination is what a program has to bring along to be an Airbyte destination. Its functions get the configuration as
// the host wrote it.
type Destination struct {
	// Spec is the ConnectorSpecification, one JSON object. Values that it marks as airbyte_secret are hidden in all output.
	Spec []byte
	// Check tells whether the configuration works: nil if it does. An Internal error is a defect, any other the answer "no".
	Check func(ctx context.Context, config []byte) error
	// Operations lists the objects that can be written, and how.
	Operations func(config []byte) ([]Operation, error)
	// Write moves everything from in to where it belongs, and returns nil if each row has been delivered, filtered or
	// rejected. It opens and closes in. After ctx is done it settles what is in flight and returns soon.
	Write func(ctx context.Context, config []byte, in connector.Reader, log *slog.Logger) error

	// What follows may be left out.

	// Fields names the fields that become columns where the catalog has no usable schema for a stream.
	Fields func(config []byte) (func(stream string) []string, error)
	// Secrets returns values to hide beside those that Spec marks.
	Secrets func(config []byte) []string

	// Complete says why the destination takes complete input only, such as "mode x"; "": it takes what comes. It then gets
	// no stream that is synced incrementally, and the input counts as complete only if every stream says so.
	Complete func(config []byte) (why string, err error)

	BatchRows  int           // rows of a batch; default 1,000
	BatchBytes int64         // a batch is cut once it holds so much; default 1 MiB
	BatchAge   time.Duration // rows wait no longer than this; default 1 s
	Alloc      memory.Allocator
}

// console is what every command writes to: standard output as messages, in which no secret of the configuration is seen.
type console struct {
	spec    []byte
	secrets func(config []byte) []string // beside those that spec marks; may be nil
	out     *output
	mask    *masker
	log     *slog.Logger
	failed  bool // a TRACE ERROR was written: the host takes the first
}

func newConsole(stdout io.Writer, spec []byte, secrets func([]byte) []string, broken func(error)) *console {
	c := &console{spec: spec, secrets: secrets, mask: &masker{}}
	c.out = newOutput(stdout, func(err error) { broken(fmt.Errorf("write standard output: %w", err)) })
	c.log = slog.New(newHandler(c.out, c.mask))
	return c
}

// session is one run of one command.
type session struct {
	Destination
	*console
}

// Main runs the command that args (without the program's name) ask for and returns the exit code: 0 done, 1 failed (an
// error trace says why), 2 wrong usage, 143 stopped by ctx. write returns 0 only when standard input has ended and
// everything in it is settled and told to the host.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, d Destination) int {
	return program(ctx, destinationCommands, args, stdout, stderr, d.Spec, d.Secrets, func(ctx context.Context, a arguments, c *console) int {
		return (&session{Destination: d, console: c}).run(ctx, a, stdin)
	})
}

// program is what the programs of this package have in common: the command line, standard output, the exit code. A panic
// in run becomes an error trace.
func program(ctx context.Context, known commands, args []string, stdout, stderr io.Writer, spec []byte, secrets func([]byte) []string,
	run func(context.Context, arguments, *console) int) (code int) {
	a, err := parseArgs(known, args)
	if a.help {
		fmt.Fprint(stderr, known.usage)
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "%v\n%s", err, known.usage)
		return exitUsage
	}
	running, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := newConsole(stdout, spec, secrets, cancel)
	code = c.guard(func() int { return run(running, a, c) })
	if err := c.out.close(ctx); err != nil && code == exitOK {
		fmt.Fprintln(stderr, "write standard output:", err)
		return exitFailed
	}
	return code
}

func (c *console) guard(run func() int) (code int) {
	defer func() {
		if p := recover(); p != nil {
			c.trace(fmt.Errorf("panic: %v", p), string(debug.Stack()))
			code = exitFailed
		}
	}()
	return run()
}

// run runs the command.
func (s *session) run(ctx context.Context, a arguments, stdin io.Reader) int {
	var err error
	switch a.command {
	case "spec":
		err = s.printSpec()
	case "check":
		err = s.check(ctx, a, s.Check)
	case "discover":
		err = s.discover(a)
	case "write":
		return s.write(ctx, a, stdin)
	}
	return s.end(ctx, err)
}

// end is the exit code of a command that ended with err, which is told.
func (c *console) end(ctx context.Context, err error) int {
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil && stopped(ctx, err):
		return exitStopped
	}
	c.trace(err, "")
	return exitFailed
}

func (c *console) printSpec() error {
	if err := c.out.send(message{Type: "SPEC", Spec: c.spec}); err != nil {
		return fmt.Errorf("the built-in specification is not JSON: %w", err)
	}
	return nil
}

// config reads the configuration, and hides its secrets from here on.
func (c *console) config(path string) ([]byte, error) {
	config, err := readFile("config", path)
	if err != nil {
		return nil, err
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(config, &object); err != nil || object == nil {
		return nil, connector.Configf("Write it as {\"name\": value, ...}", "the configuration is not a JSON object: %w", syntax(err))
	}
	secrets := secretsOf(c.spec, config)
	if c.secrets != nil {
		secrets = append(secrets, c.secrets(config)...)
	}
	c.mask.set(secrets)
	return config, nil
}

// syntax keeps of a JSON error what quotes nothing of the text.
func syntax(err error) error {
	var at *json.SyntaxError
	if errors.As(err, &at) {
		return fmt.Errorf("broken at byte %d", at.Offset)
	}
	return errors.New("it holds another kind of value")
}

// check answers with CONNECTION_STATUS whatever the user can mend, and fails only for what is a defect.
func (c *console) check(ctx context.Context, a arguments, works func(context.Context, []byte) error) error {
	status := &connectionStatus{Status: "SUCCEEDED"}
	config, err := c.config(a.config)
	var unreadable *os.PathError
	if errors.As(err, &unreadable) {
		return err
	}
	if err == nil {
		err = works(ctx, config)
	}
	switch {
	case err == nil:
	case connector.KindOf(err) == connector.KindInternal, errors.Is(err, context.Canceled):
		return err
	default:
		status.Status, status.Message = "FAILED", c.mask.hide(valid(err.Error()))
	}
	return c.out.send(message{Type: "CONNECTION_STATUS", ConnectionStatus: status})
}

func (s *session) discover(a arguments) error {
	config, err := s.config(a.config)
	if err != nil {
		return err
	}
	operations, err := s.Operations(config)
	if err != nil {
		return err
	}
	if operations == nil {
		operations = []Operation{}
	}
	return s.out.send(message{Type: "DESTINATION_CATALOG", DestinationCatalog: &destinationCatalog{operations}})
}

func (s *session) write(ctx context.Context, a arguments, stdin io.Reader) int {
	in, config, err := s.prepare(a, stdin)
	if err != nil {
		s.trace(err, "")
		return exitFailed
	}
	defer in.Close()
	err = s.Write(ctx, config, in, s.log)
	done, why := in.finished()
	switch {
	case s.out.failure() != nil: // nobody can be told
		return exitFailed
	case err == nil && done:
		return exitOK
	case ctx.Err() != nil && stopped(ctx, err):
		s.log.Warn("stopped before the input ended; the states written so far are safe, what came behind them has to be sent again")
		return exitStopped
	case err == nil:
		err = connector.Internalf("Report it with the log of this sync", "the run ended too early: %s", why)
	}
	s.trace(err, "")
	return exitFailed
}

// stopped reports whether err is no more than the echo of the stop.
func stopped(ctx context.Context, err error) bool {
	return err == nil || errors.Is(err, ctx.Err()) || connector.KindOf(err) == connector.KindTransient
}

// prepare reads what the host wrote down and makes the reader.
func (s *session) prepare(a arguments, stdin io.Reader) (*reader, []byte, error) {
	if medium := os.Getenv("DATA_CHANNEL_MEDIUM"); strings.EqualFold(medium, "SOCKET") {
		return nil, nil, connector.Configf("Set DATA_CHANNEL_MEDIUM to STDIO", "this destination reads standard input only, and the platform asks for sockets")
	}
	config, err := s.config(a.config)
	if err != nil {
		return nil, nil, err
	}
	text, err := readFile("catalog", a.catalog)
	if err != nil {
		return nil, nil, err
	}
	catalog, err := parseCatalog(a.catalog, text)
	if err != nil {
		return nil, nil, err
	}
	why := ""
	if s.Complete != nil {
		if why, err = s.Complete(config); err != nil {
			return nil, nil, err
		}
	}
	if err := checkModes(catalog, why, s.log); err != nil {
		return nil, nil, err
	}
	var fields func(stream string) []string
	if s.Fields != nil {
		if fields, err = s.Fields(config); err != nil {
			return nil, nil, err
		}
	}
	return newReader(stdin, s.out, catalog, fields, settings{
		batchRows: s.BatchRows, batchBytes: s.BatchBytes, batchAge: s.BatchAge, mem: s.Alloc, log: s.log, complete: why != "",
	}), config, nil
}

// trace writes the error that ends the run. Only the first counts for the host, so there is only one.
func (c *console) trace(err error, stack string) {
	if !c.failed {
		c.sendError(err, stack, nil)
	}
}

// sendError writes an error trace; of names the stream that it is about, nil: the whole run.
func (c *console) sendError(err error, stack string, of *streamName) {
	c.failed = true
	e := traceError{
		Message:     "An unexpected error stopped the connector. Report it with the log of this sync",
		Internal:    c.mask.hide(valid(err.Error())),
		StackTrace:  c.mask.hide(valid(stack)),
		FailureType: failureType(connector.KindOf(err)),
		Stream:      of,
	}
	var own *connector.Error
	switch {
	case errors.As(err, &own):
		e.Message = c.mask.hide(valid(own.Error()))
	case connector.KindOf(err) == connector.KindTransient:
		e.Message = "The connector ran out of time or was interrupted. Run the sync again"
	}
	// A struct of strings cannot fail to encode.
	_ = c.out.send(message{Type: "TRACE", Trace: &trace{Type: "ERROR", EmittedAt: now(), Error: &e}})
}

func valid(text string) string { return string(bytes.ToValidUTF8([]byte(text), []byte("\uFFFD"))) }
