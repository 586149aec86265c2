package file

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
	"github.com/sluicehq/sluice/wire/internal/lines"
)

var (
	bom         = []byte("\xef\xbb\xbf")
	replacement = []byte("\uFFFD")
)

// batchOverhead is what a batch costs beside the buffers of its rows: schema, arrays, bookkeeping.
const batchOverhead = 2 << 10

// Reader is a connector.Reader over one file or standard input.
type Reader struct {
	cfg    Config
	fields func(stream string) []string
	mem    memory.Allocator

	in      *input
	src     *lines.Source
	builder *rows.Builder
	refused []connector.RowResult
	age     *time.Timer

	format  string
	started bool // format and header are known
	table   *table
	records records

	base position // where src begins, and what identifies the file
	row  int64    // rows handed out
	open int64    // length of the last line where it has no newline
	end  error    // why no more lines come
}

// NewReader makes a reader. fields names the top-level fields of a stream that become columns of their own; nil: none. The
// configuration is checked by Open.
func NewReader(cfg Config, fields func(stream string) []string, mem memory.Allocator) *Reader {
	if mem == nil {
		mem = memory.DefaultAllocator
	}
	return &Reader{cfg: cfg, fields: fields, mem: mem}
}

// Open opens the file; a position of an earlier run is checked against it.
func (r *Reader) Open(ctx context.Context, from connector.Position) (err error) {
	if r.cfg, err = r.cfg.withDefaults(); err != nil {
		return err
	}
	if r.in, err = openInput(r.cfg); err != nil {
		return err
	}
	r.format = r.cfg.Format
	if from != nil {
		if err := r.resume(ctx, from); err != nil {
			return err
		}
	}
	if r.in.regular && from == nil {
		r.base.File = filepath.Base(r.cfg.Path)
		if r.base.Head, err = r.in.fingerprint(0, min(r.in.size, headSize)); err != nil {
			return err
		}
	}
	var names []string
	if r.fields != nil {
		names = r.fields(r.cfg.Stream)
	}
	r.builder = rows.NewBuilder(r.mem, rows.RawSchema(names))
	r.age = time.NewTimer(time.Hour)
	r.age.Stop()
	r.src = lines.New(r.in, r.cfg.max)
	return nil
}

// resume reads format and header again from the file's start and sets the point to go on from.
func (r *Reader) resume(ctx context.Context, from connector.Position) error {
	if err := json.Unmarshal(from, &r.base); err != nil {
		return connector.Configf("Delete the state to read the file from its start", "the state of %s cannot be read: %w", r.cfg.Path, err)
	}
	if err := r.in.check(r.base); err != nil {
		return err
	}
	again := r.cfg
	again.Follow = false // the header is there, or the position would not be
	in, err := openInput(again)
	if err != nil {
		return err
	}
	src := lines.New(in, r.cfg.max)
	defer func() {
		src.Stop()
		src.Wait()
		in.Close()
	}()
	if err := r.start(ctx, src); err != nil {
		return err
	}
	if r.base.Open > 0 && r.in.size > r.base.Offset {
		// the last run took an unfinished row for a whole one, and now there is more of it
		r.base.Offset -= r.base.Open
		r.base.Row--
	}
	r.base.Open, r.base.Tail = 0, ""
	r.in.skip, r.row = r.base.Offset, r.base.Row
	return nil
}

// start finds the format, by the first line where the name does not tell it, and reads a CSV file's header.
func (r *Reader) start(ctx context.Context, src *lines.Source) error {
	var line []byte
	for len(line) == 0 {
		raw, err := src.Next(ctx, nil, lines.Newline)
		if err != nil {
			return r.failure(src, err)
		}
		line = bytes.TrimSpace(bytes.TrimPrefix(raw, bom))
	}
	if r.format == Auto {
		if r.format = CSV; line[0] == '{' || line[0] == '[' {
			r.format = JSONL
		}
	}
	if r.format == JSONL {
		if line[0] == '[' && (len(line) == 1 || line[1] == '{') || len(line) == 1 && line[0] == '{' {
			return connector.Configf(`Convert it to one object per line: jq -c 'if type=="array" then .[] else . end'`, "%s is one JSON document, not JSON lines", r.cfg.Path)
		}
		src.Unread()
		r.started = true
		return nil
	}
	src.Unread()
	r.records = records{delim: delimiterOf(r.cfg.Delimiter, line), state: atMark}
	raw, err := src.Next(ctx, nil, r.records.find)
	if err != nil {
		return r.failure(src, err)
	}
	if r.records.open() {
		return connector.Configf("Mend the quotes in the first line", "the header of %s opens a quote and never closes it", r.cfg.Path)
	}
	if r.table, err = newTable(r.cfg.Path, r.records.delim, bytes.TrimPrefix(raw, bom)); err != nil {
		return err
	}
	r.started = true
	return nil
}

// failure turns a source's error into the one that ends the run; io.EOF and what comes from input already say enough.
func (r *Reader) failure(src *lines.Source, err error) error {
	if errors.Is(err, lines.ErrTooLong) {
		return connector.Configf("Check that it is the right file and format, and split the line", "line %d of %s is longer than %d MiB",
			r.base.Line+src.Line()+1, r.cfg.Path, r.cfg.max>>20)
	}
	return err
}

// Read returns the next batch. On an input that stalls a batch comes out once its oldest row is BatchAge old.
func (r *Reader) Read(ctx context.Context) (connector.Batch, error) {
	if err := ctx.Err(); err != nil {
		return connector.Batch{}, err
	}
	for r.end == nil && r.builder.Len() < r.cfg.BatchRows && r.builder.Bytes() < r.cfg.BatchBytes {
		err := r.step(ctx)
		if errors.Is(err, lines.ErrWake) {
			if r.builder.Len() > 0 {
				break
			}
			continue
		}
		if interrupted(ctx, err) {
			return connector.Batch{}, err
		}
		r.end = err
	}
	if r.builder.Len() == 0 {
		return connector.Batch{}, r.end
	}
	return r.cut()
}

// step reads one line into the builder.
func (r *Reader) step(ctx context.Context) error {
	if !r.started {
		return r.start(ctx, r.src)
	}
	find := lines.Newline
	if r.table != nil {
		find = r.records.find
	}
	first := r.base.Offset == 0 && r.src.Offset() == 0
	line, err := r.src.Next(ctx, r.age.C, find)
	if r.table != nil && (errors.Is(err, lines.ErrTooLong) || err == nil) && r.records.open() {
		return r.unclosed(ctx, err == nil)
	}
	if err != nil {
		return r.failure(r.src, err)
	}
	r.open = 0
	if r.src.Ended() {
		r.open = int64(len(line))
	}
	if first {
		line = bytes.TrimPrefix(line, bom)
	}
	if !r.blank(line) {
		r.append(line)
	}
	return nil
}

// blank reports whether the line holds nothing. A CSV row of empty cells is a row.
func (r *Reader) blank(line []byte) bool {
	if r.table != nil {
		return len(bytes.Trim(line, " \r")) == 0
	}
	return len(bytes.TrimSpace(line)) == 0
}

// unclosed refuses the physical line on which a quote opens that nothing closes, and goes on behind it: else one stray
// quote would swallow all rows after it.
func (r *Reader) unclosed(ctx context.Context, unread bool) error {
	if unread {
		r.src.Unread()
	}
	line, err := r.src.Next(ctx, nil, lines.Newline)
	if err != nil {
		return r.failure(r.src, err)
	}
	r.refuse(line, &rows.Refusal{Code: connector.CodeBadCSV, Message: "a field opens a quote that is never closed"})
	return nil
}

func (r *Reader) append(line []byte) {
	object, refusal := line, (*rows.Refusal)(nil)
	switch {
	case r.cfg.Encoding == GB18030 && bytes.Contains(line, replacement):
		refusal = &rows.Refusal{Code: connector.CodeBadUTF8, Message: "the row holds bytes that are not GB18030"}
	case r.table != nil:
		object, refusal = r.table.toObject(line)
	}
	if refusal == nil {
		refusal = r.builder.Append(object)
	}
	if refusal != nil {
		r.refuse(line, refusal)
		return
	}
	r.arm()
}

// refuse keeps the line's place in the batch and says why it could not be read.
func (r *Reader) refuse(line []byte, why *rows.Refusal) {
	number := r.base.Line + r.src.Line() - int64(bytes.Count(line, []byte{'\n'}))
	r.refused = append(r.refused, connector.RowResult{
		Row: r.builder.Len(), Verdict: connector.VerdictRejected,
		Code: why.Code, Field: why.Field, Message: "line " + strconv.FormatInt(number, 10) + ": " + why.Message,
	})
	r.builder.AppendRefused(line)
	r.arm()
}

// arm starts the clock with a batch's first row.
func (r *Reader) arm() {
	if r.builder.Len() == 1 {
		r.age.Reset(r.cfg.BatchAge)
	}
}

func (r *Reader) cut() (connector.Batch, error) {
	r.age.Stop()
	rec := r.builder.NewRecord()
	r.row += rec.NumRows()
	b := connector.Batch{Stream: r.cfg.Stream, Rows: rec, Refused: r.refused, Bytes: rows.Size(rec) + batchOverhead}
	for _, x := range r.refused {
		b.Bytes += int64(len(x.Message)) + 128
	}
	r.refused = nil
	if !r.in.regular {
		return b, nil
	}
	at := position{
		File: r.base.File, Head: r.base.Head, Row: r.row,
		Offset: r.base.Offset + r.src.Offset(), Line: r.base.Line + r.src.Line(),
	}
	var err error
	if at.Tail, err = r.in.tailOf(at.Offset); err != nil {
		rec.Release()
		return connector.Batch{}, err
	}
	if at.Tail != "" {
		at.Open = r.open
	}
	pos, err := json.Marshal(at)
	if err != nil {
		rec.Release()
		return connector.Batch{}, fmt.Errorf("file: position: %w", err)
	}
	b.Pos = pos
	return b, nil
}

// Ack has nothing to do: whoever runs the reader keeps the positions.
func (r *Reader) Ack(context.Context, connector.Settled) error { return nil }

// Progress returns how many bytes of the file have been taken and how many there are; total is 0 where nobody knows. It may
// be called at any time after Open.
func (r *Reader) Progress() (read, total int64) {
	if r.in == nil {
		return 0, 0
	}
	if r.in.tail != nil {
		return r.in.read.Load(), 0
	}
	return min(r.in.read.Load(), max(r.in.size, r.in.read.Load())), r.in.size
}

// Close frees the file and the rows not handed out. It does not wait for a read of standard input that nothing ends.
func (r *Reader) Close() error {
	if r.builder != nil {
		r.builder.Release()
		r.builder = nil
	}
	if r.src != nil {
		r.src.Stop()
		if r.in.tail != nil {
			r.in.tail.stop()
		}
		if r.in.regular {
			r.src.Wait()
		}
	}
	if r.in == nil {
		return nil
	}
	return r.in.Close()
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
