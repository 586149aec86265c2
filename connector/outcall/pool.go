package outcall

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/restapi"
	"github.com/sluicehq/sluice/internal/rows"
)

// pool walks the pages of the pool of customers: a connector.Puller and Signer.
//
// Pages are cut by number, so customers that leave the pool move those behind them forward, across the edge of a page.
// The walk sees by the total that some left, and goes back by as many. New customers move others back, and those come
// twice. What both at once hide, the next walk finds: each is whole.
type pool struct {
	signer
	config   *Config
	of       string
	pageSize int64
	zone     *time.Location
	suffix   bool
	names    map[string]string           // component id → member of custom, or canonical column
	labels   map[string]map[int64]string // canonical column → id → name
}

func newPool(c *SourceConfig) (*pool, error) {
	zone, err := c.zoneOf()
	if err != nil {
		return nil, err
	}
	p := &pool{
		signer: signer{c.Token}, config: c.account(), of: strings.TrimSuffix(c.UserID+"/"+c.SubUserID, "/"), pageSize: c.PageSize, zone: zone,
		suffix: c.NumberAddSuffix, names: maps.Clone(c.names), labels: map[string]map[int64]string{},
	}
	if p.names == nil {
		p.names = map[string]string{}
	}
	for name, id := range c.Components {
		p.names[id] = name
	}
	for column, ids := range map[string]map[string]int64{"source": c.Sources, "industry": c.Industries, "stage": c.Grades} {
		p.labels[column] = map[int64]string{}
		for _, name := range slices.Sorted(maps.Keys(ids)) {
			if _, taken := p.labels[column][ids[name]]; !taken {
				p.labels[column][ids[name]] = name
			}
		}
	}
	return p, nil
}

// poolPosition is the page to read. Its size is part of it: pages of another size begin elsewhere.
type poolPosition struct {
	Of    string `json:"of"` // account and sub-account
	Page  int64  `json:"page"`
	Size  int64  `json:"size"`
	Total *int64 `json:"total,omitempty"` // customers in the pool when the page before was read
}

func (p *pool) read(from connector.Position) (at poolPosition, err error) {
	if from == nil {
		return poolPosition{Of: p.of, Page: 1, Size: p.pageSize}, nil
	}
	if err := readPosition(from, &at, streamContacts); err != nil {
		return at, err
	}
	switch {
	case at.Of != p.of:
		return at, connector.Configf(connector.ReadAnew+", or put the old user_id and sub_user_id back", "the saved position belongs to the account %q, not to %q", at.Of, p.of)
	case at.Page < 1 || at.Page > math.MaxInt32 || at.Size < 1 || at.Size > pageSize:
		return at, connector.Configf(connector.ReadAnew, "the saved position of %s names page %d of %d customers", streamContacts, at.Page, at.Size)
	}
	return at, nil
}

// AppendQuery asks for a page.
func (p *pool) AppendQuery(req *connector.Request, from connector.Position) error {
	at, err := p.read(from)
	if err != nil {
		return err
	}
	query := url.Values{"page": {strconv.FormatInt(at.Page, 10)}, "per_page": {strconv.FormatInt(at.Size, 10)}}
	if p.config.SubUserID != "" {
		query.Set("sub_user_id", p.config.SubUserID)
	}
	get(req, "get_customer", withQuery(p.config.userURL()+"/get_customer", query))
	return nil
}

// Format keeps the token out of every verb.
func (p *pool) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "outcall pool") }

// poolPage is an answer with customers.
type poolPage struct {
	Data []json.RawMessage `json:"data"`
	Meta struct {
		Current json.RawMessage `json:"current_page"`
		Last    json.RawMessage `json:"last_page"`
		Size    json.RawMessage `json:"per_page"`
		Total   json.RawMessage `json:"total"`
	} `json:"meta"`
}

// ParsePage reads a page.
func (p *pool) ParsePage(resp *connector.Response, from connector.Position, out connector.Rows) (connector.Page, connector.Outcome, error) {
	at, err := p.read(from)
	if err != nil {
		return connector.Page{}, connector.Outcome{}, err
	}
	body := p.clean(resp.Body)
	o, err := asked(resp, body)
	if err != nil || o.Verdict != connector.VerdictDelivered {
		return connector.Page{}, o, err
	}
	var page poolPage
	if err := json.Unmarshal(body, &page); err != nil || page.Data == nil {
		return connector.Page{}, o, fmt.Errorf("outcall: page %d of the customers has no list of them", at.Page)
	}
	if current, ok := restapi.Int(page.Meta.Current); ok && current != at.Page {
		return connector.Page{}, o, fmt.Errorf("outcall: page %d of the customers was asked for, and page %d came", at.Page, current)
	}
	next, more := at.behind(page)
	result := connector.Page{More: more}
	if more {
		if result.Next, err = marshal(next); err != nil {
			return connector.Page{}, o, fmt.Errorf("outcall: position: %w", err)
		}
	}
	for _, raw := range page.Data {
		if err := out.AppendJSON(streamContacts, p.row(raw)); err != nil {
			return connector.Page{}, o, err
		}
	}
	return result, o, nil
}

// behind is the page to read next; false: there is none.
func (at poolPosition) behind(page poolPage) (poolPosition, bool) {
	next := poolPosition{Of: at.Of, Page: at.Page + 1, Size: at.Size}
	size := at.Size
	if given, ok := restapi.Int(page.Meta.Size); ok && given > 0 {
		size = given // the vendor may give fewer than were asked for
	}
	if total, ok := restapi.Int(page.Meta.Total); ok {
		next.Total = &total
		if at.Total != nil && total < *at.Total && at.Page > 1 {
			// Of the customers in front of this page, as many may have come across its edge unread.
			first := max(0, (at.Page-1)*size-(*at.Total-total))
			next.Page = first/size + 1
			return next, true
		}
	}
	if last, ok := restapi.Int(page.Meta.Last); ok {
		return next, at.Page < last
	}
	return next, len(page.Data) > 0
}

// row is a customer as a row. What cannot be read is left out of its column and stands in raw.
func (p *pool) row(raw json.RawMessage) []byte {
	var m map[string]json.RawMessage
	_ = json.Unmarshal(raw, &m) // of what is no object, raw and the key are left
	text := func(name string) string { return strings.TrimSpace(flexText(m[name])) }
	var o rows.Object
	o.Text("tenant_id", p.config.UserID)
	id := text("id")
	if id == "" {
		sum := sha256.Sum256(raw)
		id = "sha256-" + hex.EncodeToString(sum[:16])
	}
	o.Text("id", id)
	for _, name := range []string{"created_at", "updated_at"} {
		if at, ok := restapi.Moment(text(name), p.zone); ok {
			o.Time(name, at)
		}
	}
	phone := text("phone")
	if p.suffix {
		phone = bare(phone)
	}
	o.Text("phone", restapi.Phone(phone))
	o.Text("full_name", text("name"))
	o.Text("email", text("email"))
	o.Text("company", text("company"))
	o.Text("gender", map[string]string{"0": "unknown", "1": "male", "2": "female"}[text("sex")])
	for _, c := range [...][2]string{{"source", "source_id"}, {"industry", "industry_id"}, {"stage", "grade_id"}} {
		o.Text(c[0], p.label(c[0], text(c[1])))
	}
	if owner := text("user_id"); owner != p.config.UserID {
		o.Text("owner", owner)
	}
	o.Text("external_id", text("extra"))
	p.components(&o, m["components"])
	o.Raw("raw", raw)
	return o.Bytes()
}

// label is the name of an id, the id where it has none.
func (p *pool) label(column, id string) string {
	n, err := strconv.ParseInt(id, 10, 64)
	if name, ok := p.labels[column][n]; ok && err == nil {
		return name
	}
	if id == "0" {
		return ""
	}
	return id
}

// components writes the columns that the vendor keeps as components, and custom. They come as an object of ids and values
// or as a list of {id, value}; the vendor's page shows neither.
func (p *pool) components(o *rows.Object, raw json.RawMessage) {
	values := map[string]json.RawMessage{}
	var list []struct {
		ID    json.RawMessage `json:"id"`
		Value json.RawMessage `json:"value"`
	}
	if json.Unmarshal(raw, &list) == nil {
		for _, c := range list {
			values[flexText(c.ID)] = c.Value
		}
	} else if json.Unmarshal(raw, &values) != nil {
		return
	}
	var custom rows.Object
	used := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(values)) {
		value := values[id]
		if s := string(value); id == "" || s == "" || s == "null" || s == `""` {
			continue
		}
		name, named := p.names[id]
		if _, taken := values[name]; !named || taken || used[name] {
			name = id
		}
		used[name] = true
		text := flexText(value)
		if name == "birthday" {
			text = restapi.Day(text)
		}
		if slices.Contains(componentColumns, name) && text != "" {
			o.Text(name, text)
			continue
		}
		custom.Raw(name, value)
	}
	if b := custom.Bytes(); len(b) > 2 {
		o.Raw("custom", b)
	}
}
