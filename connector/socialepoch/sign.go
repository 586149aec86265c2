package socialepoch

import (
	"crypto/md5" //nolint:gosec // the vendor's protocol, not our choice
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// The vendor's header names in net/http's canonical form. HTTP takes names in any case, but some proxies drop names that
// hold an underscore; remedies say so.
const (
	headerType   = "Content-Type"
	headerTenant = "Tenant_id"
	headerTime   = "Timestamp"
	headerToken  = "Token"
)

// contentJSON is shared by all requests and never written to.
var contentJSON = []string{"application/json"}

// signer sets the headers that authorise a request. They do not depend on its body.
type signer struct {
	tenant string
	key    connector.Secret
}

func newSigner(c *Config) *signer {
	return &signer{tenant: strconv.FormatInt(c.TenantID, 10), key: c.APIKey}
}

// Sign sets the headers of the interface for the time given.
func (s *signer) Sign(req *connector.Request, now time.Time) error {
	if req.Header == nil {
		req.Header = make(http.Header, 4)
	}
	stamp := strconv.FormatInt(now.UnixMilli(), 10)
	req.Header[headerType] = contentJSON
	req.Header[headerTenant] = []string{s.tenant}
	req.Header[headerTime] = []string{stamp}
	req.Header[headerToken] = []string{s.token(stamp)}
	return nil
}

// token is the lower-case hexadecimal MD5 of company id, time and key, joined without a separator.
func (s *signer) token(stamp string) string {
	sum := md5.Sum([]byte(s.tenant + stamp + s.key.Reveal())) //nolint:gosec // the vendor's protocol
	return hex.EncodeToString(sum[:])
}

// mask removes the key from a text of the vendor's.
func (s *signer) mask(text string) string {
	if text == "" || s.key.IsZero() {
		return text
	}
	return strings.ReplaceAll(text, s.key.Reveal(), s.key.String())
}

// Format keeps the key out of every verb: fmt does not call Secret's methods through an unexported field.
func (s *signer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "socialepoch signer") }
