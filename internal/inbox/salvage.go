package inbox

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

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

// Salvage rebuilds a damaged inbox of whatever in it is whole. Records keep their sequences, so every consumer goes on
// where it was. The damaged files are kept in a folder beside. Nobody else may have the inbox open.
func Salvage(ctx context.Context, opts Options) (Salvaged, error) {
	opts.defaults()
	lock, err := lockDir(opts.Dir)
	if err != nil {
		return Salvaged{}, openError(opts.Dir, err)
	}
	s := salvage{opts: opts, fresh: filepath.Join(opts.Dir, "salvaged.db")}
	err = s.run(ctx)
	if err = errors.Join(err, lock.Close()); err != nil {
		return s.done, fmt.Errorf("salvage the inbox: %w", err)
	}
	opts.Log.Warn("the inbox was salvaged", "records", s.done.Records, "damaged", s.done.Damaged, "old", s.done.Old)
	return s.done, nil
}

type salvage struct {
	opts     Options
	fresh    string
	old, now *conn
	m        meta
	done     Salvaged
}

func (s *salvage) run(ctx context.Context) (err error) {
	if err := disk.Sweep(s.opts.Dir); err != nil {
		return err
	}
	for _, end := range []string{"", "-wal", "-shm"} { // of one that was cut short
		if err := os.Remove(s.fresh + end); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	path := filepath.Join(s.opts.Dir, databaseFile)
	if s.old, err = dial(path, readerQuery); err != nil {
		return err
	}
	if s.now, err = dial(s.fresh, "mode=rwc", writerPragmas...); err == nil {
		err = s.copyAll(ctx)
		err = errors.Join(err, s.now.close()) // which takes its log with it
	}
	if err = errors.Join(err, s.old.close()); err != nil {
		return err
	}
	return s.swap(path)
}

func (s *salvage) copyAll(ctx context.Context) error {
	if err := migrate(s.now, 0, s.opts.steps, s.opts.hook); err != nil {
		return err
	}
	if err := s.bounds(); err != nil {
		return err
	}
	return inTx(s.now, func() error {
		if err := s.records(ctx); err != nil {
			return err
		}
		for _, table := range []string{"seen", "endpoint", "consumer", "quarantine", "followup"} {
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
	if err != nil {
		if !isDamage(err) && !errors.Is(err, ErrDamaged) {
			return err
		}
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

// swap puts the new database in the place of the old one. The old files are linked elsewhere first; then the old log
// goes, which would otherwise be played into the new database; then the new file takes the name.
func (s *salvage) swap(path string) error {
	s.done.Old = filepath.Join(s.opts.Dir, "damaged-"+s.opts.Clock().UTC().Format("20060102-150405.000"))
	if err := os.Mkdir(s.done.Old, 0o700); err != nil {
		return err
	}
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := os.Link(path+end, filepath.Join(s.done.Old, databaseFile+end)); err != nil {
			return err
		}
	}
	if err := errors.Join(disk.SyncDir(s.done.Old), os.Chmod(s.fresh, 0o600)); err != nil {
		return err
	}
	if err := errors.Join(os.Remove(path+"-wal"), os.Remove(path+"-shm"), disk.SyncDir(s.opts.Dir)); err != nil {
		return err
	}
	return errors.Join(os.Rename(s.fresh, path), disk.SyncDir(s.opts.Dir))
}
