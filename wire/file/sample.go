package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// Sample is what a look at the beginning of an input shows.
type Sample struct {
	// Unread: it is standard input or a pipe, of which a look would take rows away. Nothing else is known then.
	Unread bool
	Format string // JSONL or CSV; Auto where an empty file does not tell
	// Fields are the columns of a CSV header in their order, or the names that have a value in one of the rows, sorted.
	Fields []string
	Rows   int  // looked at, refused ones included
	Whole  bool // the input has no more
	// Refused are the rows that are none, at most Rows; each message begins with its line.
	Refused []connector.RowResult
}

// Look reads at least the first so many rows of an input, or all that there are, and leaves everything as it was. Its errors
// are those that a run would end with.
func Look(ctx context.Context, cfg Config, most int) (s Sample, err error) {
	if cfg.Path == "-" {
		return Sample{Unread: true}, nil
	}
	if info, err := os.Stat(cfg.Path); err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		return Sample{Unread: true}, nil
	}
	cfg.Follow = false
	r := NewReader(cfg, nil, memory.DefaultAllocator)
	defer func() { err = errors.Join(err, r.Close()) }()
	if err := r.Open(ctx, nil); err != nil {
		return Sample{}, err
	}
	seen := map[string]bool{}
	for s.Rows < most && !s.Whole {
		b, err := r.Read(ctx)
		switch {
		case errors.Is(err, io.EOF):
			s.Whole = true
		case err != nil:
			return Sample{}, err
		default:
			err := s.add(b, seen)
			b.Rows.Release()
			if err != nil {
				return Sample{}, err
			}
		}
	}
	s.Format, s.Fields = r.format, slices.Sorted(maps.Keys(seen))
	if r.table != nil {
		s.Fields = slices.Clone(r.table.names)
	}
	return s, nil
}

// add notes which fields have a value in the batch.
func (s *Sample) add(b connector.Batch, seen map[string]bool) error {
	refused := map[int]bool{}
	for _, r := range b.Refused {
		refused[r.Row] = true
	}
	s.Rows += b.NumRows()
	s.Refused = append(s.Refused, b.Refused...)
	for row := range b.NumRows() {
		if refused[row] {
			continue
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(rows.AppendJSON(nil, b.Rows, row), &fields); err != nil {
			return fmt.Errorf("file: a row that was read is no object: %w", err)
		}
		for name, value := range fields {
			if string(value) != "null" {
				seen[name] = true
			}
		}
	}
	return nil
}
