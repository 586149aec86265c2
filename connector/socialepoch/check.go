package socialepoch

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/restapi"
)

// probe is an import of nobody: it is refused because it holds no contacts, but only after the token was found right.
// That order is assumed; no page of the vendor says it.
type probe struct {
	*signer
	url  string
	body []byte
}

func newCheck(cfg connector.Config) (connector.Probe, error) {
	c, err := configOf(cfg)
	if err != nil {
		return nil, err
	}
	return &probe{signer: newSigner(c), url: c.url(endpoints[0].path), body: append(bodyPrefix(c.TenantID), "]}"...)}, nil
}

func (p *probe) AppendRequest(req *connector.Request) error {
	req.Method, req.URL, req.Endpoint = http.MethodPost, p.url, endpoints[0].name
	req.Body = append(req.Body, p.body...)
	if req.Header == nil {
		req.Header = make(http.Header, 4)
	}
	req.Header[headerType] = contentJSON
	return nil
}

// Format keeps the key of the embedded signer out of every verb.
func (p *probe) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "socialepoch probe") }

// ParseResponse passes a success, and the complaint that there are no contacts. The vendor gives that complaint and a
// wrong token one code; its message tells them apart.
func (p *probe) ParseResponse(resp *connector.Response) error {
	r, ok := readReply(resp.Body)
	success := restapi.Succeeded(resp.Status)
	if ok && success && (r.code == codeOK || r.code == codeParameter && aboutData(r.message)) {
		return nil
	}
	o, err := outcome(resp, &batch{})
	if err != nil {
		return connector.Configf("Check that base_url is the API's host, not a web site or a proxy's page", "%s", p.mask(err.Error()))
	}
	said := strings.TrimSpace(o.Code + " " + p.mask(o.Message))
	what, kind := "the vendor refused the check", connector.KindConfig
	fix := "Check tenant_id and api_key with the company's administrator"
	switch {
	case o.Code == restapi.CodePath:
		what, fix = "base_url does not serve this interface", "Set base_url to the host that the vendor gave you, without the path"
	case o.Throttled:
		what, fix, kind = "the vendor takes no calls now", "Try again later", connector.KindThrottled
	case r.code == codeParameter && ok && aboutTime(r.message):
		what, fix = "the token was refused for its time", "Set this machine's clock by NTP"
	case r.code == codeParameter && ok:
		what = "tenant_id or api_key was refused"
		fix = "Copy both from the company's administrator; also check this machine's clock, and that no proxy drops the header tenant_id"
	case o.Stop == connector.KindConfig:
		what = "api_key was refused"
	case o.Verdict == connector.VerdictRetry:
		what, fix, kind = "the vendor cannot answer now", "Try again later", connector.KindTransient
	}
	return &connector.Error{Kind: kind, What: what, Fix: fix, Err: errors.New("the vendor answered " + said)}
}

// aboutData reports whether the vendor complains that a request holds no contacts.
func aboutData(message string) bool {
	message = strings.ToLower(message)
	return strings.Contains(message, "data") && (strings.Contains(message, "null") || strings.Contains(message, "empty")) ||
		strings.Contains(message, "数据") && strings.Contains(message, "空")
}
