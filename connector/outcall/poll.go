package outcall

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/restapi"
)

// Beginnings of tokens; see the package comment. leftOut comes before one of the last two.
const (
	tokenImport  = "id:"
	tokenAddress = "url:"
	tokenPage    = "page:"
	tokenNumber  = "number:"

	leftOut = "left:"
)

// step is a token, read.
type step struct {
	kind string // how the token begins
	text string // the rest of it
	page int64  // where kind is tokenPage
	left bool   // the rows are what an import left out; else nobody knows what became of them
}

func readStep(token string) (s step, ok bool) {
	if token == "" {
		return step{kind: tokenPage, page: 1}, true
	}
	token, s.left = strings.CutPrefix(token, leftOut)
	for _, s.kind = range []string{tokenImport, tokenAddress, tokenPage, tokenNumber} {
		if s.text, ok = strings.CutPrefix(token, s.kind); ok {
			break
		}
	}
	switch {
	case !ok || s.text == "":
		return s, false
	case s.kind == tokenPage:
		var err error
		s.page, err = strconv.ParseInt(s.text, 10, 64)
		return s, err == nil && s.page > 0
	}
	return s, !s.left || s.kind == tokenNumber
}

// token is the token of another step of the same search.
func (s step) token(kind, text string) string {
	if s.left {
		return leftOut + kind + text
	}
	return kind + text
}

// AppendPoll asks for the next step of an import, or for the numbers of the task.
func (c *codec) AppendPoll(req *connector.Request, token string, _ arrow.Record) error {
	s, ok := readStep(token)
	if !ok || s.kind == tokenImport && !safeID(s.text) {
		return connector.Internalf("", "outcall: poll with the token %q", token)
	}
	query := url.Values{}
	if c.config.SubUserID != "" {
		query.Set("sub_user_id", c.config.SubUserID)
	}
	switch s.kind {
	case tokenImport:
		req.Endpoint, req.URL = "identification", withQuery(c.config.userURL()+"/identification/"+s.text, query)
	case tokenAddress:
		address, err := c.guard(s.text)
		if err != nil {
			return err
		}
		req.Endpoint, req.URL = "download-number", address
	case tokenPage:
		query.Set("page", strconv.FormatInt(s.page, 10))
		query.Set("per_page", strconv.Itoa(pageSize))
		req.Endpoint, req.URL = "task/"+c.config.TaskID+"/numbers", withQuery(c.config.taskURL()+"/number", query)
	case tokenNumber:
		// With phone_format any, a number may be two dots, which a path must not hold as they are.
		number := strings.ReplaceAll(url.PathEscape(s.text), ".", "%2E")
		req.Endpoint, req.URL = "task/"+c.config.TaskID+"/detail", withQuery(c.config.taskURL()+"/number/detail/"+number, query)
	}
	req.Method = http.MethodGet
	if req.Header == nil {
		req.Header = make(http.Header, 4)
	}
	req.Header["Accept"] = []string{contentJSON}
	return nil
}

func withQuery(address string, query url.Values) string {
	if len(query) == 0 {
		return address
	}
	return address + "?" + query.Encode()
}

// guard lets only addresses of the configured host pass: the token goes with each call, and the address is data. The
// vendor's own example names the host with http, so such an address is called by the scheme of base_url.
func (c *codec) guard(address string) (string, error) {
	const fix = "Set base_url to that host if it is the vendor's own, or use settle: accepted"
	base, err := url.Parse(c.config.BaseURL)
	if err != nil {
		return "", connector.Configf(fix, "base_url cannot be read as a URL")
	}
	u, err := url.Parse(address)
	if err != nil || u.Opaque != "" {
		return "", connector.Configf(fix, "the address of the imported numbers cannot be read as a URL")
	}
	upgraded := strings.EqualFold(u.Scheme, "http") && strings.EqualFold(base.Scheme, "https") &&
		strings.EqualFold(u.Hostname(), base.Hostname()) && portOf(u) == "80" && portOf(base) == "443"
	same := strings.EqualFold(u.Scheme, base.Scheme) && strings.EqualFold(u.Hostname(), base.Hostname()) && portOf(u) == portOf(base)
	if !same && !upgraded || u.User != nil {
		return "", connector.Configf(fix, "the imported numbers are offered at %s://%s, which is not the host of base_url", restapi.Clip(u.Scheme), restapi.Clip(u.Host))
	}
	if upgraded {
		u.Scheme, u.Host = base.Scheme, base.Host
		return u.String(), nil
	}
	return address, nil
}

// portOf is the port of an address, the scheme's own where it names none.
func portOf(u *url.URL) string {
	if port := u.Port(); port != "" {
		return port
	}
	if strings.EqualFold(u.Scheme, "https") {
		return "443"
	}
	return "80"
}

// ParsePoll reads the answer to a poll. Pending without a token means: ask again later.
func (c *codec) ParsePoll(resp *connector.Response, token string, rec arrow.Record) (connector.Outcome, error) {
	s, ok := readStep(token)
	if !ok {
		return connector.Outcome{}, connector.Internalf("", "outcall: an answer to the token %q", token)
	}
	body := c.clean(resp.Body)
	r, enveloped := readReply(body)
	if s.kind == tokenNumber && resp.Status < 500 && (enveloped && r.code == codeMissing || !enveloped && resp.Status == http.StatusNotFound) {
		return c.byNumber(s, nil, enveloped, rec)
	}
	if o, refused := c.pollRefused(s, resp, r, enveloped, body); refused {
		return o, nil
	}
	switch {
	case s.kind == tokenPage && enveloped:
		return c.byPage(s, body, rec)
	case s.kind == tokenNumber && enveloped:
		return c.byDetail(s, r.data, rec)
	case s.kind == tokenPage || s.kind == tokenNumber:
		return connector.Outcome{}, unreadable(resp.Status, body)
	}
	return c.byImport(resp.Status, r, enveloped, body, rec)
}

// pollRefused reads an answer that is no success. What does not name the configuration is asked again: an import that
// the vendor does not know yet may come.
func (c *codec) pollRefused(s step, resp *connector.Response, r reply, enveloped bool, body []byte) (connector.Outcome, bool) {
	var o connector.Outcome
	switch {
	case enveloped && r.code != codeOK:
		o = byCode(r, resp)
		if r.code == codeMissing && s.kind != tokenPage {
			o.Stop = connector.KindNone
		}
	case !restapi.Succeeded(resp.Status):
		o = byStatus(resp, r, body)
	default:
		return o, false
	}
	o.Verdict = connector.VerdictPending
	return o, true
}

// importAnswer is every answer about an import; which one it is shows in what it holds.
type importAnswer struct {
	Numbers *[]json.RawMessage `json:"numbers"` // of an address
	Number  json.RawMessage    `json:"number"`  // of an import of one number
	URL     string             `json:"url"`     // of an import
	Data    json.RawMessage    `json:"data"`
}

// byImport reads what became of an import. The vendor's page does not show this answer: the payload of its callback is
// expected, once or wrapped in the envelope.
func (c *codec) byImport(status int, r reply, enveloped bool, body []byte, rec arrow.Record) (connector.Outcome, error) {
	var a importAnswer
	if json.Unmarshal(body, &a) != nil {
		return connector.Outcome{}, unreadable(status, body)
	}
	for depth := 0; ; depth++ {
		switch {
		case a.Numbers != nil:
			return c.byNumbers(*a.Numbers, rec)
		case a.URL != "":
			return c.byAddress(a.URL), nil
		case flexText(a.Number) != "":
			return c.byNumbers([]json.RawMessage{a.Number}, rec)
		}
		var inner importAnswer
		if depth == 2 || json.Unmarshal(a.Data, &inner) != nil {
			break
		}
		a = inner
	}
	if !enveloped {
		return connector.Outcome{}, unreadable(status, body)
	}
	return connector.Outcome{Verdict: connector.VerdictPending, Code: strconv.FormatInt(r.code, 10), Message: r.message}, nil
}

func (c *codec) byAddress(address string) connector.Outcome {
	o := connector.Outcome{Verdict: connector.VerdictPending}
	address, err := c.guard(address)
	if err != nil {
		o.Stop, o.Code, o.Message = connector.KindConfig, codeForeign, err.Error()
		return o
	}
	o.Token = tokenAddress + address
	return o
}

// byNumbers reads the list of imported numbers. A number that is in it once was imported once, so rows that share one
// take turns. What is not in it was not imported; whether it was there before is looked up, unless numbers get suffixes,
// under which a look-up by number finds nothing.
func (c *codec) byNumbers(numbers []json.RawMessage, rec arrow.Record) (connector.Outcome, error) {
	in := make(map[string]int, len(numbers))
	for _, raw := range numbers {
		number := flexText(raw)
		if number == "" {
			return connector.Outcome{}, fmt.Errorf("outcall: the list of imported numbers holds %s", restapi.Clip(string(raw)))
		}
		in[c.listed(number)]++
	}
	o := connector.Outcome{Verdict: connector.VerdictDelivered}
	for row := range int(rec.NumRows()) {
		phone := c.sent(rec, row)
		if in[phone] > 0 {
			in[phone]--
			continue
		}
		out := connector.RowResult{Row: row, Verdict: connector.VerdictPending}
		if c.config.NumberAddSuffix {
			out = notImported(row, "")
		}
		o.Rows = append(o.Rows, out)
	}
	if len(o.Rows) > 0 && !c.config.NumberAddSuffix {
		s := step{left: true}
		if o.Token = s.token(tokenPage, "1"); len(o.Rows) <= fewNumbers {
			o.Token = s.token(tokenNumber, c.sent(rec, o.Rows[0].Row))
		}
	}
	return o, nil
}

// sent is the number of a row as it was sent.
func (c *codec) sent(rec arrow.Record, row int) string {
	text := textAt(rec, c.phone, row)
	if number, bad := c.number(text, false); bad == "" {
		return number
	}
	return text
}

// listed is a number of a list in the form in which it was sent.
func (c *codec) listed(number string) string {
	if c.config.NumberAddSuffix {
		return bare(number)
	}
	return number
}
