package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Change is what an agent does to a customer in the vendor's client: Field gets another Value, or Follow is written down.
type Change struct {
	Tenant int64  `json:"tenant_id"` // 0: the first account's; webhooks tell of its customers only
	Agent  string `json:"agentAccount"`
	Number string `json:"whatsApp"`
	// Field is a field of an import, or an extension field by name; tabName is the whole list of tags. Value is as imports
	// take it; "" empties the field.
	Field string `json:"field,omitempty"`
	Value string `json:"value,omitempty"`
	// Follow is a follow-up record; URLs are its attachments.
	Follow string   `json:"follow,omitempty"`
	URLs   []string `json:"url,omitempty"`
}

// Refusals of Change.
var (
	ErrNoCustomer = errors.New("there is no such customer; import it first")
	ErrBadChange  = errors.New("the change is refused")
)

// back is what the way back adds to a Service; its mu guards all but the sender.
type back struct {
	sender *sender
	chats  map[recordKey]chats
	events int64 // told of so far
}

func (s *Service) openBack() {
	if s.opts.Query.Accounts == nil {
		s.opts.Query.Accounts = []WhatsApp{DefaultWhatsApp}
	}
	s.sender = newSender(s.opts.Webhooks)
	if len(s.opts.Accounts) > 0 {
		s.sender.tenant = s.opts.Accounts[0].TenantID
	}
}

func (s *Service) resetBack() {
	s.chats, s.events = map[recordKey]chats{}, 0
	s.sender.reset()
}

// portraitItem is one element of USER_SYNC_PORTRAIT, in the order of the vendor's example.
type portraitItem struct {
	ID          string `json:"id"`
	Type        int    `json:"type"`
	UserName    string `json:"userName"`
	Friend      string `json:"friendWhatsId"`
	Field       string `json:"field"`
	FieldType   int    `json:"fieldType"`
	FieldConfig int    `json:"fieldConfig"`
	Source      string `json:"sourceValue"`
	Target      string `json:"targetValue"`
	UpdateAt    string `json:"updateAt"`
}

// flowItem is one element of USER_WRITE_FLOW.
type flowItem struct {
	Friend   string `json:"friendWhatsId"`
	UserID   int    `json:"userId"`
	Tenant   int64  `json:"tenantId"`
	Follow   string `json:"follow"`
	Username string `json:"username"`
}

// china is the zone of the vendor's local times.
var china = time.FixedZone("Asia/Shanghai", 8*60*60)

// basic is how the client shows a field of every contact.
type basic struct {
	name, english, chinese string
	config                 int
}

var basics = []basic{
	{"friendName", "Name", "姓名", 1}, {"sex", "Gender", "性别", 3}, {"birthday", "DOB", "生日", 6}, {"address", "Address", "地址", 1}, {"email", "Email", "邮箱", 1},
	{"profession", "Position", "职业", 1}, {"income", "Income", "收入", 1}, {"desc", "Description", "备注", 2}, {"stage", "State", "客户阶段", 3}, {"source", "From", "客户来源", 3},
	{"languageTag", "Language", "客户语言", 3}, {"country", "Country", "国家", 3},
}

var configs = map[string]int{FieldText: 1, FieldSingle: 3, FieldMulti: 4, FieldNumber: 5, FieldDate: 6, FieldTime: 7, FieldAttachment: 8}

// Change applies a change and tells of it.
func (s *Service) Change(c Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Tenant == 0 {
		c.Tenant = s.sender.tenant
	}
	key := recordKey{storeOwned, c.Tenant, c.Agent, c.Number}
	rec := s.records[key]
	if rec == nil {
		return fmt.Errorf("%s of %s at company %d: %w", c.Number, c.Agent, c.Tenant, ErrNoCustomer)
	}
	before := rec.clone()
	if c.Field != "" {
		if err := s.setField(rec, &c); err != nil {
			return err
		}
		s.tellOf(key, before, rec)
	}
	if c.Follow != "" || len(c.URLs) > 0 {
		s.tellFollow(key, &c)
	}
	return nil
}

// setField judges a value as an import would, and puts it in.
func (s *Service) setField(rec *record, c *Change) error {
	r := row{text: maps.Clone(rec.text), custom: maps.Clone(rec.custom)}
	r.text["agentAccount"], r.text["whatsApp"], r.text["tabName"] = c.Agent, c.Number, strings.Join(rec.tags, ",")
	extension := s.extensions[c.Field] != nil
	isBasic := slices.ContainsFunc(basics, func(b basic) bool { return b.name == c.Field })
	switch {
	case extension:
		r.custom[c.Field] = quote(c.Value)
	case isBasic || c.Field == "tabName":
		r.text[c.Field] = c.Value
	default:
		return fmt.Errorf("%q is no field of a customer: %w", c.Field, ErrBadChange)
	}
	maps.DeleteFunc(r.text, func(_, v string) bool { return v == "" })
	code, info := s.judge(&r)
	switch {
	case code != 0:
		return fmt.Errorf("%q is refused with %d, %s: %w", c.Value, code, info, ErrBadChange)
	case c.Field == "tabName":
		rec.tags = tagsOf(c.Value)
	case extension && c.Value == "":
		delete(rec.custom, c.Field)
	case extension:
		rec.custom[c.Field] = quote(c.Value)
	case c.Value == "":
		delete(rec.text, c.Field)
	default:
		rec.text[c.Field] = c.Value
	}
	return nil
}

func (r *record) clone() *record {
	return &record{text: maps.Clone(r.text), custom: maps.Clone(r.custom), tags: slices.Clone(r.tags), times: r.times}
}

// take applies a good row of an import, and tells of what it changes if that is asked for.
func (s *Service) take(now time.Time, key recordKey, r *row, cancels bool) {
	tells := key.store == storeOwned && s.sender.options().Imports
	before := &record{}
	if old := s.records[key]; tells && old != nil {
		before = old.clone()
	}
	s.apply(key, r, cancels)
	if key.store != storeOwned {
		return
	}
	chat := s.chats[key]
	if chat.first.IsZero() {
		chat.first = now
	}
	chat.last = now
	s.chats[key] = chat
	if tells {
		s.tellOf(key, before, s.records[key])
	}
}

// tellOf tells of every field in which two states of a customer differ.
func (s *Service) tellOf(key recordKey, before, after *record) {
	if key.tenant != s.sender.tenant {
		return
	}
	o := s.sender.options()
	say := func(label string, fieldType, config int, from, to string) {
		if from != to {
			s.sender.tell(false, s.item(key, portraitItem{Type: 1, Field: label, FieldType: fieldType, FieldConfig: config, Source: from, Target: to}))
		}
	}
	for _, b := range basics {
		label := b.english
		if o.Chinese {
			label = b.chinese
		}
		say(label, 0, b.config, shown(b.name, before.text[b.name]), shown(b.name, after.text[b.name]))
	}
	label := "Tags"
	if o.Chinese {
		label = "标签"
	}
	say(label, 0, 4, shownTags(before.tags), shownTags(after.tags))
	for i := range s.opts.Extensions {
		e := &s.opts.Extensions[i]
		say(e.Name, 1, configs[e.Type], e.shown(before.custom[e.Name]), e.shown(after.custom[e.Name]))
	}
}

// item fills what all items have.
func (s *Service) item(key recordKey, it portraitItem) portraitItem {
	s.events++
	it.ID, it.UserName, it.Friend = fmt.Sprintf("%016x%016x", key.tenant, s.events), key.agent, key.number
	it.UpdateAt = s.sender.now().In(china).Format(time.DateTime)
	return it
}

// tellFollow tells both webhooks of a follow-up.
func (s *Service) tellFollow(key recordKey, c *Change) {
	if key.tenant != s.sender.tenant {
		return
	}
	if c.URLs == nil {
		c.URLs = []string{}
	}
	data, err := json.Marshal(map[string]any{"text": c.Follow, "url": c.URLs})
	if err != nil {
		panic(err) // texts always marshal
	}
	label := "Follow up records"
	o := s.sender.options()
	if o.Chinese {
		label = "写跟进"
	}
	s.sender.tell(false, s.item(key, portraitItem{Type: 2, Field: label, FieldConfig: 1, Target: `{"data":` + string(data) + `,"dataTypeMap":{"writeFollow":"Write follow-up"}}`}))
	follow := `{"data":` + string(data)
	if o.Whole {
		follow += "}"
	}
	s.sender.tell(true, flowItem{Friend: key.number, UserID: 1221, Tenant: key.tenant, Follow: follow, Username: key.agent})
}

// shown is a value as webhooks have it, which is not how imports have it.
func shown(name, value string) string {
	switch {
	case name == "sex" && value == "unknown":
		return "UNKOWNN"
	case name == "sex":
		return strings.ToUpper(value)
	case name == "birthday":
		return strings.ReplaceAll(value, "/", "-")
	}
	return value
}

func shownTags(tags []string) string {
	if len(tags) == 0 {
		return ""
	}
	return "[" + strings.Join(tags, ",") + "]"
}

// shown is the text of an extension field, given as JSON.
func (e *Extension) shown(raw string) string {
	var text string
	var list []string
	switch {
	case raw == "" || raw == "null":
		return ""
	case json.Unmarshal([]byte(raw), &list) == nil:
		text = strings.Join(list, ",")
	case json.Unmarshal([]byte(raw), &text) != nil:
		return raw
	}
	switch {
	case text == "":
		return ""
	case e.Type == FieldMulti:
		return shownTags(tagsOf(text))
	case e.Type == FieldDate:
		return strings.ReplaceAll(text, "/", "-")
	}
	return text
}

// SetWebhooks replaces what Options.Webhooks said; what waits is sent to the new addresses.
func (s *Service) SetWebhooks(w Webhooks) { s.sender.set(w) }

// WebhookTotals returns the counts of the webhooks.
func (s *Service) WebhookTotals() WebhookTotals {
	s.sender.mu.Lock()
	defer s.sender.mu.Unlock()
	t := s.sender.totals
	t.Waiting = len(s.sender.waiting[0]) + len(s.sender.waiting[1])
	return t
}

// Redeliver sends the last n requests once more, signed anew, and returns how many those are; 1,000 are kept.
func (s *Service) Redeliver(n int) int { return s.sender.redeliver(n) }

// Drain waits until no webhook waits or is on its way.
func (s *Service) Drain(ctx context.Context) error { return s.sender.drain(ctx) }

// Close ends the sending of webhooks; what waits is not sent. The service answers calls all the same.
func (s *Service) Close() error {
	s.sender.close()
	return nil
}
