package job

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/receiver"
)

func (l *Listener) validate(prefix string) error {
	host, port, err := net.SplitHostPort(l.Listen)
	if err != nil {
		return connector.Configf("Write it like 127.0.0.1:8085 or :8443", "%slisten %q is not an address with a port", prefix, l.Listen)
	}
	if _, err := portOf(port); err != nil {
		return connector.Configf("Use a port from 1 to 65535, or 0 for any free one", "%slisten %q has no port that exists", prefix, l.Listen)
	}
	if (l.CertFile == "") != (l.KeyFile == "") {
		return connector.Configf("Set both or none", "%scert_file and %skey_file belong together, and one is missing", prefix, prefix)
	}
	ip, err := netip.ParseAddr(host)
	local := host == "localhost" || err == nil && ip.IsLoopback()
	if !local && l.CertFile == "" && !l.PlainHTTP {
		return connector.Configf("Set "+prefix+"cert_file and "+prefix+"key_file or, if a proxy in front ends TLS, "+prefix+"plain_http: true",
			"%slisten %q can be reached by other machines, and there is no certificate", prefix, l.Listen)
	}
	return nil
}

// portOf is the number of a port, which may be written as the name of a service.
func portOf(port string) (int, error) {
	return net.DefaultResolver.LookupPort(context.Background(), "tcp", port)
}

// validateAddresses reports two addresses of which the second could not be listened on beside the first.
func (r *Receive) validateAddresses() error {
	host, port, err := net.SplitHostPort(r.Listen)
	adminHost, adminPort, adminErr := net.SplitHostPort(r.Admin.Listen)
	if err != nil || adminErr != nil {
		return nil // told by validate
	}
	a, err := portOf(port)
	b, adminErr := portOf(adminPort)
	if err != nil || adminErr != nil || a != b || a == 0 || !overlap(host, adminHost) {
		return nil
	}
	return connector.Configf("Give `admin.listen` another port", "listen %q and admin.listen %q are the same address", r.Listen, r.Admin.Listen)
}

// overlap reports whether two hosts to listen on have an address in common.
func overlap(a, b string) bool {
	x, y := hostAddr(a), hostAddr(b)
	switch {
	case !x.IsValid() || !y.IsValid():
		return a == b // names
	case x == netip.IPv6Unspecified() || y == netip.IPv6Unspecified():
		return true // of both families
	case x.IsUnspecified() || y.IsUnspecified():
		return x.Is4() == y.Is4()
	}
	return x == y
}

// hostAddr is the address that a host to listen on stands for; invalid: it is a name.
func hostAddr(host string) netip.Addr {
	switch host {
	case "":
		return netip.IPv6Unspecified()
	case "localhost":
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return ip.Unmap()
}

// Listeners opens both addresses of the receiver. Errors are Config errors.
func (r *Receive) Listeners(ctx context.Context, log *slog.Logger) (l receiver.Listeners, err error) {
	if l.PublicTLS, err = r.tls(&r.Listener, log); err != nil {
		return l, err
	}
	if l.AdminTLS, err = r.tls(&r.Admin.Listener, log); err != nil {
		return l, err
	}
	if l.Public, err = listen(ctx, "listen", r.Listen); err != nil {
		return l, err
	}
	if l.Admin, err = listen(ctx, "admin.listen", r.Admin.Listen); err != nil {
		return l, errors.Join(err, l.Public.Close())
	}
	return l, nil
}

func (r *Receive) tls(l *Listener, log *slog.Logger) (*tls.Config, error) {
	if l.CertFile == "" {
		return nil, nil
	}
	return receiver.TLSFromFiles(r.resolve(l.CertFile), r.resolve(l.KeyFile), log, nil)
}

func listen(ctx context.Context, field, address string) (net.Listener, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, connector.Configf("Stop what listens there, or set `"+field+"` to a free address of this machine", "cannot listen on %s: %w", address, err)
	}
	return ln, nil
}

// CheckTLS loads the certificates without listening.
func (r *Receive) CheckTLS(log *slog.Logger) error {
	_, err := r.tls(&r.Listener, log)
	_, err2 := r.tls(&r.Admin.Listener, log)
	return errors.Join(err, err2)
}
