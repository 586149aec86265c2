package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/sandbox"
)

// Callback says whom the service tells of imports that are done.
type Callback struct {
	URL string `json:"url"` // "": nobody
	// Attempts per import; 0: 3. RetryWait is the time before the next one; 0: a second.
	Attempts  int           `json:"attempts"`
	RetryWait time.Duration `json:"retry_wait_ns"`
	// Client sends the calls; nil: one of the service's own.
	Client *http.Client `json:"-"`
}

// CallbackTotals counts callbacks since the start or reset.
type CallbackTotals struct {
	Due       int64 `json:"due"` // imports that are done
	Attempts  int64 `json:"attempts"`
	Delivered int64 `json:"delivered"` // answered with HTTP 200
	Failed    int64 `json:"failed"`    // given up
}

// answerIn is how long a receiver may take.
const answerIn = 5 * time.Second

// caller makes the callbacks, each in a goroutine of its own that ends with the last attempt.
type caller struct {
	mu     sync.Mutex
	to     Callback
	totals CallbackTotals
	wg     sync.WaitGroup
}

// SetCallback takes the place of Options.Callback from now on.
func (s *Service) SetCallback(c Callback) {
	s.caller.mu.Lock()
	defer s.caller.mu.Unlock()
	s.caller.to = c
}

// CallbackTotals returns the counts so far.
func (s *Service) CallbackTotals() CallbackTotals {
	s.caller.mu.Lock()
	defer s.caller.mu.Unlock()
	return s.caller.totals
}

// WaitCallbacks waits for the callbacks that are under way.
func (s *Service) WaitCallbacks() { s.caller.wg.Wait() }

// options fills in the defaults.
func (c *caller) options() Callback {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.to
	if o.Attempts <= 0 {
		o.Attempts = 3
	}
	if o.RetryWait <= 0 {
		o.RetryWait = time.Second
	}
	if o.Client == nil {
		o.Client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	}
	return o
}

// expect makes sure that the import is done in time though nobody asks for it. The timer goes by the real clock; where
// the sandbox has another, the next call does the import.
func (s *Service) expect(j *job) {
	if s.caller.options().URL == "" || s.opts.ImportDelay <= 0 {
		return
	}
	time.AfterFunc(j.due.Sub(s.clock()), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.settle()
	})
}

// tell sends the callback of an import that is done. The caller holds mu.
func (s *Service) tell(j *job) {
	o := s.caller.options()
	if o.URL == "" || s.byID[j.id] == nil {
		return
	}
	body := encode(s.payload(j, j.origin))
	s.caller.count(func(t *CallbackTotals) { t.Due++ })
	s.caller.wg.Go(func() { s.caller.call(o, body) })
}

func (c *caller) count(f func(*CallbackTotals)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.totals)
}

func (c *caller) call(o Callback, body []byte) {
	for attempt := range o.Attempts {
		if attempt > 0 {
			<-time.After(o.RetryWait)
		}
		c.count(func(t *CallbackTotals) { t.Attempts++ })
		if post(o, body) {
			c.count(func(t *CallbackTotals) { t.Delivered++ })
			return
		}
	}
	c.count(func(t *CallbackTotals) { t.Failed++ })
}

// post makes one attempt; only HTTP 200 is a success. A redirect is none: it would lead elsewhere.
func post(o Callback, body []byte) bool {
	ctx, cancel := context.WithTimeout(context.Background(), answerIn)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.URL, bytes.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	client := *o.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// payload is what a callback says, and what identification answers.
func (s *Service) payload(j *job, origin string) map[string]any {
	return map[string]any{
		"mode": "batch", "type": "api_customer_to_task", "unique_id": j.id, "user_id": s.opts.UserID, "task_id": j.task.ID,
		"data": map[string]string{"url": origin + "/agent-api/download-number?key=" + s.key(j.id)},
	}
}

// registerCallback registers the admin routes.
//
//	GET  /_sandbox/outcall/callback    CallbackTotals
//	POST /_sandbox/outcall/callback    Callback: takes its place from now on
func (s *Service) registerCallback(mux *sandbox.Mux) {
	const path = "/_sandbox/outcall/callback"
	show := func(*sandbox.Call) sandbox.Reply { return sandbox.Reply{Body: encode(s.CallbackTotals())} }
	mux.Handle("GET "+path, "admin", show)
	mux.Handle("POST "+path, "admin", func(c *sandbox.Call) sandbox.Reply {
		var to Callback
		if err := json.Unmarshal(c.Body, &to); err != nil {
			return sandbox.Reply{Status: http.StatusBadRequest, Body: encode(map[string]string{"error": err.Error()}), Message: err.Error()}
		}
		s.SetCallback(to)
		return show(c)
	})
}
