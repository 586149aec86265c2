//go:build e2e

package airbyte

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// ask gets a list or an object from the receiver's API.
func (h *hub) ask(t *testing.T, path string, into any) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, h.admin+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s", path, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
}

// cursor is how far the receiver says that the consumer of these tests has come, -1 if it knows none.
func (h *hub) cursor(t *testing.T) int64 {
	t.Helper()
	var list []struct {
		Name string
		Seq  int64
	}
	h.ask(t, "/v1/consumers", &list)
	for _, c := range list {
		if c.Name == "e2e" {
			return c.Seq
		}
	}
	return -1
}

func (h *hub) head(t *testing.T) int64 {
	t.Helper()
	var b struct{ Head int64 }
	h.ask(t, "/v1/bounds", &b)
	return b.Head
}

// sync runs the source as a host does, and returns the last state of each stream as the next --state, and the last
// request that all of them are done with.
func (b *box) sync(config string, streams []string, state string) (next string, consumed int64) {
	b.t.Helper()
	catalog := make([]map[string]any, len(streams))
	for i, name := range streams {
		catalog[i] = map[string]any{"stream": map[string]any{"name": name, "json_schema": map[string]any{}, "supported_sync_modes": []string{"incremental"}},
			"sync_mode": "incremental", "destination_sync_mode": "append"}
	}
	args := []string{"read", "--config", config, "--catalog", writeJSON(b.t, map[string]any{"streams": catalog})}
	if state != "" {
		path := filepath.Join(b.t.TempDir(), "state.json")
		if err := os.WriteFile(path, []byte(state), 0o600); err != nil {
			b.t.Fatal(err)
		}
		args = append(args, "--state", path)
	}
	out, err := exec.Command(bin.source, args...).Output()
	if err != nil {
		b.t.Fatalf("%v\n%s", err, out)
	}
	states, seqs := map[string]string{}, map[string]int64{}
	for _, line := range strings.Split(string(out), "\n") {
		var m struct {
			Type  string
			State json.RawMessage
		}
		var s struct {
			Stream struct {
				Descriptor struct{ Name string } `json:"stream_descriptor"`
				State      struct{ Seq int64 }   `json:"stream_state"`
			}
		}
		if json.Unmarshal([]byte(line), &m) != nil || m.Type != "STATE" {
			continue
		}
		if err := json.Unmarshal(m.State, &s); err != nil {
			b.t.Fatal(err)
		}
		states[s.Stream.Descriptor.Name], seqs[s.Stream.Descriptor.Name] = string(m.State), s.Stream.State.Seq
	}
	consumed = int64(1) << 62
	var list []string
	for _, name := range streams {
		if states[name] == "" {
			b.t.Fatalf("%s has no state in\n%s", name, out)
		}
		list = append(list, states[name])
		request, item := seqs[name]>>16, seqs[name]&0xffff
		if item < 0xffff { // others of the same request may follow
			request--
		}
		consumed = min(consumed, request)
	}
	return "[" + strings.Join(list, ",") + "]", consumed
}

// TestConsumerFollowsState: the receiver keeps what the host has not committed: the consumer's cursor is what the state
// handed in says, never what a sync has merely read, and it goes back with an older state.
func TestConsumerFollowsState(t *testing.T) {
	b, h := startSandbox(t, ""), startReceiver(t)
	b.hears(h)
	config := writeJSON(t, b.sourceConfig(h.inboxes()["receiver"]))
	streams := []string{"profile_changes", "follow_ups"}
	change := func(n int) {
		for i := range n {
			b.post("/_sandbox/socialepoch/change", map[string]any{"agentAccount": "kubrick101", "whatsApp": "8615266667780", "field": "desc", "value": fmt.Sprintf("remark %d", i)})
		}
		b.drained()
		h.release(t)
	}
	want := func(when string, seq int64) {
		t.Helper()
		if got := h.cursor(t); got != seq {
			t.Errorf("%s the consumer has come to %d, want %d", when, got, seq)
		}
	}
	change(10)
	want("before any sync", -1)
	first, at1 := b.sync(config, streams, "")
	want("after the first sync", 0)
	if head := h.head(t); at1 != head || head == 0 {
		t.Fatalf("the states of the first sync are done with %d of %d requests", at1, head)
	}
	change(10)
	second, at2 := b.sync(config, streams, first)
	want("after the second sync", at1)
	if at2 <= at1 || at2 != h.head(t) {
		t.Fatalf("the states of the second sync are done with %d requests, of the first with %d", at2, at1)
	}
	b.sync(config, streams, second)
	want("after the third sync", at2)
	b.sync(config, streams, first)
	want("after a sync from an older state", at1)
}
