package template

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/restapi"
)

// probe asks for the account, which changes nothing.
type probe struct {
	signer
	url string
}

func newCheck(cfg connector.Config) (connector.Probe, error) {
	c, err := configOf(cfg)
	if err != nil {
		return nil, err
	}
	return &probe{signer{c.APIKey}, c.url("/v1/account?account=" + url.QueryEscape(c.Account))}, nil
}

func (p *probe) AppendRequest(req *connector.Request) error {
	req.Method, req.URL, req.Endpoint = http.MethodGet, p.url, "account"
	return nil
}

// Format keeps the key of the embedded signer out of every verb.
func (p *probe) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "template probe") }

// ParseResponse passes a success and names the setting at fault otherwise.
func (p *probe) ParseResponse(resp *connector.Response) error {
	o, err := outcome(resp, 0)
	if err != nil {
		return connector.Configf("Check that base_url is the API's host, not a web site or a proxy's page", "%s", p.mask(err.Error()))
	}
	what, kind := "the vendor refused the check", connector.KindConfig
	switch {
	case o.Verdict == connector.VerdictDelivered:
		return nil
	case o.Code == "1" || o.Code == restapi.CodeAuth:
		what = "api_key was refused"
	case o.Code == "2":
		what = "account was refused"
	case o.Code == restapi.CodePath:
		what = "base_url does not serve this interface"
	case o.Throttled:
		what, kind = "the vendor takes no calls now", connector.KindThrottled
	case o.Verdict == connector.VerdictRetry:
		what, kind = "the vendor cannot answer now", connector.KindTransient
	}
	fix := restapi.Remedy(vendorErrors, o.Code, "Check api_key and account in the vendor's console")
	return &connector.Error{Kind: kind, What: what, Fix: fix, Err: errors.New("the vendor answered " + o.Code + " " + p.mask(o.Message))}
}
