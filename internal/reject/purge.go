package reject

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/state/disk"
)

// Purge says which entries go: those for which every condition that is set holds.
type Purge struct {
	Before time.Time // rejected before that time; zero: any time
	Marked bool      // only those with a mark: landed, or dealt with otherwise
	All    bool      // must be set where no condition is, so that an empty value removes nothing
}

// Purge removes entries and their marks and returns how many entries went. It needs the directory for itself: while a
// run writes to it, that is a Config error. Lines that cannot be read go with the last good entry of their file.
func (d *Dir) Purge(p Purge) (removed int, err error) {
	if p.Before.IsZero() && !p.Marked && !p.All {
		return 0, connector.Configf("Say what goes: entries older than a time, those that landed, or all of them",
			"a purge without a condition would remove everything")
	}
	lock, err := disk.Exclusive(filepath.Join(d.path, lockFile))
	if errors.Is(err, disk.ErrHeld) {
		return 0, connector.Configf("Wait until it has ended", "a run is writing to the rejects folder %s", d.path)
	}
	if err != nil {
		return 0, connector.Configf("Check the folder's permissions", "the rejects folder cannot be locked: %w", err)
	}
	defer lock.Close()
	if removed, err = d.purge(p); err != nil {
		return removed, connector.Transientf("Check the disk's space and the folder's permissions, then purge again",
			"the purge of %s did not finish: %w", d.path, err)
	}
	return removed, nil
}

func (d *Dir) purge(p Purge) (removed int, err error) {
	if err := disk.Sweep(d.path); err != nil {
		return 0, err
	}
	files, err := d.files()
	if err != nil {
		return 0, err
	}
	marks, err := d.marks()
	if err != nil {
		return 0, err
	}
	kept := map[string]bool{} // marked entries that stay
	for _, f := range files {
		n, err := purgeFile(f, p, marks, kept)
		removed += n
		if err != nil {
			return removed, err
		}
	}
	if err := d.rewriteMarks(marks, kept); err != nil {
		return removed, err
	}
	return removed, disk.SyncDir(d.path)
}

// purgeFile rewrites the file without the entries that go, or removes it. A file is small: see Config.MaxFile.
func purgeFile(f segment, p Purge, marks map[string]Mark, kept map[string]bool) (removed int, err error) {
	var rest bytes.Buffer
	good := 0
	s := &scan{files: []segment{f}}
	defer s.close()
	for {
		line, err := s.nextLine()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		e, bad := parseLine(line)
		mark := marks[e.ID]
		if bad == nil && (p.Before.IsZero() || e.Time.Before(p.Before)) && (!p.Marked || mark != "") {
			removed++
			continue
		}
		if bad == nil {
			good++
			if mark != "" {
				kept[e.ID] = true
			}
		}
		rest.Write(line)
	}
	s.close()
	switch {
	case removed == 0 && !p.All:
		return 0, nil
	case good == 0:
		return removed, os.Remove(f.name)
	}
	return removed, disk.Replace(f.name, rest.Bytes())
}

// rewriteMarks keeps the marks of the entries that stay, one line a mark.
func (d *Dir) rewriteMarks(marks map[string]Mark, kept map[string]bool) error {
	name := filepath.Join(d.path, marksFile)
	byMark := map[Mark][]string{}
	for id := range kept {
		byMark[marks[id]] = append(byMark[marks[id]], id)
	}
	if len(byMark) == 0 {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	for mark, ids := range byMark {
		if err := enc.Encode(markLine{Time: d.now().UTC(), Mark: mark, IDs: ids}); err != nil {
			return err
		}
	}
	return disk.Replace(name, text.Bytes())
}
