package reject

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/pipeline"
	"github.com/sluicehq/sluice/internal/state/disk"
)

const (
	lockFile  = "lock"
	retryFile = "retry.lock"
	marksFile = "marks.jsonl"
	lineFiles = ".jsonl"
	stamp     = "20060102T150405Z"

	// DefaultMaxFile is the size at which a file is followed by the next.
	DefaultMaxFile = 16 << 20

	elsewhere = "Set `rejects: {dir: …}` to a folder that this user may write to"
)

// Config says where dead letters go.
type Config struct {
	Dir string
	// Run names the run in each line: letters, digits, '-' and '_'. Empty: a random name.
	Run string
	// Explain returns our word on a code, such as connector.Vendor.Explain; may be nil.
	Explain func(code string) (connector.ErrorInfo, bool)
	MaxFile int64            // bytes; 0: DefaultMaxFile
	Now     func() time.Time // nil: time.Now
}

// Dir is a directory of dead letters. One made by Open also takes new ones: it implements pipeline.Rejects. Its methods
// are safe for concurrent use.
type Dir struct {
	path    string
	run     string
	explain func(code string) (connector.ErrorInfo, bool)
	maxFile int64
	now     func() time.Time
	lock    *disk.Lock // nil: made by At

	mu   sync.Mutex // guards the file being written
	file *os.File   // nil: none yet, or the last one is full or broken
	size int64      // of its complete lines
	num  int        // its number
	line int        // its lines
}

var _ pipeline.Rejects = (*Dir)(nil)

var runName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// Open makes the directory if need be, finds out whether it can be written to, and readies it for a run's rejects. No
// file is made before the first reject. All errors are Config errors.
func Open(c Config) (*Dir, error) {
	if c.Run == "" {
		c.Run = randomName()
	}
	if len(c.Run) > 64 || !runName.MatchString(c.Run) {
		return nil, connector.Configf("Use up to 64 letters, digits, '-' and '_'", "%q cannot name a run", c.Run)
	}
	if info, err := os.Stat(c.Dir); err == nil && !info.IsDir() {
		return nil, connector.Configf(elsewhere, "the rejects folder %s is a file", c.Dir)
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, connector.Configf(elsewhere, "the rejects folder %s cannot be made: %w", c.Dir, err)
	}
	if err := disk.Probe(c.Dir); err != nil {
		return nil, connector.Configf(elsewhere, "the rejects folder %s cannot be written to: %w", c.Dir, err)
	}
	lock, err := disk.Shared(filepath.Join(c.Dir, lockFile))
	if errors.Is(err, disk.ErrHeld) {
		return nil, connector.Configf("Wait until it has ended", "`sluice rejects purge` is at work in %s", c.Dir)
	}
	if err != nil {
		return nil, connector.Configf(elsewhere, "the rejects folder %s cannot be locked: %w", c.Dir, err)
	}
	d := &Dir{path: c.Dir, run: c.Run, explain: c.Explain, maxFile: c.MaxFile, now: c.Now, lock: lock}
	if d.maxFile <= 0 {
		d.maxFile = DefaultMaxFile
	}
	if d.now == nil {
		d.now = time.Now
	}
	if d.num, err = d.lastNumber(); err != nil {
		_ = lock.Close()
		return nil, connector.Configf(elsewhere, "the rejects folder %s cannot be read: %w", c.Dir, err)
	}
	return d, nil
}

// Foresee finds out whether Open could make and write to the directory, and leaves no trace. All errors are Config errors.
func Foresee(path string) error {
	if err := disk.Foresee(path); err != nil {
		return connector.Configf(elsewhere, "the rejects folder %s cannot be written to: %w", path, err)
	}
	return nil
}

// At looks into a directory without writing rejects to it: for lists, marks and purges. A directory that is not there
// is a Config error.
func At(path string) (*Dir, error) {
	const fix = "Check `rejects:`, or run the pipeline first: the folder is made when a run starts"
	info, err := os.Stat(path)
	if err != nil {
		return nil, connector.Configf(fix, "the rejects folder cannot be opened: %w", err)
	}
	if !info.IsDir() {
		return nil, connector.Configf(fix, "the rejects folder %s is a file", path)
	}
	return &Dir{path: path, now: time.Now}, nil
}

// Path returns the directory's path.
func (d *Dir) Path() string { return d.path }

// Run returns the name of the run whose rejects are written; "" where none are.
func (d *Dir) Run() string { return d.run }

// Write appends the rejects and returns when they are durable. After an error none of them is promised; what was
// written of them is cut off again or left as a broken tail.
func (d *Dir) Write(ctx context.Context, rejects []pipeline.Reject) error {
	if len(rejects) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.write(rejects); err != nil {
		return connector.Transientf("Check the disk's space and the folder's permissions, then run again",
			"the rejects cannot be written to %s: %w", d.path, err)
	}
	return nil
}

func (d *Dir) write(rejects []pipeline.Reject) error {
	if d.lock == nil {
		return errors.New("it was opened for reading only")
	}
	if d.file == nil {
		if err := d.create(); err != nil {
			return err
		}
	}
	var text bytes.Buffer
	now := d.now().UTC()
	for i, r := range rejects {
		id := fmt.Sprintf("%s-%d-%d", d.run, d.num, d.line+i+1)
		if err := d.appendLine(&text, id, now, r); err != nil {
			return fmt.Errorf("encode: %w", err)
		}
	}
	_, err := d.file.Write(text.Bytes())
	if err == nil {
		err = d.file.Sync()
	}
	if err != nil {
		// Nobody knows what of it is on the disk. The file ends here, before the lines in doubt if that can be had.
		_ = d.file.Truncate(d.size)
		_ = d.file.Close()
		d.file = nil
		return err
	}
	d.size += int64(text.Len())
	d.line += len(rejects)
	if d.size >= d.maxFile {
		err := d.file.Close()
		d.file = nil
		return err
	}
	return nil
}

// create opens the run's next file.
func (d *Dir) create() error {
	d.num++
	name := fmt.Sprintf("%s-%s-%04d%s", d.now().UTC().Format(stamp), d.run, d.num, lineFiles)
	f, err := os.OpenFile(filepath.Join(d.path, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if err := disk.SyncDir(d.path); err != nil {
		return errors.Join(err, f.Close())
	}
	d.file, d.size, d.line = f, 0, 0
	return nil
}

// lastNumber returns the number of the run's last file, for a run that goes on under its old name: its ids must not
// come twice.
func (d *Dir) lastNumber() (int, error) {
	files, err := d.files()
	if err != nil {
		return 0, err
	}
	last := 0
	for _, f := range files {
		_, tail, ok := strings.Cut(strings.TrimSuffix(filepath.Base(f.name), lineFiles), "-"+d.run+"-")
		if n, err := strconv.Atoi(tail); ok && err == nil {
			last = max(last, n)
		}
	}
	return last, nil
}

// Close ends the run's file and frees the directory.
func (d *Dir) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	if d.file != nil {
		errs = append(errs, d.file.Close())
		d.file = nil
	}
	if d.lock != nil {
		errs = append(errs, d.lock.Close())
		d.lock = nil
	}
	return errors.Join(errs...)
}

func randomName() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
