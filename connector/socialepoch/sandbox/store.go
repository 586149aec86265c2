package sandbox

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// recordKey names one contact: where it is kept, whose it is, and its number.
type recordKey struct {
	store         string
	tenant        int64
	agent, number string
}

// lockKey is a number of a company, whoever its agent is.
type lockKey struct {
	tenant int64
	number string
}

// record is one stored contact.
type record struct {
	text   map[string]string
	custom map[string]string // values as JSON
	tags   []string          // in the order they came
	times  int               // how often it was taken
}

// empty removes what the store has of the agents of a request. The lock is held.
func (s *Service) empty(b *batch, tenant int64, store string) {
	agents := map[string]bool{}
	for i := range b.rows {
		agents[b.rows[i].text["agentAccount"]] = true
	}
	maps.DeleteFunc(s.records, func(k recordKey, _ *record) bool { return k.store == store && k.tenant == tenant && agents[k.agent] })
}

// apply takes one good row.
func (s *Service) apply(key recordKey, r *row, cancels bool) {
	rec := s.records[key]
	if rec == nil {
		rec = &record{text: map[string]string{}, custom: map[string]string{}}
		s.records[key] = rec
	}
	rec.times++
	for name, v := range r.text {
		switch name {
		case "agentAccount", "whatsApp", "tabName", "cancelTabName":
		default:
			rec.text[name] = v
		}
	}
	maps.Copy(rec.custom, r.custom)
	for _, tag := range tagsOf(r.text["tabName"]) {
		if !slices.Contains(rec.tags, tag) {
			rec.tags = append(rec.tags, tag)
		}
	}
	if cancels {
		gone := tagsOf(r.text["cancelTabName"])
		rec.tags = slices.DeleteFunc(rec.tags, func(tag string) bool { return slices.Contains(gone, tag) })
	}
}

func tagsOf(text string) []string {
	var tags []string
	for tag := range strings.SplitSeq(text, ",") {
		if tag = strings.TrimSpace(tag); tag != "" {
			tags = append(tags, tag)
		}
	}
	return tags
}

// Dump is what a service holds.
type Dump struct {
	Totals
	Contacts []Contact `json:"contacts"` // by store, company, agent and number
}

// Contact is one stored contact.
type Contact struct {
	Store  string                     `json:"store"` // customers or pool
	Tenant int64                      `json:"tenant_id"`
	Agent  string                     `json:"agentAccount"`
	Number string                     `json:"whatsApp"`
	Fields map[string]string          `json:"fields"`
	Custom map[string]json.RawMessage `json:"custom,omitempty"`
	Tags   []string                   `json:"tags,omitempty"` // sorted
	Times  int                        `json:"times"`          // how often it was taken
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
	t.Records = len(s.records)
	return t
}

// State returns a copy of the state.
func (s *Service) State() Dump {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := Dump{Totals: s.summary(), Contacts: make([]Contact, 0, len(s.records))}
	for key, r := range s.records {
		c := Contact{
			Store: key.store, Tenant: key.tenant, Agent: key.agent, Number: key.number,
			Fields: maps.Clone(r.text), Tags: slices.Sorted(slices.Values(r.tags)), Times: r.times,
		}
		for name, v := range r.custom {
			if c.Custom == nil {
				c.Custom = map[string]json.RawMessage{}
			}
			c.Custom[name] = json.RawMessage(v)
		}
		d.Contacts = append(d.Contacts, c)
	}
	slices.SortFunc(d.Contacts, func(a, b Contact) int {
		return strings.Compare(a.key(), b.key())
	})
	return d
}

func (c *Contact) key() string { return c.Store + "\x00" + c.Agent + "\x00" + c.Number }

// Contents returns one line of JSON per stored contact, sorted. How often a contact was taken is left out, and so is the
// order in which its tags came.
func (s *Service) Contents() []string {
	lines := []string{}
	for _, c := range s.State().Contacts {
		c.Times = 0
		line, err := json.Marshal(c)
		if err != nil {
			panic(err) // extension values were validated when they came
		}
		lines = append(lines, string(line))
	}
	slices.Sort(lines)
	return lines
}
