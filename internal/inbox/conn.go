package inbox

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// conn is one connection to the database, used by one goroutine at a time. It stands on the driver itself: a pool would
// open a second connection when it likes and repeat a statement whose connection broke.
type conn struct {
	c    driver.Conn
	kept []*stmt
}

// stmt is a prepared statement of a conn.
type stmt struct {
	exe interface {
		driver.StmtExecContext
		driver.StmtQueryContext
	}
	s    driver.Stmt
	args []driver.NamedValue
	row  []driver.Value
}

// dial opens the database. Each pragma is "name(value)"; query holds the URI parameters that SQLite itself reads.
func dial(path, query string, pragmas ...string) (*conn, error) {
	c, err := connect(path, query)
	if err != nil {
		return nil, err
	}
	return c.with(pragmas)
}

// dialWriter opens the database to write to it. The log and its index stay when it is closed: a reader that may only read
// cannot make them. That is said before the first pragma, which reads the database: else the close after one that is refused
// would remove them.
func dialWriter(path string, more ...string) (*conn, error) {
	c, err := connect(path, writerQuery)
	if err != nil {
		return nil, err
	}
	if wal, ok := c.c.(sqlite.FileControl); !ok {
		err = fmt.Errorf("the driver's connection %T has no file control", c.c)
	} else {
		_, err = wal.FileControlPersistWAL("main", 1)
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c.with(slices.Concat(writerPragmas, more))
}

// with runs pragmas on a new connection, and closes it if one fails.
func (c *conn) with(pragmas []string) (*conn, error) {
	for _, p := range pragmas {
		if err := c.exec("PRAGMA " + p); err != nil {
			return nil, errors.Join(err, c.close())
		}
	}
	return c, nil
}

// connect opens the file, and does not read it yet.
func connect(path, query string) (*conn, error) {
	q := url.Values{"_txlock": {"immediate"}}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: query + "&" + q.Encode()}
	if !strings.HasPrefix(u.Path, "/") {
		u.Opaque, u.Path = (&url.URL{Path: u.Path}).EscapedPath(), ""
	}
	connector, err := sqlite.NewConnector(u.String())
	if err != nil {
		return nil, err
	}
	c, err := connector.Connect(context.Background())
	if err != nil {
		return nil, err
	}
	return &conn{c: c}, nil
}

// close frees the connection and the statements that it keeps: one left over would keep the files open.
func (c *conn) close() (err error) {
	for _, s := range c.kept {
		err = errors.Join(err, s.close())
	}
	c.kept = nil
	return errors.Join(err, c.c.Close())
}

// keep prepares a statement that lives as long as the connection.
func (c *conn) keep(text string) (*stmt, error) {
	s, err := c.prepare(text)
	if err == nil {
		c.kept = append(c.kept, s)
	}
	return s, err
}

func (c *conn) prepare(text string) (*stmt, error) {
	s, err := c.c.Prepare(text)
	if err != nil {
		return nil, err
	}
	exe, ok := s.(interface {
		driver.StmtExecContext
		driver.StmtQueryContext
	})
	if !ok {
		_ = s.Close()
		return nil, fmt.Errorf("the driver's statement %T takes no context", s)
	}
	return &stmt{exe: exe, s: s}, nil
}

// exec runs one statement, or several divided by semicolons if there are no args.
func (c *conn) exec(text string, args ...driver.Value) error {
	s, err := c.prepare(text)
	if err != nil {
		return err
	}
	_, err = s.exec(args...)
	return errors.Join(err, s.close())
}

// query calls row for each row of the answer; what row is given is its own to keep, but for the slice itself.
func (c *conn) query(ctx context.Context, text string, row func([]driver.Value) error, args ...driver.Value) error {
	s, err := c.prepare(text)
	if err != nil {
		return err
	}
	return errors.Join(s.query(ctx, row, args...), s.close())
}

// value returns the single value that a statement answers with, nil if it answers with no row.
func (c *conn) value(text string, args ...driver.Value) (v driver.Value, err error) {
	err = c.query(context.Background(), text, func(row []driver.Value) error { v = row[0]; return nil }, args...)
	return v, err
}

// number is value for an integer.
func (c *conn) number(text string, args ...driver.Value) (int64, error) {
	v, err := c.value(text, args...)
	n, ok := v.(int64)
	if err == nil && !ok {
		err = fmt.Errorf("%s answers %v", text, v)
	}
	return n, err
}

// exec returns how many rows changed.
func (s *stmt) exec(args ...driver.Value) (int64, error) {
	res, err := s.exe.ExecContext(context.Background(), s.named(args))
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// first returns the first value of the first row, nil if there is none.
func (s *stmt) first(args []driver.Value) (driver.Value, error) {
	rows, err := s.exe.QueryContext(context.Background(), s.named(args))
	if err != nil {
		return nil, err
	}
	if s.row == nil {
		s.row = make([]driver.Value, len(rows.Columns()))
	}
	s.row[0] = nil
	if err = rows.Next(s.row); errors.Is(err, io.EOF) {
		err = nil
	}
	return s.row[0], errors.Join(err, rows.Close())
}

func (s *stmt) query(ctx context.Context, row func([]driver.Value) error, args ...driver.Value) (err error) {
	rows, err := s.exe.QueryContext(ctx, s.named(args))
	if err != nil {
		return err
	}
	defer func() {
		if closed := rows.Close(); err == nil {
			err = closed
		}
	}()
	values := make([]driver.Value, len(rows.Columns()))
	for {
		if err := rows.Next(values); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := row(values); err != nil {
			return err
		}
	}
}

func (s *stmt) named(args []driver.Value) []driver.NamedValue {
	s.args = s.args[:0]
	for i, a := range args {
		s.args = append(s.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return s.args
}

func (s *stmt) close() error { return s.s.Close() }

// codeOf returns SQLite's primary result code, 0 if err has none.
func codeOf(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// isDamage says whether SQLite calls the file itself broken.
func isDamage(err error) bool {
	code := codeOf(err)
	return code == sqlite3.SQLITE_CORRUPT || code == sqlite3.SQLITE_NOTADB
}

// isFull says whether an error is for want of space. SQLite has a name of its own for the index of the log that cannot
// grow, which is mostly for that.
func isFull(err error) bool {
	var e *sqlite.Error
	if errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_FULL || e.Code() == sqlite3.SQLITE_IOERR_SHMSIZE) {
		return true
	}
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
