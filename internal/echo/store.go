package echo

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // registers the driver

	"github.com/sluicehq/sluice/connector"
)

const (
	databaseFile = "echo.db"
	format       = 1
	contactsMost = 500_000
	trimEvery    = 1000 // contacts noted between two looks at how many there are
)

// store is the memory that two relays share: one SQLite file. Every change is a transaction that no other process sees
// half of.
type store struct {
	dir   string
	db    *sql.DB
	salt  []byte
	most  int
	noted int // contacts noted since the last look
}

// Begun reports whether there is a memory in a folder.
func Begun(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, databaseFile))
	return err == nil && info.Size() > 0
}

func openStore(ctx context.Context, dir string) (*store, error) {
	const elsewhere = "Set `echo:` to a folder that this user may write to"
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, connector.Configf(elsewhere, "the echo folder %s cannot be made: %w", dir, err)
	}
	path := filepath.Join(dir, databaseFile)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) // SQLite would make it readable for others
	if err != nil {
		return nil, connector.Configf(elsewhere, "the echo folder %s cannot be written to: %w", dir, err)
	}
	if err := file.Close(); err != nil {
		return nil, connector.Configf(elsewhere, "the echo folder %s cannot be written to: %w", dir, err)
	}
	q := url.Values{"_pragma": {"busy_timeout(30000)", "journal_mode(WAL)", "synchronous(FULL)", "trusted_schema(0)"}, "_txlock": {"immediate"}}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: q.Encode()}
	if !strings.HasPrefix(u.Path, "/") {
		u.Opaque, u.Path = (&url.URL{Path: u.Path}).EscapedPath(), ""
	}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, fmt.Errorf("echo: %w", err)
	}
	db.SetMaxOpenConns(1)
	s := &store{dir: dir, db: db, most: contactsMost}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(s.fault(err), db.Close())
	}
	return s, nil
}

// prepare makes the tables of a new file and reads the salt of any.
func (s *store) prepare(ctx context.Context) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	var version int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	switch version {
	case 0:
		salt := make([]byte, 16)
		_, _ = rand.Read(salt) // it never fails
		for _, q := range []string{
			"CREATE TABLE meta (salt BLOB NOT NULL, last INTEGER NOT NULL) STRICT",
			"CREATE TABLE contact (id BLOB PRIMARY KEY, last INTEGER NOT NULL, data TEXT NOT NULL) STRICT, WITHOUT ROWID",
			"CREATE INDEX contact_last ON contact (last)",
			fmt.Sprintf("PRAGMA user_version = %d", format),
		} {
			if _, err := tx.ExecContext(ctx, q); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO meta VALUES (?, 0)", salt); err != nil {
			return err
		}
	case format:
	default:
		return connector.Configf("Use the version of Sluice that made it, or a newer one", "the echo folder %s has the format %d, and this version knows up to %d", s.dir, version, format)
	}
	if err := tx.QueryRowContext(ctx, "SELECT salt FROM meta").Scan(&s.salt); err != nil {
		return err
	}
	return tx.Commit()
}

func (s *store) close() error { return s.db.Close() }

// fault says what a person can do about an error of the store.
func (s *store) fault(err error) error {
	var told *connector.Error
	switch {
	case err == nil, errors.As(err, &told), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case strings.Contains(err.Error(), "malformed"), strings.Contains(err.Error(), "not a database"):
		return connector.Configf("Delete the folder while no relay runs; the next runs may write once what is there already",
			"the echo folder %s is damaged: %w", s.dir, err)
	}
	return connector.Transientf("Check the disk's space and the folder's permissions, then run again", "the echo folder %s cannot be used: %w", s.dir, err)
}

// hash hides a value.
func (s *store) hash(parts ...string) string {
	h := sha256.New()
	h.Write(s.salt)
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return base64.RawStdEncoding.EncodeToString(h.Sum(nil)[:9])
}

// id names a contact of an account.
func (s *store) id(account, contact string) string {
	h := sha256.New()
	h.Write(s.salt)
	fmt.Fprintf(h, "%d:%s%s", len(account), account, contact)
	return string(h.Sum(nil)[:16])
}

// note is one transaction: what it reads is what the other relay knows too, what it changes is there for both at once.
type note struct {
	store *store
	tx    *sql.Tx
	ctx   context.Context
	now   time.Time
	order int64
	known map[string]fields // by id, as read and perhaps changed
}

// write runs f in a transaction.
func (s *store) write(ctx context.Context, f func(*note) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return s.fault(err)
	}
	defer func() { _ = tx.Rollback() }()
	n := &note{store: s, tx: tx, ctx: ctx, now: time.Now(), known: map[string]fields{}}
	if err := tx.QueryRowContext(ctx, "SELECT last FROM meta").Scan(&n.order); err != nil {
		return s.fault(err)
	}
	if err := f(n); err != nil {
		return s.fault(err)
	}
	if err := n.save(); err != nil {
		return s.fault(err)
	}
	return s.fault(tx.Commit())
}

// next is the number of the next thing noted.
func (n *note) next() int64 {
	n.order++
	return n.order
}

// contact loads what is known of a contact.
func (n *note) contact(id string) (fields, error) {
	if f, ok := n.known[id]; ok {
		return f, nil
	}
	f := fields{}
	var data string
	err := n.tx.QueryRowContext(n.ctx, "SELECT data FROM contact WHERE id = ?", []byte(id)).Scan(&data)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return nil, err
	default:
		if err := json.Unmarshal([]byte(data), &f); err != nil {
			return nil, fmt.Errorf("malformed note: %w", err)
		}
	}
	n.known[id] = f
	return f, nil
}

// save writes down what was loaded, and forgets the contacts that were touched longest ago.
func (n *note) save() error {
	for id, f := range n.known {
		for _, field := range f {
			field.tidy(n.now)
		}
		data, err := json.Marshal(f)
		if err != nil {
			return fmt.Errorf("echo: %w", err)
		}
		_, err = n.tx.ExecContext(n.ctx, "INSERT INTO contact VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET last = excluded.last, data = excluded.data", []byte(id), n.order, string(data))
		if err != nil {
			return err
		}
	}
	if _, err := n.tx.ExecContext(n.ctx, "UPDATE meta SET last = ?", n.order); err != nil {
		return err
	}
	s := n.store
	if s.noted += len(n.known); s.noted < min(trimEvery, s.most) {
		return nil
	}
	s.noted = 0
	_, err := n.tx.ExecContext(n.ctx, "DELETE FROM contact WHERE id IN (SELECT id FROM contact ORDER BY last DESC LIMIT -1 OFFSET ?)", s.most)
	return err
}
