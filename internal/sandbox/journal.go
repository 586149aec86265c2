package sandbox

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"
)

const masked = "[REDACTED]"

// Entry is one request in the journal.
type Entry struct {
	Seq      int64             `json:"seq"` // in the order of arrival
	Time     time.Time         `json:"time"`
	Service  string            `json:"service,omitempty"` // empty: no such endpoint
	Endpoint string            `json:"endpoint,omitempty"`
	Method   string            `json:"method"`
	Path     string            `json:"path"`
	Header   map[string]string `json:"header,omitempty"`
	Bytes    int               `json:"bytes"`            // of the request body
	Status   int               `json:"status,omitempty"` // as sent; 0: no reply was sent
	Code     string            `json:"code,omitempty"`   // the vendor's own
	Message  string            `json:"message,omitempty"`
	Rows     int               `json:"rows"`
	// Committed says whether the request took effect; Commit orders those that did within their service.
	Committed bool     `json:"committed"`
	Commit    int64    `json:"commit,omitempty"`
	Keys      []string `json:"keys,omitempty"`  // one identifier per row
	Fault     string   `json:"fault,omitempty"` // kinds joined by "+"
	Lost      bool     `json:"lost,omitempty"`  // a fault kept the service's answer from the client
}

func (e *Entry) fill(r Reply) {
	e.Status = r.Status
	if e.Status == 0 {
		e.Status = http.StatusOK
	}
	e.Code, e.Rows, e.Keys, e.Commit = r.Code, r.Rows, r.Keys, r.Commit
	e.Committed = r.Commit > 0
	if r.Message != "" {
		e.Message = r.Message
	}
}

// journal keeps the last entries in a ring and writes all of them to an optional writer.
type journal struct {
	headers map[string]bool // canonical name → masked; not written after New

	mu    sync.Mutex
	ring  []Entry
	next  int   // where the next entry goes once the ring is full
	total int64 // entries ever added since the last reset
	out   io.Writer
	err   error // of the first failed write
	limit int
}

func newJournal(limit int, out io.Writer) *journal {
	return &journal{headers: map[string]bool{"Content-Type": false, "Authorization": true}, limit: limit, out: out}
}

func (j *journal) header(names []string, mask bool) {
	for _, n := range names {
		n = http.CanonicalHeaderKey(n)
		j.headers[n] = mask || j.headers[n]
	}
}

// pick returns the headers worth recording, secrets masked.
func (j *journal) pick(h http.Header) map[string]string {
	kept := make(map[string]string, len(j.headers))
	for name, mask := range j.headers {
		v := h[name]
		if len(v) == 0 {
			continue
		}
		kept[name] = v[0]
		if mask {
			kept[name] = masked
		}
	}
	return kept
}

func (j *journal) add(e *Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.total++
	if len(j.ring) < j.limit {
		j.ring = append(j.ring, *e)
	} else {
		j.ring[j.next] = *e
		j.next = (j.next + 1) % j.limit
	}
	if j.out == nil || j.err != nil {
		return
	}
	line, err := json.Marshal(e)
	if err == nil {
		_, err = j.out.Write(append(line, '\n'))
	}
	j.err = err
}

// entries returns copies of the entries that match, oldest first; limit 0: all, else the last so many.
func (j *journal) entries(match func(*Entry) bool, limit int) []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	list := []Entry{}
	for i := range j.ring {
		e := &j.ring[(j.next+i)%len(j.ring)]
		if match(e) {
			list = append(list, *e)
		}
	}
	if limit > 0 && len(list) > limit {
		list = list[len(list)-limit:]
	}
	return list
}

func (j *journal) count() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.total
}

// failure returns the error of the first write that failed.
func (j *journal) failure() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

func (j *journal) reset() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ring, j.next, j.total = nil, 0, 0
}
