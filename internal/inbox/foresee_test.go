package inbox

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/connector"
)

// What keeps Open from writing is found out before, and neither a folder nor a file is made for that.
func TestForesee(t *testing.T) {
	dir := t.TempDir()
	if err := Foresee(filepath.Join(dir, "a", "b")); err != nil {
		t.Error(err)
	}
	box := filepath.Join(dir, "box")
	i, err := Open(t.Context(), Options{Dir: box})
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
	if err := Foresee(box); err != nil {
		t.Error(err)
	}
	bad := func(path string) {
		t.Helper()
		_, opened := Open(t.Context(), Options{Dir: path})
		if err := Foresee(path); connector.KindOf(err) != connector.KindConfig || connector.KindOf(opened) != connector.KindConfig || !strings.Contains(err.Error(), path) {
			t.Errorf("foreseen: %v, of Open: %v", err, opened)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	bad(filepath.Join(dir, "file"))
	bad(filepath.Join(dir, "file", "below"))
	for _, name := range []string{lockName, headName} {
		path := filepath.Join(box, name)
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Error(err)
		}
		bad(box)
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Error(err)
		}
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 2 {
		t.Errorf("%v, %v", list, err)
	}
	if os.Getuid() <= 0 { // may write to everything
		return
	}
	if err := os.Chmod(filepath.Join(box, headName), 0o400); err != nil {
		t.Error(err)
	}
	bad(box)
}
