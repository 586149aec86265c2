package inbox

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sluicehq/sluice/internal/state/disk"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	magic         = "SQLite format 3\x00" // begins every database
	logMagic      = 0x377f0682            // begins every log, in one of two byte orders
	logHeaderSize = 32
)

// inspect looks at an inbox that nobody has open, before anything may write to it: one that is refused stays as it is, the
// log with it, which SQLite would copy into the database or remove when it closes. whole says that no check of the database
// is due any more.
func inspect(ctx context.Context, path string, opts *Options) (whole bool, err error) {
	if fresh, err := checkStart(path); fresh || err != nil {
		return true, err
	}
	c, err := dialAtRest(path, "busy_timeout(5000)", "query_only(1)", "mmap_size(0)", "cell_size_check(1)", "trusted_schema(0)")
	if err != nil {
		return false, err
	}
	whole, err = inspectTables(ctx, c, path, opts)
	if codeOf(err) == sqlite3.SQLITE_READONLY {
		// A reader that is still there holds an index of the log that a dying writer has left half written. Only a writer can
		// make it anew, so this one has to go on; its check is done beside the work.
		whole, err = false, nil
	}
	return whole, errors.Join(err, c.close())
}

func inspectTables(ctx context.Context, c *conn, path string, opts *Options) (whole bool, err error) {
	version, err := checkIdentity(c, path, len(opts.steps))
	if err != nil || version == 0 {
		return true, err
	}
	row, err := c.value(selectMeta)
	if err != nil {
		return false, err
	}
	m, err := decodeMeta(row)
	if err != nil {
		return false, err
	}
	if m.clean == 1 { // the writer will want them
		_, err := endpoints(ctx, c)
		return true, err
	}
	size, err := c.number("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
	if err != nil || size > opts.CheckBytes {
		return false, err
	}
	return true, quickCheck(ctx, c)
}

// checkStart judges the first bytes of the files; fresh says that there is nothing in them yet. It must not be called while
// this process has the database open: to close the file drops the locks that SQLite has on it.
func checkStart(path string) (fresh bool, err error) {
	if err := checkSizes(path); err != nil {
		return false, err
	}
	begun, err := logBegun(path)
	if err != nil {
		return false, err
	}
	journal, err := fileSize(path + "-journal")
	if err != nil || journal > 0 && !begun { // the first start has not come to its end: SQLite takes it back
		return err == nil, err
	}
	b, err := firstBytes(path, len(magic))
	if err != nil || len(b) == 0 {
		return err == nil, err
	}
	if string(b) != magic {
		return false, damagef("%s does not begin as a database does", filepath.Base(path))
	}
	return false, nil
}

// checkSizes refuses a log without a database: SQLite would remove the log, even where it may only read. A first start makes
// the database before the log, so the log is looked at first.
func checkSizes(path string) error {
	log, err := fileSize(path + "-wal")
	if err != nil || log == 0 {
		return err
	}
	size, err := fileSize(path)
	if err == nil && size == 0 {
		err = damagef("%s is missing or empty, and its log is not", filepath.Base(path))
	}
	return err
}

// logBegun says whether the log has a header. SQLite takes one without, and one of nothing else, as empty.
func logBegun(path string) (bool, error) {
	b, err := firstBytes(path+"-wal", logHeaderSize+1)
	if err != nil || len(b) <= logHeaderSize {
		return false, err
	}
	page := binary.BigEndian.Uint32(b[8:])
	return binary.BigEndian.Uint32(b)&^1 == logMagic && page&(page-1) == 0 && page >= 512 && page <= 1<<16, nil
}

// dialAtRest opens a database that nobody writes so that neither it nor its log is changed. Where the log holds nothing, it
// and its index need not be there.
func dialAtRest(path string, pragmas ...string) (*conn, error) {
	begun, err := logBegun(path)
	if err != nil {
		return nil, err
	}
	if !begun {
		return dial(path, "mode=ro&immutable=1", pragmas...)
	}
	if err := makeFile(path + "-shm"); err != nil {
		return nil, err
	}
	return dial(path, readerQuery, pragmas...)
}

// syncDir is disk.SyncDir; a test watches it.
var syncDir = disk.SyncDir

// makeFolder makes a folder, and those above it that are not there, and the name of each durable.
func makeFolder(dir string) error {
	var made []string
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		if _, err := os.Lstat(at); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		made = append(made, at)
	}
	err := os.MkdirAll(dir, 0o700)
	for _, at := range made {
		if err == nil {
			err = syncDir(filepath.Dir(at))
		}
	}
	return err
}

// makeFile makes an empty file if there is none of the name. SQLite would make it readable for all.
func makeFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// fileSize is 0 also for a file that is not there.
func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// firstBytes returns at most n bytes, none for a file that is not there.
func firstBytes(path string, n int) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, int64(n)))
	return b, errors.Join(err, f.Close())
}
