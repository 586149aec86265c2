package spool

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
)

// disk is the file: segments one behind the other.
type disk struct {
	file *os.File
	dir  string // the folder that it was made in
	own  string // ours in it, as long as the file has a name
	buf  *bufio.Writer
	size int64
}

// segment is where some rows lie in the file: where they came from, 8 bytes a row, then one record in Arrow's stream format.
type segment struct {
	at, len int64
	rows    int
}

// newDisk makes the file, in a folder of its own that nobody else can enter. Where the system allows it, both lose their
// names at once, so that even a killed program leaves no contacts behind.
func newDisk(dir string) (*disk, error) {
	d := &disk{dir: dir}
	own, err := os.MkdirTemp(dir, "sluice-spool-")
	if err != nil {
		return nil, d.fault(err)
	}
	if d.file, err = os.OpenFile(filepath.Join(own, "rows"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return nil, d.fault(errors.Join(err, os.Remove(own)))
	}
	if os.RemoveAll(own) != nil {
		d.own = own // close does it
	}
	d.buf = bufio.NewWriterSize(d.file, 1<<18)
	return d, nil
}

// fault is an error of the file for people.
func (d *disk) fault(err error) error {
	fix, what := "See whether that folder exists and may be written to; TMPDIR names another", "input that must be read to its end first cannot be kept in %s: %w"
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		fix = "Make room there, or name a larger folder in TMPDIR"
		what = "%s has no room for the input, which must be read to its end first: %w"
	}
	return connector.Transientf(fix, what, d.dir, err)
}

// append writes a segment; flush must follow before it is read.
func (d *disk) append(rec arrow.Record, origins []origin, mem memory.Allocator) (segment, error) {
	s := segment{at: d.size, rows: len(origins)}
	var raw [8]byte
	for _, o := range origins {
		binary.LittleEndian.PutUint32(raw[:4], uint32(o.batch))
		binary.LittleEndian.PutUint32(raw[4:], uint32(o.row))
		if _, err := d.Write(raw[:]); err != nil {
			return s, d.fault(err)
		}
	}
	w := ipc.NewWriter(d, ipc.WithSchema(rec.Schema()), ipc.WithAllocator(mem))
	if err := errors.Join(w.Write(rec), w.Close()); err != nil {
		return s, d.fault(err)
	}
	s.len = d.size - s.at
	return s, nil
}

// Write implements io.Writer behind what was written.
func (d *disk) Write(b []byte) (int, error) {
	n, err := d.buf.Write(b)
	d.size += int64(n)
	return n, err
}

func (d *disk) flush() error {
	if err := d.buf.Flush(); err != nil {
		return d.fault(err)
	}
	return nil
}

// read returns the rows of a segment, which the caller owns, under the schema that they came with.
func (d *disk) read(s segment, schema *arrow.Schema, mem memory.Allocator) (arrow.Record, []origin, error) {
	in := bufio.NewReaderSize(io.NewSectionReader(d.file, s.at, s.len), 1<<16)
	origins := make([]origin, s.rows)
	var raw [8]byte
	for i := range origins {
		if _, err := io.ReadFull(in, raw[:]); err != nil {
			return nil, nil, d.broken(err)
		}
		origins[i] = origin{int32(binary.LittleEndian.Uint32(raw[:4])), int32(binary.LittleEndian.Uint32(raw[4:]))}
	}
	r, err := ipc.NewReader(in, ipc.WithAllocator(mem))
	if err != nil {
		return nil, nil, d.broken(err)
	}
	defer r.Release()
	if !r.Next() || int(r.Record().NumRows()) != s.rows {
		return nil, nil, d.broken(r.Err())
	}
	return array.NewRecord(schema, r.Record().Columns(), int64(s.rows)), origins, nil
}

// broken is the error of rows that cannot be read back. Its cause is not wrapped: a cut file must not look like the end of
// the input.
func (d *disk) broken(err error) error {
	return connector.Transientf("Run it again; if it comes back, look at the disk", "rows kept in %s cannot be read back: %v", d.dir, err)
}

func (d *disk) close() error {
	err := d.file.Close()
	if d.own != "" {
		err = errors.Join(err, os.RemoveAll(d.own))
	}
	if err != nil {
		return fmt.Errorf("close the spool: %w", err)
	}
	return nil
}
