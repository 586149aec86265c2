package state_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/state"
)

// The test binary is also the other process: with SLUICE_HOLD set it opens that folder, says so and waits for its input
// to end.
func TestMain(m *testing.M) {
	if path := os.Getenv("SLUICE_HOLD"); path != "" {
		d, err := state.Open(path, "p")
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("held")
		_, _ = os.Stdin.Read(make([]byte, 1))
		_ = d.Close()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func open(t *testing.T, path string) *state.Dir {
	t.Helper()
	d, err := state.Open(path, "contacts.jsonl → nxlink")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// wantConfig checks that err is a Config error whose text holds every part.
func wantConfig(t *testing.T, err error, parts ...string) {
	t.Helper()
	if connector.KindOf(err) != connector.KindConfig {
		t.Fatalf("got %v, want a Config error", err)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("got %q, want %q in it", err, part)
		}
	}
}

func TestSaveAndLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "state")
	d := open(t, path)
	if pos, err := d.Load(); pos != nil || err != nil {
		t.Fatalf("new folder: got %s, %v", pos, err)
	}
	for _, want := range []string{`{"offset":1}`, `{"offset":90071992547409931234567890,"url":"a?b&c<d>"}`, `[1,2]`, `"x"`} {
		if err := d.Save(t.Context(), connector.Position(want)); err != nil {
			t.Fatal(err)
		}
		if got, err := d.Load(); string(got) != want || err != nil {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := open(t, path).Load(); string(got) != `"x"` || err != nil {
		t.Errorf("opened again: got %s, %v", got, err)
	}
	for _, name := range []string{"position.json", "lock"} {
		info, err := os.Stat(filepath.Join(path, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(path, "*")); len(left) != 2 {
		t.Errorf("the folder holds %q", left)
	}
}

// TestSaveKeepsAnyPosition: what a Reader made is what it gets back.
func TestSaveKeepsAnyPosition(t *testing.T) {
	d := open(t, t.TempDir())
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringN(0, 40, -1).Draw(rt, "text")
		want, err := json.Marshal(map[string]any{"file": text, "offset": rapid.Int64().Draw(rt, "offset")})
		if err != nil {
			rt.Fatal(err)
		}
		if err := d.Save(t.Context(), want); err != nil {
			rt.Fatal(err)
		}
		got, err := d.Load()
		if err != nil || string(got) != string(want) {
			rt.Fatalf("got %s, %v, want %s", got, err, want)
		}
	})
}

func TestSaveRefuses(t *testing.T) {
	d := open(t, t.TempDir())
	for _, bad := range []string{"", "{", "null", "{} {}"} {
		if err := d.Save(t.Context(), connector.Position(bad)); connector.KindOf(err) != connector.KindInternal {
			t.Errorf("%q: got %v", bad, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Save(ctx, connector.Position(`1`)); err == nil {
		t.Error("saved after its context had ended")
	}
	if pos, err := d.Load(); pos != nil || err != nil {
		t.Errorf("got %s, %v", pos, err)
	}
}

func TestSaveFailsWithoutLosingTheOld(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	d := open(t, path)
	if err := d.Save(t.Context(), connector.Position(`1`)); err != nil {
		t.Fatal(err)
	}
	moved := path + ".moved"
	if err := os.Rename(path, moved); err != nil {
		t.Fatal(err)
	}
	if err := d.Save(t.Context(), connector.Position(`2`)); connector.KindOf(err) != connector.KindTransient {
		t.Errorf("got %v", err)
	}
	if err := os.Rename(moved, path); err != nil {
		t.Fatal(err)
	}
	if pos, err := d.Load(); string(pos) != `1` || err != nil {
		t.Errorf("got %s, %v", pos, err)
	}
}

func TestLoadRefuses(t *testing.T) {
	good := `{"version":1,"pipeline":"contacts.jsonl → nxlink","saved":"2026-01-02T03:04:05Z","position":{"offset":7}}`
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"empty":            {"", []string{"damaged", "cut off", "from the beginning"}},
		"cut off":          {good[:len(good)-8], []string{"damaged", "cut off"}},
		"zeros":            {strings.Repeat("\x00", 60), []string{"damaged"}},
		"text behind":      {good + "}", []string{"damaged", "behind"}},
		"no object":        {"7", []string{"damaged"}},
		"no position":      {`{"version":1,"pipeline":"contacts.jsonl → nxlink"}`, []string{"damaged", "no position"}},
		"null position":    {strings.Replace(good, `{"offset":7}`, "null", 1), []string{"damaged", "no position"}},
		"version missing":  {strings.Replace(good, `"version":1,`, "", 1), []string{"damaged"}},
		"later version":    {strings.Replace(good, `"version":1`, `"version":2`, 1), []string{"format 2", "newer"}},
		"another pipeline": {strings.Replace(good, "nxlink", "nxcloud", 1), []string{"another pipeline", "nxcloud", "delete the folder"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir()
			if err := os.WriteFile(filepath.Join(path, "position.json"), []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			pos, err := open(t, path).Load()
			if pos != nil {
				t.Errorf("got a position: %s", pos)
			}
			wantConfig(t, err, tt.want...)
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := state.Open(file, "p")
	wantConfig(t, err, "is a file", "`state:`")
	_, err = state.Open(filepath.Join(file, "below"), "p")
	wantConfig(t, err, "cannot be made", "`state:`")
	_, err = state.Open("/proc", "p") // not even root may write there; elsewhere it is not there and cannot be made
	wantConfig(t, err, "`state:`")
}

func TestOpenLocks(t *testing.T) {
	path := t.TempDir()
	d := open(t, path)
	_, err := state.Open(path, "p")
	wantConfig(t, err, "another run", fmt.Sprintf("process %d", os.Getpid()))
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path)
}

// TestOpenLocksBetweenProcesses: a second process is told the first one's id, and a kill -9 leaves no lock behind.
func TestOpenLocksBetweenProcesses(t *testing.T) {
	path := t.TempDir()
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), "SLUICE_HOLD="+path)
	stdin, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 64)
	n, _ := stdout.Read(said)
	if got := string(said[:n]); got != "held\n" {
		t.Fatalf("the other process says %q", got)
	}
	_, err = state.Open(path, "p")
	wantConfig(t, err, fmt.Sprintf("process %d", other.Process.Pid))
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait() // killed, as it should be
	open(t, path)
}

// TestOpenSweeps: what a crash left half written goes.
func TestOpenSweeps(t *testing.T) {
	path := t.TempDir()
	if err := os.WriteFile(filepath.Join(path, "position.json.123.unfinished"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := open(t, path)
	if left, _ := filepath.Glob(filepath.Join(path, "*.unfinished")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	if pos, err := d.Load(); pos != nil || err != nil {
		t.Errorf("got %s, %v", pos, err)
	}
}

// Forget removes the position; to forget nothing is no error.
func TestForget(t *testing.T) {
	path := t.TempDir()
	d, err := state.Open(path, "p")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Forget(); err != nil {
		t.Fatal(err)
	}
	if err := d.Save(t.Context(), []byte(`{"n":1}`)); err != nil {
		t.Fatal(err)
	}
	if err := d.Forget(); err != nil {
		t.Fatal(err)
	}
	if pos, err := d.Load(); pos != nil || err != nil {
		t.Errorf("%s, %v", pos, err)
	}
}
