// Command sink is the plain HTTP server of the benchmark: it reads each body, counts the customers in it, waits if told
// to, and answers as the CRM does. GET /count tells what came.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	latency := flag.Duration("latency", 0, "wait before each answer")
	rate := flag.Float64("rate", 0, "rows a second that the server takes at most; 0: as many as come")
	flag.Parse()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "sink:", err)
		os.Exit(1)
	}
	s := &sink{latency: *latency, rate: *rate, free: time.Now()}
	fmt.Printf("http://%s\n", ln.Addr())
	if err := (&http.Server{Handler: s, ReadHeaderTimeout: time.Minute}).Serve(ln); err != nil {
		fmt.Fprintln(os.Stderr, "sink:", err)
		os.Exit(1)
	}
}

type sink struct {
	requests, rows atomic.Int64
	latency        time.Duration
	rate           float64
	bodies         sync.Pool

	mu   sync.Mutex // covers free
	free time.Time  // when the server has worked off what it took
}

var (
	marker = []byte(`"whats_app_phone"`)
	answer = []byte(`{"code":0,"message":"","data":"","traceId":"56bf81643292cd6a89ecde64ae00db13"}`)
)

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/count" {
		fmt.Fprintf(w, "%d %d\n", s.requests.Load(), s.rows.Load())
		return
	}
	buf, _ := s.bodies.Get().(*bytes.Buffer)
	if buf == nil {
		buf = new(bytes.Buffer)
	}
	buf.Reset()
	if _, err := io.Copy(buf, r.Body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	n := bytes.Count(buf.Bytes(), marker)
	s.bodies.Put(buf)
	s.requests.Add(1)
	s.rows.Add(int64(n))
	time.Sleep(s.latency + s.queue(n))
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer)
}

// queue returns how long these rows wait for their turn at the server's rate.
func (s *sink) queue(rows int) time.Duration {
	if s.rate == 0 {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.free.Before(now) {
		s.free = now
	}
	s.free = s.free.Add(time.Duration(float64(rows) / s.rate * float64(time.Second)))
	return s.free.Sub(now)
}
