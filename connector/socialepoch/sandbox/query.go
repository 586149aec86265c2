package sandbox

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/sandbox"
)

// Query says how the query of friends answers.
type Query struct {
	Accounts []WhatsApp // nil: DefaultWhatsApp alone
	// ContactNumber answers whatsId as the contact's number. On the vendor's page it is the account's, so that a contact
	// has no identity.
	ContactNumber bool
	StringData    bool // data is the JSON as a text, as the vendor's table has it
}

// WhatsApp is an account of the company's side: its friends are the customers of its agent.
type WhatsApp struct {
	Tenant        int64
	Number, Agent string
}

// DefaultWhatsApp is the account of Agent.
var DefaultWhatsApp = WhatsApp{Tenant: TenantID, Number: "86187272722", Agent: Agent}

// chats is when messages were exchanged: here, when the customer was imported.
type chats struct{ first, last time.Time }

// friendItem is one contact of an answer, in the order of the vendor's example. Absent texts are null.
type friendItem struct {
	WhatsID    string                     `json:"whatsId"`
	Name       *string                    `json:"name"`
	Sex        *string                    `json:"sex"`
	Email      *string                    `json:"email"`
	Birthday   *string                    `json:"birthday"`
	Address    *string                    `json:"address"`
	Profession *string                    `json:"profession"`
	Income     *string                    `json:"income"`
	Desc       *string                    `json:"desc"`
	Country    *string                    `json:"country"`
	Stage      *int                       `json:"stage"`
	Source     *int                       `json:"source"`
	TabList    []string                   `json:"tabList"`
	First      *string                    `json:"firstChatTime"`
	Last       *string                    `json:"lastChatTime"`
	Extend     map[string]json.RawMessage `json:"extendMap"`
}

// queryFriends answers POST /wscrm-bus-api/open/customer/query.
func (s *Service) queryFriends(c *sandbox.Call) sandbox.Reply {
	tenant, fault := s.authenticate(c)
	if fault != "" {
		return s.refuse(codeParameter, fault)
	}
	var q struct {
		Tenant *int64  `json:"tenantId"`
		Number *string `json:"whatsId"`
	}
	dec := json.NewDecoder(strings.NewReader(string(c.Body)))
	switch {
	case !json.Valid(c.Body) || dec.Decode(&q) != nil:
		return s.refuse(codeParameter, notJSON)
	case q.Tenant != nil && *q.Tenant != tenant:
		return s.refuse(codeParameter, "token error: tenantId is not the company of the token")
	case q.Number == nil || *q.Number == "":
		return s.refuse(codeParameter, "WhatsId Is Null")
	}
	list, err := json.Marshal(s.friendsOf(tenant, *q.Number))
	if err != nil {
		panic(err) // extension values were validated when they came
	}
	if s.opts.Query.StringData {
		list = []byte(quote(string(list)))
	}
	return s.envelope(codeOK, "Success", list)
}

// friendsOf lists the customers of an account's agent, by number. Of an account that is not the company's there are none.
func (s *Service) friendsOf(tenant int64, number string) []friendItem {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []friendItem{}
	at := slices.IndexFunc(s.opts.Query.Accounts, func(a WhatsApp) bool { return a.Tenant == tenant && a.Number == number })
	if at < 0 {
		return list
	}
	var keys []recordKey
	for key := range s.records {
		if key.store == storeOwned && key.tenant == tenant && key.agent == s.opts.Query.Accounts[at].Agent {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b recordKey) int { return strings.Compare(a.number, b.number) })
	for _, key := range keys {
		it := s.friend(key)
		if it.WhatsID = number; s.opts.Query.ContactNumber {
			it.WhatsID = key.number
		}
		list = append(list, it)
	}
	return list
}

func (s *Service) friend(key recordKey) friendItem {
	rec, chat := s.records[key], s.chats[key]
	text := func(name string) *string {
		if v := rec.text[name]; v != "" {
			return &v
		}
		return nil
	}
	it := friendItem{
		Name: text("friendName"), Email: text("email"), Birthday: text("birthday"), Address: text("address"), Profession: text("profession"),
		Income: text("income"), Desc: text("desc"), Country: text("country"), TabList: slices.Clone(rec.tags),
		Stage: idOf(s.opts.Stages, rec.text["stage"]), Source: idOf(s.opts.Sources, rec.text["source"]), Extend: map[string]json.RawMessage{},
	}
	if sex := strings.ToUpper(rec.text["sex"]); sex != "" {
		it.Sex = &sex
	}
	if !chat.first.IsZero() {
		first, last := chat.first.In(china).Format(time.DateTime), chat.last.In(china).Format(time.DateTime)
		it.First, it.Last = &first, &last
	}
	for name, v := range rec.custom {
		it.Extend[name] = json.RawMessage(v)
	}
	return it
}

// idOf is the id of a name that is set up: 10 for the first, 20 for the second and so on.
func idOf(names []string, name string) *int {
	if i := slices.Index(names, name); i >= 0 {
		id := 10 * (i + 1)
		return &id
	}
	return nil
}
