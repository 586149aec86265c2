package socialepoch

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/restapi"
	"github.com/sluicehq/sluice/internal/rows"
)

const (
	queryPath     = "/wscrm-bus-api/open/customer/query"
	queryEndpoint = "open/customer/query"
)

// puller asks for the friends of one account after another. An answer holds all friends of its account.
type puller struct {
	*signer
	url      string
	accounts []string
	zone     *time.Location
	stages   map[int64]string // by id
	sources  map[int64]string
}

func newPuller(cfg connector.Config, stream string) (connector.Puller, error) {
	c, err := sourceConfigOf(cfg)
	if err != nil {
		return nil, err
	}
	if stream != streamContacts || len(c.WhatsAppAccounts) == 0 {
		return nil, nil
	}
	return makePuller(c)
}

func makePuller(c *SourceConfig) (*puller, error) {
	zone, err := zoneOf(c.TimeZone)
	if err != nil {
		return nil, err
	}
	return &puller{
		signer: c.signer(), url: (&Config{BaseURL: c.BaseURL}).url(queryPath), accounts: c.WhatsAppAccounts, zone: zone,
		stages: byID(c.Stages), sources: byID(c.Sources),
	}, nil
}

func byID(names map[string]int64) map[int64]string {
	all := make(map[int64]string, len(names))
	for name, id := range names {
		all[id] = name
	}
	return all
}

// Format keeps the key of the embedded signer out of every verb.
func (p *puller) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "socialepoch query") }

// place is the position: the account to ask next. It is known by its number, so that a list in another order does no harm.
type place struct {
	Account string `json:"account"`
}

// at finds the account of a position.
func (p *puller) at(from connector.Position) (int, error) {
	if from == nil {
		return 0, nil
	}
	var at place
	if err := json.Unmarshal(from, &at); err != nil {
		return 0, connector.Configf(connector.ReadAnew, "the position %s is none of the stream contacts", restapi.Clip(string(from)))
	}
	i := slices.Index(p.accounts, at.Account)
	if i < 0 {
		return 0, connector.Configf(connector.ReadAnew+", or put the account back", "the account %q, which was to be asked next, is not in whatsapp_accounts any more", at.Account)
	}
	return i, nil
}

// AppendQuery asks for the friends of one account.
func (p *puller) AppendQuery(req *connector.Request, from connector.Position) error {
	i, err := p.at(from)
	if err != nil {
		return err
	}
	req.Method, req.URL, req.Endpoint = http.MethodPost, p.url, queryEndpoint
	req.Body = append(append(append(req.Body, `{"tenantId":`...), p.tenant...), `,"whatsId":`...)
	req.Body = append(rows.AppendString(req.Body, p.accounts[i]), '}')
	if req.Header == nil {
		req.Header = make(http.Header, 4)
	}
	req.Header[headerType] = contentJSON
	return nil
}

// ParsePage reads the friends of the account that was asked at from.
func (p *puller) ParsePage(resp *connector.Response, from connector.Position, out connector.Rows) (connector.Page, connector.Outcome, error) {
	i, err := p.at(from)
	if err != nil {
		return connector.Page{}, connector.Outcome{}, err
	}
	list, o, err := p.answer(resp)
	if err != nil || o.Verdict != connector.VerdictDelivered {
		return connector.Page{}, o, err
	}
	f := friends{puller: p, account: p.accounts[i], out: out, seen: map[string]int{}}
	f.dec.hook = &hook{zone: p.zone}
	if err := f.appendAll(list); err != nil {
		return connector.Page{}, connector.Outcome{}, err
	}
	var page connector.Page
	if i++; i < len(p.accounts) {
		page.More = true
		if page.Next, err = json.Marshal(place{p.accounts[i]}); err != nil {
			return connector.Page{}, connector.Outcome{}, fmt.Errorf("socialepoch: position: %w", err)
		}
	}
	return page, o, nil
}

// answer finds the list in an answer, or what the vendor says instead. A list stands as it is, as a text, or is null.
func (p *puller) answer(resp *connector.Response) (list []byte, o connector.Outcome, err error) {
	var e envelope
	code, known := int64(0), false
	if decode(resp.Body, &e) {
		code, known = restapi.Int(e.Code)
	}
	message := restapi.Text(e.Message)
	if message == "" {
		message = restapi.Text(e.Msg)
	}
	switch success := restapi.Succeeded(resp.Status); {
	case known && code != codeOK:
		o = (&batch{}).byCode(&reply{code: code, message: message}, resp)
	case !success:
		o = restapi.ByStatus(resp)
	case known:
		o = connector.Outcome{Code: strconv.Itoa(codeOK), Message: restapi.Clip(message)}
		list = unwrapped(e.Data)
		if text := restapi.Text(list); len(list) == 0 || strings.TrimSpace(text) == "" {
			return []byte("[]"), o, nil
		}
		if list[0] != '[' {
			return nil, connector.Outcome{}, errors.New("socialepoch: the answer has code 200, but its data is no list of contacts")
		}
		return list, o, nil
	default:
		return nil, connector.Outcome{}, fmt.Errorf("socialepoch: answer is not the vendor's JSON: %s", restapi.Glimpse(resp.Status, resp.Body))
	}
	o.Message, o.Rows = p.mask(o.Message), nil
	if o.Verdict != connector.VerdictRetry {
		o.Verdict = connector.VerdictRejected // there are no rows to suspect
	}
	if code == codeProcessing && o.Verdict == connector.VerdictRetry {
		o.RetryAfter = lockFor
	}
	return nil, o, nil
}

// friends makes rows of the contacts of one account.
type friends struct {
	*puller
	account string
	out     connector.Rows
	dec     decoder
	row     []byte
	seen    map[string]int // how often a contact_id was given
}

func (f *friends) appendAll(list []byte) error {
	found, end, err := spans(list, 0, len(list), itemEnd)
	if err == nil && rows.SkipSpace(list, end) != len(list) {
		err = errItems
	}
	if err != nil {
		return fmt.Errorf("socialepoch: %s: %w", queryEndpoint, err)
	}
	for i, s := range found {
		if err := f.append(list[s.from:s.to]); err != nil {
			return fmt.Errorf("socialepoch: %s: contact %d: %w", queryEndpoint, i, err)
		}
	}
	return nil
}

// friend is one contact, its values as written.
type friend struct {
	number, name, sex, email, birthday, address, profession, income, desc, country, stage, source, tags, first, last, extend []byte
}

func (c *friend) read(w *rows.Walker, text []byte) bool {
	for ok := text[0] == '{' && w.Open(text); ok && w.Next(); {
		if target := c.member(string(w.Key())); target != nil {
			*target = w.Value()
		}
	}
	return text[0] == '{' && w.Whole()
}

func (c *friend) member(name string) *[]byte {
	switch name {
	case "whatsId":
		return &c.number
	case "name":
		return &c.name
	case "sex":
		return &c.sex
	case "email":
		return &c.email
	case "birthday":
		return &c.birthday
	case "address":
		return &c.address
	case "profession":
		return &c.profession
	case "income":
		return &c.income
	case "desc":
		return &c.desc
	case "country":
		return &c.country
	case "stage":
		return &c.stage
	case "source":
		return &c.source
	case "tabList":
		return &c.tags
	case "firstChatTime":
		return &c.first
	case "lastChatTime":
		return &c.last
	case "extendMap":
		return &c.extend
	}
	return nil
}

// append makes the row of one contact. One that cannot be read is a row all the same, see decoder.event.
func (f *friends) append(text []byte) error {
	var c friend
	raw := text
	if !c.read(&f.dec.walk, text) {
		raw, c = rows.AppendQuoted(nil, text), friend{}
		if mended, ok := withMarks(text); ok && !c.read(&f.dec.walk, mended) {
			c = friend{}
		}
	}
	number := string(f.dec.digits(c.number))
	if number == digits(f.account) {
		number = ""
	}
	row := rows.AppendString(append(f.row[:0], `{"account":`...), f.account)
	row = rows.AppendString(append(row, `,"contact_id":`...), f.id(number, text))
	row = rows.AppendString(append(row, `,"vendor":"socialepoch","tenant_id":`...), f.tenant)
	if number != "" {
		row = rows.AppendString(append(row, `,"whatsapp":`...), number)
	}
	row = appendText(row, `,"full_name":`, c.name)
	if gender := genderOf(f.dec.unquoted(c.sex)); gender != "" {
		row = rows.AppendString(append(row, `,"gender":`...), gender)
	}
	if day, ok := appendDate(nil, f.dec.unquoted(c.birthday)); ok {
		row = rows.AppendQuoted(append(row, `,"birthday":`...), day)
	}
	row = appendText(row, `,"address":`, c.address)
	row = appendText(row, `,"email":`, c.email)
	row = appendText(row, `,"country":`, c.country)
	row = appendText(row, `,"profession":`, c.profession)
	row = appendText(row, `,"income":`, c.income)
	row = appendText(row, `,"remark":`, c.desc)
	if present(c.tags) {
		f.dec.readList(c.tags)
		row = append(append(row, `,"tags":`...), f.dec.list...)
	}
	row = appendNamed(row, `,"stage":`, c.stage, f.stages)
	row = appendNamed(row, `,"source":`, c.source, f.sources)
	row = f.dec.appendTime(row, `,"first_chat_at":`, c.first)
	row = f.dec.appendTime(row, `,"last_chat_at":`, c.last)
	row = f.appendCustom(row, c.extend)
	f.row = append(append(append(row, `,"raw":`...), raw...), '}')
	return f.out.AppendJSON(streamContacts, f.row)
}

// id is the contact's number, or a hash of all that is said of him. Contacts of whom the same is said, often nothing, get
// a number of their own behind it.
func (f *friends) id(number string, text []byte) string {
	if number != "" {
		return number
	}
	sum := sha256.Sum256(text)
	id := hex.EncodeToString(sum[:])
	f.seen[id]++
	if n := f.seen[id]; n > 1 {
		id += "-" + strconv.Itoa(n)
	}
	return id
}

// appendNamed appends a member for an id, by its name if that is known.
func appendNamed(dst []byte, name string, value []byte, names map[int64]string) []byte {
	if id, ok := restapi.Int(value); ok && names[id] != "" {
		return rows.AppendString(append(dst, name...), names[id])
	}
	return appendText(dst, name, value)
}

// appendCustom appends the extension fields that are present.
func (f *friends) appendCustom(dst, value []byte) []byte {
	sep := `,"custom":{`
	value = unwrapped(value)
	w := &f.dec.walk
	if len(value) == 0 || value[0] != '{' || !whole(w, value) {
		return dst
	}
	for ok := w.Open(value); ok && w.Next(); {
		if present(w.Value()) {
			dst = rows.AppendQuoted(append(dst, sep...), w.Key())
			dst = append(append(dst, ':'), w.Value()...)
			sep = ","
		}
	}
	if sep == "," {
		dst = append(dst, '}')
	}
	return dst
}

// sourceProbe asks for the friends of the first account and looks at nothing but whether it is answered.
type sourceProbe struct{ *puller }

func newSourceCheck(cfg connector.Config) (connector.Probe, error) {
	c, err := sourceConfigOf(cfg)
	if err != nil {
		return nil, err
	}
	if len(c.WhatsAppAccounts) == 0 {
		return nil, nil
	}
	p, err := makePuller(c)
	if err != nil {
		return nil, err
	}
	return &sourceProbe{p}, nil
}

func (p *sourceProbe) AppendRequest(req *connector.Request) error { return p.AppendQuery(req, nil) }

func (p *sourceProbe) ParseResponse(resp *connector.Response) error {
	_, o, err := p.answer(resp)
	switch {
	case err != nil:
		return connector.Configf("Check that base_url is the API's host, not a web site or a proxy's page", "%s", p.mask(err.Error()))
	case o.Verdict == connector.VerdictDelivered:
		return nil
	}
	kind := connector.KindConfig
	switch {
	case o.Throttled:
		kind = connector.KindThrottled
	case o.Verdict == connector.VerdictRetry && o.Stop == connector.KindNone && o.Clock.IsZero():
		kind = connector.KindTransient
	}
	fix := restapi.Remedy(vendorErrors, o.Code, "Check tenant_id, api_key and whatsapp_accounts with the company's administrator")
	return &connector.Error{Kind: kind, What: "the vendor refused the query of contacts", Fix: fix,
		Err: errors.New("the vendor answered " + strings.TrimSpace(o.Code+" "+o.Message))}
}
