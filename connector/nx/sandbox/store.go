package sandbox

import (
	"slices"
	"strings"
	"time"
)

// The values of "type".
const (
	typeReplace = 0
	typeMerge   = 1
	typeInsert  = 2
)

// scopeKey names one store of customers.
type scopeKey struct {
	tenant int64
	app    string
}

// store holds the customers of one tenant and application, in the order of their ids.
type store struct {
	records []*record
	lastID  int64
	index   [3]index // by matchFields
	tagIDs  map[string]int64
}

// matchFields are the identifiers by which a record is found, in the order they are tried.
var matchFields = [3]field{whatsAppPhone, smsPhone, email}

// record is one stored customer.
type record struct {
	id               int64
	text             [numFields]string
	gender           int8
	custom           map[string]string
	created, updated time.Time
	history          History
}

// History counts the rows that met a record, by what became of them.
type History struct {
	Inserted int `json:"inserted"` // always 1
	Replaced int `json:"replaced"`
	Merged   int `json:"merged"`
	Kept     int `json:"kept"` // rows of type 2 that came too late
}

func newStore() *store {
	st := &store{tagIDs: map[string]int64{}}
	for i := range st.index {
		st.index[i] = index{first: map[string]*record{}, more: map[string][]*record{}}
	}
	return st
}

// apply takes one valid row and counts what became of it in total.
func (st *store) apply(kind int, r *row, now time.Time, total *History) {
	rec := st.find(r)
	switch {
	case rec == nil:
		st.lastID++
		rec = &record{id: st.lastID, gender: -1, created: now}
		rec.history.Inserted, total.Inserted = 1, total.Inserted+1
		st.records = append(st.records, rec)
		st.merge(rec, r)
	case kind == typeReplace:
		rec.history.Replaced++
		total.Replaced++
		rec.gender, rec.custom = -1, nil
		for f := range rec.text {
			if r.text[f] == "" {
				st.set(rec, field(f), "")
			}
		}
		st.merge(rec, r)
	case kind == typeMerge:
		rec.history.Merged++
		total.Merged++
		st.merge(rec, r)
	default:
		rec.history.Kept++
		total.Kept++
		return
	}
	rec.updated = now
}

// find returns the record that the row means, nil if there is none.
func (st *store) find(r *row) *record {
	for i, f := range matchFields {
		if r.text[f] == "" {
			continue
		}
		if rec := st.index[i].first[matchKey(f, r.text[f])]; rec != nil {
			return rec
		}
	}
	return nil
}

func (st *store) merge(rec *record, r *row) {
	for f, v := range r.text {
		if v != "" {
			st.set(rec, field(f), v)
		}
	}
	if r.gender >= 0 {
		rec.gender = r.gender
	}
	if len(r.custom) > 0 && rec.custom == nil {
		rec.custom = make(map[string]string, len(r.custom))
	}
	for _, m := range r.custom {
		rec.custom[m.name] = m.value
	}
}

// set changes one field and keeps the indexes true.
func (st *store) set(rec *record, f field, v string) {
	old := rec.text[f]
	if old == v {
		return
	}
	rec.text[f] = v
	for i, m := range matchFields {
		if m != f {
			continue
		}
		oldKey, newKey := matchKey(f, old), matchKey(f, v)
		if oldKey == newKey {
			return
		}
		st.index[i].remove(oldKey, rec)
		st.index[i].add(newKey, rec)
	}
}

// matchKey is how an identifier is compared.
func matchKey(f field, v string) string {
	if f == email {
		return strings.ToLower(v)
	}
	return v
}

// index finds records by one identifier. Several may hold one value: the one that got it first is found, so the result
// depends on the order of rows that share the value and on nothing else.
type index struct {
	first map[string]*record
	more  map[string][]*record // those behind the first, in the order they got the value
}

func (x *index) add(key string, r *record) {
	if key == "" {
		return
	}
	if _, taken := x.first[key]; taken {
		x.more[key] = append(x.more[key], r)
		return
	}
	x.first[key] = r
}

func (x *index) remove(key string, r *record) {
	if key == "" {
		return
	}
	rest := x.more[key]
	if x.first[key] != r {
		x.more[key] = slices.DeleteFunc(rest, func(o *record) bool { return o == r })
		return
	}
	if len(rest) == 0 {
		delete(x.first, key)
		return
	}
	x.first[key], x.more[key] = rest[0], rest[1:]
}

// tagList returns the record's tags.
func (r *record) tagList() []string {
	var tags []string
	for t := range strings.SplitSeq(r.text[tagStr], ",") {
		if t = strings.TrimSpace(t); t != "" {
			tags = append(tags, t)
		}
	}
	return tags
}

// tagID returns the id of a tag, a new one if it has none yet.
func (st *store) tagID(name string) int64 {
	id, ok := st.tagIDs[name]
	if !ok {
		id = int64(len(st.tagIDs)) + 1
		st.tagIDs[name] = id
	}
	return id
}
