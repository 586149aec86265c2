package sandbox

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

func (s *Server) registerAdmin() {
	s.mux.HandleFunc("GET /_sandbox/health", s.adminHealth)
	s.mux.HandleFunc("GET /_sandbox/state", s.adminState)
	s.mux.HandleFunc("GET /_sandbox/journal", s.adminJournal)
	s.mux.HandleFunc("GET /_sandbox/faults", func(w http.ResponseWriter, _ *http.Request) { s.adminFaults(w) })
	s.mux.HandleFunc("POST /_sandbox/faults", s.adminSetFaults)
	s.mux.HandleFunc("POST /_sandbox/reset", func(w http.ResponseWriter, _ *http.Request) {
		s.Reset()
		writeJSON(w, http.StatusOK, map[string]string{"status": "reset"})
	})
}

// health is the answer of GET /_sandbox/health.
type health struct {
	Status   string    `json:"status"`
	Services []string  `json:"services"`
	Requests int64     `json:"requests"`
	Clock    time.Time `json:"clock"`
	Faults   string    `json:"faults"`
	Journal  string    `json:"journal_error,omitempty"`
}

func (s *Server) adminHealth(w http.ResponseWriter, _ *http.Request) {
	h := health{Status: "ok", Services: serviceNames(s.services), Requests: s.journal.count(), Clock: s.clock(), Faults: s.inject.current().String()}
	status := http.StatusOK
	if err := s.journal.failure(); err != nil {
		h.Status, h.Journal, status = "journal", err.Error(), http.StatusInternalServerError
	}
	writeJSON(w, status, h)
}

func (s *Server) adminState(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	view := func(svc Service) any {
		if sum, ok := svc.(Summarizer); ok && q.Has("summary") {
			return sum.Summary()
		}
		return svc.Dump()
	}
	name := q.Get("service")
	all := map[string]any{}
	for _, svc := range s.services {
		if name == svc.Name() {
			writeJSON(w, http.StatusOK, view(svc))
			return
		}
		if name == "" {
			all[svc.Name()] = view(svc)
		}
	}
	if name != "" {
		adminError(w, "there is no service "+strconv.Quote(name)+"; there are "+quoteList(serviceNames(s.services)))
		return
	}
	writeJSON(w, http.StatusOK, all)
}

// journalPage is the answer of GET /_sandbox/journal.
type journalPage struct {
	Total   int64   `json:"total"` // requests so far, those no longer kept included
	Entries []Entry `json:"entries"`
}

func (s *Server) adminJournal(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var after, limit int64
	for key, dst := range map[string]*int64{"after": &after, "limit": &limit} {
		if !q.Has(key) {
			continue
		}
		n, err := strconv.ParseInt(q.Get(key), 10, 32)
		if err != nil || n < 0 {
			adminError(w, key+" must be a whole number")
			return
		}
		*dst = n
	}
	service := q.Get("service")
	match := func(e *Entry) bool { return e.Seq > after && (service == "" || e.Service == service) }
	writeJSON(w, http.StatusOK, journalPage{Total: s.journal.count(), Entries: s.journal.entries(match, int(limit))})
}

func (s *Server) adminFaults(w http.ResponseWriter) {
	writeJSON(w, http.StatusOK, map[string]string{"faults": s.inject.current().String()})
}

func (s *Server) adminSetFaults(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	if err != nil {
		adminError(w, "read the body: "+err.Error())
		return
	}
	text := strings.TrimSpace(string(body))
	if strings.HasPrefix(text, "{") {
		var doc struct {
			Faults *string `json:"faults"`
		}
		if err := json.Unmarshal(body, &doc); err != nil || doc.Faults == nil {
			adminError(w, `send the faults as text, or as {"faults": "429=5%"}`)
			return
		}
		text = *doc.Faults
	}
	faults, err := ParseFaults(text)
	if err == nil {
		err = s.SetFaults(faults)
	}
	if err != nil {
		adminError(w, err.Error())
		return
	}
	s.adminFaults(w)
}

func adminError(w http.ResponseWriter, text string) {
	writeJSON(w, http.StatusBadRequest, map[string]string{"error": text})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	// A failed write means that the client is gone; there is nobody left to tell.
	_ = enc.Encode(v)
}
