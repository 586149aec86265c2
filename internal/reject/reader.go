package reject

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
	"github.com/sluicehq/sluice/internal/state/disk"
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
//
// A reject that still is no row, because it is the text of a broken line, is not handed out: it would come back as it
// went. It stays as it is and is counted, see Reader.Held.
func NewReader(d *Dir, retry Retry, fields func(stream string) []string, mem memory.Allocator) *Reader {
	return &Reader{dir: d, retry: retry, fields: fields, mem: mem}
}

// Reader is a connector.Reader over rejects. From Open to Close it holds the directory against other retries: two at a time
// would send the same rows twice.
type Reader struct {
	dir    *Dir
	retry  Retry
	fields func(stream string) []string
	mem    memory.Allocator

	lock   *disk.Lock // nil: not open, or a dry run, which sends nothing
	kept   Held
	scan   *scan
	held   *Entry // read, but of another stream than the batch before
	ended  bool
	mu     sync.Mutex
	unsent [][]string // ids of the batches that are not acked yet, in the order read
	left   []int      // rows of the batch that is acked next
}

// Open fixes what will be read: rows that the retry itself rejects again are not part of it.
func (r *Reader) Open(_ context.Context, from connector.Position) error {
	if from != nil {
		return connector.Configf("Start the retry without a position", "rejects are sent again from their marks, not from a position")
	}
	if err := r.hold(); err != nil {
		return err
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
		size := info.Size()
		if !info.Mode().IsRegular() {
			size = math.MaxInt64 // a pipe: it ends when it ends
		}
		s.files, s.strict = []segment{{r.retry.File, size}}, true
	}
	r.scan = s
	return nil
}

// Held are the rejects that a retry left as they were, because what is kept of them cannot be read as a row.
type Held struct {
	Rows  int
	First string // the id of the first; empty for a line written by hand
	Why   string // it could not be read
}

// Held returns what was left. It may be called after the run.
func (r *Reader) Held() Held { return r.kept }

// hold takes the lock of retries.
func (r *Reader) hold() error {
	if r.retry.DryRun {
		return nil
	}
	lock, err := disk.Exclusive(filepath.Join(r.dir.path, retryFile))
	switch held := (*disk.HeldError)(nil); {
	case errors.As(err, &held) && held.PID != 0:
		return connector.Configf("Wait until it has ended, then look with `sluice rejects ls` at what is still open",
			"another retry of these rejects is going on: process %d holds %s", held.PID, r.dir.path)
	case errors.Is(err, disk.ErrHeld):
		return connector.Configf("Wait until it has ended, then look with `sluice rejects ls` at what is still open",
			"another retry of these rejects is going on in %s", r.dir.path)
	case err != nil:
		return connector.Configf("Check the folder's permissions", "the rejects folder %s cannot be locked: %w", r.dir.path, err)
	}
	r.lock = lock
	return nil
}

// Read returns the next rejects of one stream.
func (r *Reader) Read(ctx context.Context) (connector.Batch, error) {
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
		if why := appendEntry(build, &e); why != "" {
			r.keep(&e, why)
			if build.Len() == 0 {
				build.Release()
				build = nil
			}
			continue
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

// appendEntry adds the reject's row to the batch, or says why it is none.
func appendEntry(build *rows.Builder, e *Entry) (why string) {
	row := e.Original()
	if e.Code == connector.CodeBadUTF8 && bytes.ContainsRune(row, utf8.RuneError) {
		// To send it would put the marks of what was lost into the CRM.
		return "bytes of it that are no text were lost when it was read"
	}
	if refusal := build.Append(row); refusal != nil {
		return refusal.Message
	}
	return ""
}

// keep counts a reject that is left as it is.
func (r *Reader) keep(e *Entry, why string) {
	if r.kept.Rows++; r.kept.Rows == 1 {
		r.kept.First, r.kept.Why = e.ID, why
	}
}

// next returns the next entry to send; io.EOF at the end, again and again.
func (r *Reader) next() (Entry, error) {
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

// LeftOut tells which rows of the batch that is acked next are overtaken, ascending.
func (r *Reader) LeftOut(rows []int) { r.left = rows }

// Ack marks the rows of the oldest batch.
func (r *Reader) Ack(_ context.Context, s connector.Settled) error {
	r.mu.Lock()
	if len(r.unsent) == 0 || len(r.unsent[0]) != s.Rows {
		r.mu.Unlock()
		return connector.Internalf("This is a defect: report it", "an answer for %d rejects that were not sent", s.Rows)
	}
	ids := r.unsent[0]
	r.unsent = r.unsent[1:]
	r.mu.Unlock()
	left := r.left
	r.left = nil
	if r.retry.DryRun {
		return nil
	}
	var passed, overtaken, again []string
	rejected := s.Rejected
	for i, id := range ids {
		_, out := slices.BinarySearch(left, i)
		bad := len(rejected) > 0 && rejected[0].Row == i
		if bad {
			rejected = rejected[1:]
		}
		switch {
		case id == "": // a line written by hand
		case bad:
			again = append(again, id)
		case out:
			overtaken = append(overtaken, id)
		default:
			passed = append(passed, id)
		}
	}
	mark := MarkSettled
	switch s.Filtered - len(left) {
	case 0:
		mark = MarkLanded
	case s.Rows - len(s.Rejected) - len(left):
		mark = MarkFiltered
	}
	return errors.Join(r.dir.Mark(passed, mark), r.dir.Mark(overtaken, MarkOvertaken), r.dir.Mark(again, MarkAgain))
}

// Close implements connector.Reader and lets other retries in.
func (r *Reader) Close() error {
	if r.scan != nil {
		r.scan.close()
	}
	if r.lock == nil {
		return nil
	}
	lock := r.lock
	r.lock = nil
	return lock.Close()
}
