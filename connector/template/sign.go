package template

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// signer puts the key on requests and keeps it out of what answers say.
type signer struct{ key connector.Secret }

// Sign is called before each attempt, over the bytes that are sent. Here neither they nor the time matter.
func (s signer) Sign(req *connector.Request, _ time.Time) error {
	if req.Header == nil {
		req.Header = make(http.Header, 2)
	}
	req.Header["X-Api-Key"] = []string{s.key.Reveal()}
	return nil
}

// mask removes the key from a text of the vendor's, which may quote what it was sent.
func (s signer) mask(text string) string {
	if s.key.IsZero() {
		return text
	}
	return strings.ReplaceAll(text, s.key.Reveal(), s.key.String())
}

// Format keeps the key out of every verb: fmt does not call Secret's methods through an unexported field.
func (s signer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "template signer") }
