package sandbox

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"hash"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/sluicehq/sluice/internal/sandbox"
)

// The vendor's codes.
const (
	codeMissingHeader = 1001
	codeParameter     = 1002
	codeSign          = 1003
	codeExpired       = 1004
	codePermission    = 1005
	codeNoTenant      = 21058
	codeNoApp         = 21059
	codeUnknownTenant = 22020
	codeUnknownApp    = 22124
)

// tolerance is how far ts may be from the clock, in milliseconds.
const tolerance = 60_000

// fault is an answer other than success.
type fault struct {
	code    int
	message string
}

func refuse(code int, message string) *fault { return &fault{code, message} }

func badParameter(message string) *fault { return refuse(codeParameter, message) }

// authenticate checks headers and signature; the account is whose key and secret fit.
func (s *Service) authenticate(c *sandbox.Call) (*account, *fault) {
	h := c.Header
	for _, name := range [...]string{"accessKey", "ts", "bizType", "action", "sign"} {
		if h.Get(name) == "" {
			return nil, refuse(codeMissingHeader, "Missing common parameters: "+name)
		}
	}
	if h.Get("bizType") != "2" || h.Get("action") != "mt" {
		return nil, badParameter("Parameter error: bizType must be 2 and action must be mt")
	}
	algorithm := strings.ToLower(h.Get("algorithm"))
	var sum hash.Hash
	switch algorithm {
	case "", "md5":
		sum = md5.New()
	case "sha256":
		sum = sha256.New()
	default:
		return nil, badParameter("Parameter error: algorithm must be md5 or sha256")
	}
	acct, ok := s.accounts[h.Get("accessKey")]
	if !ok {
		return nil, refuse(codePermission, "Insufficient permissions")
	}
	ts, err := strconv.ParseInt(h.Get("ts"), 10, 64)
	now := c.Now.UnixMilli()
	if err != nil || ts < now-tolerance || ts > now+tolerance {
		return nil, refuse(codeExpired, "Timestamp has expired")
	}
	if c.Method == http.MethodPost && !isJSON(h.Get("Content-Type")) {
		return nil, refuse(codeSign, "Invalid signature: Content-Type must be application/json")
	}
	signText(sum, h, c.Body, acct.secret)
	want := hex.AppendEncode(nil, sum.Sum(nil))
	if subtle.ConstantTimeCompare(want, []byte(h.Get("sign"))) != 1 {
		return nil, refuse(codeSign, "Invalid signature")
	}
	return acct, nil
}

// signText feeds the text that is signed: the four headers by name, the body as it came, the secret.
func signText(sum hash.Hash, h http.Header, body []byte, secret string) {
	write := func(parts ...string) {
		for _, p := range parts {
			// A hash never returns an error.
			_, _ = sum.Write([]byte(p))
		}
	}
	write("accessKey=", h.Get("accessKey"), "&action=", h.Get("action"), "&bizType=", h.Get("bizType"), "&ts=", h.Get("ts"))
	if len(body) > 0 {
		write("&body=")
		_, _ = sum.Write(body)
	}
	write("&accessSecret=", secret)
}

func isJSON(contentType string) bool {
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil || media != "application/json" {
		return false
	}
	charset, given := params["charset"]
	return !given || strings.EqualFold(charset, "utf-8")
}

// scope finds the store of a tenant and application, as far as the account may see it.
func (s *Service) scope(acct *account, id scopeID) (scopeKey, *fault) {
	var none scopeKey
	if !id.hasTenant {
		return none, refuse(codeNoTenant, "tenant_id is required")
	}
	if id.app == "" && !s.opts.Lenient {
		return none, refuse(codeNoApp, "app_key is required")
	}
	apps, ok := acct.tenants[id.tenant]
	if !ok {
		return none, refuse(codeUnknownTenant, "customer does not exist: tenant_id "+strconv.FormatInt(id.tenant, 10))
	}
	if id.app == "" && len(apps) > 0 {
		return scopeKey{id.tenant, apps[0]}, nil
	}
	for _, a := range apps {
		if a == id.app {
			return scopeKey{id.tenant, a}, nil
		}
	}
	return none, refuse(codeUnknownApp, "application does not exist or is not available")
}

// scopeID is the tenant and application as a request names them.
type scopeID struct {
	tenant    int64
	hasTenant bool
	app       string // "" where it is missing
}
