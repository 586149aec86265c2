package deliver

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// Probe makes one call that changes nothing and tells whether address and credentials work. Its error says what happened
// and how to mend it: a closed port, an unknown host, a certificate that cannot be trusted, a web page instead of JSON,
// no answer in time, or what the vendor says of the credentials.
func Probe(ctx context.Context, rt http.RoundTripper, p connector.Probe) error {
	req := connector.Request{Header: make(http.Header)}
	if err := p.AppendRequest(&req); err != nil {
		return err
	}
	if s, ok := p.(connector.Signer); ok {
		if err := s.Sign(&req, time.Now()); err != nil {
			return err
		}
	}
	var buf bytes.Buffer
	resp, f := exchange(ctx, rt, &req, &loan{}, defaultTimeout, &buf)
	if f != nil {
		if err := ctx.Err(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		return f.err
	}
	err := p.ParseResponse(&resp)
	if err == nil {
		return nil
	}
	// What the vendor says in its own words is the best answer; only where there are none does the status speak.
	if k := connector.KindOf(err); k != connector.KindInternal && !isHTML(&resp) {
		return err
	}
	return unreadable(req.URL, &resp, err)
}
