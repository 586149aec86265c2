package outcall

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/sluicehq/sluice/connector"
)

const headerAuthorization = "Authorization"

// signer puts the token on requests and, by clean, keeps it out of what answers say.
type signer struct{ token connector.Secret }

// Sign sets the Authorization header. The token is the same for every call, whatever the time.
func (s signer) Sign(req *connector.Request, _ time.Time) error {
	if req.Header == nil {
		req.Header = make(http.Header, 4)
	}
	req.Header[headerAuthorization] = []string{"Bearer " + s.token.Reveal()}
	return nil
}

func (s signer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "outcall signer") }
