package sandbox

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/sandbox"
)

const (
	maxPage       = 50
	thirdPartyAPI = 6 // the source_type of every record here
	dateTime      = "2006-01-02 15:04:05"
)

// zone is what times without one are taken to be in.
var zone = time.FixedZone("UTC+8", 8*60*60)

// filter is the body of a query.
type filter struct {
	Tenant    *int64            `json:"tenant_id"`
	App       string            `json:"app_key"`
	Start     string            `json:"start_time"`
	End       string            `json:"end_time"`
	Tags      []json.RawMessage `json:"tags"`
	HisTags   []json.RawMessage `json:"his_tags"`
	TagsLogic string            `json:"tags_logic_type"`
	Source    *int              `json:"source_type"`
	Channel   string            `json:"source_channel_key"`
	Name      string            `json:"name"`
	SMS       string            `json:"sms_phone"`
	WhatsApp  string            `json:"whatsApp_phone"`
	Email     string            `json:"email"`
	Viber     string            `json:"viber_phone"`
	After     *int64            `json:"after"`
	Before    *int64            `json:"before"`
	Limit     *int              `json:"limit"`

	start, end time.Time
	tagIDs     []int64
}

type paging struct {
	After  int64 `json:"after"`  // pass it as after for the next page
	Before int64 `json:"before"` // pass it as before for the page in front
	Total  int   `json:"total"`  // records that match, on whatever page
}

type queryTag struct {
	ID   int64  `json:"id"`
	Name string `json:"tag_name"`
}

// query answers POST …/customers/query.
func (s *Service) query(c *sandbox.Call) sandbox.Reply {
	acct, f := s.authenticate(c)
	if f != nil {
		return answer(c, f, nil)
	}
	q, f := s.parseFilter(c.Body)
	if f != nil {
		return answer(c, f, nil)
	}
	id := scopeID{app: q.App, hasTenant: q.Tenant != nil}
	if q.Tenant != nil {
		id.tenant = *q.Tenant
	}
	key, f := s.scope(acct, id)
	if f == nil {
		f = q.complete()
	}
	if f != nil {
		return answer(c, f, nil)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	page, data := s.page(s.store(key), q)
	r := answer(c, nil, data)
	r.Rows = page
	return r
}

func (s *Service) parseFilter(body []byte) (*filter, *fault) {
	if !valid(body) {
		return nil, errNotJSON
	}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(body, &given); err != nil {
		return nil, badParameter("Parameter error: the body must be a JSON object")
	}
	// Unmarshal takes names in any case; the vendor's differ by case alone from a neighbour's (whatsApp_phone).
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !filterNames[name] {
			delete(given, name)
			if !s.opts.Lenient {
				return nil, badParameter(name + " is not a parameter of this endpoint")
			}
		}
	}
	exact, err := json.Marshal(given)
	if err != nil {
		panic(err) // raw values that were just read
	}
	q := &filter{}
	if err := json.Unmarshal(exact, q); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return nil, badParameter(wrong.Field + " must not be a " + wrong.Value)
		}
		return nil, badParameter("Parameter error: " + err.Error())
	}
	return q, nil
}

// filterNames are the members of filter as they are spelled on the wire.
var filterNames = func() map[string]bool {
	names := map[string]bool{}
	for f := range reflect.TypeFor[filter]().Fields() {
		if tag := f.Tag.Get("json"); tag != "" {
			names[tag] = true
		}
	}
	return names
}()

// complete checks what is left once the scope is known, and reads the texts of times and tags.
func (q *filter) complete() *fault {
	if q.Limit == nil || *q.Limit < 1 || *q.Limit > maxPage {
		return badParameter("limit must be an integer from 1 to 50")
	}
	if q.After != nil && q.Before != nil {
		return badParameter("after and before exclude each other")
	}
	switch q.TagsLogic {
	case "", "and", "or":
	default:
		return badParameter("tags_logic_type must be and, or, or empty")
	}
	for _, t := range []struct {
		name, text string
		dst        *time.Time
	}{{"start_time", q.Start, &q.start}, {"end_time", q.End, &q.end}} {
		if t.text == "" {
			continue
		}
		at, err := time.ParseInLocation(dateTime, t.text, zone)
		if err != nil {
			return badParameter(t.name + " must have the form yyyy-MM-dd HH:mm:ss")
		}
		*t.dst = at
	}
	for _, raw := range q.Tags {
		var tag queryTag
		if json.Unmarshal(raw, &tag.ID) != nil && json.Unmarshal(raw, &tag) != nil {
			return badParameter("tags must hold ids, or objects of id and tag_name")
		}
		q.tagIDs = append(q.tagIDs, tag.ID)
	}
	return nil
}

// matches reports whether the record is in the query's set. The caller holds the lock of the store.
func (q *filter) matches(st *store, r *record) bool {
	for _, t := range [...]struct {
		f    field
		want string
	}{{firstName, q.Name}, {smsPhone, q.SMS}, {whatsAppPhone, q.WhatsApp}, {email, q.Email}, {viberPhone, q.Viber}} {
		if t.want != "" && matchKey(t.f, r.text[t.f]) != matchKey(t.f, t.want) {
			return false
		}
	}
	// Times have seconds on the wire, so they are compared in seconds.
	updated := r.updated.Truncate(time.Second)
	if !q.start.IsZero() && updated.Before(q.start) || !q.end.IsZero() && updated.After(q.end) {
		return false
	}
	if q.Source != nil && *q.Source != thirdPartyAPI || q.Channel != "" || len(q.HisTags) > 0 {
		return false
	}
	if len(q.tagIDs) == 0 {
		return true
	}
	found := 0
	tags := r.tagList()
	for _, id := range q.tagIDs {
		if slices.ContainsFunc(tags, func(t string) bool { return st.tagID(t) == id }) {
			found++
		}
	}
	return found == len(q.tagIDs) || found > 0 && q.TagsLogic != "and"
}

// page collects one page; n is its length.
func (s *Service) page(st *store, q *filter) (n int, data []byte) {
	var hits, list []*record
	for _, r := range st.records {
		if q.matches(st, r) {
			hits = append(hits, r)
		}
	}
	at := func(id int64) (int, bool) {
		return slices.BinarySearchFunc(hits, id, func(r *record, id int64) int { return cmp.Compare(r.id, id) })
	}
	if q.Before != nil {
		i, _ := at(*q.Before)
		list = hits[max(0, i-*q.Limit):i]
	} else {
		first := 0
		if q.After != nil {
			i, found := at(*q.After)
			first = i
			if found {
				first++
			}
		}
		list = hits[first:min(len(hits), first+*q.Limit)]
	}
	out := struct {
		Paging    paging           `json:"paging"`
		Customers []map[string]any `json:"customers"`
	}{Paging: paging{Total: len(hits)}, Customers: []map[string]any{}}
	for _, r := range list {
		out.Customers = append(out.Customers, st.show(r))
	}
	if len(list) > 0 {
		out.Paging.Before, out.Paging.After = list[0].id, list[len(list)-1].id
	}
	data, err := json.Marshal(out)
	if err != nil {
		panic(err) // plain values always marshal
	}
	return len(list), data
}

// show is a record as query answers it.
func (st *store) show(r *record) map[string]any {
	m := map[string]any{
		"id": r.id, "created_at": r.created.In(zone).Format(dateTime), "updated_at": r.updated.In(zone).Format(dateTime),
	}
	for f, v := range r.text {
		if v != "" && field(f) != tagStr {
			m[fieldNames[f]] = v
		}
	}
	if r.gender >= 0 {
		m["gender"] = r.gender
	}
	tags := []queryTag{}
	for _, t := range r.tagList() {
		tags = append(tags, queryTag{st.tagID(t), t})
	}
	m["tags"] = tags
	if len(r.custom) > 0 {
		text := "{"
		for i, name := range slices.Sorted(maps.Keys(r.custom)) {
			if i > 0 {
				text += ","
			}
			text += quote(name) + ":" + r.custom[name]
		}
		m["customize_field"] = text + "}"
	}
	return m
}
