package echo

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/connector"
)

func open(t *testing.T, dir string) *store {
	t.Helper()
	s, err := openStore(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.close() })
	return s
}

// note notes a value of a contact's field.
func (s *store) noteSeen(t *testing.T, who, value string) {
	t.Helper()
	err := s.write(t.Context(), func(n *note) error {
		f, err := n.contact(s.id("account", who))
		if err == nil {
			f.at("email").Seen = &seen{Hash: s.hash("email", value), Order: n.next()}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// seenOf returns the hash that is noted, "" if none.
func (s *store) seenOf(t *testing.T, who string) (hash string) {
	t.Helper()
	err := s.write(t.Context(), func(n *note) error {
		f, err := n.contact(s.id("account", who))
		if err == nil && f["email"] != nil {
			hash = f["email"].Seen.Hash
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

// TestStore: two relays see one another's notes, also after a restart; a note that fails leaves nothing; and neither
// numbers nor values stand in the files.
func TestStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "memory")
	one, two := open(t, dir), open(t, dir)
	one.noteSeen(t, "8613800000001", "someone@example.com")
	if got := two.seenOf(t, "8613800000001"); got == "" || got != two.hash("email", "someone@example.com") {
		t.Errorf("the other relay sees %q", got)
	}
	cause := errors.New("cut")
	if err := two.write(t.Context(), func(n *note) error {
		f, err := n.contact(two.id("account", "8613800000001"))
		f.at("email").Seen.Hash = "wrong"
		return errors.Join(err, cause)
	}); !errors.Is(err, cause) || one.seenOf(t, "8613800000001") == "wrong" {
		t.Errorf("%v; a note that failed is there", err)
	}
	if err := errors.Join(one.close(), two.close()); err != nil {
		t.Fatal(err)
	}
	if again := open(t, dir); again.seenOf(t, "8613800000001") != again.hash("email", "someone@example.com") {
		t.Error("the note is gone after a restart")
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil || bytes.Contains(text, []byte("someone")) || bytes.Contains(text, []byte("8613800000001")) {
			t.Errorf("%s: %v, or it can be read", f.Name(), err)
		}
		if info, err := f.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others", f.Name())
		}
	}
}

// TestForgets: the contacts touched longest ago go first.
func TestForgets(t *testing.T) {
	s := open(t, t.TempDir())
	s.most = 5
	for i := range 20 {
		s.noteSeen(t, fmt.Sprint(i), "v")
		s.noteSeen(t, "0", "v")
	}
	if s.seenOf(t, "0") == "" || s.seenOf(t, "19") == "" || s.seenOf(t, "1") != "" {
		t.Error("the wrong contacts are forgotten")
	}
}

// TestDamagedStore: what is no memory of ours is a Config error that says what to do.
func TestDamagedStore(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"no database": func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte("no database "), 1000), 0o600) },
		"a folder":    func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
		"later": func(path string) error {
			s := open(t, filepath.Dir(path))
			_, err := s.db.ExecContext(t.Context(), "PRAGMA user_version = 9")
			return errors.Join(err, s.close())
		},
	} {
		dir := t.TempDir()
		if err := open(t, dir).close(); err != nil {
			t.Fatal(err)
		}
		if err := spoil(filepath.Join(dir, databaseFile)); err != nil {
			t.Fatal(err)
		}
		s, err := openStore(t.Context(), dir)
		if connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), ". ") {
			t.Errorf("%s: %v", name, err)
		}
		if s != nil {
			_ = s.close()
		}
	}
}
