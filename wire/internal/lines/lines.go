// Package lines cuts a byte stream into lines without copying them. The stream is read by a goroutine of its own, so a
// caller may stop waiting (its context ended, a timer fired) although the stream itself cannot be interrupted, and nothing
// that was read is lost by it.
//
//	io.Reader ──▶ goroutine ──▶ chunks (256 KiB, at most 3) ──▶ Next: a line inside one chunk is a slice of it,
//	                                                            a line across chunks is put together once
package lines

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// Errors of Next that are no end of the stream or that name a fault of the input.
var (
	// ErrWake: the wake channel fired before a whole line was there. Call Next again.
	ErrWake = errors.New("woken before a line was complete")
	// ErrTooLong: the line that begins here is longer than the limit. It may be read again with a Find that ends it sooner.
	ErrTooLong = errors.New("line too long")
)

const (
	chunkSize  = 256 << 10
	chunkCount = 3
	keepCarry  = 1 << 20 // a carry buffer beyond this is given back once its line is done
)

// Find returns the index of the newline that ends the line within a piece of it, or -1 if the piece does not hold the end.
// It is called with consecutive pieces of one line and may keep state between them.
type Find func(piece []byte) int

// Newline is the Find of plain lines.
func Newline(piece []byte) int { return bytes.IndexByte(piece, '\n') }

// Source hands out the lines of one stream. Only Stop and Wait may be called beside Next.
type Source struct {
	max    int
	chunks chan chunk
	free   chan []byte
	stop   chan struct{}
	done   chan struct{}
	once   sync.Once

	buf    []byte // the chunk that cur belongs to, to be given back
	cur    []byte // not yet handed out
	carry  []byte // the pieces before cur of a line that spans chunks
	handed bool   // carry was handed out by the last Next
	err    error  // the stream's end, once cur is used up

	last         []byte // the line handed out by the last Next
	newline      int64  // 1 if a newline ended it, else 0
	offset, line int64
}

type chunk struct {
	buf []byte
	n   int
	err error
}

// New starts reading in. max is the longest line in bytes. The goroutine ends when the stream does or, after Stop, when
// the read that it is in returns.
func New(in io.Reader, max int) *Source {
	s := &Source{
		max:    max,
		chunks: make(chan chunk, chunkCount),
		free:   make(chan []byte, chunkCount),
		stop:   make(chan struct{}),
		done:   make(chan struct{}),
	}
	for range chunkCount {
		s.free <- nil // buffers are made when first used: a short input needs one
	}
	go s.read(in)
	return s
}

func (s *Source) read(in io.Reader) {
	defer close(s.done)
	for {
		var buf []byte
		select {
		case buf = <-s.free:
		case <-s.stop:
			return
		}
		if buf == nil {
			buf = make([]byte, chunkSize)
		}
		n, err := in.Read(buf)
		select {
		case s.chunks <- chunk{buf, n, err}:
		case <-s.stop:
			return
		}
		if err != nil {
			return
		}
	}
}

// Next returns the next line without its newline; it is valid until the next call. A last line without newline is a line.
// Where the stream ends, Next returns its error, io.EOF included, again and again; where it ends with another error than
// io.EOF the unfinished line before it is not handed out. ctx's error and ErrWake lose nothing: call Next again.
func (s *Source) Next(ctx context.Context, wake <-chan time.Time, find Find) ([]byte, error) {
	if s.handed {
		s.handed = false
		if s.carry = s.carry[:0]; cap(s.carry) > keepCarry {
			s.carry = nil
		}
	}
	for {
		if len(s.cur) > 0 {
			line, err := s.cut(find)
			if line != nil || err != nil {
				return line, err
			}
		}
		if s.err != nil {
			return s.end()
		}
		if err := s.fill(ctx, wake); err != nil {
			return nil, err
		}
	}
}

// cut takes a line from cur, or moves cur to carry if it holds no line's end. An empty line is not nil.
func (s *Source) cut(find Find) ([]byte, error) {
	i := find(s.cur)
	piece := s.cur
	if i >= 0 {
		piece = s.cur[:i]
	}
	if len(s.carry)+len(piece) > s.max {
		s.cur = append(append(make([]byte, 0, len(s.carry)+len(s.cur)), s.carry...), s.cur...)
		s.carry = nil
		return nil, ErrTooLong
	}
	if i < 0 {
		s.carry = append(s.carry, s.cur...)
		s.cur = nil
		return nil, nil
	}
	s.cur = s.cur[i+1:]
	if len(s.carry) > 0 {
		s.carry = append(s.carry, piece...)
		s.handed = true
		piece = s.carry
	}
	return s.give(piece, 1), nil
}

// give hands out a line that newline (1 or 0) newlines end.
func (s *Source) give(line []byte, newline int64) []byte {
	s.last, s.newline = line, newline
	s.count(line, newline, 1)
	return line
}

func (s *Source) count(line []byte, newline, sign int64) {
	s.offset += sign * (int64(len(line)) + newline)
	s.line += sign * (int64(bytes.Count(line, []byte{'\n'})) + 1)
}

func (s *Source) end() ([]byte, error) {
	if s.err != io.EOF || len(s.carry) == 0 {
		return nil, s.err
	}
	s.handed = true
	return s.give(s.carry, 0), nil
}

// fill waits for a chunk. The wake channel goes first: a timer must be heard on an input that never pauses, too.
func (s *Source) fill(ctx context.Context, wake <-chan time.Time) error {
	if s.buf != nil {
		s.free <- s.buf
		s.buf = nil
	}
	select {
	case <-wake:
		return ErrWake
	case <-ctx.Done():
		return ctx.Err()
	default:
	}
	select {
	case c := <-s.chunks:
		s.buf, s.cur, s.err = c.buf, c.buf[:c.n], c.err
		return nil
	case <-wake:
		return ErrWake
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Unread puts the line that Next just returned back, to be read again, with another Find perhaps.
func (s *Source) Unread() {
	back := make([]byte, 0, len(s.last)+1+len(s.cur))
	back = append(back, s.last...)
	s.count(s.last, s.newline, -1)
	if s.newline > 0 {
		back = append(back, '\n')
	}
	s.cur = append(back, s.cur...)
	s.carry, s.handed, s.last = s.carry[:0], false, nil
}

// Ended reports whether the line that Next just returned is the last one and has no newline.
func (s *Source) Ended() bool { return s.newline == 0 }

// Offset is the number of bytes of the lines handed out, their newlines included.
func (s *Source) Offset() int64 { return s.offset }

// Line is the number of newlines passed: the number, counted from 1, of the last physical line handed out.
func (s *Source) Line() int64 { return s.line }

// Stop tells the goroutine to end; Wait waits for it. Wait blocks as long as a read of the stream does.
func (s *Source) Stop() { s.once.Do(func() { close(s.stop) }) }

// Wait returns when the goroutine has ended.
func (s *Source) Wait() { <-s.done }
