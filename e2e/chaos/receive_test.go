//go:build chaos

package chaos

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	hookConns    = 16
	acksPerKill  = 1_400 // a process is killed after at most so many acknowledgements, or more where the run is behind its pace
	killsAtStart = 6     // one kill in so many strikes while the process starts
)

// receiver is one process of `sluice receive`.
type receiver struct {
	t          *testing.T
	cmd        *exec.Cmd
	url, admin string
	log        *bytes.Buffer // read it after stop
	done       sync.WaitGroup
}

// launch starts a receiver and does not wait for it.
func launch(t *testing.T, bin, config string) (*receiver, io.Reader) {
	t.Helper()
	r := &receiver{t: t, cmd: exec.Command(bin, "receive", "-c", config), log: new(bytes.Buffer)}
	r.cmd.Stderr = r.log
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.cmd.Process.Kill()
		_ = r.cmd.Wait()
	})
	return r, stdout
}

// startReceiver waits until it listens.
func startReceiver(t *testing.T, bin, config string) *receiver {
	t.Helper()
	r, stdout := launch(t, bin, config)
	lines := bufio.NewScanner(stdout)
	for (r.url == "" || r.admin == "") && lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), "listening on "); ok {
			r.url = url
		}
		if rest, ok := strings.CutPrefix(lines.Text(), "admin on "); ok {
			r.admin = strings.Fields(rest)[0]
		}
	}
	if r.url == "" || r.admin == "" {
		_ = r.cmd.Wait()
		t.Fatalf("the receiver does not start:\n%s", r.log)
	}
	r.done.Go(func() { _, _ = io.Copy(io.Discard, stdout) })
	return r
}

// stop ends the process and returns how.
func (r *receiver) stop(sig syscall.Signal) error {
	r.t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		r.t.Fatal(err)
	}
	r.done.Wait()
	return r.cmd.Wait()
}

// terminate stops it as a host does that lets it finish.
func (r *receiver) terminate() {
	r.t.Helper()
	if err := r.stop(syscall.SIGTERM); err != nil {
		r.t.Fatalf("after SIGTERM: %v\n%s", err, r.log)
	}
}

// get asks the admin address.
func (r *receiver) get(path string) (status int, text string) {
	r.t.Helper()
	resp, err := http.Get(r.admin + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// TestReceive kills `sluice receive` while webhooks come in. What it acknowledged must be in its inbox, once.
func TestReceive(t *testing.T) {
	t.Parallel() // with tests that mostly wait
	bin := build(t, "sluice")
	w := &world{t: t, dir: t.TempDir()}
	seed := w.seed(t, "receive")
	s := newHookSenders(t)
	config, box := filepath.Join(w.dir, "receive.yaml"), filepath.Join(w.dir, "inbox")
	write(t, config, s.config("inbox"))
	s.start(hookConns, seed)

	var recovery []time.Duration
	done, atStart, until := 0, 0, time.Now().Add(*most)
	for ; done < *kills && (*most == 0 || time.Now().Before(until)); done++ {
		if done > 0 && done < *kills-1 && w.rng.IntN(killsAtStart) == 0 {
			atStart++
			r, _ := launch(t, bin, config)
			w.stop(r.cmd, syscall.SIGKILL, time.Duration(w.rng.IntN(80_000))*time.Microsecond)
			_ = r.cmd.Wait()
			continue
		}
		n := max(1+w.rng.IntN(acksPerKill), pace(done+1)-s.countAcks())
		first, enough := s.after(1, false), s.after(n, false)
		began := time.Now()
		r := startReceiver(t, bin, config)
		s.at(r.url)
		<-first
		recovery = append(recovery, time.Since(began))
		<-enough
		w.stop(r.cmd, syscall.SIGKILL, time.Duration(w.rng.IntN(5_000))*time.Microsecond)
		s.at("")
		r.done.Wait()
		_ = r.cmd.Wait()
	}
	before := s.countAcks() // what comes later proves nothing
	// What the last kill left, before any process of ours has repaired it.
	left := filepath.Join(w.dir, "left")
	copyFolder(t, box, left)
	s.mu.Lock()
	snapshot := slices.Clone(s.list)
	s.mu.Unlock()
	auditInbox(t, left, snapshot).hold(t)

	r := startReceiver(t, bin, config)
	s.at(r.url)
	s.drain()
	r.terminate()
	found := auditInbox(t, box, s.list)
	slices.Sort(recovery)
	fmt.Printf("chaos %s: kills %d (%d at the start), requests %d with %d items, acks %d (%d of repeats; %d of requests before the last kill), no answer %d, asked to retry %d, %s, recovery to the first ack: median %d ms, longest %d ms\n",
		t.Name(), done, atStart, len(s.list), s.items, s.acks, s.repeats, before, s.cut, s.refused, found, recovery[len(recovery)/2].Milliseconds(), recovery[len(recovery)-1].Milliseconds())
	found.hold(t)
	if before < floor {
		t.Fatalf("only %d requests were acknowledged before the last kill; the run proves nothing below %d", before, floor)
	}
}

// pace is how many requests must have been acknowledged before a kill, counted from 1, so that the floor is passed before the
// last one. One in ten more than the floor: those that wait for it count repeats as well.
func pace(kill int) int { return (floor + floor/10) * kill / *kills }

// countAcks is how many requests, without their repeats, were acknowledged.
func (s *hookSenders) countAcks() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acks - s.repeats
}

func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}
