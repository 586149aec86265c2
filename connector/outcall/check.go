package outcall

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/restapi"
)

// probe is a call that changes nothing.
type probe struct {
	signer
	url string
}

// newCheck asks for the first number of the task: token, account and task must all be right for an answer.
func newCheck(cfg connector.Config) (connector.Probe, error) {
	c, err := configOf(cfg)
	if err != nil {
		return nil, err
	}
	return &probe{signer{c.Token}, c.address(c.taskURL()+"/number", url.Values{"page": {"1"}, "per_page": {"1"}})}, nil
}

// componentsProbe asks for the components of the account.
func componentsProbe(c *Config) *probe {
	return &probe{signer{c.Token}, c.address(c.userURL()+"/customer/create", url.Values{})}
}

// address is a URL with its query and the sub-account to act for.
func (c *Config) address(base string, query url.Values) string {
	if c.SubUserID != "" {
		query.Set("sub_user_id", c.SubUserID)
	}
	return withQuery(base, query)
}

func (p *probe) AppendRequest(req *connector.Request) error {
	req.Method, req.URL, req.Endpoint = http.MethodGet, p.url, "check"
	if req.Header == nil {
		req.Header = make(http.Header, 4)
	}
	req.Header["Accept"] = []string{contentJSON}
	return nil
}

// Format keeps the token out of every verb.
func (p *probe) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "outcall probe") }

func (p *probe) ParseResponse(resp *connector.Response) error {
	body := p.clean(resp.Body)
	r, ok := readReply(body)
	var o connector.Outcome
	switch {
	case ok && r.success() && restapi.Succeeded(resp.Status):
		return nil
	case ok && r.code != codeOK:
		o = byCode(r, resp)
	case !restapi.Succeeded(resp.Status):
		o = byStatus(resp, r, body)
	default:
		return connector.Configf("Check that base_url is the API's host, not a web site or a proxy's page", "%w", unreadable(resp.Status, body))
	}
	kind := connector.KindConfig
	switch {
	case o.Throttled:
		kind = connector.KindThrottled
	case o.Verdict == connector.VerdictAmbiguous:
		kind = connector.KindTransient
	}
	return &connector.Error{Kind: kind, What: blame(o.Code), Fix: remedy(o.Code), Err: errors.New("the vendor answered " + o.Code + " " + o.Message)}
}

// blame names the setting that the code points to.
func blame(code string) string {
	switch code {
	case "401":
		return "token was refused"
	case "403":
		return "token may not use this user_id"
	case "404":
		return "user_id, sub_user_id or task_id was not found"
	case codeHTTPPath:
		return "base_url does not serve this interface"
	case codeHTTPServer, "429", "6007":
		return "the vendor cannot answer now"
	}
	return "the vendor refused the check"
}

func remedy(code string) string {
	return restapi.Remedy(vendorErrors, code, "Check token, user_id and task_id in the vendor's console")
}
