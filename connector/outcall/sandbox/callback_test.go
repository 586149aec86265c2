package sandbox_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	crm "github.com/sluicehq/sluice/connector/outcall/sandbox"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// receiver takes callbacks without a network and answers each with the next status.
type receiver struct {
	mu     sync.Mutex
	status []int
	bodies []string
	at     []time.Time
}

func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bodies, r.at = append(r.bodies, req.Method+" "+req.URL.String()+" "+string(body)), append(r.at, time.Now())
	status := r.status[0]
	if len(r.status) > 1 {
		r.status = r.status[1:]
	}
	if status == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Location": {"http://elsewhere.test/"}}, Body: http.NoBody, Request: req}, nil
}

// An import that is done is told, once it is done and though nobody asks, until the receiver has taken it.
func TestCallbacks(t *testing.T) {
	for _, tc := range []struct {
		status    []int
		attempts  int64
		delivered bool
		url       string
		last      time.Duration // after the first attempt
	}{
		{[]int{200}, 1, true, "http://hook.test/x", 0},
		{[]int{500, 0, 200}, 3, true, "http://hook.test/x", 2 * time.Second},
		{[]int{302, 404, 503}, 3, false, "http://hook.test/x", 2 * time.Second},
		{[]int{200}, 0, false, "", 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := &receiver{status: tc.status}
			w := newWorld(t, crm.Options{Callback: crm.Callback{URL: tc.url, Client: &http.Client{Transport: r}}})
			w.server = sandbox.New(sandbox.Options{Seed: 1}, w.crm) // by the bubble's clock
			began := time.Now()
			w.add("", "13012121211", "13012121212", "13012121211")
			w.do("POST", taskPath+"/number", `{"data":[{"phone":"13012121213","sort":0}]}`) // is done with the answer: nothing to tell
			time.Sleep(time.Minute)                                                         // of the bubble's time
			w.crm.WaitCallbacks()
			totals := w.crm.CallbackTotals()
			if totals.Attempts != tc.attempts || (totals.Delivered == 1) != tc.delivered || totals.Failed+totals.Delivered != min(1, tc.attempts) {
				t.Errorf("%v: %+v", tc.status, totals)
			}
			if tc.attempts == 0 {
				return
			}
			if after := r.at[0].Sub(began); after != crm.ImportDelay || r.at[len(r.at)-1].Sub(r.at[0]) != tc.last {
				t.Errorf("%v: the first call came after %v, the last %v later", tc.status, after, r.at[len(r.at)-1].Sub(r.at[0]))
			}
			var told struct {
				Type, Mode string
				ID         string `json:"unique_id"`
				Task       string `json:"task_id"`
				Data       struct{ URL string }
			}
			_, body, _ := strings.Cut(r.bodies[0], tc.url+" ")
			if err := json.Unmarshal([]byte(body), &told); err != nil || told.Type != "api_customer_to_task" || told.Mode != "batch" || told.ID == "" || told.Task != crm.TaskID {
				t.Fatalf("%s: %v", r.bodies[0], err)
			}
			if a := w.do("GET", strings.TrimPrefix(told.Data.URL, "https://"+w.host), ""); len(a.Numbers) != 2 {
				t.Errorf("the address gives %v", a.Numbers)
			}
		})
	}
}

// The receiver can be set while the sandbox runs.
func TestCallbackAdmin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{status: []int{200}}
		w := newWorld(t, crm.Options{ImportDelay: -1})
		if a := w.do("POST", "/_sandbox/outcall/callback", `{"url":7}`); a.HTTP != 400 {
			t.Errorf("%+v", a)
		}
		if a := w.do("POST", "/_sandbox/outcall/callback", `{"url":"http://hook.test/y"}`); a.HTTP != 200 {
			t.Errorf("%+v", a)
		}
		w.crm.SetCallback(crm.Callback{URL: "http://hook.test/y", Client: &http.Client{Transport: r}})
		w.add("", "13012121211")
		w.crm.WaitCallbacks()
		if totals := w.crm.CallbackTotals(); totals.Due != 1 || totals.Delivered != 1 || len(r.bodies) != 1 {
			t.Errorf("%+v, %v", totals, r.bodies)
		}
		w.crm.Reset()
		if totals := w.crm.CallbackTotals(); totals != (crm.CallbackTotals{}) {
			t.Errorf("%+v", totals)
		}
	})
}
