//go:build chaos

package chaos

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector/all/sandboxes"
	"github.com/sluicehq/sluice/internal/sandbox"
)

const (
	callRows = 12_000
	// longRuns is how many killed runs live long enough to send after the minute of look-ups; the others die in it.
	longRuns = 2
)

// TestOutcallRun kills `sluice run` while it puts numbers into a task that takes a number as often as it is sent, through a
// sandbox process that drops replies. No number may be there twice, none be missing.
func TestOutcallRun(t *testing.T) {
	t.Parallel() // it mostly waits
	bin := build(t, "sluice")
	w := &world{t: t, dir: t.TempDir(), stopped: map[string]int{}}
	w.seed(t, "outcall")
	journal := filepath.Join(w.dir, "journal.jsonl")
	url := startSandbox(t, bin, "--faults", "outcall.drop=25%,outcall.5xx-after=5%,latency=1ms..20ms", "--journal", journal)

	var input bytes.Buffer
	bad := 0
	for i := range callRows {
		phone := fmt.Sprintf("138%08d", i)
		if i%badEvery == 0 {
			phone = "call me"
			bad++
		}
		fmt.Fprintf(&input, `{"phone":"%s","external_id":"%d"}`+"\n", phone, i)
	}
	write(t, filepath.Join(w.dir, "people.jsonl"), input.Bytes())
	pipeline := filepath.Join(w.dir, "pipeline.yaml")
	for _, account := range sandboxes.Accounts() {
		if account.Vendor == "outcall" {
			write(t, pipeline, []byte("from:\n  file: {path: people.jsonl}\nto:\n  outcall:\n"+account.YAML("    ", url)+
				"    number_add_suffix: true\ndelivery: {requests_per_second: 5, concurrency: 2}\n"))
		}
	}
	for n := 0; ; n++ {
		cmd := exec.Command(bin, "run", pipeline)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		w.started++
		if n < *kills {
			life := time.Duration(100+w.rng.IntN(3_000)) * time.Millisecond
			if n > 0 && n <= longRuns {
				life += 61 * time.Second
			}
			w.stopped["kill -9"]++
			go w.stop(cmd, syscall.SIGKILL, life)
		}
		err := cmd.Wait()
		if err == nil {
			break
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || n >= *kills {
			t.Fatalf("sluice run: %v\n%s", err, out.String())
		}
	}
	time.Sleep(3 * time.Second) // an import that was accepted last comes two seconds later
	auditTask(t, w, url, journal, readRejects(t, pipeline+".rejects"), bad)
}

// auditTask compares the task with the input.
func auditTask(t *testing.T, w *world, url, journal string, rejects map[string]bool, bad int) {
	t.Helper()
	sent, lost := 0, 0
	text, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var e sandbox.Entry
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		if e.Committed {
			sent++
			if e.Lost {
				lost++
			}
		}
	}
	times := taskNumbers(t, url)
	missing, twice, wrong := 0, 0, 0
	for i := range callRows {
		id := fmt.Sprint(i)
		n, isBad := times[id], i%badEvery == 0
		switch {
		case n > 1:
			twice++
		case n == 0 && !rejects[id]:
			missing++
		}
		if isBad != rejects[id] || isBad == (n > 0) {
			wrong++
		}
	}
	fmt.Printf("chaos %s: rows %d, processes %d, stops %v, requests %d, replies lost %d, in the task %d, rejected %d, missing %d, twice %d, in the wrong place %d\n",
		t.Name(), callRows, w.started, w.stopped, sent, lost, len(times), len(rejects), missing, twice, wrong)
	if missing+twice+wrong > 0 || len(times)+len(rejects) != callRows || len(rejects) != bad {
		t.Fatal("the task is not what was sent")
	}
	if w.stopped["kill -9"] < *kills {
		t.Fatalf("only %d of %d kills struck before the input ended", w.stopped["kill -9"], *kills)
	}
}

// taskNumbers asks the sandbox what its tasks hold: external id → times.
func taskNumbers(t *testing.T, url string) map[string]int {
	t.Helper()
	resp, err := http.Get(url + "/_sandbox/state?service=outcall")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var state struct {
		Tasks []struct {
			Numbers []struct{ Extra string } `json:"numbers"`
		} `json:"tasks"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&state); err != nil {
		t.Fatal(err)
	}
	times := map[string]int{}
	for _, task := range state.Tasks {
		for _, n := range task.Numbers {
			times[n.Extra]++
		}
	}
	return times
}

// startSandbox runs `sluice sandbox` as a process of its own until the test ends, and returns its address.
func startSandbox(t *testing.T, bin string, args ...string) string {
	t.Helper()
	cmd := exec.Command(bin, append([]string{"sandbox", "--listen", "127.0.0.1:0"}, args...)...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		t.Fatalf("the sandbox says %q, %v", line, err)
	}
	return url
}
