//go:build chaos

package chaos

import (
	"encoding/json"
	"net/http"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/internal/sandbox"
)

// audit reads the sandbox's journal as it is written: which contact was committed how often. An entry is written before
// the reply leaves, so whatever a program was told, the audit knows.
type audit struct {
	mu     sync.Mutex
	times  map[string]int    // identifier → commits
	stored map[string]string // identifier → remark, once fetched
}

func newAudit() *audit { return &audit{times: map[string]int{}} }

func (a *audit) Write(line []byte) (int, error) {
	var e sandbox.Entry
	if err := json.Unmarshal(line, &e); err != nil {
		return 0, err
	}
	if e.Committed {
		a.mu.Lock()
		for _, k := range e.Keys {
			a.times[k]++
		}
		a.stored = nil
		a.mu.Unlock()
	}
	return len(line), nil
}

// has reports whether the contact was committed.
func (a *audit) has(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.times[id] > 0
}

// rows returns the rows committed, repeats included.
func (a *audit) rows() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, times := range a.times {
		n += times
	}
	return n
}

// fetchState asks the sandbox what NXLink holds: identifier → remark.
func fetchState(t *testing.T, url string) map[string]string {
	t.Helper()
	resp, err := http.Get(url + "/_sandbox/state?service=nxlink")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var state struct {
		Scopes []struct {
			Records []struct {
				Fields map[string]string `json:"fields"`
			} `json:"records"`
		} `json:"scopes"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&state); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, s := range state.Scopes {
		for _, r := range s.Records {
			out[r.Fields["whats_app_phone"]] = r.Fields["remark"]
		}
	}
	return out
}
