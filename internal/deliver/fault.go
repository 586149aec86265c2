package deliver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// fault is a call without an answer.
type fault struct {
	err error // an *connector.Error for people; its Kind is Config where only a person can mend it
	// sent: the vendor may have the request. Only a fault that surely came before the request left is not sent; then a
	// repeat is safe whatever the call does.
	sent bool
}

// classify turns what a RoundTripper returned into a fault that says what happened and how to mend it.
func classify(rawURL string, err error, timeout time.Duration) *fault {
	at := hostOf(rawURL)
	for _, find := range []func(string, error) *fault{certificateFault, protocolFault, dialFault} {
		if f := find(at, err); f != nil {
			return f
		}
	}
	var n net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &n) && n.Timeout():
		return &fault{sent: true, err: connector.Transientf(
			"See whether the CRM is slow or a firewall drops the connection; a larger `timeout` helps with the former",
			"%s gave no answer within %s", at, timeout)}
	default:
		return &fault{sent: true, err: connector.Transientf(
			"If this stays, see whether something between here and the CRM cuts connections, or whether the server wants a client certificate (`cert_file`)",
			"the connection to %s broke before the answer was complete: %w", at, err)}
	}
}

// certificateFault finds what TLS refused. No request has left.
func certificateFault(at string, err error) *fault {
	var (
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		verify    *tls.CertificateVerificationError
	)
	what, fix := "", ""
	switch {
	case errors.As(err, &authority):
		what, fix = "the certificate of %s comes from an authority that this machine does not know: %w",
			"If it is your own authority, give its certificate as `ca_file`; if not, do not trust the address"
	case errors.As(err, &host):
		what, fix = "the certificate of %s belongs to another name: %w",
			"Use the name that the certificate carries in `base_url`, or set `server_name`"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		what, fix = "the certificate of %s is out of date, or this machine's clock is wrong: %w",
			"Look at this machine's date; if that is right, the server's owner must renew the certificate"
	case errors.As(err, &invalid), errors.As(err, &verify):
		what, fix = "the certificate of %s is not valid: %w", "The server's owner must mend the certificate"
	default:
		return nil
	}
	return &fault{err: connector.Configf(fix, what, at, err)}
}

// protocolFault finds two sides that do not speak the same language.
func protocolFault(at string, err error) *fault {
	var (
		record tls.RecordHeaderError
		alert  tls.AlertError
		text   = err.Error()
	)
	switch {
	case errors.As(err, &record), strings.Contains(text, "server gave HTTP response to HTTPS client"):
		return &fault{err: connector.Configf("Begin `base_url` with http:// or use the port that speaks TLS",
			"%s does not speak TLS, but the address begins with https://", at)}
	case strings.Contains(text, "certificate required"), strings.Contains(text, "remote error: tls: bad certificate"),
		strings.Contains(text, "remote error: tls: unknown certificate"):
		return &fault{err: connector.Configf("Set `cert_file` and `key_file` to the client certificate that the server's owner issued",
			"%s wants a client certificate that it trusts: %w", at, err)}
	case errors.As(err, &alert), strings.Contains(text, "remote error: tls:"):
		return &fault{err: connector.Configf("The server must offer TLS 1.2 or newer, and may want a client certificate (`cert_file`, `key_file`); a proxy in between may be at fault too",
			"%s broke off the TLS handshake: %w", at, err)}
	case strings.Contains(text, "malformed HTTP"):
		return &fault{sent: true, err: connector.Transientf("See whether `base_url` begins with http:// where it must be https://, or names the wrong port",
			"what %s answered is not HTTP: %w", at, err)}
	}
	return nil
}

// dialFault finds a connection that never came to be.
func dialFault(at string, err error) *fault {
	var (
		dns *net.DNSError
		op  *net.OpError
	)
	if errors.As(err, &dns) {
		if dns.IsNotFound {
			return &fault{err: connector.Transientf("See whether `base_url` is spelt right, and whether this machine can look names up",
				"no host is known by the name %s", dns.Name)}
		}
		return &fault{err: connector.Transientf("See whether this machine can look names up (DNS)",
			"the name %s could not be looked up: %w", dns.Name, err)}
	}
	if errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect") {
		if op.Op == "proxyconnect" {
			at = "the proxy for " + at
		}
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			return &fault{err: connector.Transientf("See whether host and port in `base_url` are right and the server runs",
				"nothing listens at %s: the connection was refused", at)}
		case op.Timeout():
			return &fault{err: connector.Transientf("See whether host and port in `base_url` are right and no firewall drops the connection",
				"%s did not accept a connection in time", at)}
		}
		return &fault{err: connector.Transientf("See whether host and port in `base_url` are right and this machine has a way there",
			"no connection to %s: %w", at, err)}
	}
	if strings.Contains(err.Error(), "TLS handshake timeout") {
		return &fault{err: connector.Transientf("See whether the port in `base_url` speaks TLS at all",
			"%s did not finish the TLS handshake in time", at)}
	}
	return nil
}

// hostOf is what of an address may be shown: paths and queries can hold secrets.
func hostOf(rawURL string) string {
	if u, err := url.Parse(rawURL); err == nil && u.Host != "" {
		return u.Host
	}
	return "the CRM"
}
