package sandbox

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"
)

// Totals counts what the service did since its start or reset.
type Totals struct {
	Requests int64 `json:"requests"` // that were accepted
	Rows     int64 `json:"rows"`     // in these
	Imported int64 `json:"imported"`
	Skipped  int64 `json:"skipped"` // left out of an import: no number, or in the task already
	Waiting  int64 `json:"waiting"` // accepted, not imported yet
	// Twice counts the imports of numbers that their task held already; only suffixes make them possible.
	Twice int64 `json:"twice"`
	// RowsTwice counts the rows, by task and extra, that were imported more than once: a request was repeated.
	RowsTwice         int64 `json:"rows_twice"`
	EncryptionIgnored int64 `json:"encryption_ignored"` // requests that asked for it
}

// Number is a number in a task.
type Number struct {
	Number     string            `json:"number"` // with its suffix
	Phone      string            `json:"phone"`
	Owner      string            `json:"user_id"`
	Import     string            `json:"unique_id"`
	InPool     bool              `json:"in_pool"`
	Name       string            `json:"name,omitempty"`
	Email      string            `json:"email,omitempty"`
	Company    string            `json:"company,omitempty"`
	Sex        *int              `json:"sex,omitempty"`
	SourceID   *int64            `json:"source_id,omitempty"`
	IndustryID *int64            `json:"industry_id,omitempty"`
	GradeID    *int64            `json:"grade_id,omitempty"`
	Extra      string            `json:"extra,omitempty"`
	Robot      string            `json:"control_select_robot,omitempty"`
	Components map[string]string `json:"components,omitempty"`
	Imported   time.Time         `json:"imported_at"`
}

// Customer is an entry of the pool, as get_customer shows it.
type Customer struct {
	ID         string            `json:"id"`
	UserID     string            `json:"user_id"`
	Phone      string            `json:"phone"`
	Name       string            `json:"name"`
	Company    string            `json:"company"`
	Email      string            `json:"email"`
	Sex        *int              `json:"sex"`
	Extra      string            `json:"extra"`
	Components map[string]string `json:"components,omitempty"`
	Created    string            `json:"created_at"`
	Updated    string            `json:"updated_at"`
}

// Dump is what the service holds.
type Dump struct {
	Totals
	Tasks []TaskDump `json:"tasks"` // by id
	Pool  []Customer `json:"pool"`  // in the order of creation
}

// TaskDump is a task with its numbers in the order of import.
type TaskDump struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Running bool     `json:"running"`
	Numbers []Number `json:"numbers"`
}

// Dump returns a copy of the state, a Dump.
func (s *Service) Dump() any { return s.State() }

// Summary returns the Totals.
func (s *Service) Summary() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	return s.summary()
}

func (s *Service) summary() Totals {
	t := s.totals
	for _, j := range s.jobs {
		t.Waiting += int64(len(j.body.Data))
	}
	for _, task := range s.tasks {
		rows := map[string]bool{}
		for _, n := range task.numbers {
			if n.Extra != "" && rows[n.Extra] {
				t.RowsTwice++
			}
			rows[n.Extra] = true
		}
		for _, count := range task.count {
			t.Twice += int64(count - 1)
		}
	}
	return t
}

// State returns a copy of the state, after the imports that are due.
func (s *Service) State() Dump {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	d := Dump{Totals: s.summary(), Tasks: []TaskDump{}, Pool: []Customer{}}
	for _, t := range s.tasks {
		td := TaskDump{ID: t.ID, Name: t.Name, Running: t.Running, Numbers: []Number{}}
		for _, n := range t.numbers {
			td.Numbers = append(td.Numbers, *n)
		}
		d.Tasks = append(d.Tasks, td)
	}
	slices.SortFunc(d.Tasks, func(a, b TaskDump) int { return cmp.Compare(a.ID, b.ID) })
	for _, c := range s.order {
		d.Pool = append(d.Pool, *c)
	}
	return d
}

// Contents returns one line of JSON per imported number with its task and fields, sorted. Suffixes, times and unique ids
// are left out: they depend on the order of requests.
func (s *Service) Contents() []string {
	lines := []string{}
	for _, t := range s.State().Tasks {
		for _, n := range t.Numbers {
			n.Number, n.Import, n.Imported = "", "", time.Time{}
			line, err := json.Marshal([]any{t.ID, n})
			if err != nil {
				panic(err) // made of texts and numbers only
			}
			lines = append(lines, string(line))
		}
	}
	slices.Sort(lines)
	return lines
}
