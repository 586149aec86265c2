//go:build chaos

package chaos

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// confirmations is the host that webhooks want to be confirmed at. Until it is well it is mostly busy, breaks off, or
// takes its time.
type confirmations struct {
	mu    sync.Mutex
	rng   *rand.Rand
	well  bool
	items map[string]int // how often each was confirmed
	turns int            // calls that it turned away
}

func (c *confirmations) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		SuccessData []string `json:"successData"`
	}
	err := json.NewDecoder(r.Body).Decode(&in)
	c.mu.Lock()
	ill := err != nil || !c.well && c.rng.IntN(3) > 0
	slow := time.Duration(c.rng.IntN(20)) * time.Millisecond
	if ill {
		c.turns++
	} else {
		for _, id := range in.SuccessData {
			c.items[id]++
		}
	}
	c.mu.Unlock()
	timer := time.NewTimer(slow)
	<-timer.C
	switch {
	case ill && slow > 10*time.Millisecond:
		panic(http.ErrAbortHandler)
	case ill:
		_, _ = io.WriteString(w, `{"code":509,"message":"database"}`)
	default:
		_, _ = io.WriteString(w, `{"code":200}`)
	}
}

// TestCalls kills `sluice receive` while webhooks come in that ask to be confirmed, at a host that is mostly ill. Each
// one that was acknowledged is confirmed in the end.
func TestCalls(t *testing.T) {
	t.Parallel()
	bin := build(t, "sluice")
	w := &world{t: t, dir: t.TempDir()}
	seed := w.seed(t, "calls")
	host := &confirmations{rng: rand.New(rand.NewPCG(seed, 1)), items: map[string]int{}}
	srv := httptest.NewServer(host)
	t.Cleanup(srv.Close)
	s := newHookSenders(t)
	s.callback = srv.URL
	config := filepath.Join(w.dir, "receive.yaml")
	write(t, config, s.config("inbox"))
	s.start(4, seed)
	var r *receiver
	for range *kills {
		enough := s.after(1+w.rng.IntN(120), false)
		r = startReceiver(t, bin, config)
		s.at(r.url)
		<-enough
		w.stop(r.cmd, syscall.SIGKILL, time.Duration(w.rng.IntN(50))*time.Millisecond)
		s.at("")
		r.done.Wait()
		_ = r.cmd.Wait()
	}
	host.mu.Lock()
	host.well = true
	early := len(host.items)
	host.mu.Unlock()
	r = startReceiver(t, bin, config)
	left := r.figure(t, "sluice_receiver_calls_open")
	s.at(r.url)
	s.drain()
	for tick := time.NewTicker(100 * time.Millisecond); r.figure(t, "sluice_receiver_calls_open") != "0"; <-tick.C {
	}
	r.terminate()
	found := auditInbox(t, filepath.Join(w.dir, "inbox"), s.list)
	asked, missed, again := 0, 0, 0
	for k := range s.list {
		d := &s.list[k]
		if d.callback == "" || !d.acked {
			continue
		}
		asked++
		switch n := host.items[fmt.Sprintf("e-%d", d.first)]; {
		case n == 0:
			missed++
		case n > 1:
			again++
		}
	}
	fmt.Printf("chaos %s: kills %d, acks that asked for a confirmation %d, open after the last kill %s, items confirmed before it %d, calls turned away %d, confirmed more than once %d, never %d, %s\n",
		t.Name(), *kills, asked, left, early, host.turns, again, missed, found)
	found.hold(t)
	if missed > 0 || asked < 5*(*kills) {
		t.Fatalf("of %d requests %d were not confirmed", asked, missed)
	}
}

// figure reads a metric.
func (r *receiver) figure(t *testing.T, name string) string {
	t.Helper()
	_, text := r.get("/metrics")
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return value
		}
	}
	t.Fatalf("no metric %s", name)
	return ""
}
