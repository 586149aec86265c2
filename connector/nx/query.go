package nx

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
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
	maxPage = 50

	pathQuery     = "/saas/cdp/openapi/customers/query"
	endpointQuery = "customers/query"
)

// puller walks the contacts of one application: a connector.Puller and Signer.
//
// A walk has a fixed lower bound of update time and no upper one, and goes from contact to contact by the vendor's cursor,
// which is an id. Ids do not change, so a contact that changes meanwhile is neither skipped nor moved. One that changes
// after its page was read is for the next walk, which begins at the time at which this one began, less the overlap. That
// time is the vendor's own, out of its answer to the first page; a change after that bears a later one, if time_zone is
// right. Until an answer has shown that it is, the next walk begins no later than at the latest change seen.
type puller struct {
	*signer
	url     string
	prefix  []byte // the body up to what differs from page to page
	account string // whose positions these are
	start   string // the configured bound as the vendor writes times, "" if none
	follow  bool   // a later walk begins where this one did
	overlap time.Duration
	zone    *time.Location
	columns columns
}

func newPuller(cfg connector.Config, stream string) (connector.Puller, error) {
	c, err := sourceConfigOf(cfg)
	if err != nil {
		return nil, err
	}
	if stream != streamContacts {
		return nil, connector.Configf("Read the stream "+streamContacts, "there is no stream %q", stream)
	}
	zone, err := restapi.Zone("time_zone", c.TimeZone)
	if err != nil {
		return nil, err
	}
	p := &puller{
		signer: newSigner(c.account()), url: c.settings().url(pathQuery), prefix: queryPrefix(c, c.PageSize),
		account: strconv.FormatInt(c.TenantID, 10) + "/" + c.AppKey, follow: c.Incremental, overlap: time.Duration(c.OverlapMinutes) * time.Minute,
		zone: zone, columns: newColumns(c, zone),
	}
	if c.StartTime != "" {
		at, err := time.Parse(time.RFC3339, c.StartTime)
		if err != nil {
			return nil, connector.Configf("Write it like 2026-01-01T00:00:00Z", "start_time %q is not a time in RFC 3339", c.StartTime)
		}
		p.start = p.text(at)
	}
	return p, nil
}

// queryPrefix is what all bodies begin with.
func queryPrefix(c *SourceConfig, limit int64) []byte {
	b := strconv.AppendInt([]byte(`{"tenant_id":`), c.TenantID, 10)
	b = rows.AppendString(append(b, `,"app_key":`...), c.AppKey)
	return strconv.AppendInt(append(b, `,"limit":`...), limit, 10)
}

// position is where a walk stands. Times are texts of the vendor, in its zone; as such they compare.
type position struct {
	Of    string `json:"of"`              // tenant and application
	Since string `json:"since,omitempty"` // lower bound of this walk
	After *int64 `json:"after,omitempty"` // nil: at the first page
	Began string `json:"began,omitempty"` // the vendor's time at the first page
	Top   string `json:"top,omitempty"`   // latest change seen in this walk
	Zone  string `json:"zone,omitempty"`  // the zone that was shown to be right
}

func (p *puller) read(from connector.Position) (position, error) {
	if from == nil {
		return position{Of: p.account, Since: p.start}, nil
	}
	var at position
	d := json.NewDecoder(bytes.NewReader(from))
	d.DisallowUnknownFields()
	if err := d.Decode(&at); err != nil || d.More() {
		return at, connector.Configf(connector.ReadAnew, "the saved position of %s cannot be read", streamContacts)
	}
	if at.Of != p.account {
		return at, connector.Configf(connector.ReadAnew+", or put the old tenant_id and app_key back", "the saved position belongs to the account %q, not to %q", at.Of, p.account)
	}
	for _, text := range []string{at.Since, at.Began, at.Top} {
		if _, err := time.Parse(time.DateTime, text); text != "" && err != nil {
			return at, connector.Configf(connector.ReadAnew, "the saved position of %s holds %q for a time", streamContacts, text)
		}
	}
	if at.After == nil && !p.follow { // it ended a walk when incremental was still set
		at.Since = p.start
	}
	return at, nil
}

func (at position) write() (connector.Position, error) {
	b, err := json.Marshal(at)
	if err != nil {
		return nil, fmt.Errorf("nx: position: %w", err)
	}
	return b, nil
}

// AppendQuery asks for the page behind the position.
func (p *puller) AppendQuery(req *connector.Request, from connector.Position) error {
	at, err := p.read(from)
	if err != nil {
		return err
	}
	b := append(req.Body, p.prefix...)
	if at.Since != "" {
		b = rows.AppendString(append(b, `,"start_time":`...), at.Since)
	}
	if at.After != nil {
		b = strconv.AppendInt(append(b, `,"after":`...), *at.After, 10)
	}
	req.Body = append(b, '}')
	req.Method, req.URL, req.Endpoint = http.MethodPost, p.url, endpointQuery
	if req.Header == nil {
		req.Header = make(http.Header, 8)
	}
	req.Header[headerType] = contentJSON
	return nil
}

// Format keeps the secrets of the embedded signer out of every verb.
func (p *puller) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "nx puller") }

// ParsePage reads a page. The walk ends at a page without contacts: a short page might have more behind it.
func (p *puller) ParsePage(resp *connector.Response, from connector.Position, out connector.Rows) (connector.Page, connector.Outcome, error) {
	at, err := p.read(from)
	if err != nil {
		return connector.Page{}, connector.Outcome{}, err
	}
	o, err := outcome(resp)
	if err != nil {
		return connector.Page{}, o, fmt.Errorf("%s", p.mask(err.Error()))
	}
	if o.Verdict == connector.VerdictSuspect { // nothing in the query can be halved
		o.Verdict = connector.VerdictRejected
	}
	if o.Message = p.mask(o.Message); o.Verdict != connector.VerdictDelivered {
		return connector.Page{}, o, nil
	}
	o.Message = "" // it holds the contacts
	r, _ := readReply(resp.Body)
	page, err := readPage(r.data)
	if err != nil {
		return connector.Page{}, o, err
	}
	latest, now := p.latest(page), p.clock(resp)
	if at.After == nil {
		// Without the vendor's time, the latest change on the first page: what changes later bears no earlier time.
		at.Began = cmp.Or(p.text(now), latest)
	}
	if !now.IsZero() && latest >= p.text(now.Add(-p.overlap)) {
		// A change that recent cannot be if our zone were ahead of the vendor's by more than the overlap.
		at.Zone = p.zone.String()
	}
	if len(page.customers) == 0 {
		next, err := p.end(at)
		return connector.Page{Next: next}, o, err
	}
	if at.After, err = page.behind(at.After); err != nil {
		return connector.Page{}, o, err
	}
	at.Top = max(at.Top, latest)
	next, err := at.write()
	if err != nil {
		return connector.Page{}, o, err
	}
	for _, raw := range page.customers {
		if err := out.AppendJSON(streamContacts, p.columns.row(raw)); err != nil {
			return connector.Page{}, o, err
		}
	}
	return connector.Page{Next: next, More: true}, o, nil
}

// clock is the vendor's time, zero if the answer does not tell it.
func (p *puller) clock(resp *connector.Response) time.Time {
	at, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return at
}

// text is a time as the vendor writes it.
func (p *puller) text(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.In(p.zone).Format(time.DateTime)
}

// latest is the latest change on a page, "" if it tells none.
func (p *puller) latest(page customerPage) (latest string) {
	for _, raw := range page.customers {
		var c struct {
			Updated json.RawMessage `json:"updated_at"`
		}
		if json.Unmarshal(raw, &c) != nil {
			continue
		}
		if at, ok := restapi.Moment(restapi.Text(c.Updated), p.zone); ok {
			latest = max(latest, p.text(at))
		}
	}
	return latest
}

// end is where the next walk begins. The bound never goes back: what lies before it was read.
func (p *puller) end(at position) (connector.Position, error) {
	if !p.follow {
		return nil, nil
	}
	bound := at.Began
	if at.Zone != p.zone.String() {
		at.Zone = ""
		bound = min(at.Top, at.Began) // "" where no change was seen
	}
	if bound != "" {
		began, err := time.Parse(time.DateTime, bound)
		if err != nil {
			return nil, fmt.Errorf("nx: position: %w", err)
		}
		at.Since = max(at.Since, began.Add(-p.overlap).Format(time.DateTime))
	}
	if at.Since == "" {
		return nil, nil
	}
	return position{Of: p.account, Since: at.Since, Zone: at.Zone}.write()
}

// customerPage is a page as read.
type customerPage struct {
	customers []json.RawMessage
	cursor    *int64 // the vendor's own, nil if it gives none
}

// readPage reads the data of an answer. The vendor's page shows neither the names in paging nor the end of the list, so
// the likely ones are all understood.
func readPage(data []byte) (customerPage, error) {
	var page customerPage
	if data == nil || json.Unmarshal(data, &page.customers) == nil {
		return page, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return page, fmt.Errorf("nx: the page of contacts is no object: %w", err)
	}
	found := false
	for _, name := range []string{"customers", "list", "records", "data", "items"} {
		if found = json.Unmarshal(members[name], &page.customers) == nil && string(members[name]) != "null"; found {
			break
		}
	}
	if !found && string(members["customers"]) != "null" {
		names := slices.Sorted(maps.Keys(members))
		return page, fmt.Errorf("nx: the page of contacts has no list of them, only %s", restapi.Clip(strings.Join(names, ", ")))
	}
	var paging map[string]json.RawMessage
	if json.Unmarshal(members["paging"], &paging) != nil {
		return page, nil
	}
	for _, name := range []string{"after", "next", "next_cursor"} {
		if cursor, ok := restapi.Int(paging[name]); ok && cursor > 0 {
			page.cursor = &cursor
			break
		}
	}
	return page, nil
}

// behind is the cursor of the next page: the vendor's, or else the id of the last contact. One that does not move would
// read the same page for ever.
func (page customerPage) behind(after *int64) (*int64, error) {
	moved := func(cursor int64) bool { return after == nil || *after != cursor }
	if page.cursor != nil && moved(*page.cursor) {
		return page.cursor, nil
	}
	var last struct {
		ID json.RawMessage `json:"id"`
	}
	if err := json.Unmarshal(page.customers[len(page.customers)-1], &last); err == nil {
		if id, ok := restapi.Int(last.ID); ok && moved(id) {
			return &id, nil
		}
	}
	return nil, fmt.Errorf("nx: the page of contacts does not say where the next one begins")
}
