// Package sandbox is a stand-in of the CRM in connector/template, as strict as the vendor's pages. It knows nothing of
// that package, so that the two check one another.
package sandbox

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/sluicehq/sluice/internal/sandbox"
)

// The account that the sandbox knows.
const (
	APIKey  = "template-key"
	Account = "template-account"
)

// Contact is what the CRM knows of a person.
type Contact struct {
	Phone    string `json:"phone"`
	Name     string `json:"name,omitempty"`
	Email    string `json:"email,omitempty"`
	Gender   string `json:"gender,omitempty"`
	Birthday string `json:"birthday,omitempty"`
	Labels   string `json:"labels,omitempty"`
	Note     string `json:"note,omitempty"`
}

type failure struct {
	Index   int    `json:"index"`
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Service is the CRM.
type Service struct {
	mu       sync.Mutex // guards what follows
	contacts map[string]Contact
	commits  int64
}

// New returns an empty CRM.
func New() *Service { return &Service{contacts: map[string]Contact{}} }

// Name returns "template".
func (s *Service) Name() string { return "template" }

// Register registers the service's routes.
func (s *Service) Register(mux *sandbox.Mux) {
	mux.Mask("X-Api-Key")
	mux.Handle("POST /v1/contacts", "contacts", s.add)
	mux.Handle("GET /v1/account", "account", func(c *sandbox.Call) sandbox.Reply {
		if r, bad := admit(c, c.URL.Query().Get("account")); bad {
			return r
		}
		return answer(c, 0, "ok", nil)
	})
}

// Reset empties the service.
func (s *Service) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.contacts, s.commits = map[string]Contact{}, 0
}

// admit refuses calls without the key, or of another account.
func admit(c *sandbox.Call, account string) (r sandbox.Reply, bad bool) {
	switch {
	case c.Header.Get("X-Api-Key") != APIKey:
		return answer(c, 1, "unknown key", nil), true
	case account != Account:
		return answer(c, 2, "unknown account", nil), true
	}
	return sandbox.Reply{}, false
}

// add takes contacts. Names that are no field of a contact, and values that are no text, refuse the whole request.
func (s *Service) add(c *sandbox.Call) sandbox.Reply {
	var body struct {
		Account  string            `json:"account"`
		Contacts []json.RawMessage `json:"contacts"`
	}
	if err := json.Unmarshal(c.Body, &body); err != nil {
		return answer(c, 100, err.Error(), nil)
	}
	if r, bad := admit(c, body.Account); bad {
		return r
	}
	if n := len(body.Contacts); n == 0 || n > 500 {
		return answer(c, 100, strconv.Itoa(n)+" contacts", nil)
	}
	given := make([]Contact, len(body.Contacts))
	for i, raw := range body.Contacts {
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&given[i]); err != nil {
			return answer(c, 100, err.Error(), nil)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var failed []failure
	keys := make([]string, len(given))
	for i, contact := range given {
		keys[i] = contact.Phone
		if code, why := judge(contact); code != 0 {
			failed = append(failed, failure{i, code, why})
			continue
		}
		// What the request gives replaces what is there: decoding leaves the other fields alone.
		merged := s.contacts[contact.Phone]
		if err := json.Unmarshal(body.Contacts[i], &merged); err != nil {
			return answer(c, 100, err.Error(), nil)
		}
		s.contacts[contact.Phone] = merged
	}
	s.commits++
	r := answer(c, 0, "ok", failed)
	r.Rows, r.Keys, r.Commit = len(given), keys, s.commits
	return r
}

// judge finds the first fault of a contact.
func judge(c Contact) (code int, why string) {
	for _, f := range []struct {
		name, value string
		most        int
	}{{"name", c.Name, 80}, {"email", c.Email, 100}, {"labels", c.Labels, 500}, {"note", c.Note, 500}} {
		if utf8.RuneCountInString(f.value) > f.most {
			return 101, f.name + " has more than " + strconv.Itoa(f.most) + " characters"
		}
	}
	if len(c.Phone) < 5 || len(c.Phone) > 20 {
		return 102, "phone"
	}
	for _, r := range c.Phone {
		if r < '0' || r > '9' {
			return 102, "phone"
		}
	}
	if !slices.Contains([]string{"", "m", "f", "x"}, c.Gender) {
		return 103, "gender"
	}
	if _, err := time.Parse(time.DateOnly, c.Birthday); c.Birthday != "" && err != nil {
		return 103, "birthday"
	}
	return 0, ""
}

// answer writes the CRM's envelope.
func answer(c *sandbox.Call, code int, message string, failed []failure) sandbox.Reply {
	body, err := json.Marshal(map[string]any{"code": code, "message": message, "id": c.TraceID, "failed": failed})
	if err != nil {
		panic(err) // made of texts and numbers only
	}
	return sandbox.Reply{Body: body, Code: strconv.Itoa(code), Message: message}
}

// Dump returns the contacts by phone.
func (s *Service) Dump() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Contact, 0, len(s.contacts))
	for _, c := range s.contacts {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b Contact) int { return bytes.Compare([]byte(a.Phone), []byte(b.Phone)) })
	return all
}

// Contents returns one line of JSON per contact, sorted.
func (s *Service) Contents() []string {
	lines := []string{}
	for _, c := range s.Dump().([]Contact) {
		line, err := json.Marshal(c)
		if err != nil {
			panic(err) // made of texts only
		}
		lines = append(lines, string(line))
	}
	return lines
}
