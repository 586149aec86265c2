package reject

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// Retry says which rejects are sent again.
type Retry struct {
	Filter Filter // Open is implied
	// File is an edited copy of reject lines that is read instead of the directory; what became of them is still marked in
	// the directory. Lines whose row landed before are passed over, those that were rejected again are not.
	File   string
	DryRun bool // mark nothing
}

// Sizes of the batches that are sent again.
const (
	retryRows  = 1000
	retryBytes = 4 << 20
)

// NewReader returns a Reader that hands out rejected rows as they were first read, or as they were edited since. It needs
// no position: each batch that is acked is marked, and the next retry passes it over. fields names the columns of a
// stream, as for any input without a schema.
func NewReader(d *Dir, retry Retry, fields func(stream string) []string, mem memory.Allocator) connector.Reader {
	return &reader{dir: d, retry: retry, fields: fields, mem: mem}
}

type reader struct {
	dir    *Dir
	retry  Retry
	fields func(stream string) []string
	mem    memory.Allocator

	scan   *scan
	held   *Entry // read, but of another stream than the batch before
	ended  bool
	mu     sync.Mutex
	unsent [][]string // ids of the batches that are not acked yet, in the order read
}

// Open fixes what will be read: rows that the retry itself rejects again are not part of it.
func (r *reader) Open(_ context.Context, from connector.Position) error {
	if from != nil {
		return connector.Configf("Start the retry without a position", "rejects are sent again from their marks, not from a position")
	}
	filter := r.retry.Filter
	filter.Open = r.retry.File == ""
	s, err := r.dir.scan(filter)
	if err != nil {
		return err
	}
	if r.retry.File != "" {
		info, err := os.Stat(r.retry.File)
		if err != nil {
			return connector.Configf("Give the path of an edited copy of reject lines", "the rejects to retry cannot be read: %w", err)
		}
		if info.IsDir() {
			return connector.Configf("Give the path of one file", "%s is a folder", r.retry.File)
		}
		s.files, s.strict = []segment{{r.retry.File, info.Size()}}, true
	}
	r.scan = s
	return nil
}

// Read returns the next rejects of one stream.
func (r *reader) Read(ctx context.Context) (connector.Batch, error) {
	if err := ctx.Err(); err != nil {
		return connector.Batch{}, err
	}
	var (
		batch connector.Batch
		build *rows.Builder
		ids   []string
	)
	for {
		e, err := r.next()
		if err != nil {
			if build != nil && !errors.Is(err, io.EOF) {
				build.Release()
			}
			if build == nil || !errors.Is(err, io.EOF) {
				return connector.Batch{}, err
			}
			break
		}
		if build == nil {
			batch.Stream = e.Stream
			build = rows.NewBuilder(r.mem, rows.RawSchema(r.fields(e.Stream)))
		} else if e.Stream != batch.Stream {
			r.held = &e
			break
		}
		row := e.Original()
		if refusal := build.Append(row); refusal != nil {
			batch.Refused = append(batch.Refused, refusal.Result(build.Len()))
			build.AppendRefused(row)
		}
		ids = append(ids, e.ID)
		batch.Bytes += int64(len(e.ID)) + 16
		if build.Len() >= retryRows || build.Bytes() >= retryBytes {
			break
		}
	}
	batch.Bytes += build.Bytes()
	batch.Rows = build.NewRecord()
	build.Release()
	r.mu.Lock()
	r.unsent = append(r.unsent, ids)
	r.mu.Unlock()
	return batch, nil
}

// next returns the next entry to send; io.EOF at the end, again and again.
func (r *reader) next() (Entry, error) {
	if r.held != nil {
		e := *r.held
		r.held = nil
		return e, nil
	}
	for !r.ended {
		e, err := r.scan.next()
		if errors.Is(err, io.EOF) {
			r.ended = true
			break
		}
		if err != nil {
			return Entry{}, err
		}
		if e.Mark == "" || e.Mark == MarkAgain {
			return e, nil
		}
	}
	return Entry{}, io.EOF
}

// Ack marks the rows of the oldest batch.
func (r *reader) Ack(_ context.Context, s connector.Settled) error {
	r.mu.Lock()
	if len(r.unsent) == 0 || len(r.unsent[0]) != s.Rows {
		r.mu.Unlock()
		return connector.Internalf("This is a defect: report it", "an answer for %d rejects that were not sent", s.Rows)
	}
	ids := r.unsent[0]
	r.unsent = r.unsent[1:]
	r.mu.Unlock()
	if r.retry.DryRun {
		return nil
	}
	var passed, again []string
	rejected := s.Rejected
	for i, id := range ids {
		bad := len(rejected) > 0 && rejected[0].Row == i
		if bad {
			rejected = rejected[1:]
		}
		switch {
		case id == "": // a line written by hand
		case bad:
			again = append(again, id)
		default:
			passed = append(passed, id)
		}
	}
	mark := MarkSettled
	switch s.Filtered {
	case 0:
		mark = MarkLanded
	case s.Rows - len(s.Rejected):
		mark = MarkFiltered
	}
	return errors.Join(r.dir.Mark(passed, mark), r.dir.Mark(again, MarkAgain))
}

func (r *reader) Close() error {
	if r.scan != nil {
		r.scan.close()
	}
	return nil
}
