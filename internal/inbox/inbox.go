package inbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/state/disk"
)

// What Append and its siblings may answer. All but ErrTooLarge mean "not now": the sender should be told to come again.
var (
	ErrOverload = connector.Transientf("Send it again later", "the inbox has more waiting than it may hold")
	ErrFull     = connector.Transientf("Free space on the disk of the inbox, or let it keep less", "the disk of the inbox is full")
	ErrStore    = connector.Transientf("Look at the disk of the inbox and the system's log", "the inbox could not be written")
	ErrClosed   = connector.Transientf("Send it again later", "the inbox is closed")
	ErrTooLarge = connector.Configf("Let the sender cut it", "the request is larger than the inbox takes")
)

// What the calls on single records and consumers may answer besides.
var (
	ErrDamaged  = errors.New("the data cannot be trusted")
	ErrNotFound = errors.New("the inbox has no such record")
	ErrNotHeld  = errors.New("the record is not quarantined, or was released before")
)

const (
	databaseFile = "inbox.db"
	headName     = "head"
	lockName     = "lock"
	maxBody      = 64 << 20
)

// Options of Open. The zero value of each but Dir has a default.
type Options struct {
	Dir        string
	MaxAge     time.Duration // Trim removes records received longer ago; 0: none for their age
	MaxBytes   int64         // Trim removes the oldest records beyond this much; 0: none for their size
	DedupeFor  time.Duration // how long a key counts as seen; at least and by default 7 days
	QueueBytes int64         // what may wait for the writer; default 32 MiB
	QueueAge   time.Duration // once the oldest has waited longer, Append answers ErrOverload; default 1 s
	// CheckBytes: after a crash SQLite checks a database up to this size before Open returns, a larger one beside the
	// work. Default 64 MiB.
	CheckBytes int64
	Clock      func() time.Time
	Log        *slog.Logger

	hook     func(point string) error // failpoints
	steps    []string                 // instead of migrations
	maxPages int64
	pragmas  []string // after the writer's own

	generation, stride int // of the keys that wait
}

func (o *Options) defaults() {
	o.DedupeFor = max(o.DedupeFor, 7*24*time.Hour)
	if o.QueueBytes <= 0 {
		o.QueueBytes = 32 << 20
	}
	if o.QueueAge <= 0 {
		o.QueueAge = time.Second
	}
	if o.CheckBytes <= 0 {
		o.CheckBytes = 64 << 20
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.hook == nil {
		o.hook = func(string) error { return nil }
	}
	if o.steps == nil {
		o.steps = migrations
	}
	o.generation, o.stride = cmp.Or(o.generation, defaultGeneration), cmp.Or(o.stride, defaultStride)
}

// Inbox is the writer of a folder; there is one at a time. All methods are safe for concurrent use.
type Inbox struct {
	opts   Options
	c      *conn
	lock   *disk.Lock
	head   *headFile
	reader *Reader
	queue  *queue
	w      *writer
	stats  counters
	files  []openFile
	gone   atomic.Bool // one of them is not in its place, and that was said

	work   sync.WaitGroup // the writer and the check after a crash
	whole  atomic.Bool    // no check is due: the last one passed, or the database was closed in order
	cancel context.CancelFunc
	once   sync.Once
	closed error
}

// Open makes the folder if need be, locks it against a second writer, and brings the database into order. Its errors are
// Config errors, ErrFull or, where the database cannot be trusted, wrap ErrDamaged. ctx covers Open only.
func Open(ctx context.Context, opts Options) (*Inbox, error) {
	opts.defaults()
	i := &Inbox{opts: opts, queue: newQueue(opts)}
	if err := i.open(ctx); err != nil {
		i.release()
		return nil, openError(opts.Dir, err)
	}
	return i, nil
}

func (i *Inbox) open(ctx context.Context) error {
	path := filepath.Join(i.opts.Dir, databaseFile)
	if err := i.claim(); err != nil {
		return err
	}
	if err := finishSalvage(path, i.opts.hook); err != nil {
		return err
	}
	whole, err := inspect(ctx, path, &i.opts)
	if err != nil {
		return err
	}
	i.whole.Store(whole)
	if err := makeFile(path); err != nil {
		return err
	}
	known, err := readHead(i.opts.Dir)
	if err != nil {
		return err
	}
	if i.c, err = dialWriter(path, i.opts.pragmas...); err != nil {
		return err
	}
	m, err := i.prepare(path)
	if err != nil {
		return err
	}
	if m, err = i.begin(m, known.of(m)); err != nil {
		return err
	}
	if i.head, err = openHead(filepath.Join(i.opts.Dir, headName), Identity(m.id)); err != nil {
		return err
	}
	if i.w, err = newWriter(ctx, i, m); err != nil {
		return err
	}
	if i.reader, err = openReader(i.opts.Dir, len(i.opts.steps)); err != nil {
		return err
	}
	if i.files, err = openFiles(i.opts.Dir); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	var run context.Context
	run, i.cancel = context.WithCancel(context.Background())
	i.work.Go(i.w.run)
	if !i.whole.Load() {
		i.work.Go(func() { i.checkBeside(run) })
	}
	return nil
}

// claim makes and locks the folder.
func (i *Inbox) claim() error {
	err := makeFolder(i.opts.Dir)
	if err == nil {
		i.lock, err = lockDir(i.opts.Dir)
	}
	return err
}

// lockDir makes this process the only one that may write.
func lockDir(dir string) (*disk.Lock, error) {
	lock, err := disk.Exclusive(filepath.Join(dir, lockName))
	if held := (*disk.HeldError)(nil); errors.As(err, &held) {
		return nil, connector.Configf("Stop it, or give this one a folder of its own", "the inbox %s is in use by process %d: %w", dir, held.PID, err)
	}
	return lock, err
}

// prepare checks the database's settings and identity and returns its head row.
func (i *Inbox) prepare(path string) (meta, error) {
	version, err := i.c.value("SELECT sqlite_version()")
	if err != nil {
		return meta{}, err
	}
	if err := assert(i.c, fmt.Sprint(version)); err != nil {
		return meta{}, err
	}
	if i.opts.maxPages > 0 {
		if err := i.c.exec(fmt.Sprintf("PRAGMA max_page_count = %d", i.opts.maxPages)); err != nil {
			return meta{}, err
		}
	}
	format, err := checkIdentity(i.c, path, len(i.opts.steps))
	if err != nil {
		return meta{}, err
	}
	if err := migrate(i.c, format, i.opts.steps, i.opts.hook); err != nil {
		return meta{}, err
	}
	row, err := i.c.value(selectMeta)
	if err != nil {
		return meta{}, err
	}
	return decodeMeta(row)
}

// begin marks the database as open and gives it an identity if it has none. If answered requests have vanished from its
// end, their sequences are skipped and kept in the list of what was lost. Then all of the write-ahead log goes into the
// database and is synced: after a sync that failed, a log that looks whole in memory may have a hole on the disk, and what
// is appended behind a hole is gone.
func (i *Inbox) begin(m meta, known int64) (meta, error) {
	lost := Damage{From: m.head + 1, To: known, Reason: reasonLost}
	m.head = max(m.head, known)
	m.clean = 0
	if m.id == 0 {
		m.id = int64(newIdentity())
	}
	err := inTx(i.c, func() error {
		if lost.From <= lost.To {
			if err := putQuarantine(i.c, lost, i.opts.Clock()); err != nil {
				return err
			}
		}
		return i.c.exec("UPDATE meta SET data = ? WHERE id = 1", m.encode())
	})
	if err != nil {
		return m, err
	}
	if lost.From <= lost.To {
		i.stats.damaged.Add(lost.To - lost.From + 1)
		i.opts.Log.Error("the inbox has lost requests that were acknowledged: its database ends too early",
			"from", lost.From, "to", lost.To, "dir", i.opts.Dir)
	}
	if err := i.c.exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return m, err
	}
	// The log gets its header and a frame at once. A process that dies between them leaves an inbox that no reader can open
	// before the next start, and the first request may be long in coming. REPLACE writes also what is equal.
	return m, i.c.exec("REPLACE INTO meta VALUES (1, ?)", m.encode())
}

// checkBeside checks a large database while the writer works, on a connection of its own. What it finds makes the inbox
// refuse further requests: in a tree that is broken they would not be safe.
func (i *Inbox) checkBeside(ctx context.Context) {
	c, err := dial(filepath.Join(i.opts.Dir, databaseFile), readerQuery)
	if err == nil {
		err = quickCheck(ctx, c)
		err = errors.Join(err, c.close())
	}
	switch {
	case err == nil:
		i.whole.Store(true)
	case ctx.Err() != nil: // closed meanwhile: the next start checks
	case errors.Is(err, ErrDamaged):
		i.opts.Log.Error("the inbox is damaged and takes no more requests", "error", err, "dir", i.opts.Dir)
		i.queue.refuse(err)
	default:
		i.opts.Log.Warn("the inbox could not be checked after a crash", "error", err, "dir", i.opts.Dir)
	}
}

// Reader reads the same folder. It is closed with the inbox.
func (i *Inbox) Reader() *Reader { return i.reader }

// Close refuses new requests, writes and answers those that wait, marks the database as closed in order (unless a check
// is still due), and frees the folder.
func (i *Inbox) Close() error {
	i.once.Do(func() {
		i.cancel()
		i.queue.close()
		i.work.Wait()
		err := i.w.finish()
		i.closed = errors.Join(err, i.release())
	})
	return i.closed
}

// release frees whatever open took.
func (i *Inbox) release() (err error) {
	if i.reader != nil {
		err = i.reader.Close()
	}
	if i.c != nil {
		err = errors.Join(err, i.c.close())
	}
	if i.head != nil {
		err = errors.Join(err, i.head.close())
	}
	if i.lock != nil {
		err = errors.Join(err, i.lock.Close())
	}
	return err
}
