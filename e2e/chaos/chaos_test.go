//go:build chaos

// Package chaos kills the real binaries at random points while they write into a sandbox that loses replies, starts them
// again from what they last acknowledged, and counts: no row may be lost, no position may be ahead of the CRM. It kills the
// receiver of webhooks as well, fills its disk and lets its system calls fail: what was acknowledged must be in its inbox,
// once, and the calls that it asks for must be made. The disk tests mount small file systems and attach strace, so they need root or sudo.
//
//	go test -tags chaos ./e2e/chaos -kills 30 -v
package chaos

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
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

var (
	kills = flag.Int("kills", 30, "how often to kill each program")
	seed  = flag.Uint64("seed", 0, "seed of the run; 0 takes one from the clock and prints it")
	most  = flag.Duration("most", 0, "the receiver is killed for so long at the most, then the run is audited with the kills that were made; 0: no bound")
)

const (
	stateEvery = 50
	badEvery   = 97 // one row in so many has a phone that no CRM takes
	hotPeople  = 20 // so many contacts come again and again, each time with a later remark
	floor      = 10_000

	// rowsPerKill is how far a process that will be killed can come at the most, so that all kills strike before the end.
	rowsPerKill = 1_500
)

// world is one CRM, the input, and what has been acknowledged so far.
type world struct {
	t       *testing.T
	rng     *rand.Rand
	dir     string
	url     string
	server  *sandbox.Running
	audit   *audit
	total   int // rows of the input
	started int // processes started
	stopped map[string]int
}

// seed starts the world's random numbers and prints what it takes to start them alike again.
func (w *world) seed(t *testing.T, name string) uint64 {
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", s)
	w.rng = rand.New(rand.NewPCG(s, uint64(len(name))))
	return s
}

func newWorld(t *testing.T, name string) *world {
	w := &world{t: t, dir: t.TempDir(), audit: newAudit(), stopped: map[string]int{}}
	s := w.seed(t, name)
	w.total = max(floor+2_000, *kills*rowsPerKill)
	faults, err := sandbox.ParseFaults("drop=3%,500=2%,latency=1ms..8ms")
	if err != nil {
		t.Fatal(err)
	}
	sb := sandbox.New(sandbox.Options{Seed: s, Faults: faults, Journal: w.audit}, sandboxes.Services()...)
	if w.server, err = sb.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	w.url = w.server.URL
	t.Cleanup(func() { _ = w.server.Stop() })
	return w
}

// row is one record of the input. Rows divisible by badEvery are bad, every third of the rest is about a hot person.
func (w *world) row(i int) (line []byte, id string, bad bool) {
	phone := fmt.Sprintf("8613%09d", 100_000+i)
	switch {
	case i%badEvery == 0:
		return fmt.Appendf(nil, `{"whatsapp":"86-bad-x%d","first_name":"Bad","last_name":"Row","external_id":"%d"}`, i, i), fmt.Sprint(i), true
	case i%3 == 0:
		phone = fmt.Sprintf("8619%09d", i%hotPeople)
	}
	return fmt.Appendf(nil, `{"whatsapp":"%s","first_name":"F%d","last_name":"L","remark":"%09d"}`, phone, i, i), phone, false
}

func (w *world) crm() map[string]any {
	crm := map[string]any{"vendor": "nxlink", "base_url": w.url}
	for _, s := range sandboxes.Accounts()[0].Settings {
		crm[s.Name] = s.Value
	}
	return crm
}

func (w *world) signal() (syscall.Signal, string) {
	if w.rng.IntN(3) == 0 {
		return syscall.SIGTERM, "SIGTERM"
	}
	return syscall.SIGKILL, "kill -9"
}

// settled fails the test unless every row before n has landed or stands in the rejects.
func (w *world) settled(from, n int, rejects map[string]bool) {
	w.t.Helper()
	for i := from; i < n; i++ {
		_, id, bad := w.row(i)
		if bad && !rejects[id] {
			w.t.Fatalf("row %d was acknowledged (position %d) but stands in no reject file", i, n)
		}
		if !bad && !w.audit.has(id) {
			w.t.Fatalf("row %d was acknowledged (position %d) but the CRM has not taken it", i, n)
		}
	}
}

// final compares the CRM with the input: every contact there, each with its last remark.
func (w *world) final(rejects map[string]bool) {
	w.t.Helper()
	last, good := map[string]int{}, 0
	for i := range w.total {
		if _, id, bad := w.row(i); !bad {
			last[id] = i
			good++
		}
	}
	lost, stale := 0, 0
	for id, i := range last {
		switch remark, ok := w.remark(id); {
		case !ok:
			lost++
		case remark != fmt.Sprintf("%09d", i):
			stale++
		}
	}
	w.settled(0, w.total, rejects)
	rows := w.audit.rows()
	fmt.Printf("chaos %s: rows %d, processes %d, stops %v, faults drop=3%% 500=2%%, committed %d, repeated %d, lost %d, out of order %d\n",
		w.t.Name(), w.total, w.started, w.stopped, rows, rows-good, lost, stale)
	if lost > 0 || stale > 0 {
		w.t.Fatalf("%d contacts are missing, %d do not hold their last value", lost, stale)
	}
	if n := w.stopped["SIGTERM"] + w.stopped["kill -9"]; n < *kills {
		w.t.Fatalf("only %d of %d kills struck before the input ended", n, *kills)
	}
	if rows < floor {
		w.t.Fatalf("only %d rows moved; the run proves nothing below %d", rows, floor)
	}
}

func (w *world) remark(id string) (string, bool) {
	w.audit.mu.Lock()
	defer w.audit.mu.Unlock()
	if w.audit.stored == nil {
		w.audit.stored = fetchState(w.t, w.url)
	}
	r, ok := w.audit.stored[id]
	return r, ok
}

// readRejects returns the external ids in a folder of rejects.
func readRejects(t *testing.T, dir string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			var r struct {
				Row struct {
					ID string `json:"external_id"`
				} `json:"row"`
			}
			if json.Unmarshal(line, &r) == nil && r.Row.ID != "" { // the last line may be torn by a kill
				out[r.Row.ID] = true
			}
		}
	}
	return out
}

func build(t *testing.T, name string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), name)
	cmd := exec.Command("go", "build", "-o", bin, "github.com/sluicehq/sluice/cmd/"+name)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	return bin
}

// TestDestination drives destination-sluice as an Airbyte host does: records and states in, states out.
func TestDestination(t *testing.T) {
	t.Parallel() // with tests that mostly wait
	bin := build(t, "destination-sluice")
	w := newWorld(t, "destination")
	rejectsDir := filepath.Join(w.dir, "rejects")
	cfg, err := json.Marshal(map[string]any{
		"crm": w.crm(), "rejects": map[string]any{"dir": rejectsDir},
		"delivery": map[string]any{"requests_per_second": 5000, "concurrency": 8, "linger": "20ms"},
	})
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(w.dir, "config.json")
	catalog := filepath.Join(w.dir, "catalog.json")
	write(t, config, cfg)
	write(t, catalog, []byte(`{"streams":[{"stream":{"name":"people","json_schema":{"type":"object","properties":{"whatsapp":{"type":"string"},"first_name":{"type":"string"},"last_name":{"type":"string"},"remark":{"type":"string"},"external_id":{"type":"string"}}},"supported_sync_modes":["incremental"]},"sync_mode":"incremental","destination_sync_mode":"append_dedup"}]}`))

	acked := 0
	for done := 0; acked < w.total; {
		killAfter := -1
		if done < *kills {
			killAfter = w.rng.IntN(8)
			done++
		}
		next := w.destinationOnce(bin, config, catalog, acked, killAfter)
		if next < acked {
			t.Fatalf("position went back from %d to %d", acked, next)
		}
		w.settled(acked, next, readRejects(t, rejectsDir))
		acked = next
	}
	w.final(readRejects(t, rejectsDir))
}

// destinationOnce runs one process from row `from` on and returns the position of the last state it printed. killAfter
// is the number of states after which it is killed; below 0 it may finish.
func (w *world) destinationOnce(bin, config, catalog string, from, killAfter int) int {
	w.t.Helper()
	w.started++
	cmd := exec.Command(bin, "write", "--config", config, "--catalog", catalog)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	upTo := w.total
	if killAfter >= 0 {
		upTo = min(upTo, from+rowsPerKill)
	}
	go w.feed(stdin, from, upTo)
	sig, name := w.signal()
	pause := time.Duration(w.rng.IntN(15_000)) * time.Microsecond
	if killAfter == 0 {
		go w.stop(cmd, sig, pause*3)
	}
	acked, seen := from, 0
	var tail []string
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var m struct {
			Type  string
			State struct {
				ID     *int `json:"id"`
				Stream struct {
					State struct{ N int } `json:"stream_state"`
				} `json:"stream"`
			} `json:"state"`
		}
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			continue // torn by the kill
		}
		if m.Type != "STATE" {
			tail = append(tail, lines.Text())
			continue
		}
		if n := m.State.Stream.State.N; n < acked {
			w.t.Fatalf("states out of order: %d after %d", n, acked)
		} else {
			acked = n
		}
		if m.State.ID == nil {
			w.t.Fatal("a state came back without its id")
		}
		if seen++; seen == killAfter {
			go w.stop(cmd, sig, pause)
		}
	}
	err = cmd.Wait()
	if killAfter >= 0 {
		w.stopped[name]++
		return acked
	}
	if err != nil {
		w.t.Fatalf("destination-sluice: %v\n%s\n%s", err, strings.Join(tail, "\n"), stderr.String())
	}
	return acked
}

func (w *world) stop(cmd *exec.Cmd, sig syscall.Signal, after time.Duration) {
	timer := time.NewTimer(after)
	<-timer.C
	_ = cmd.Process.Signal(sig)
}

// feed writes the rows and their states; it ends the input only behind the last row of all.
func (w *world) feed(stdin io.WriteCloser, from, upTo int) {
	out := bufio.NewWriterSize(stdin, 1<<14)
	for i := from; i < upTo; i++ {
		line, _, _ := w.row(i)
		_, _ = fmt.Fprintf(out, `{"type":"RECORD","record":{"stream":"people","data":%s,"emitted_at":1790000000000}}`+"\n", line)
		if n := i + 1; n%stateEvery == 0 || n == w.total {
			if _, err := fmt.Fprintf(out, `{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"people"},"stream_state":{"n":%d}},"id":%d}}`+"\n", n, n); err != nil {
				return // the process is gone
			}
		}
	}
	if out.Flush() == nil && upTo == w.total {
		_ = stdin.Close()
	}
}

// TestRun kills `sluice run` on a file; its position lives in its state folder.
func TestRun(t *testing.T) {
	t.Parallel() // with tests that mostly wait
	bin := build(t, "sluice")
	w := newWorld(t, "run")
	var input bytes.Buffer
	for i := range w.total {
		line, _, _ := w.row(i)
		input.Write(append(line, '\n'))
	}
	write(t, filepath.Join(w.dir, "people.jsonl"), input.Bytes())
	pipeline := filepath.Join(w.dir, "pipeline.yaml")
	write(t, pipeline, []byte("from:\n  file: {path: people.jsonl}\nto:\n  nxlink:\n"+sandboxes.Accounts()[0].YAML("    ", w.url)+
		"delivery: {requests_per_second: 150, concurrency: 8, linger: 20ms}\n"))
	for done := 0; ; {
		w.started++
		cmd := exec.Command(bin, "run", pipeline)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		killed := done < *kills
		if killed {
			done++
			sig, name := w.signal()
			w.stopped[name]++
			after := time.Duration(20_000+w.rng.IntN(70_000)) * time.Microsecond
			go func() {
				w.stop(cmd, sig, after)
				w.stop(cmd, syscall.SIGKILL, 100*time.Millisecond) // a host that does not wait for the drain
			}()
		}
		err := cmd.Wait()
		if err == nil {
			break
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || !killed {
			t.Fatalf("sluice run: %v\n%s", err, out.String())
		}
	}
	w.final(readRejects(t, pipeline+".rejects"))
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
