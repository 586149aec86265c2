package file

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/transform"

	"github.com/sluicehq/sluice/connector"
)

const headSize = 1024 // bytes at the start of a file that its fingerprint covers

// input is the file as one stream of text. It is opened and decoded by whoever reads it, so that a named pipe without a
// writer, or a stall, holds up nobody else.
type input struct {
	cfg     Config
	regular bool
	size    int64        // of a regular file when opened
	skip    int64        // bytes of text to pass over first
	read    atomic.Int64 // bytes taken from the file
	plain   atomic.Bool  // offsets of the text are offsets of the file
	tail    *tail        // of a file that is followed, else nil

	mu      sync.Mutex // covers what follows: Close comes from another goroutine
	raw     io.Reader
	opening chan struct{} // made when a pipe is being opened, closed when it is ours or closed again
	closed  bool

	text io.Reader
	err  error
}

// openInput looks at the path. A regular file is opened at once, so that what is wrong with it is said at the start.
func openInput(cfg Config) (*input, error) {
	in := &input{cfg: cfg}
	if cfg.Path == "-" {
		if in.raw = cfg.Stdin; in.raw == nil {
			in.raw = os.Stdin
		}
		return in, nil
	}
	info, err := os.Stat(cfg.Path)
	if err != nil {
		return nil, pathError(cfg.Path, err)
	}
	if info.IsDir() {
		return nil, connector.Configf("Name one file in it; each file is a run of its own", "%s is a directory, not a file", cfg.Path)
	}
	if in.regular = info.Mode().IsRegular(); !in.regular {
		return in, nil
	}
	f, err := os.Open(cfg.Path)
	if err != nil {
		return nil, pathError(cfg.Path, err)
	}
	in.raw, in.size = f, info.Size()
	if cfg.Follow {
		in.tail = newTail(f)
		in.raw = in.tail
	}
	return in, nil
}

func pathError(path string, err error) error {
	var cause *fs.PathError
	if errors.As(err, &cause) {
		err = cause.Err // the path is in our sentence already
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return connector.Configf("Check the path; in a pipeline file a relative one starts at that file's folder", "there is no file %s", path)
	case errors.Is(err, fs.ErrPermission):
		return connector.Configf("Give the user that runs this command the right to read it", "no permission to read %s", path)
	}
	return connector.Configf("Check the path and the disk", "%s cannot be opened: %w", path, err)
}

// Read opens the stream on its first call.
func (in *input) Read(p []byte) (int, error) {
	if in.text == nil && in.err == nil {
		in.text, in.err = in.decode()
	}
	if in.err != nil {
		return 0, in.err
	}
	n, err := in.text.Read(p)
	if err != nil && err != io.EOF {
		err = in.explain(err)
	}
	return n, err
}

// explain says what a fault in the middle of the file means for whoever reads the message.
func (in *input) explain(err error) error {
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		// Not wrapped: a Reader that returns io.ErrUnexpectedEOF says that its input merely stopped, which ends a run well. Of
		// this file a part is missing.
		return connector.Transientf("Fetch the file again, or wait until it is written to its end, then run again",
			"%s ends in the middle of its gzip data", in.cfg.Path)
	case errors.As(err, &corrupt), errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader):
		return connector.Configf("Fetch the file again, and test it with gzip -t", "the gzip data of %s is damaged: %w", in.cfg.Path, err)
	}
	var own *connector.Error
	if errors.As(err, &own) {
		return err
	}
	return connector.Transientf("Check the disk or the mount, then run again", "%s cannot be read on: %v", in.cfg.Path, err)
}

// decode builds the chain from the raw file to text.
func (in *input) decode() (io.Reader, error) {
	raw, err := in.open()
	if err != nil {
		return nil, err
	}
	buffered := bufio.NewReaderSize(&counter{raw, &in.read}, 128<<10)
	var text io.Reader = buffered
	magic, err := buffered.Peek(2)
	if err != nil && err != io.EOF {
		return nil, in.explain(err)
	}
	zipped := bytes.Equal(magic, []byte{0x1f, 0x8b})
	switch {
	case in.cfg.Compression == None:
		zipped = false
	case in.cfg.Compression == Gzip && !zipped && len(magic) > 0:
		return nil, connector.Configf("Set `compression: auto`, or none", "%s is not gzip", in.cfg.Path)
	}
	if zipped {
		unzipped, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, in.explain(err)
		}
		plain := bufio.NewReaderSize(unzipped, 64<<10)
		if magic, err = plain.Peek(2); err != nil && len(magic) == 0 && err != io.EOF {
			return nil, in.explain(err)
		}
		text = plain
	}
	if bytes.Equal(magic, []byte{0xff, 0xfe}) || bytes.Equal(magic, []byte{0xfe, 0xff}) {
		return nil, connector.Configf("Convert it first: iconv -f UTF-16 -t UTF-8", "%s is UTF-16", in.cfg.Path)
	}
	if in.cfg.Encoding == GB18030 {
		text = transform.NewReader(text, simplifiedchinese.GB18030.NewDecoder())
	}
	in.plain.Store(in.regular && !zipped && in.cfg.Encoding == UTF8)
	return text, in.pass(text, raw, zipped || in.cfg.Encoding != UTF8, buffered)
}

// pass skips what an earlier run has read: by a seek where text is the file itself, else by reading it.
func (in *input) pass(text io.Reader, raw io.Reader, decoded bool, buffered *bufio.Reader) error {
	if in.skip == 0 {
		return nil
	}
	short := connector.Configf("Put the longer file back, or delete the state to read this one from its start",
		"%s is shorter than when the last run read it: that run stopped at byte %d", in.cfg.Path, in.skip)
	if f, ok := raw.(io.Seeker); ok && in.regular && !decoded {
		if in.size < in.skip {
			return short
		}
		if _, err := f.Seek(in.skip, io.SeekStart); err != nil {
			return in.explain(err)
		}
		in.read.Store(in.skip)
		buffered.Reset(&counter{raw, &in.read})
		return nil
	}
	switch n, err := io.CopyN(io.Discard, text, in.skip); {
	case err == io.EOF:
		return short
	case err != nil && n < in.skip:
		return in.explain(err)
	}
	return nil
}

// open returns the raw stream; a named pipe is opened here, which waits for its writer.
func (in *input) open() (io.Reader, error) {
	in.mu.Lock()
	raw, closed := in.raw, in.closed
	if raw == nil && !closed {
		in.opening = make(chan struct{})
	}
	in.mu.Unlock()
	switch {
	case closed:
		return nil, os.ErrClosed
	case raw != nil:
		return raw, nil
	}
	defer close(in.opening)
	f, err := os.Open(in.cfg.Path)
	if err != nil {
		return nil, pathError(in.cfg.Path, err)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		f.Close()
		return nil, os.ErrClosed
	}
	in.raw = f
	return f, nil
}

// Close closes what can be closed. It does not wait for a Read that is under way.
func (in *input) Close() error {
	in.mu.Lock()
	raw, opening, closed := in.raw, in.opening, in.closed
	in.closed = true
	in.mu.Unlock()
	switch c, ok := raw.(io.Closer); {
	case closed:
		return nil
	case raw == nil && opening != nil:
		in.release(opening)
	case ok && raw != io.Reader(os.Stdin):
		return c.Close()
	}
	return nil
}

// release ends an open that waits for a pipe's writer, by being that writer for a moment. One try is not enough: the
// goroutine may have announced the call and not made it yet, and then there is no reader to write to.
func (in *input) release(opening <-chan struct{}) {
	for {
		f, err := os.OpenFile(in.cfg.Path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err == nil {
			f.Close()
		} else if !errors.Is(err, syscall.ENXIO) {
			return // not ours to write to: the goroutine stays until a writer comes
		}
		select {
		case <-opening:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

type counter struct {
	in io.Reader
	n  *atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// fingerprint is the length and a hash of n bytes of the file, from one on.
func (in *input) fingerprint(from, n int64) (string, error) {
	f, ok := in.raw.(io.ReaderAt)
	if !ok {
		return "", nil
	}
	part := make([]byte, n)
	if _, err := f.ReadAt(part, from); err != nil {
		return "", in.explain(fmt.Errorf("its bytes %d to %d: %w", from, from+n, err))
	}
	sum := sha256.Sum256(part)
	return fmt.Sprintf("%d:%s", n, hex.EncodeToString(sum[:8])), nil
}

// tailOf is the fingerprint of the last bytes before an offset; "" where offsets do not count the file's own bytes.
func (in *input) tailOf(offset int64) (string, error) {
	if !in.plain.Load() {
		return "", nil
	}
	n := min(offset, headSize)
	return in.fingerprint(offset-n, n)
}

// position is the JSON of a connector.Position.
type position struct {
	File   string `json:"file"`
	Offset int64  `json:"offset"`
	Line   int64  `json:"line"`
	Row    int64  `json:"row"`
	Head   string `json:"head"`
	// Tail is the fingerprint of what stands before Offset, Open the length of a last row without a newline: more of it may
	// come. Both only where offsets count the file's own bytes.
	Tail string `json:"tail,omitempty"`
	Open int64  `json:"open,omitempty"`
}

// check refuses a position that does not belong to this file.
func (in *input) check(p position) error {
	if !in.regular {
		return connector.Configf("Delete the state, or read from a file", "what is not a regular file (%s) cannot be resumed", in.cfg.Path)
	}
	if name := filepath.Base(in.cfg.Path); name != p.File {
		return connector.Configf("Delete the state to read this file from its start, or give each file its own state",
			"the state belongs to the file %s, not to %s", p.File, name)
	}
	var n int64
	if _, err := fmt.Sscanf(p.Head, "%d:", &n); err != nil || n < 0 || n > headSize || p.Offset < 0 {
		return connector.Configf("Delete the state to read the file from its start", "the state of %s cannot be read", in.cfg.Path)
	}
	changed := connector.Configf("Delete the state to read the file from its start",
		"%s is not the file that the last run read: its first bytes have changed", in.cfg.Path)
	if in.size < n {
		return connector.Configf("Put the longer file back, or delete the state to read this one from its start",
			"%s is shorter than when the last run read it: it holds %d bytes now", in.cfg.Path, in.size)
	}
	head, err := in.fingerprint(0, n)
	if err != nil {
		return err
	}
	if head != p.Head {
		return changed
	}
	if p.Tail == "" {
		return nil
	}
	if _, err := fmt.Sscanf(p.Tail, "%d:", &n); err != nil || n < 0 || n > min(headSize, p.Offset) || p.Open < 0 || p.Open > p.Offset {
		return connector.Configf("Delete the state to read the file from its start", "the state of %s cannot be read", in.cfg.Path)
	}
	if in.size < p.Offset {
		return connector.Configf("Put the longer file back, or delete the state to read this one from its start",
			"%s is shorter than when the last run read it: that run stopped at byte %d", in.cfg.Path, p.Offset)
	}
	tail, err := in.fingerprint(p.Offset-n, n)
	if err != nil {
		return err
	}
	if tail != p.Tail {
		return connector.Configf("Delete the state to read the file from its start",
			"%s is not the file that the last run read: what stands before byte %d, where that run stopped, has changed", in.cfg.Path, p.Offset)
	}
	return nil
}

// interrupted reports whether err only says that the caller stopped waiting.
func interrupted(ctx context.Context, err error) bool {
	return err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err())
}
