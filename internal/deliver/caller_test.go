package deliver

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// limiting answers /slow after three seconds, and throttles each of the first calls of /limited for ten.
type limiting struct {
	mu        sync.Mutex
	throttles int
}

func (l *limiting) RoundTrip(r *http.Request) (*http.Response, error) {
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}")), Request: r}
	if r.URL.Path == "/slow" {
		time.Sleep(3 * time.Second)
		return resp, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.throttles--; l.throttles >= 0 {
		resp.StatusCode = http.StatusTooManyRequests
		resp.Header.Set("Retry-After", "10")
	}
	return resp, nil
}

// A query is told of each wait for the limit once, whatever else wakes it in between, and of no other wait.
func TestCallerTellsOfThrottles(t *testing.T) {
	for _, tc := range []struct {
		throttles     int
		limited, slow string
	}{{0, "[]", "[]"}, {1, "[10s]", "[]"}, {3, "[10s 20s 30s]", "[]"}} {
		synctest.Test(t, func(t *testing.T) {
			c := NewCaller(Config{Transport: &limiting{throttles: tc.throttles}, Concurrency: 2, RequestsPerSecond: 10})
			began := time.Now()
			var wg sync.WaitGroup
			var mu sync.Mutex
			told := map[string][]time.Duration{}
			for _, path := range []string{"/slow", "/limited"} { // in this order
				wg.Go(func() {
					_, err := c.Ask(t.Context(), Query{
						Append: func(req *connector.Request) error {
							req.Method, req.URL, req.Endpoint = http.MethodGet, "http://crm.test"+path, "query"
							return nil
						},
						Parse: func(resp *connector.Response) (connector.Outcome, error) {
							if resp.Status != http.StatusOK {
								return connector.Outcome{}, errors.New("not the vendor's")
							}
							return connector.Outcome{Verdict: connector.VerdictDelivered}, nil
						},
						Throttled: func(until time.Time) {
							mu.Lock()
							defer mu.Unlock()
							told[path] = append(told[path], until.Sub(began).Round(time.Second))
						},
					})
					if err != nil {
						t.Error(err)
					}
				})
				time.Sleep(time.Millisecond)
			}
			wg.Wait()
			if fmt.Sprint(told["/limited"]) != tc.limited || fmt.Sprint(told["/slow"]) != tc.slow {
				t.Errorf("after %d throttles: told %v, want %s and %s", tc.throttles, told, tc.limited, tc.slow)
			}
		})
	}
}
