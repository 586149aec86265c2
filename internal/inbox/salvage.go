package inbox

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/state/disk"
)

// Salvaged says what Salvage saved.
type Salvaged struct {
	Records int64  // kept, under their sequences
	Damaged int64  // sequences whose records could not be saved; they are listed as quarantined
	Keys    int64  // dedupe keys kept; where one is lost, a repeat would come in again
	Lost    bool   // keys or consumers could not all be read: name the consumers again before the next Trim
	Old     string // the folder that keeps the damaged files
}

// salvagedEnd marks a new database that is whole. From then on the salvage is only ever finished, by whoever owns the folder
// next: the log of the old database is about to go, and without it that one would look whole too.
const salvagedEnd = "-salvaged"

// databaseEnds are of the files that make up a database.
var databaseEnds = []string{"", "-wal", "-shm", "-journal"}

// Salvage rebuilds a damaged inbox of whatever in it is whole. Records keep their sequences, so every consumer goes on
// where it was. The damaged files are kept in a folder beside. Nobody else may have the inbox open.
func Salvage(ctx context.Context, opts Options) (Salvaged, error) {
	opts.defaults()
	path := filepath.Join(opts.Dir, databaseFile)
	if err := anything(opts.Dir, path); err != nil {
		return Salvaged{}, err
	}
	lock, err := lockDir(opts.Dir)
	if err != nil {
		return Salvaged{}, openError(opts.Dir, err)
	}
	s := salvage{opts: opts, path: path, fresh: filepath.Join(opts.Dir, "salvaged.db"), standIn: filepath.Join(opts.Dir, "standin.db")}
	err = s.run(ctx)
	if err = errors.Join(err, lock.Close()); err != nil {
		return s.done, salvageError(opts.Dir, err)
	}
	opts.Log.Warn("the inbox was salvaged", "records", s.done.Records, "damaged", s.done.Damaged, "old", s.done.Old)
	return s.done, nil
}

// anything refuses a folder in which there is nothing to save.
func anything(dir, path string) error {
	size, err := fileSize(path)
	log, logErr := fileSize(path + "-wal")
	if err = errors.Join(err, logErr); err != nil {
		return salvageError(dir, err)
	}
	if size == 0 && log == 0 {
		return connector.Configf("If it is the right folder, start the receiver on it: that makes a new inbox and names what is lost",
			"there is nothing to salvage in %s: %s is missing or empty, and so is its log", dir, databaseFile)
	}
	return nil
}

func salvageError(dir string, err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
	case isDamage(err):
		err = connector.Configf("Keep a copy of the folder, then move inbox.db, inbox.db-wal and inbox.db-shm out of it and start the receiver: that names what is lost",
			"too much of %s is damaged: %w", dir, err)
	default:
		err = openError(dir, err)
	}
	return fmt.Errorf("salvage the inbox: %w", err)
}

type salvage struct {
	opts           Options
	path           string
	fresh, standIn string // databases that are there only meanwhile
	guessed        bool   // the stand-in is read, so only what has a checksum counts
	old, now       *conn
	m              meta
	done           Salvaged
}

func (s *salvage) run(ctx context.Context) (err error) {
	if err := disk.Sweep(s.opts.Dir); err != nil {
		return err
	}
	if err := finishSalvage(s.path, s.opts.hook); err != nil { // then this one tells what that one has kept
		return err
	}
	if err := s.sweep(); err != nil { // after one that was cut short
		return err
	}
	defer func() { err = errors.Join(err, s.sweep()) }()
	if err := s.rebuild(ctx); err != nil {
		return err
	}
	return s.swap()
}

// sweep removes the databases that are there only meanwhile.
func (s *salvage) sweep() (err error) {
	for _, path := range []string{s.fresh, s.standIn} {
		for _, end := range databaseEnds {
			err = errors.Join(err, removeFile(path+end))
		}
	}
	return err
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (s *salvage) rebuild(ctx context.Context) (err error) {
	if err := s.openOld(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.old.close()) }()
	if s.now, err = s.create(s.fresh); err != nil {
		return err
	}
	err = s.copyAll(ctx)
	if err == nil { // the close, which removes the log, would be silent about an error
		err = s.now.exec("PRAGMA wal_checkpoint(TRUNCATE)")
	}
	return errors.Join(err, s.now.close())
}

// create makes an empty inbox.
func (s *salvage) create(path string) (*conn, error) {
	if err := makeFile(path); err != nil {
		return nil, err
	}
	c, err := dial(path, writerQuery, writerPragmas...)
	if err != nil {
		return nil, err
	}
	if err := migrate(c, 0, s.opts.steps, s.opts.hook); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (s *salvage) copyAll(ctx context.Context) error {
	if err := s.bounds(); err != nil {
		return err
	}
	return inTx(s.now, func() error {
		if err := s.records(ctx); err != nil {
			return err
		}
		tables := []string{"endpoint", "consumer", "seen", "quarantine", "followup"}
		if s.guessed {
			tables, s.done.Lost = tables[:2], true
		}
		for _, table := range tables {
			if err := s.table(ctx, table); err != nil {
				return err
			}
		}
		var err error
		if s.done.Keys, err = s.now.number("SELECT count(*) FROM seen"); err != nil {
			return err
		}
		if s.m.consumers, err = s.now.number("SELECT count(*) FROM consumer"); err != nil {
			return err
		}
		s.m.clean, s.m.settled = 1, s.m.head
		return s.now.exec("UPDATE meta SET data = ? WHERE id = 1", s.m.encode())
	})
}

// bounds finds floor and head, from the records themselves if the head row is broken.
func (s *salvage) bounds() error {
	known, err := readHead(s.opts.Dir)
	if err != nil {
		return err
	}
	row, err := s.old.value(selectMeta)
	if err == nil {
		s.m, err = decodeMeta(row)
	}
	if err != nil && !isDamage(err) && !errors.Is(err, ErrDamaged) {
		return err
	}
	if err != nil || s.guessed && s.m.head == 0 {
		first, _ := s.old.value("SELECT min(seq) FROM record")
		last, _ := s.old.value("SELECT max(seq) FROM record")
		from, _ := first.(int64)
		to, _ := last.(int64)
		if known.head > 0 { // a broken key may claim any sequence; the file beside the database knows better
			to = known.head
		}
		s.m = meta{floor: min(max(from-1, 0), to), head: to, id: int64(known.id)}
		s.done.Lost = true
	}
	s.m.head, s.m.bytes = max(s.m.head, known.of(s.m)), 0
	return nil
}

// records copies every record that is whole and lists the others.
func (s *salvage) records(ctx context.Context) error {
	known, err := endpoints(ctx, s.old)
	if err != nil && !isDamage(err) {
		return err
	}
	put, err := s.now.keep("INSERT INTO record VALUES (?, ?, ?)")
	if err != nil {
		return err
	}
	putKey, err := s.now.keep(insertSeen + laterSeen)
	if err != nil {
		return err
	}
	for next := s.m.floor + 1; next <= s.m.head; {
		walk := scan{c: s.old, known: known, q: Query{Head: s.m.head, Rows: 1000, Bytes: math.MaxInt64, Quarantined: true}, next: next}
		walk.sink = func(rec Record, id uint32, data []byte) error {
			s.done.Records++
			s.m.bytes += int64(len(data))
			for key := range freshKeys(&rec, data) {
				if _, err := putKey.exec(key[:], rec.Seq, rec.ReceivedAt.UnixMilli()); err != nil {
					return err
				}
			}
			_, err := put.exec(rec.Seq, tag(rec.Seq, id), data)
			return err
		}
		if err := walk.run(ctx); err != nil {
			return err
		}
		for _, d := range walk.page.Damaged {
			s.done.Damaged += d.To - d.From + 1
			if err := putQuarantine(s.now, d, s.opts.Clock()); err != nil {
				return err
			}
		}
		next = walk.next
	}
	return nil
}

// table copies the rows of a small table as far as they can be read.
func (s *salvage) table(ctx context.Context, name string) error {
	if there, err := s.old.number("SELECT count(*) FROM sqlite_master WHERE name = ?", name); err == nil && there == 0 {
		return nil // of an older format
	}
	err := s.old.query(ctx, "SELECT * FROM "+name, func(row []driver.Value) error {
		marks := "?"
		for range row[1:] {
			marks += ", ?"
		}
		if key, ok := row[0].(string); ok && name == "consumer" {
			if _, whole := checked(nameID(key), row[1]); !whole {
				s.done.Lost = true
				return nil
			}
		}
		text := "INSERT OR IGNORE INTO " + name + " VALUES (" + marks + ")"
		if name == "seen" { // some are there by now, from the records
			text += laterSeen
		}
		return s.now.exec(text, row...)
	})
	if isDamage(err) {
		s.done.Lost = true
		return nil
	}
	return err
}

// swap puts the new database in the place of the old one, whose files are linked elsewhere first.
func (s *salvage) swap() error {
	err := s.keepOld()
	if err == nil {
		err = s.opts.hook("salvage: before commit")
	}
	if err == nil {
		err = os.Rename(s.fresh, s.path+salvagedEnd)
	}
	if err != nil {
		err = errors.Join(err, os.RemoveAll(s.done.Old)) // links: the files are where they were
		s.done.Old = ""
		return err
	}
	if err := disk.SyncDir(s.opts.Dir); err != nil {
		return err
	}
	return finishSalvage(s.path, s.opts.hook)
}

func (s *salvage) keepOld() error {
	dir := filepath.Join(s.opts.Dir, "damaged-"+s.opts.Clock().UTC().Format("20060102-150405.000"))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	s.done.Old = dir
	for _, end := range databaseEnds {
		if err := os.Link(s.path+end, filepath.Join(dir, databaseFile+end)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return errors.Join(disk.SyncDir(dir), disk.SyncDir(s.opts.Dir))
}

// finishSalvage does what is left of a salvage once its new database is whole: the old log goes, which would otherwise be
// played into that one, and an empty one takes its place, without which no reader could open the inbox before a writer has.
// It can be cut short anywhere and done again.
func finishSalvage(path string, hook func(string) error) error {
	if _, err := os.Stat(path + salvagedEnd); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if err := hook("salvage: after commit"); err != nil {
		return err
	}
	if err := errors.Join(removeFile(path+"-journal"), disk.Replace(path+"-wal", nil), disk.Replace(path+"-shm", nil)); err != nil {
		return err
	}
	if err := hook("salvage: without the old log"); err != nil {
		return err
	}
	return errors.Join(os.Rename(path+salvagedEnd, path), disk.SyncDir(filepath.Dir(path)))
}
