package wiretest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"

	"github.com/sluicehq/sluice/connector"
)

// patience is the fake time after which a call counts as hung.
const patience = time.Minute

// readFor calls Read with a context that ends after limit. ended: Read gave up with the context, as it must.
func readFor(r connector.Reader, limit time.Duration) (b connector.Batch, ended bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var read error
	if err := within(patience, "Read with a cancelled context", func() { b, read = r.Read(ctx) }); err != nil {
		return connector.Batch{}, false, err
	}
	if read != nil && ctx.Err() != nil && errors.Is(read, ctx.Err()) {
		return b, true, nil
	}
	return b, false, read
}

// checkCancel: a cancelled context ends Read soon with its error, and neither loses nor repeats a row.
func checkCancel(h Harness) error {
	in := newInput()
	defer in.close()
	r, err := open(h, memory.DefaultAllocator, in, nil)
	if err != nil {
		return err
	}
	defer r.Close()
	half := len(h.Input) / 2
	in.feed(h.Input[:half], false)
	synctest.Wait()
	if b, ended, err := readFor(r, 0); !ended {
		if b.Rows != nil {
			b.Rows.Release()
		}
		return fmt.Errorf("Read with a context that has ended gives %d rows and the error %v", b.NumRows(), err)
	}
	g := got{}
	end, err := readUntilQuiet(r, g, h.Age/2)
	if err != nil || end {
		return errors.Join(err, g.diffIf(end, h.Rows))
	}
	in.feed(h.Input[half:], true)
	for range 1000 {
		if end, err = readUntilQuiet(r, g, h.Age/2); err != nil || end {
			return errors.Join(err, g.diffIf(end, h.Rows))
		}
	}
	return errors.New("the input has ended, and Read does not say so")
}

// diffIf compares once the end was seen.
func (g got) diffIf(end bool, want []Row) error {
	if !end {
		return nil
	}
	return g.diff(want, nil)
}

// readUntilQuiet reads until nothing comes for so long, or the end does.
func readUntilQuiet(r connector.Reader, g got, quiet time.Duration) (end bool, err error) {
	for {
		b, ended, err := readFor(r, quiet)
		switch {
		case ended:
			return false, nil
		case err == io.EOF:
			return true, nil
		case err != nil:
			return false, err
		}
		if err := take(r, g, b); err != nil {
			return false, err
		}
	}
}

// checkIdle: rows on an input that stalls come out within Age, and their states once they are settled, though nothing more
// is read.
func checkIdle(h Harness) error {
	if h.Fixed {
		return nil
	}
	in := newInput()
	defer in.close()
	r, err := open(h, memory.DefaultAllocator, in, nil)
	if err != nil {
		return err
	}
	defer r.Close()
	in.feed(h.Input, false)
	g, j := got{}, newJudge(h)
	for {
		b, ended, err := readFor(r, h.Age+h.Age/10)
		if err != nil {
			return fmt.Errorf("on an input that stalls: %w", err)
		}
		if ended {
			break
		}
		s := settled(b, never)
		j.settle(b.Stream, s)
		if err := g.add(b); err != nil {
			return err
		}
		if err := r.Ack(context.Background(), s); err != nil {
			return fmt.Errorf("ack: %w", err)
		}
	}
	if err := g.diff(h.Rows, nil); err != nil {
		return fmt.Errorf("on an input that stalls: %w", err)
	}
	if len(h.States) == 0 {
		return nil
	}
	if err := j.look(h.Emitted()); err != nil {
		return err
	}
	return j.complete()
}

// checkClose: Close returns soon, whatever the input does, frees everything, and no goroutine outlives the input.
func checkClose(h Harness) error {
	before := goleak.IgnoreCurrent()
	for _, fed := range []int{0, len(h.Input) / 2, len(h.Input)} {
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		in := newInput()
		r, err := open(h, mem, in, nil)
		if err == nil && fed > 0 {
			in.feed(h.Input[:fed], false)
			var b connector.Batch
			if b, _, err = readFor(r, h.Age/2); b.Rows != nil {
				b.Rows.Release()
			}
		}
		if err != nil {
			in.close()
			r.Close()
			return err
		}
		var closed error
		hung := within(patience, "Close", func() { closed = r.Close() })
		in.close()
		if err := errors.Join(hung, closed); err != nil {
			return err
		}
		if err := unreleased(mem); err != nil {
			return err
		}
		if err := goleak.Find(before); err != nil {
			return fmt.Errorf("after Close: %w", err)
		}
	}
	return badPosition(h)
}

// badPosition: a position that is none of ours is a Config error, and Close still works.
func badPosition(h Harness) error {
	if !h.Positions {
		return nil
	}
	in := newInput()
	defer in.close()
	r := h.New(memory.DefaultAllocator, in)
	err := r.Open(context.Background(), connector.Position(`{"not":"ours"}`))
	if connector.KindOf(err) != connector.KindConfig {
		return fmt.Errorf("open with a foreign position gives %v, want a Config error", err)
	}
	return r.Close()
}

// checkBounds: while nobody calls Read, no more than MaxAhead is taken from the input.
func checkBounds(h Harness) error {
	if h.Fixed {
		return nil
	}
	in := &endless{text: h.Input}
	r, err := open(h, memory.DefaultAllocator, in, nil)
	defer func() {
		r.Close()
		in.end.Store(true)
	}()
	if err != nil {
		return err
	}
	synctest.Wait()
	if n := in.taken.Load(); n > h.MaxAhead {
		return fmt.Errorf("%d bytes were taken from the input before anyone called Read, want at most %d", n, h.MaxAhead)
	}
	return nil
}

// endless repeats a text. What has no bound would take for ever, so it ends far beyond any.
type endless struct {
	text  []byte
	at    int
	taken atomic.Int64
	end   atomic.Bool
}

func (e *endless) Read(p []byte) (int, error) {
	if e.end.Load() || e.taken.Load() > 256<<20 {
		return 0, io.EOF
	}
	n := copy(p, e.text[e.at:])
	e.at = (e.at + n) % len(e.text)
	e.taken.Add(int64(n))
	return n, nil
}
