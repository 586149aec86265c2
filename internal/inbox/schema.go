package inbox

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/sluicehq/sluice/connector"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	applicationID = 0x536c6962 // "Slib": the file is an inbox
	oldestSQLite  = 3_051_003  // before, two connections that checkpoint at once could corrupt the file
)

// migrations lead from one version of the schema to the next; user_version counts those that were done. One that a
// release has shipped is never changed.
var migrations = []string{`
CREATE TABLE record (seq INTEGER PRIMARY KEY, tag INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE seen (key BLOB PRIMARY KEY, seq INTEGER NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE endpoint (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE consumer (name TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE quarantine (seq INTEGER PRIMARY KEY, upto INTEGER NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL, released INTEGER NOT NULL DEFAULT 0);
CREATE TABLE meta (id INTEGER PRIMARY KEY, data BLOB NOT NULL);`,
	`CREATE TABLE followup (seq INTEGER PRIMARY KEY, data BLOB NOT NULL);`,
	"", // records hold their keys, and the head row how far those are in their table
	"", // the head row holds the inbox's identity
}

// meta is the one row of its table: sum, then each field as 8 bytes.
type meta struct {
	head  int64 // the last sequence given
	floor int64 // all records up to here were trimmed
	bytes int64 // of the records from floor to head
	clean int64 // 1: the writer closed the database in order

	consumers int64 // how many there are, so that one that vanished is missed
	settled   int64 // the keys of all records up to here are in their table
	id        int64 // the Identity; 0 before the writer gives one
}

func (m *meta) fields() []*int64 {
	return []*int64{&m.head, &m.floor, &m.bytes, &m.clean, &m.consumers, &m.settled, &m.id}
}

const (
	metaSize      = 4 + 7*8
	metaWithoutID = metaSize - 8  // before the fourth migration
	oldMetaSize   = metaSize - 16 // before the third one: all keys were in their table
)

func (m *meta) encode() []byte { return m.appendTo(make([]byte, 0, metaSize)) }

// appendTo makes the row in the memory of b, which is empty.
func (m *meta) appendTo(b []byte) []byte {
	b = append(b, 0, 0, 0, 0)
	for _, v := range m.fields() {
		b = binary.LittleEndian.AppendUint64(b, uint64(*v))
	}
	binary.LittleEndian.PutUint32(b, sum(0, b[4:]))
	return b
}

func decodeMeta(v driver.Value) (m meta, err error) {
	b, ok := v.([]byte)
	if !ok || len(b) != metaSize && len(b) != metaWithoutID && len(b) != oldMetaSize || binary.LittleEndian.Uint32(b) != sum(0, b[4:]) {
		return m, damagef("its head row does not match its checksum")
	}
	for i, p := range m.fields()[:(len(b)-4)/8] {
		*p = int64(binary.LittleEndian.Uint64(b[4+8*i:]))
	}
	if len(b) == oldMetaSize {
		m.settled = m.head
	}
	if m.floor < 0 || m.head < m.floor || m.id < 0 || m.id > math.MaxUint32 {
		return m, damagef("its head row makes no sense")
	}
	return m, nil
}

const selectMeta = "SELECT data FROM meta WHERE id = 1"

// damagef makes the error of a store that cannot be trusted.
func damagef(what string, args ...any) error {
	return connector.Configf("Stop the receiver, keep a copy of the folder, then run `sluice inbox salvage`: it keeps every record that is whole",
		"the inbox is damaged: %w", fmt.Errorf(what+": %w", append(args, ErrDamaged)...))
}

const writerQuery = "mode=rw&_defensive=1"

// writerPragmas are set when the writer opens the database, and assert holds them to it. FULL syncs each commit; NORMAL
// would lose the last ones with the power. The full fsync is for systems whose plain one stops at the disk's cache.
var writerPragmas = []string{
	"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "fullfsync(1)", "checkpoint_fullfsync(1)",
	"mmap_size(0)", "cell_size_check(1)", "trusted_schema(0)", "foreign_keys(0)",
}

// assert refuses to work where the database is not as durable as we promise.
func assert(c *conn, version string) error {
	n, err := versionNumber(version)
	if err != nil {
		return err
	}
	if n < oldestSQLite {
		return connector.Internalf("Build with a newer modernc.org/sqlite", "SQLite %s has a known bug that corrupts write-ahead logs", version)
	}
	for _, want := range [][2]string{{"journal_mode", "wal"}, {"synchronous", "2"}, {"mmap_size", "0"}, {"locking_mode", "normal"}} {
		v, err := c.value("PRAGMA " + want[0])
		if err != nil {
			return err
		}
		if got := fmt.Sprint(v); v != nil && got != want[1] {
			return connector.Configf("Put the inbox on a local disk: network file systems often cannot do this",
				"the inbox's database has %s %s, and only %s is safe", want[0], got, want[1])
		}
	}
	return nil
}

// versionNumber reads "3.51.3" as 3051003.
func versionNumber(text string) (n int, err error) {
	parts := strings.Split(text, ".")
	for i := range 3 {
		n *= 1000
		if i < len(parts) {
			p, err := strconv.Atoi(parts[i])
			if err != nil {
				return 0, fmt.Errorf("SQLite's version %q: %w", text, err)
			}
			n += p
		}
	}
	return n, nil
}

// checkIdentity tells an inbox from another database, and one of a later version of Sluice.
func checkIdentity(c *conn, path string, known int) (version int64, err error) {
	id, err := c.number("PRAGMA application_id")
	if err != nil {
		return 0, err
	}
	tables, err := c.number("SELECT count(*) FROM sqlite_master")
	if err != nil {
		return 0, err
	}
	if id != applicationID && (id != 0 || tables != 0) {
		return 0, connector.Configf("Give the inbox a folder of its own", "%s is a database of something else", path)
	}
	if version, err = c.number("PRAGMA user_version"); err != nil {
		return 0, err
	}
	if version > int64(known) {
		return 0, connector.Configf("Use the version of Sluice that wrote it, or a newer one",
			"the inbox %s has the format %d, and this version knows up to %d", path, version, known)
	}
	return version, nil
}

// migrate brings the schema up to date, each step in a transaction of its own.
func migrate(c *conn, from int64, steps []string, hook func(string) error) error {
	for v := from; v < int64(len(steps)); v++ {
		err := inTx(c, func() error {
			if steps[v] != "" {
				if err := c.exec(steps[v]); err != nil {
					return err
				}
			}
			if v == 0 {
				if err := c.exec("INSERT INTO meta VALUES (1, ?)", (&meta{clean: 1}).encode()); err != nil {
					return err
				}
			}
			if err := c.exec(fmt.Sprintf("PRAGMA application_id = %d", applicationID)); err != nil {
				return err
			}
			if err := c.exec(fmt.Sprintf("PRAGMA user_version = %d", v+1)); err != nil {
				return err
			}
			return hook("migrate: before commit")
		})
		if err == nil {
			err = hook("migrate: after commit")
		}
		if err != nil {
			return fmt.Errorf("bring the inbox to format %d: %w", v+1, err)
		}
	}
	return nil
}

// inTx runs f between BEGIN and COMMIT, or ROLLBACK if it returns an error.
func inTx(c *conn, f func() error) error {
	if err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := f()
	if err == nil {
		err = c.exec("COMMIT")
	}
	if err != nil {
		_ = c.exec("ROLLBACK") // after some errors SQLite has rolled back already
	}
	return err
}

// quickCheck has SQLite walk its own structure. It does not look at what the records hold: their sums do.
func quickCheck(ctx context.Context, c *conn) error {
	var faults []string
	err := c.query(ctx, "PRAGMA quick_check(5)", func(row []driver.Value) error {
		faults = append(faults, fmt.Sprint(row[0]))
		return nil
	})
	switch {
	case err != nil && isDamage(err):
		return damagef("%w", err)
	case err != nil:
		return err
	case len(faults) == 1 && faults[0] == "ok":
		return nil
	}
	return damagef("%s", strings.Join(faults, "; "))
}

// openError makes of SQLite's words what a person can act on.
func openError(path string, err error) error {
	var told *connector.Error
	switch code := codeOf(err); {
	case errors.As(err, &told):
		return err
	case isDamage(err):
		return damagef("%w", err)
	case isFull(err):
		return fmt.Errorf("open %s: %w: %w", path, ErrFull, err)
	case code == sqlite3.SQLITE_READONLY:
		return connector.Configf("Check the permissions of the folder and its files; within one process, open the inbox before its readers",
			"the inbox %s cannot be written to: %w", path, err)
	default:
		return connector.Configf("Check that the folder is on a local disk and that this user may write to it",
			"the inbox %s cannot be opened: %w", path, err)
	}
}
