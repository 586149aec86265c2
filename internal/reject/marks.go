package reject

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/state/disk"
)

// Mark says what became of a reject.
type Mark string

const (
	MarkLanded   Mark = "landed"   // sent again, and delivered
	MarkFiltered Mark = "filtered" // sent again, and left out by the mapping as it is now
	// MarkSettled: sent again in a batch of which some rows were delivered and others filtered, and this is one of them.
	MarkSettled Mark = "settled"
	// MarkOvertaken: left out by the memory of a relay. Since it was rejected, its source told later values, or the CRM came
	// to hold these.
	MarkOvertaken Mark = "overtaken"

	MarkAgain  Mark = "again"  // sent again, and rejected again: a newer entry stands for the row
	MarkClosed Mark = "closed" // a person dealt with it
)

// markLine is a line of the marks file.
type markLine struct {
	Time time.Time `json:"time"`
	Mark Mark      `json:"mark"`
	IDs  []string  `json:"ids"`
}

// Mark notes what became of the entries, durably. The last mark of an entry counts.
func (d *Dir) Mark(ids []string, m Mark) error {
	if len(ids) == 0 {
		return nil
	}
	if err := d.mark(ids, m); err != nil {
		return connector.Transientf("Check the disk's space and the folder's permissions", "the rejects cannot be marked: %w", err)
	}
	return nil
}

func (d *Dir) mark(ids []string, m Mark) error {
	lock, err := disk.Shared(filepath.Join(d.path, lockFile)) // a purge rewrites the file
	if err != nil {
		return err
	}
	defer lock.Close()
	line, err := json.Marshal(markLine{Time: d.now().UTC(), Mark: m, IDs: ids})
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	f, err := os.OpenFile(filepath.Join(d.path, marksFile), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	line, err = behind(f, append(line, '\n'))
	if err == nil {
		_, err = f.Write(line)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return disk.SyncDir(d.path)
}

// behind puts a break before the line if a crash left the last one without.
func behind(f *os.File, line []byte) ([]byte, error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return line, err
	}
	var last [1]byte
	if _, err := f.ReadAt(last[:], info.Size()-1); err != nil {
		return nil, err
	}
	if last[0] != '\n' {
		line = append([]byte{'\n'}, line...)
	}
	return line, nil
}

// marks reads the last mark of each entry. A line cut off by a crash is passed over: its rows merely count as open.
func (d *Dir) marks() (map[string]Mark, error) {
	text, err := os.ReadFile(filepath.Join(d.path, marksFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, connector.Configf("Check the file's permissions", "the marks of the rejects cannot be read: %w", err)
	}
	out := make(map[string]Mark)
	for line := range bytes.Lines(text) {
		var m markLine
		if json.Unmarshal(line, &m) != nil {
			continue
		}
		for _, id := range m.IDs {
			out[id] = m.Mark
		}
	}
	return out, nil
}
