package nx

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/restapi"
)

// probe is one signed call that changes nothing.
type probe struct {
	*signer
	method, url, endpoint string
	body                  []byte
	// parameterErrorPasses is set where the call is wrong on purpose: an empty list is refused with 1002, but only after
	// the credentials were found right. That order is assumed; no page of the vendor says it.
	parameterErrorPasses bool
}

// newCheck asks NXCloud for its list of fields. NXLink documents no call that only reads, so it is sent no customers.
func newCheck(cfg connector.Config) (connector.Probe, error) {
	s, err := settingsOf(cfg)
	if err != nil {
		return nil, err
	}
	if s.contract != contractSea {
		return fieldsProbe(&s), nil
	}
	body := append(bodyPrefix(&s, typeOf[modeInsert]), "]}"...)
	return &probe{
		signer: newSigner(&s.Account), method: http.MethodPost, url: s.url(pathSeaCreate), endpoint: endpointCreate,
		body: body, parameterErrorPasses: true,
	}, nil
}

// fieldsProbe asks for the fields of the tenant's contacts. Its query is not signed.
func fieldsProbe(s *settings) *probe {
	query := "?tenant_id=" + strconv.FormatInt(s.TenantID, 10) + "&app_key=" + url.QueryEscape(s.AppKey)
	return &probe{signer: newSigner(&s.Account), method: http.MethodGet, url: s.url(pathFields) + query, endpoint: endpointFields}
}

func (p *probe) AppendRequest(req *connector.Request) error {
	req.Method, req.URL, req.Endpoint = p.method, p.url, p.endpoint
	req.Body = append(req.Body, p.body...)
	if req.Header == nil {
		req.Header = make(http.Header, 8)
	}
	req.Header[headerType] = []string{"application/json"}
	return nil
}

// Format keeps the secrets of the embedded signer out of every verb.
func (p *probe) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "nx probe") }

func (p *probe) ParseResponse(resp *connector.Response) error {
	o, err := outcome(resp)
	if err != nil {
		return connector.Configf("Check that base_url is the API's host, not a web site or a proxy's page", "%s", p.mask(err.Error()))
	}
	if o.Verdict == connector.VerdictDelivered || (p.parameterErrorPasses && o.Code == strconv.Itoa(codeParameter)) {
		return nil
	}
	said := o.Code
	if o.Message != "" {
		said += " " + p.mask(o.Message)
	}
	if o.RequestID != "" {
		said += " (trace " + o.RequestID + ")"
	}
	kind := connector.KindConfig
	if o.Verdict == connector.VerdictRetry && o.Stop == connector.KindNone && o.Clock.IsZero() && o.Code != strconv.Itoa(codeClock) {
		kind = connector.KindTransient
		if o.Throttled {
			kind = connector.KindThrottled
		}
	}
	return &connector.Error{Kind: kind, What: blame(o.Code), Fix: remedy(o.Code), Err: errors.New("the vendor answered " + said)}
}

// blame names the setting that the code points to.
func blame(code string) string {
	switch code {
	case strconv.Itoa(codePermission):
		return "access_key was refused"
	case strconv.Itoa(codeSignature):
		return "the signature was refused: access_secret or algorithm is wrong"
	case strconv.Itoa(codeClock):
		return "this machine's clock is wrong"
	case strconv.Itoa(codeNoTenant), strconv.Itoa(codeTenant):
		return "tenant_id was refused"
	case strconv.Itoa(codeNoApp), strconv.Itoa(codeApp):
		return "app_key was refused"
	case strconv.Itoa(codeNoHeader):
		return "a signed header did not arrive"
	case strconv.Itoa(codeParameter):
		return "tenant_id or app_key was refused"
	case restapi.CodePath:
		return "base_url does not serve this interface"
	case restapi.CodeServer, restapi.CodeBusy, strconv.Itoa(codeFailed):
		return "the vendor cannot answer now"
	}
	return "the vendor refused the check"
}

func remedy(code string) string {
	otherwise := "Check access_key, access_secret, tenant_id and app_key in the vendor's console"
	if code == strconv.Itoa(codeParameter) {
		otherwise = "Copy tenant_id and app_key from the vendor's console"
	}
	return restapi.Remedy(vendorErrors, code, otherwise)
}
