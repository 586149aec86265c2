package inbox

import (
	"errors"
	"io"
	"io/fs"
	"os"

	sqlite3 "modernc.org/sqlite/lib"
)

// errNoSchema: what the first page says is not what it says in an inbox.
var errNoSchema = errors.New("its tables are not there")

// openOld opens what there is to read. With writable_schema SQLite also reads a database that is shorter than it should be.
func (s *salvage) openOld() error {
	pragmas := []string{"busy_timeout(5000)", "mmap_size(0)", "cell_size_check(1)", "trusted_schema(0)", "writable_schema(1)"}
	size, err := fileSize(s.path)
	if err != nil {
		return err
	}
	if size > 0 { // else SQLite would remove the log
		s.old, err = dialAtRest(s.path, pragmas...)
		if err == nil {
			if err = s.checkOld(); err == nil {
				return nil
			}
			err = errors.Join(err, s.old.close())
		}
		if !isDamage(err) && codeOf(err) != sqlite3.SQLITE_ERROR && !errors.Is(err, errNoSchema) {
			return err
		}
	}
	s.guessed = true
	if err := s.makeStandIn(); err != nil {
		return err
	}
	s.old, err = dialAtRest(s.standIn, pragmas...)
	return err
}

// checkOld refuses a database of something else, and finds out whether its first page can be read.
func (s *salvage) checkOld() error {
	if _, err := checkIdentity(s.old, s.path, len(s.opts.steps)); err != nil {
		return err
	}
	n, err := s.old.number("SELECT count(*) FROM sqlite_master WHERE name IN ('record', 'endpoint', 'meta')")
	if err == nil && n != 3 {
		err = errNoSchema
	}
	return err
}

// makeStandIn copies a database whose first page is lost, and gives it that of a new inbox, in which the tables begin at the
// same pages. The log is linked to it. Where the whole database is lost, that still saves what is in the log.
func (s *salvage) makeStandIn() error {
	c, err := s.create(s.standIn)
	if err != nil {
		return err
	}
	page, err := c.number("PRAGMA page_size")
	if err = errors.Join(err, c.close()); err != nil {
		return err
	}
	if err := patchBehind(s.standIn, s.path, page); err != nil {
		return err
	}
	if err := os.Link(s.path+"-wal", s.standIn+"-wal"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// patchBehind copies all of one file but its first page over the same place in another.
func patchBehind(to, from string, page int64) (err error) {
	src, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	dst, err := os.OpenFile(to, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	_, err = io.Copy(io.NewOffsetWriter(dst, page), io.NewSectionReader(src, page, 1<<62))
	if err == nil {
		const pages = 28 // where the header counts them; 0: go by the size of the file
		_, err = dst.WriteAt(make([]byte, 4), pages)
	}
	return err
}
