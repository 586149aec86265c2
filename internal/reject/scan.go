package reject

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// Filter selects entries. Empty fields select all; the fields that are set must all fit.
type Filter struct {
	Run, Stream, Code, Key string
	IDs                    []string
	Since, Before          time.Time // when the row was rejected; zero: no bound
	// Open selects the entries without a mark: those that nobody has dealt with.
	Open bool
}

func (f *Filter) fits(e *Entry) bool {
	is := func(want, got string) bool { return want == "" || want == got }
	return is(f.Run, e.Run) && is(f.Stream, e.Stream) && is(f.Code, e.Code) && is(f.Key, e.Key) &&
		(len(f.IDs) == 0 || slices.Contains(f.IDs, e.ID)) &&
		(f.Since.IsZero() || !e.Time.Before(f.Since)) &&
		(f.Before.IsZero() || e.Time.Before(f.Before)) &&
		(!f.Open || e.Mark == "")
}

// Each calls fn for the entries that fit, the oldest run first, each run in its order. It returns how many lines could
// not be read: the tails that crashes left. An error of fn ends it.
func (d *Dir) Each(f Filter, fn func(Entry) error) (damaged int, err error) {
	s, err := d.scan(f)
	if err != nil {
		return 0, err
	}
	defer s.close()
	for {
		e, err := s.next()
		if errors.Is(err, io.EOF) {
			return s.damaged, nil
		}
		if err == nil {
			err = fn(e)
		}
		if err != nil {
			return s.damaged, err
		}
	}
}

// segment is a file of entries, as long as it was when it was listed: what is rejected later does not belong to it.
type segment struct {
	name string
	size int64
}

// files lists the files of entries, in the order of their names: by time.
func (d *Dir) files() ([]segment, error) {
	list, err := os.ReadDir(d.path)
	if err != nil {
		return nil, err
	}
	var out []segment
	for _, entry := range list {
		name := entry.Name()
		if entry.IsDir() || name == marksFile || !strings.HasSuffix(name, lineFiles) {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, segment{filepath.Join(d.path, name), info.Size()})
	}
	return out, nil
}

// scan starts a walk over the directory as it is now.
func (d *Dir) scan(f Filter) (*scan, error) {
	files, err := d.files()
	if err != nil {
		return nil, connector.Configf("Check the folder's permissions", "the rejects folder cannot be read: %w", err)
	}
	marks, err := d.marks()
	if err != nil {
		return nil, err
	}
	return &scan{files: files, marks: marks, filter: f}, nil
}

// scan walks over files of entries, one line in memory at a time.
type scan struct {
	files   []segment
	marks   map[string]Mark
	filter  Filter
	strict  bool // a line that cannot be read is an error: it was edited by hand, and its row must not go missing
	damaged int

	file *os.File
	from *bufio.Reader
	name string
	line int
}

// next returns the next entry that fits; io.EOF at the end.
func (s *scan) next() (Entry, error) {
	for {
		line, err := s.nextLine()
		if err != nil {
			return Entry{}, err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		e, err := parseLine(line)
		if err != nil {
			if s.strict {
				return Entry{}, connector.Configf(`Edit only what stands in "row", and keep each reject on one line`,
					"%s line %d is not a reject: %w", s.name, s.line, err)
			}
			s.damaged++
			continue
		}
		e.Mark = s.marks[e.ID]
		if s.filter.fits(&e) {
			return e, nil
		}
	}
}

// nextLine returns the next line of all files. A last line without a break counts if it can be read: an editor may have
// left the break away.
func (s *scan) nextLine() ([]byte, error) {
	for {
		if s.from == nil {
			if len(s.files) == 0 {
				return nil, io.EOF
			}
			next := s.files[0]
			s.files = s.files[1:]
			f, err := os.Open(next.name)
			if errors.Is(err, fs.ErrNotExist) {
				continue // purged meanwhile
			}
			if err != nil {
				return nil, connector.Configf("Check the file's permissions", "a file of rejects cannot be opened: %w", err)
			}
			s.file, s.from, s.name, s.line = f, bufio.NewReader(io.LimitReader(f, next.size)), next.name, 0
		}
		line, err := s.from.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, connector.Transientf("Check the disk", "a file of rejects cannot be read: %w", err)
		}
		if len(line) > 0 {
			s.line++
			return line, nil
		}
		s.close()
	}
}

func (s *scan) close() {
	if s.file != nil {
		_ = s.file.Close() // only read from
		s.file, s.from = nil, nil
	}
}
