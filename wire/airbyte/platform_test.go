//go:build unix

package airbyte

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// self is a command that runs this test binary as a destination.
func self(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), asDestination+"=1", "AIRBYTE_ENTRYPOINT="+os.Args[0])
	cmd.Stderr = os.Stderr
	return cmd
}

// TestFakePlatform starts the destination as the platform does: through a shell, with named pipes for its streams. It
// numbers the states, and compares the counts with its own.
func TestFakePlatform(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"in", "out"} {
		if err := syscall.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := files(t, "{}", catalogOf("a", "b"))
	cmd := self(t, "sh", "-c", `eval "$AIRBYTE_ENTRYPOINT write --config `+f[1]+` --catalog `+f[3]+`" > out < in`)
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	const n = 3000
	sent := make(chan map[int][2]int, 1) // by id of the state: good and bad rows since the one before
	go func() { sent <- feedPlatform(t, filepath.Join(dir, "in"), n) }()

	out, err := os.Open(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	got := map[int][2]int{}
	last := map[string]int{}
	for lines.Scan() {
		var m struct {
			Type  string
			State struct {
				ID     *int // a float or a string does not decode
				Stream struct {
					Descriptor struct{ Name string } `json:"stream_descriptor"`
				}
				Stats struct {
					Committed float64 `json:"recordCount"`
					Rejected  float64 `json:"rejectedRecordCount"`
				} `json:"destinationStats"`
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil || m.Type != "STATE" || m.State.ID == nil {
			t.Fatalf("line %.200s: %v", lines.Bytes(), err)
		}
		id, stream := *m.State.ID, m.State.Stream.Descriptor.Name
		if _, twice := got[id]; twice || id <= last[stream] {
			t.Errorf("state %d of %s after %d", id, stream, last[stream])
		}
		last[stream] = id
		got[id] = [2]int{int(m.State.Stats.Committed), int(m.State.Stats.Rejected)}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("exit: %v", err)
	}
	want := <-sent
	if len(got) != len(want) {
		t.Errorf("%d of %d states came back", len(got), len(want))
	}
	for id, counts := range want {
		if got[id] != counts {
			t.Errorf("state %d counts %v, want %v", id, got[id], counts)
		}
	}
}

func feedPlatform(t *testing.T, path string, n int) map[int][2]int {
	in, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer in.Close()
	w := bufio.NewWriter(in)
	defer w.Flush()
	sent := map[int][2]int{}
	since := map[string][2]int{}
	for i := range n {
		stream := []string{"a", "b"}[i%3%2]
		counts := since[stream]
		email := "good"
		if i%7 == 0 {
			email = "bad"
			counts[1]++
		} else {
			counts[0]++
		}
		since[stream] = counts
		fmt.Fprintf(w, `{"type":"RECORD","record":{"stream":%q,"data":{"email":%q,"n":%d},"emitted_at":1}}`+"\n", stream, email, i)
		if i%11 == 0 {
			sent[i+1] = since[stream]
			delete(since, stream)
			io.WriteString(w, streamState(stream, i+1))
		}
	}
	return sent
}

// TestSignal: the state that is safe has left before the process ends, with the code of a process ended by SIGTERM.
func TestSignal(t *testing.T) {
	cmd := self(t, os.Args[0], append([]string{"write"}, files(t, "{}", catalogOf("a"))...)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(in, record("a", 1)+streamState("a", 1)); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	if err != nil || !strings.Contains(line, `"id":1,"destinationStats":{"recordCount":1.0}`) {
		t.Fatalf("got %q, %v", line, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil { // its standard input is open and silent
		t.Fatal(err)
	}
	rest, err := io.ReadAll(lines)
	if err != nil || strings.Contains(string(rest), `"STATE"`) || !strings.Contains(string(rest), "stopped before the input ended") {
		t.Errorf("then %q, %v", rest, err)
	}
	_ = cmd.Wait() // the code says it
	if code := cmd.ProcessState.ExitCode(); code != 143 {
		t.Errorf("exit code %d, want 143", code)
	}
}
