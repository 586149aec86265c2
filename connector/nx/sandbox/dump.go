package sandbox

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"
)

// Dump is what a service holds.
type Dump struct {
	Totals
	Scopes []Scope `json:"scopes"` // by tenant and application
}

// Scope is the customers of one tenant and application.
type Scope struct {
	Tenant  int64    `json:"tenant_id"`
	App     string   `json:"app_key"`
	Records []Record `json:"records"` // by id, which is the order of creation
}

// Record is one stored customer. Fields has the wire names, without those that are empty; gender is "0" or "1".
type Record struct {
	ID      int64                      `json:"id"`
	Fields  map[string]string          `json:"fields"`
	Custom  map[string]json.RawMessage `json:"custom,omitempty"`
	Created time.Time                  `json:"created_at"`
	Updated time.Time                  `json:"updated_at"`
	History History                    `json:"history"`
}

// Dump returns a copy of the state, a Dump.
func (s *Service) Dump() any { return s.State() }

// Summary returns the Totals.
func (s *Service) Summary() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.summary()
}

func (s *Service) summary() Totals {
	t := s.totals
	for _, st := range s.stores {
		t.Records += len(st.records)
	}
	return t
}

// State returns a copy of the state.
func (s *Service) State() Dump {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := Dump{Totals: s.summary(), Scopes: []Scope{}}
	for key, st := range s.stores {
		scope := Scope{Tenant: key.tenant, App: key.app, Records: make([]Record, len(st.records))}
		for i, r := range st.records {
			scope.Records[i] = r.export()
		}
		d.Scopes = append(d.Scopes, scope)
	}
	slices.SortFunc(d.Scopes, func(a, b Scope) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.App, b.App))
	})
	return d
}

// Contents returns one line of JSON per stored customer with its tenant, application, fields and custom fields, sorted.
// Ids, times and histories are left out: two services that took rows of different people in a different order, or some
// rows twice, have equal contents.
func (s *Service) Contents() []string {
	lines := []string{}
	for _, scope := range s.State().Scopes {
		for _, r := range scope.Records {
			line, err := json.Marshal([]any{scope.Tenant, scope.App, r.Fields, r.Custom})
			if err != nil {
				panic(err) // custom values were validated when they came
			}
			lines = append(lines, string(line))
		}
	}
	slices.Sort(lines)
	return lines
}

func (r *record) export() Record {
	out := Record{ID: r.id, Fields: make(map[string]string), Created: r.created, Updated: r.updated, History: r.history}
	for f, v := range r.text {
		if v != "" {
			out.Fields[fieldNames[f]] = v
		}
	}
	if r.gender >= 0 {
		out.Fields["gender"] = string('0' + rune(r.gender))
	}
	if len(r.custom) > 0 {
		out.Custom = make(map[string]json.RawMessage, len(r.custom))
		for name, v := range r.custom {
			out.Custom[name] = json.RawMessage(v)
		}
	}
	return out
}
