package airbyte

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
)

func record(stream string, n int) string {
	return fmt.Sprintf(`{"type":"RECORD","record":{"stream":%q,"data":{"n":%d},"emitted_at":1}}`+"\n", stream, n)
}

func streamState(stream string, id int) string {
	return fmt.Sprintf(`{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":%q}},"id":%d}}`+"\n", stream, id)
}

// running is a write command whose input and end the test holds.
type running struct {
	in   *io.PipeWriter
	out  *buffer
	stop context.CancelFunc
	code chan int
}

func start(t *testing.T, d Destination, catalog string) *running {
	t.Helper()
	in, w := io.Pipe()
	r := &running{in: w, out: &buffer{}, code: make(chan int, 1)}
	args := append([]string{"write"}, files(t, "{}", catalog)...)
	var ctx context.Context
	ctx, r.stop = context.WithCancel(t.Context())
	go func() {
		code := Main(ctx, args, in, r.out, io.Discard, d)
		in.Close()
		r.code <- code
	}()
	return r
}

func (r *running) feed(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(r.in, text); err != nil {
		t.Errorf("feed: %v", err)
	}
	synctest.Wait()
}

// TestIdleInputIsFlushed: a state comes back a second after the last record, though nothing more is sent.
func TestIdleInputIsFlushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, destination(nil), catalogOf("a", "b"))
		r.feed(t, record("a", 1)+record("b", 2)+streamState("a", 1)+streamState("b", 2))
		<-time.After(900 * time.Millisecond)
		synctest.Wait()
		if got := r.out.lines(); len(got) > 0 {
			t.Errorf("early: %q", got)
		}
		<-time.After(200 * time.Millisecond)
		synctest.Wait()
		if got := of(r.out.lines(), "STATE"); len(got) != 2 {
			t.Errorf("after a second: %q", got)
		}
		r.feed(t, streamState("b", 3))
		if got := of(r.out.lines(), "STATE"); len(got) != 3 {
			t.Errorf("a state without rows waits: %q", got)
		}
		r.in.Close()
		if code := <-r.code; code != 0 {
			t.Errorf("exit code %d", code)
		}
	})
}

// TestStop: the states that are safe leave, the exit code says that the run was stopped, and a blocked input holds up nothing.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, destination(nil), catalogOf("a"))
		r.feed(t, record("a", 1)+streamState("a", 1))
		<-time.After(1500 * time.Millisecond)
		r.feed(t, record("a", 2)+streamState("a", 2)) // a second from being read
		r.stop()
		if code := <-r.code; code != 143 {
			t.Errorf("exit code %d, want 143", code)
		}
		lines := r.out.lines()
		if states := of(lines, "STATE"); len(states) != 1 || len(of(lines, "TRACE")) != 0 || !strings.Contains(states[0], `"id":1,`) {
			t.Errorf("output %q", lines)
		}
	})
}

// TestStopBehindCheck: check has told the host; being ended then is success.
func TestStopBehindCheck(t *testing.T) {
	for _, early := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		d := destination(nil)
		d.Check = func(ctx context.Context, _ []byte) error {
			cancel()
			if early {
				return ctx.Err()
			}
			return nil
		}
		var out buffer
		code := Main(ctx, []string{"check", "--config", files(t, "{}", "")[1]}, strings.NewReader(""), &out, io.Discard, d)
		if !early && (code != 0 || len(out.lines()) != 1) || early && (code != 143 || len(out.lines()) != 0) {
			t.Errorf("early %v: exit code %d, output %q", early, code, out.lines())
		}
	}
}

// gate is an output that the host does not read until it is opened.
type gate struct {
	open chan struct{}
	buffer
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.open
	return g.buffer.Write(p)
}

// TestHostThatDoesNotReadWhileItWrites: such a host would wait for us to take its input, and we for it to take our states.
func TestHostThatDoesNotReadWhileItWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, w := io.Pipe()
		out := &gate{open: make(chan struct{})}
		code := make(chan int, 1)
		args := append([]string{"write"}, files(t, "{}", catalogOf("a"))...)
		go func() { code <- Main(t.Context(), args, in, out, io.Discard, destination(nil)) }()
		const n = 8_000
		for i := range n {
			io.WriteString(w, record("a", i)+streamState("a", i))
		}
		w.Close()
		synctest.Wait()
		close(out.open)
		if c := <-code; c != 0 {
			t.Errorf("exit code %d", c)
		}
		states := of(out.lines(), "STATE")
		if len(states) != n || !strings.Contains(states[n-1], fmt.Sprintf(`"id":%d,`, n-1)) {
			t.Errorf("%d states came back", len(states))
		}
	})
}

// TestStuckHostEnds: a stopped run does not wait for ever for a host that never reads.
func TestStuckHostEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &gate{open: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		code := make(chan int, 1)
		go func() { code <- Main(ctx, []string{"spec"}, nil, out, io.Discard, destination(nil)) }()
		synctest.Wait()
		began := time.Now()
		cancel()
		if c := <-code; c != 1 || time.Since(began) != outputGrace {
			t.Errorf("exit code %d after %v", c, time.Since(began))
		}
		close(out.open)
	})
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// TestHostIsGone: without anyone to take the states the run ends at once, and not well.
func TestHostIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, w := io.Pipe()
		code := make(chan int, 1)
		args := append([]string{"write"}, files(t, "{}", catalogOf("a"))...)
		go func() { code <- Main(t.Context(), args, in, brokenPipe{}, io.Discard, destination(nil)); in.Close() }()
		go io.WriteString(w, record("a", 1)+streamState("a", 1))
		if c := <-code; c != 1 { // the input is still open
			t.Errorf("exit code %d", c)
		}
		w.Close()
	})
	var errs bytes.Buffer
	if code := Main(t.Context(), []string{"spec"}, nil, brokenPipe{}, &errs, destination(nil)); code != 1 || !strings.Contains(errs.String(), "broken pipe") {
		t.Errorf("spec: exit code %d, %q", code, errs.String())
	}
}

// TestStatesAreBounded: a source that sends state upon state while rows are in flight has to wait, and goes on with the acks.
func TestStatesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, w := io.Pipe()
		out := &buffer{}
		r := newTestReader(in, out, settings{stateBytes: 64 << 10}, "a")
		if err := r.Open(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		fed := make(chan struct{})
		const n = 10_000 // would be 3 MB to keep
		go func() {
			defer close(fed)
			io.WriteString(w, record("a", 0)+strings.Repeat(streamState("a", 7), n))
			w.Close()
		}()
		b, err := r.Read(t.Context())
		if err != nil || b.NumRows() != 1 || b.Bytes < 64<<10 {
			t.Fatalf("%d rows, priced %d with the states, %v", b.NumRows(), b.Bytes, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		if _, err := r.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the Reader to wait for the answer", err)
		}
		cancel()
		if kept := r.ledger.size.Load(); kept > 65<<10 {
			t.Errorf("%d bytes of states are kept", kept)
		}
		if err := r.Ack(t.Context(), deliver(nil, b)); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Read(t.Context()); err != io.EOF {
			t.Errorf("got %v", err)
		}
		if done, why := r.finished(); !done {
			t.Error(why)
		}
		<-fed
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if got := len(of(out.lines(), "STATE")); got != n {
			t.Errorf("%d states came back", got)
		}
	})
}

// TestManyOpenStreamsAreBounded: the rows of all streams that no batch holds yet have one bound.
func TestManyOpenStreamsAreBounded(t *testing.T) {
	var names []string
	var text strings.Builder
	for i := range 200 {
		names = append(names, fmt.Sprintf("s%d", i))
	}
	for i := range 2000 {
		fmt.Fprintf(&text, `{"type":"RECORD","record":{"stream":"s%d","data":{"email":%q},"emitted_at":1}}`+"\n", i%200, strings.Repeat("e", 500))
	}
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	r := newTestReader(strings.NewReader(text.String()), &buffer{}, settings{openBytes: 100_000, mem: mem}, names...)
	if err := r.Open(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	n := 0
	for {
		b, err := r.Read(t.Context())
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		n += b.NumRows()
		if r.openBytes > 100_000 {
			t.Fatalf("%d bytes are open", r.openBytes)
		}
		if err := r.Ack(t.Context(), deliver(nil, b)); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil || n != 2000 {
		t.Errorf("%d rows, %v", n, err)
	}
}

func TestWrongAcks(t *testing.T) {
	r := testReader(t, strings.NewReader(record("a", 1)), &buffer{}, settings{}, "a")
	if err := r.Ack(t.Context(), connector.Settled{}); err == nil {
		t.Error("an answer to no batch passes")
	}
	b, err := r.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.Rows.Release()
	if err := r.Ack(t.Context(), connector.Settled{Rows: 2}); err == nil {
		t.Error("an answer of another size passes")
	}
	other := newTestReader(strings.NewReader(""), io.Discard, settings{}, "a")
	if err := other.Open(t.Context(), connector.Position("1")); err == nil {
		t.Error("a position passes")
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
}
