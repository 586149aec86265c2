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

// Beginnings of tokens; see the package comment.
const (
	tokenImport  = "id:"
	tokenAddress = "url:"
	tokenPage    = "page:"
)

// pageSize is how many numbers of the task are asked for at once; the vendor may give fewer.
const pageSize = 1000

// AppendPoll asks for the next step of an import, or, where the reply was lost, for a page of the task's numbers.
func (c *codec) AppendPoll(req *connector.Request, token string, _ arrow.Record) error {
	sub := url.Values{}
	if c.config.SubUserID != "" {
		sub.Set("sub_user_id", c.config.SubUserID)
	}
	endpoint, address := "", ""
	switch {
	case strings.HasPrefix(token, tokenImport):
		id := token[len(tokenImport):]
		if !safeID(id) {
			return connector.Internalf("", "outcall: poll with the token %q", token)
		}
		endpoint, address = "identification", withQuery(c.config.userURL()+"/identification/"+id, sub)
	case strings.HasPrefix(token, tokenAddress):
		endpoint, address = "download-number", token[len(tokenAddress):]
		if err := c.guard(address); err != nil {
			return err
		}
	case token == "" || strings.HasPrefix(token, tokenPage):
		page := 1
		if token != "" {
			var err error
			if page, err = strconv.Atoi(token[len(tokenPage):]); err != nil || page < 1 {
				return connector.Internalf("", "outcall: poll with the token %q", token)
			}
		}
		sub.Set("page", strconv.Itoa(page))
		sub.Set("per_page", strconv.Itoa(pageSize))
		endpoint, address = "task/"+c.config.TaskID+"/numbers", withQuery(c.config.taskURL()+"/number", sub)
	default:
		return connector.Internalf("", "outcall: poll with the token %q", token)
	}
	req.Method, req.URL, req.Endpoint = http.MethodGet, address, endpoint
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

// guard lets only addresses of the configured host pass: the token goes with each call, and the address is data.
func (c *codec) guard(address string) error {
	const fix = "Set base_url to that host if it is the vendor's own, or use settle: accepted"
	base, err := url.Parse(c.config.BaseURL)
	if err != nil {
		return connector.Configf(fix, "base_url cannot be read as a URL")
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Opaque != "":
		return connector.Configf(fix, "the address of the imported numbers cannot be read as a URL")
	case !strings.EqualFold(u.Scheme, base.Scheme) || !strings.EqualFold(hostPort(u), hostPort(base)) || u.User != nil:
		return connector.Configf(fix, "the imported numbers are offered at %s://%s, which is not the host of base_url", restapi.Clip(u.Scheme), restapi.Clip(u.Host))
	}
	return nil
}

// hostPort is the host with its port, the scheme's own where none is given.
func hostPort(u *url.URL) string {
	port := u.Port()
	switch {
	case port != "":
	case strings.EqualFold(u.Scheme, "https"):
		port = "443"
	default:
		port = "80"
	}
	return u.Hostname() + ":" + port
}

// pollAnswer is every answer to a poll; which one it is shows in what it holds.
type pollAnswer struct {
	Numbers *[]json.RawMessage `json:"numbers"` // of an address
	Number  json.RawMessage    `json:"number"`  // of an import of one number
	URL     string             `json:"url"`     // of an import
	Data    json.RawMessage    `json:"data"`
	Meta    *struct {
		Current json.RawMessage `json:"current_page"`
		Last    json.RawMessage `json:"last_page"`
	} `json:"meta"` // of a page
}

// ParsePoll reads the answer to a poll. Pending without a token means: ask again later.
func (c *codec) ParsePoll(resp *connector.Response, _ string, rec arrow.Record) (connector.Outcome, error) {
	body := c.clean(resp.Body)
	r, enveloped := readReply(body)
	if o, settled := c.pollRefused(resp, r, enveloped, body); settled {
		return o, nil
	}
	var a pollAnswer
	if json.Unmarshal(body, &a) != nil {
		return connector.Outcome{}, unreadable(resp.Status, body)
	}
	if a.Meta != nil {
		return c.byPage(a, rec)
	}
	// The vendor's page on the import's answer does not show it: the payload of its callback is expected, once or
	// wrapped in the envelope.
	for depth := 0; ; depth++ {
		switch {
		case a.Numbers != nil:
			return c.byNumbers(*a.Numbers, rec)
		case a.URL != "":
			return c.byAddress(a.URL), nil
		case flexText(a.Number) != "":
			return c.byNumbers([]json.RawMessage{a.Number}, rec)
		}
		var inner pollAnswer
		if depth == 2 || json.Unmarshal(a.Data, &inner) != nil {
			break
		}
		a = inner
	}
	if !enveloped {
		return connector.Outcome{}, unreadable(resp.Status, body)
	}
	return connector.Outcome{Verdict: connector.VerdictPending, Code: strconv.FormatInt(r.code, 10), Message: r.message}, nil
}

// pollRefused reads an answer that is no success. What does not name the configuration is asked again: an import that
// the vendor does not know yet may come.
func (c *codec) pollRefused(resp *connector.Response, r reply, enveloped bool, body []byte) (connector.Outcome, bool) {
	var o connector.Outcome
	switch {
	case enveloped && r.code != codeOK:
		o = byCode(r, resp)
		if r.code == codeMissing {
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

func (c *codec) byAddress(address string) connector.Outcome {
	o := connector.Outcome{Verdict: connector.VerdictPending}
	if err := c.guard(address); err != nil {
		o.Stop, o.Code, o.Message = connector.KindConfig, codeForeign, err.Error()
		return o
	}
	o.Token = tokenAddress + address
	return o
}

// byNumbers reads the list of imported numbers: what is not in it was not imported. A number that is in it once was
// imported once, so rows that share one take turns.
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
		o.Rows = append(o.Rows, connector.RowResult{
			Row: row, Verdict: connector.VerdictRejected, Code: codeNotImported, Field: colPhone,
			Message: "the number is not among those that the CRM imported; it gives no reason",
		})
	}
	return o, nil
}

// byPage reads a page of the task's numbers after a lost reply. Numbers on it are there. What is not on the only page is
// known not to be there; this counts once several look-ups have said so, since an accepted import may not be in yet. A
// walk over several pages follows tokens, and what ends one counts at once: it proves nothing, so that such rows are
// looked up anew and at last left to a person. Where numbers get suffixes, one that is there may be of an earlier request.
func (c *codec) byPage(a pollAnswer, rec arrow.Record) (connector.Outcome, error) {
	current, ok := restapi.Int(a.Meta.Current)
	last, ok2 := restapi.Int(a.Meta.Last)
	var items []struct {
		Phone  json.RawMessage `json:"phone"`
		Number json.RawMessage `json:"number"`
	}
	if !ok || !ok2 || current < 1 || json.Unmarshal(a.Data, &items) != nil {
		return connector.Outcome{}, fmt.Errorf("outcall: a page of the task's numbers cannot be read: %s", restapi.Clip(string(a.Data)))
	}
	there := make(map[string]bool, len(items))
	for _, item := range items {
		number := flexText(item.Phone)
		if number == "" {
			number = flexText(item.Number)
		}
		if number == "" {
			return connector.Outcome{}, fmt.Errorf("outcall: a page of the task's numbers holds an entry without a number")
		}
		there[c.listed(number)] = true
	}
	o := connector.Outcome{Verdict: connector.VerdictRetry, Message: "the number is not in the task"}
	switch {
	case current < last:
		o = connector.Outcome{Verdict: connector.VerdictPending, Token: tokenPage + strconv.FormatInt(current+1, 10)}
	case last > 1:
		o.Verdict, o.Code = connector.VerdictAmbiguous, connector.CodeAmbiguous
		o.Message = "the number was on none of the pages of the task, which may have grown meanwhile"
	}
	for row := range int(rec.NumRows()) {
		if !there[c.sent(rec, row)] {
			continue
		}
		r := connector.RowResult{Row: row, Verdict: connector.VerdictDelivered}
		if c.config.NumberAddSuffix {
			r.Verdict, r.Code = connector.VerdictAmbiguous, connector.CodeAmbiguous
			r.Message = "the task holds the number, but with number_add_suffix it may be of an earlier request"
		}
		o.Rows = append(o.Rows, r)
	}
	return o, nil
}

// sent is the number of a row as it was sent.
func (c *codec) sent(rec arrow.Record, row int) string {
	text := textAt(rec, c.phone, row)
	if number, bad := c.number(text); bad == "" {
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
