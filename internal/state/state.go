// Package state keeps the position of a pipeline in a directory of its own:
//
//	position.json   {"version":1,"pipeline":"…","saved":"2026-01-02T03:04:05Z","position":…}
//	lock            the process id of the run that holds the directory
//
// The file is replaced in one step (written beside it, synced, renamed, the directory synced), so a crash at any moment
// leaves either the old position or the new one. A file that cannot be read is an error: to start at the beginning
// without a word would send everything again.
package state

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/state/disk"
)

const (
	positionFile = "position.json"
	lockFile     = "lock"
	version      = 1

	elsewhere = "Set `state:` to a folder that this user may write to"
)

// Dir is an open, locked state directory. Load and Save are called by one goroutine at a time.
type Dir struct {
	path     string
	pipeline string
	lock     *disk.Lock
	begun    bool
}

// document is the content of position.json.
type document struct {
	Version  int             `json:"version"`
	Pipeline string          `json:"pipeline"`
	Saved    time.Time       `json:"saved"`
	Position json.RawMessage `json:"position"`
}

// Open makes the directory if need be and locks it. pipeline is whatever identifies the pipeline, such as its source and
// target: a position of another pipeline is refused by Load. All errors are Config errors.
func Open(path, pipeline string) (*Dir, error) {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return nil, connector.Configf(elsewhere, "the state folder %s is a file", path)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, connector.Configf(elsewhere, "the state folder %s cannot be made: %w", path, err)
	}
	_, unused := os.Stat(filepath.Join(path, lockFile))
	lock, err := disk.Exclusive(filepath.Join(path, lockFile))
	if errors.Is(err, disk.ErrHeld) {
		who := "another process"
		if held := (*disk.HeldError)(nil); errors.As(err, &held) && held.PID != 0 {
			who = fmt.Sprintf("process %d", held.PID)
		}
		return nil, connector.Configf("Wait until it has ended or stop it; a second pipeline needs a `state:` folder of its own",
			"another run of this pipeline is going on: %s holds the state folder %s", who, path)
	}
	if err != nil {
		return nil, connector.Configf(elsewhere, "the state folder %s cannot be locked: %w", path, err)
	}
	d := &Dir{path: path, pipeline: pipeline, lock: lock, begun: unused == nil}
	if err := d.probe(); err != nil {
		_ = lock.Close()
		return nil, connector.Configf(elsewhere, "the state folder %s cannot be written to: %w", path, err)
	}
	return d, nil
}

// Foresee finds out whether Open could make and write to the directory, and leaves no trace. All errors are Config errors.
func Foresee(path string) error {
	if err := disk.Foresee(path); err != nil {
		return connector.Configf(elsewhere, "the state folder %s cannot be written to: %w", path, err)
	}
	return nil
}

// probe finds out now, not after the first batch, whether a file can be made here. What a crash left half written goes
// on the way: we hold the lock, so it is nobody's.
func (d *Dir) probe() error {
	if err := disk.Sweep(d.path); err != nil {
		return err
	}
	return disk.Probe(d.path)
}

// Load returns the position saved last, nil if there is none yet. A damaged file, a file of a later version and a
// position of another pipeline are Config errors.
func (d *Dir) Load() (connector.Position, error) { return Peek(d.path, d.pipeline) }

// Peek is Load for whoever only looks: it takes no lock, and makes no directory.
func Peek(path, pipeline string) (connector.Position, error) {
	name := filepath.Join(path, positionFile)
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, connector.Configf("Check the file's permissions", "the position cannot be read: %w", err)
	}
	const damaged = "Put a backup of the file back, or delete it to read the input from the beginning"
	var doc document
	dec := json.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("the text is cut off")
		}
		return nil, connector.Configf(damaged, "the position file %s is damaged: %w", name, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, connector.Configf(damaged, "the position file %s is damaged: there is text behind the position", name)
	}
	switch {
	case doc.Version > version:
		return nil, connector.Configf("Use the version of Sluice that wrote it, or a newer one",
			"the position file %s has the format %d, and this version knows up to %d", name, doc.Version, version)
	case doc.Version != version, len(doc.Position) == 0, string(doc.Position) == "null":
		return nil, connector.Configf(damaged, "the position file %s is damaged: it holds no position", name)
	case doc.Pipeline != pipeline:
		return nil, connector.Configf(
			fmt.Sprintf("Set `state:` to a folder of its own, or delete the folder %s to read the input from the beginning", path),
			"the state folder %s belongs to another pipeline (%s, but this one is %s)", path, doc.Pipeline, pipeline)
	}
	return connector.Position(doc.Position), nil
}

// Save makes the position durable before it returns. It fits pipeline.Config.Checkpoint.
func (d *Dir) Save(ctx context.Context, pos connector.Position) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !json.Valid(pos) || string(pos) == "null" {
		return connector.Internalf("This is a defect of the reader: report it", "a position is not a JSON value: %.100q", string(pos))
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	err := enc.Encode(document{Version: version, Pipeline: d.pipeline, Saved: time.Now().UTC(), Position: json.RawMessage(pos)})
	if err != nil {
		return fmt.Errorf("encode the position: %w", err)
	}
	if err := disk.Replace(filepath.Join(d.path, positionFile), text.Bytes()); err != nil {
		return connector.Transientf("Check the disk's space and the folder's permissions, then run again",
			"the position cannot be saved in %s: %w", d.path, err)
	}
	return nil
}

// Forget removes the position durably: the next run begins at the start, whatever becomes of this one.
func (d *Dir) Forget() error {
	err := os.Remove(filepath.Join(d.path, positionFile))
	if err == nil {
		err = disk.SyncDir(d.path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return connector.Configf("Check the folder's permissions", "the position in %s cannot be removed: %w", d.path, err)
	}
	return nil
}

// Begun reports whether the directory was opened before: an earlier run may have sent rows, also where it left no position.
func (d *Dir) Begun() bool { return d.begun }

// Close frees the lock. The position stays.
func (d *Dir) Close() error { return d.lock.Close() }
