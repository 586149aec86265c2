package outcall

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// secretParameter is where an address carries the shared secret.
const secretParameter = "secret"

// hook is the import callback of one account: a connector.Hook, Fetcher and Signer.
type hook struct {
	importReader
	tenant  string
	secrets [][sha256.Size]byte // hashed, so that all have one length
}

func newHook(cfg connector.Config) (connector.Hook, error) {
	c, err := sourceConfigOf(cfg)
	if err != nil {
		return nil, err
	}
	h := &hook{importReader: newImportReader(c), tenant: tenantOf(c)}
	for _, s := range c.CallbackSecrets {
		h.secrets = append(h.secrets, sha256.Sum256([]byte(s.Reveal())))
	}
	return h, nil
}

// Format keeps the token and the hashes out of every verb.
func (h *hook) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "outcall import_callback") }

// Verify finds the secret in the address. Where none is configured everything passes that came to the endpoint: the
// vendor signs nothing, and the ticket, without a token, says so.
func (h *hook) Verify(req *connector.Request, _ time.Time) (connector.Ticket, error) {
	ticket := connector.Ticket{Tenant: h.tenant}
	if len(h.secrets) == 0 {
		return ticket, nil
	}
	u, err := url.Parse(req.URL)
	if err != nil {
		return connector.Ticket{}, fmt.Errorf("outcall: %w: its address cannot be read", connector.ErrForged)
	}
	given := u.Query()[secretParameter]
	if len(given) != 1 {
		return connector.Ticket{}, fmt.Errorf("outcall: %w: its address has no secret, or several", connector.ErrForged)
	}
	sum, good := sha256.Sum256([]byte(given[0])), 0
	for _, secret := range h.secrets {
		good |= subtle.ConstantTimeCompare(sum[:], secret[:])
	}
	if good != 1 {
		return connector.Ticket{}, fmt.Errorf("outcall: %w", connector.ErrForged)
	}
	return ticket, nil
}

// Split takes the body for one item.
func (h *hook) Split(body []byte) ([]connector.Item, error) {
	c, err := readCallback(body)
	if err != nil {
		return nil, err
	}
	return []connector.Item{{Key: c.key(), Bytes: body}}, nil
}

// Decode makes the row of a callback.
func (h *hook) Decode(in *connector.Received, out connector.Events) error {
	c, err := readCallback(in.Body)
	if err != nil || in.Seen != nil && in.Seen(0) {
		return err
	}
	id := c.key()
	if id == "" {
		sum := sha256.Sum256(in.Body)
		id = hex.EncodeToString(sum[:])
	}
	var o rows.Object
	o.Text("event_id", id)
	o.Time("received_at", in.At.UTC())
	o.Text("vendor", Vendor.Name)
	o.Text("tenant_id", in.Tenant)
	if err := h.appendTo(&o, c, in.Body); err != nil {
		return err
	}
	members := o.Bytes()
	rows.Flatten(members)
	return out.AppendEvent(streamImportResults, 0, members)
}

// Reply is what the vendor's own interface answers. That a status other than 200 makes it send the callback again is
// assumed; the import can be asked about in any case.
func (h *hook) Reply(err error) connector.Response {
	status, body := http.StatusOK, `{"code":200,"status":"success"}`
	switch {
	case err == nil:
	case errors.Is(err, connector.ErrForged), errors.Is(err, connector.ErrStale):
		status, body = http.StatusForbidden, `{"code":403,"status":"error"}`
	default:
		status, body = http.StatusServiceUnavailable, `{"code":503,"status":"error"}`
	}
	return connector.Response{Status: status, Header: http.Header{"Content-Type": {contentJSON}}, Body: []byte(body)}
}
