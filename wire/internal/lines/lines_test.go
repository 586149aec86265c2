package lines

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// collect reads a source to its end.
func collect(t testing.TB, s *Source, find func() Find) (got []string, end error) {
	t.Helper()
	defer func() { s.Stop(); s.Wait() }()
	for {
		line, err := s.Next(t.Context(), nil, find())
		if err != nil {
			return got, err
		}
		got = append(got, string(line))
	}
}

func newline() Find { return Newline }

// chunked hands its text out in pieces of the given sizes, then in one byte pieces.
type chunked struct {
	text  []byte
	sizes []int
}

func (c *chunked) Read(p []byte) (int, error) {
	if len(c.text) == 0 {
		return 0, io.EOF
	}
	n := 1
	if len(c.sizes) > 0 {
		n, c.sizes = c.sizes[0], c.sizes[1:]
	}
	n = copy(p, c.text[:min(n, len(c.text))])
	c.text = c.text[n:]
	return n, nil
}

func TestLinesAsBytesSplitSees(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringOfN(rapid.SampledFrom([]rune("ab\n")), 0, 60, -1).Draw(rt, "text")
		sizes := rapid.SliceOf(rapid.IntRange(0, 9)).Draw(rt, "sizes")
		s := New(&chunked{[]byte(text), sizes}, 100)
		want := strings.Split(text, "\n")
		if want[len(want)-1] == "" {
			want = want[:len(want)-1]
		}
		var at, n int64
		defer func() { s.Stop(); s.Wait() }()
		for i, w := range want {
			line, err := s.Next(t.Context(), nil, Newline)
			if err != nil || string(line) != w {
				rt.Fatalf("line %d: got %q, %v, want %q", i, line, err, w)
			}
			if i%2 == 1 {
				s.Unread()
				if line, err = s.Next(t.Context(), nil, Newline); err != nil || string(line) != w {
					rt.Fatalf("line %d read again: got %q, %v, want %q", i, line, err, w)
				}
			}
			at = min(at+int64(len(w))+1, int64(len(text)))
			if n++; s.Offset() != at || s.Line() != n {
				rt.Fatalf("after line %d: offset %d, line %d; want %d, %d", i, s.Offset(), s.Line(), at, n)
			}
			if last := i == len(want)-1; s.Ended() != (last && !strings.HasSuffix(text, "\n")) {
				rt.Fatalf("line %d: Ended %v", i, s.Ended())
			}
		}
		for range 2 {
			if _, err := s.Next(t.Context(), nil, Newline); err != io.EOF {
				rt.Fatalf("at the end: got %v, want EOF", err)
			}
		}
	})
}

func TestLongLinesAcrossChunks(t *testing.T) {
	long := strings.Repeat("x", 3*chunkSize+17)
	got, err := collect(t, New(strings.NewReader("a\n"+long+"\nb"), 1<<20), newline)
	if err != io.EOF || len(got) != 3 || got[1] != long || got[2] != "b" {
		t.Fatalf("got %d lines, end %v", len(got), err)
	}
}

func TestTooLongMayBeReadAgain(t *testing.T) {
	s := New(iotest.OneByteReader(strings.NewReader("ab\ncd\nef\n")), 4)
	defer func() { s.Stop(); s.Wait() }()
	never := func([]byte) int { return -1 }
	if _, err := s.Next(t.Context(), nil, never); !errors.Is(err, ErrTooLong) {
		t.Fatalf("got %v, want ErrTooLong", err)
	}
	for _, want := range []string{"ab", "cd", "ef"} {
		if got, err := s.Next(t.Context(), nil, Newline); err != nil || string(got) != want {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	}
	if s.Offset() != 9 {
		t.Fatalf("offset %d, want 9", s.Offset())
	}
}

func TestBrokenStreamKeepsItsUnfinishedLine(t *testing.T) {
	broken := fmt.Errorf("cut: %w", io.ErrUnexpectedEOF)
	in := io.MultiReader(strings.NewReader("one\ntw"), iotest.ErrReader(broken))
	got, err := collect(t, New(in, 100), newline)
	if len(got) != 1 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestStopWaitingLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, out := io.Pipe()
		s := New(in, 100)
		go out.Write([]byte("half"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if _, err := s.Next(ctx, nil, Newline); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v, want the context's error", err)
		}
		cancel()
		if _, err := s.Next(t.Context(), time.After(time.Second), Newline); !errors.Is(err, ErrWake) {
			t.Fatalf("got %v, want ErrWake", err)
		}
		go out.Write([]byte(" and half\n"))
		if line, err := s.Next(t.Context(), nil, Newline); err != nil || string(line) != "half and half" {
			t.Fatalf("got %q, %v", line, err)
		}
		s.Stop()
		in.Close()
		s.Wait()
	})
}

func TestAtMostSoMuchIsReadAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &endless{}
		s := New(in, 100)
		synctest.Wait()
		if in.n > chunkCount*chunkSize {
			t.Fatalf("%d bytes were read before anyone asked", in.n)
		}
		s.Stop()
		s.Wait()
	})
}

type endless struct{ n int }

func (e *endless) Read(p []byte) (int, error) {
	e.n += len(p)
	return copy(p, bytes.Repeat([]byte("line\n"), len(p)/5+1)), nil
}
