package outcall

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/sluicehq/sluice/connector"
)

const headerAuthorization = "Authorization"

// signer puts the token on requests and keeps it out of texts.
type signer struct{ token connector.Secret }

// Sign sets the Authorization header. The token is the same for every call, whatever the time.
func (s signer) Sign(req *connector.Request, _ time.Time) error {
	if req.Header == nil {
		req.Header = make(http.Header, 4)
	}
	req.Header[headerAuthorization] = []string{"Bearer " + s.token.Reveal()}
	return nil
}

// mask takes the token out of what an answer says.
func (s signer) mask(text string) string {
	if t := s.token.Reveal(); t != "" {
		return strings.ReplaceAll(text, t, "[REDACTED]")
	}
	return text
}

func (s signer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "outcall signer") }
