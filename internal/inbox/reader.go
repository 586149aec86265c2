package inbox

import (
	"cmp"
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/sluicehq/sluice/connector"
	sqlite3 "modernc.org/sqlite/lib"
)

// readerQuery opens the database so that nothing of it is written: neither the file nor the log, nor the index that the
// processes share. Where no writer is alive SQLite then builds an index of its own in memory.
const readerQuery = "mode=ro&readonly_shm=1"

// Reader reads an inbox that this or another process may be writing. It writes nothing. Its methods are safe for
// concurrent use, one after the other.
type Reader struct {
	dir string

	mu sync.Mutex // covers the connection
	c  *conn
}

// OpenReader opens the inbox in a folder for reading. Within one process, open the writer first: both share SQLite's
// index of the log, and it would be read only for both. Errors are Config errors, or wrap ErrDamaged.
func OpenReader(dir string) (*Reader, error) { return openReader(dir, len(migrations)) }

// openReader takes formats up to known.
func openReader(dir string, known int) (*Reader, error) {
	path := filepath.Join(dir, databaseFile)
	if _, err := os.Stat(path + salvagedEnd); err == nil {
		return nil, connector.Configf("If none is running, start the receiver on that folder: it finishes it",
			"a salvage of the inbox %s was cut short, or is at its end", dir)
	}
	if err := checkSizes(path); err != nil {
		return nil, readError(dir, err)
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
			if err := checkAlone(path, known); err != nil {
				return nil, readError(dir, err)
			}
			return nil, connector.Configf("Start the receiver on that folder once; if the inbox was copied, copy all its files",
				"there is no inbox in %s: %s is missing", dir, filepath.Base(name))
		}
	}
	if err := awaitLog(dir, path); err != nil {
		return nil, err
	}
	c, err := dial(path, readerQuery, "busy_timeout(5000)", "query_only(1)", "mmap_size(0)", "cell_size_check(1)", "trusted_schema(0)")
	if err != nil {
		return nil, readError(dir, err)
	}
	r := &Reader{dir: dir, c: c}
	if version, err := checkIdentity(c, path, known); err != nil || version == 0 {
		if err == nil {
			err = connector.Configf("Start the receiver on that folder once", "the inbox %s is empty", dir)
		}
		return nil, errors.Join(readError(dir, err), c.close())
	}
	return r, nil
}

// checkAlone refuses what the receiver would refuse too, so that nobody is sent to start it: a database beside which no log
// has begun, and no first start was cut short, must be an inbox by itself. SQLite reads it, as checkStart must not: this
// process may have it open.
func checkAlone(path string, known int) error {
	size, err := fileSize(path)
	if err != nil || size == 0 {
		return err
	}
	if journal, err := fileSize(path + "-journal"); err != nil || journal > 0 {
		return err
	}
	if begun, err := logBegun(path); err != nil || begun {
		return err
	}
	c, err := dial(path, "mode=ro&immutable=1", "query_only(1)", "mmap_size(0)", "cell_size_check(1)", "trusted_schema(0)")
	if err != nil {
		return err
	}
	_, err = checkIdentity(c, path, known)
	return errors.Join(err, c.close())
}

// awaitLog waits for a log to have a header and something behind it. A writer that starts comes to that soon; where there is
// none, SQLite would try for ten seconds.
func awaitLog(dir, path string) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 20 {
		begun, err := logBegun(path)
		if err != nil {
			return readError(dir, err)
		}
		if begun {
			return nil
		}
		if size, err := fileSize(path + "-wal"); err != nil {
			return readError(dir, err)
		} else if size == 0 {
			return nil
		}
		<-tick.C
	}
	return noLogError(dir, errors.New("it has no header, or nothing behind it"))
}

// noLogError: the log cannot tell which of the two it was.
func noLogError(dir string, err error) error {
	return connector.Transientf("Keep a copy of the folder, then start the receiver on it: if requests are lost, it names them",
		"the inbox %s cannot be read: its writer died as it started, or its log %s-wal is damaged: %w", dir, databaseFile, err)
}

// Close frees the connection. It is no error to close twice.
func (r *Reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.c == nil {
		return nil
	}
	c := r.c
	r.c = nil
	return c.close()
}

func readError(dir string, err error) error {
	var told *connector.Error
	switch {
	case errors.As(err, &told), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case isDamage(err):
		return damagef("%w", err)
	case codeOf(err) == sqlite3.SQLITE_BUSY, codeOf(err) == sqlite3.SQLITE_READONLY:
		return connector.Transientf("Try again", "the inbox %s cannot be read while its writer starts: %w", dir, err)
	case codeOf(err) == sqlite3.SQLITE_PROTOCOL:
		return noLogError(dir, err)
	}
	return connector.Transientf("Check that this user may read the files of the folder", "the inbox %s cannot be read: %w", dir, err)
}

// view runs f in a transaction, so that all it reads is of one moment.
func (r *Reader) view(ctx context.Context, f func(*conn, meta) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.c == nil {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := r.c.exec("BEGIN"); err != nil {
		return readError(r.dir, err)
	}
	row, err := r.c.value(selectMeta)
	var m meta
	if err == nil {
		m, err = decodeMeta(row)
	}
	if err == nil {
		err = f(r.c, m)
	}
	if done := r.c.exec("ROLLBACK"); err == nil {
		err = done
	}
	if err != nil {
		return readError(r.dir, err)
	}
	return nil
}

// Head returns the sequence of the last request that was acknowledged, also if the database has lost it: Read says so.
func (r *Reader) Head(ctx context.Context) (int64, error) {
	known, err := readHead(r.dir) // before the database, which is written before it
	if err != nil {
		return 0, readError(r.dir, err)
	}
	head := known.head
	err = r.view(ctx, func(_ *conn, m meta) error {
		head = max(known.of(m), m.head)
		return nil
	})
	return head, err
}

// Floor returns the last sequence that retention has removed, 0 if none.
func (r *Reader) Floor(ctx context.Context) (floor int64, err error) {
	err = r.view(ctx, func(_ *conn, m meta) error { floor = m.floor; return nil })
	return floor, err
}

// Consumers lists the named consumers by name.
func (r *Reader) Consumers(ctx context.Context) (list []Consumer, err error) {
	err = r.view(ctx, func(c *conn, m meta) error { list, err = consumers(ctx, c, m); return err })
	return list, err
}

// Endpoints lists every endpoint at which something came in, by name.
func (r *Reader) Endpoints(ctx context.Context) (list []Endpoint, err error) {
	err = r.view(ctx, func(c *conn, _ meta) error {
		known, err := endpoints(ctx, c)
		for _, e := range known {
			if !e.damaged {
				list = append(list, e.Endpoint)
			}
		}
		return err
	})
	slices.SortFunc(list, func(a, b Endpoint) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Vendor, b.Vendor), cmp.Compare(a.Account, b.Account), cmp.Compare(a.Type, b.Type))
	})
	return list, err
}

// knownEndpoint is a row of the table endpoint.
type knownEndpoint struct {
	Endpoint
	damaged bool // its name is lost, only its id is known
}

func endpoints(ctx context.Context, c *conn) (map[uint32]knownEndpoint, error) {
	known := map[uint32]knownEndpoint{}
	err := c.query(ctx, "SELECT id, data FROM endpoint", func(row []driver.Value) error {
		id, ok := row[0].(int64)
		if !ok {
			return nil
		}
		var e knownEndpoint
		text, ok := checked(id, row[1])
		if !ok || json.Unmarshal(text, &e.Endpoint) != nil {
			e = knownEndpoint{damaged: true}
		}
		known[uint32(id)] = e
		return nil
	})
	return known, err
}

// Get returns one record, also a quarantined one: for people. ErrNotFound: it was trimmed or never there; ErrDamaged:
// it cannot be trusted, or was lost.
func (r *Reader) Get(ctx context.Context, seq int64) (rec Record, err error) {
	err = r.view(ctx, func(c *conn, m meta) error {
		if seq <= m.floor || seq > m.head {
			return fmt.Errorf("%d: %w", seq, ErrNotFound)
		}
		known, err := endpoints(ctx, c)
		if err != nil {
			return err
		}
		s := scan{c: c, known: known}
		rec, _, err = s.load(ctx, seq)
		if err != nil {
			if other := notOfRecord(ctx, err); other != nil {
				return other
			}
			return damagef("record %d: %w", seq, err)
		}
		return nil
	})
	if errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("record %d: %w", seq, ErrNotFound)
	}
	return rec, err
}
