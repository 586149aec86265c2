package deliver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/sluicehq/sluice/connector"
)

const (
	defaultTimeout = 30 * time.Second
	responseMax    = 32 << 20
)

// exchange makes one call and reads the answer into buf, which keeps owning the bytes. Redirects are not followed: a
// transport does not, and a signed body must not go to an address that nobody configured.
func exchange(ctx context.Context, rt http.RoundTripper, req *connector.Request, l *loan, timeout time.Duration, buf *bytes.Buffer) (connector.Response, *fault) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	hr, err := http.NewRequestWithContext(l.watch(ctx), req.Method, req.URL, nil)
	if err != nil {
		if u := (*url.Error)(nil); errors.As(err, &u) {
			err = u.Err // the error around it prints the whole address
		}
		return connector.Response{}, &fault{err: connector.Configf("Mend `base_url`", "the address of the CRM cannot be used: %w", err)}
	}
	hr.Header = req.Header
	if len(req.Body) > 0 {
		// A transport repeats by itself only what it knows was never written.
		hr.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(req.Body)), nil }
		hr.Body, _ = hr.GetBody()
		hr.ContentLength = int64(len(req.Body))
	}
	resp, err := rt.RoundTrip(hr)
	if err != nil {
		return connector.Response{}, classify(req.URL, err, timeout)
	}
	defer resp.Body.Close()
	buf.Reset()
	n, err := buf.ReadFrom(io.LimitReader(resp.Body, responseMax+1))
	out := connector.Response{Status: resp.StatusCode, Header: resp.Header, Body: buf.Bytes()}
	switch {
	case err != nil && errors.Is(err, io.ErrUnexpectedEOF):
		return out, &fault{sent: true, err: connector.Transientf("If this stays, see whether something between here and the CRM cuts connections",
			"the answer of %s was cut off after %d bytes", hostOf(req.URL), n)}
	case err != nil:
		return out, classify(req.URL, err, timeout)
	case n > responseMax:
		return out, &fault{sent: true, err: connector.Transientf("See whether `base_url` points at the CRM's interface and not at a file",
			"the answer of %s is larger than %d MiB", hostOf(req.URL), responseMax>>20)}
	}
	return out, nil
}

// unreadable says what is wrong with an answer that the codec could not read.
func unreadable(rawURL string, resp *connector.Response, cause error) error {
	at, status := hostOf(rawURL), statusText(resp.Status)
	switch {
	case resp.Status == http.StatusUnauthorized, resp.Status == http.StatusForbidden:
		return connector.Configf("Look at the access key and its secret, and whether this machine's address is allowed",
			"%s refused the credentials (%s)", at, status)
	case resp.Status == http.StatusProxyAuthRequired:
		return connector.Configf("Put user and password into HTTPS_PROXY", "the proxy on the way to %s wants a login (%s)", at, status)
	case resp.Status >= 300 && resp.Status < 400:
		return connector.Configf("Put the final address into `base_url`", "%s redirects elsewhere (%s)", at, status)
	case resp.Status == http.StatusNotFound, resp.Status == http.StatusMethodNotAllowed, resp.Status == http.StatusGone:
		return connector.Configf("Look at host and path of `base_url`", "%s does not have the CRM's interface at this address (%s)", at, status)
	case isHTML(resp) && resp.Status < 500: // a gateway's error page is no sign of a wrong address
		return connector.Transientf("See whether `base_url` is the address of the interface and not of a web page, a login or a proxy",
			"%s answered with a web page instead of JSON (%s)", at, status)
	case resp.Status >= 200 && resp.Status < 300:
		return connector.Transientf("If this stays, see whether `base_url` is the address of the interface",
			"the answer of %s cannot be read (%s): %w", at, status, cause)
	}
	return connector.Transientf("If this stays, ask the CRM's support", "%s answered %s", at, status)
}

func statusText(code int) string {
	if t := http.StatusText(code); t != "" {
		return fmt.Sprintf("HTTP %d %s", code, t)
	}
	return fmt.Sprintf("HTTP %d", code)
}

// isHTML looks at the bytes first: many a gateway calls its error page JSON.
func isHTML(resp *connector.Response) bool {
	b := bytes.TrimLeft(resp.Body, "\xef\xbb\xbf \t\r\n")
	return bytes.HasPrefix(b, []byte("<"))
}
