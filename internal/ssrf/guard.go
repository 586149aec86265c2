// Package ssrf calls addresses that came out of data without letting them reach what only this machine can reach.
//
//	URL ─ form: scheme, no user, plain host, port ─ host is listed ─▶ resolve once ─ every IP is public ─▶ dial these IPs
//
// What is checked is what is dialled: the name is not looked up again in between, so that a name which answers
// differently the second time gains nothing. Redirects are not followed, and no proxy of the environment is used.
package ssrf

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrBlocked is wrapped by every refusal. None of them says more of an address than the caller gave.
var ErrBlocked = errors.New("the address must not be called")

// Resolver finds the addresses of a name. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Policy says what may be called.
type Policy struct {
	// Hosts that may be called, as CheckHost takes them; nil: any host whose addresses are public, for callers that
	// check the host themselves.
	Hosts []string
	// Private allows addresses that are not public, and http: for a CRM's sandbox on this machine or network.
	Private bool
	// Resolver looks names up; nil: the system's.
	Resolver Resolver
	// Dial connects to one checked IP and port; nil: a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Guard makes calls within a Policy. It is safe for concurrent use.
type Guard struct {
	policy Policy
	hosts  map[string]bool // host:port
	client *http.Client
}

// New makes a guard. timeout bounds a call from the look-up to the last byte.
func New(p Policy, timeout time.Duration) (*Guard, error) {
	g := &Guard{policy: p}
	if p.Hosts != nil {
		g.hosts = map[string]bool{}
	}
	for _, h := range p.Hosts {
		host, port, err := CheckHost(h)
		if err != nil {
			return nil, err
		}
		g.hosts[net.JoinHostPort(host, port)] = true
	}
	if g.policy.Resolver == nil {
		g.policy.Resolver = net.DefaultResolver
	}
	if g.policy.Dial == nil {
		d := &net.Dialer{Timeout: 5 * time.Second, Control: g.control}
		g.policy.Dial = d.DialContext
	}
	g.client = &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			DialContext: g.dial, TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: timeout,
			MaxResponseHeaderBytes: 64 << 10, MaxIdleConnsPerHost: 2, IdleConnTimeout: 30 * time.Second, DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return g, nil
}

// Close frees idle connections.
func (g *Guard) Close() { g.client.CloseIdleConnections() }

// CheckHost reads an entry of Policy.Hosts: a name or an address, and a port unless it is 443.
func CheckHost(entry string) (host, port string, err error) {
	host, port = entry, "443"
	if h, p, err := net.SplitHostPort(entry); err == nil {
		host, port = h, p
	}
	host = plain(host)
	if _, err := netip.ParseAddr(host); err != nil && !plainName(host) {
		return "", "", fmt.Errorf("%q is not a host name or address, with or without a port", entry)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", "", fmt.Errorf("%q has no usable port", entry)
	}
	return host, port, nil
}

// CheckURL judges an address by its form, before anything is looked up.
func (g *Guard) CheckURL(raw string) (*url.URL, error) {
	if strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' }) {
		return nil, fmt.Errorf("%w: it holds characters that an address has encoded", ErrBlocked)
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.Host == "" {
		return nil, fmt.Errorf("%w: it cannot be read", ErrBlocked)
	}
	switch {
	case u.Scheme != "https" && (u.Scheme != "http" || !g.policy.Private):
		return nil, fmt.Errorf("%w: only https is", ErrBlocked)
	case u.User != nil:
		return nil, fmt.Errorf("%w: it holds a user name", ErrBlocked)
	}
	host, port := plain(u.Hostname()), u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case err == nil && ip.Zone() != "":
		return nil, fmt.Errorf("%w: it names a zone", ErrBlocked)
	case err == nil && !g.policy.Private && !Public(ip):
		return nil, fmt.Errorf("%w: it is not public", ErrBlocked)
	case err != nil && !plainName(host):
		return nil, fmt.Errorf("%w: its host is neither a name nor an address in the usual form", ErrBlocked)
	case g.hosts != nil && !g.hosts[net.JoinHostPort(host, port)]:
		return nil, fmt.Errorf("%w: its host and port are not listed", ErrBlocked)
	case g.hosts == nil && !g.policy.Private && port != "443":
		return nil, fmt.Errorf("%w: its port is not 443", ErrBlocked)
	}
	return u, nil
}

// plain is the one spelling of a host that is compared and looked up.
func plain(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// plainName takes names whose last label is not a number: those that are would be read as an IPv4 address by some
// libraries (127.1, 0x7f000001, 017700000001, 2130706433), and no name ends so.
func plainName(host string) bool {
	if host == "" || len(host) > 253 {
		return false
	}
	labels := strings.Split(host, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	last := labels[len(labels)-1]
	if strings.HasPrefix(last, "0x") {
		return false
	}
	return strings.Trim(last, "0123456789") != ""
}

// Do makes one call. The response is as it came, also a redirect; the caller closes its body.
func (g *Guard) Do(req *http.Request) (*http.Response, error) {
	if _, err := g.CheckURL(req.URL.String()); err != nil {
		return nil, err
	}
	resp, err := g.client.Do(req)
	if err != nil {
		var u *url.Error // its text holds the address, which may hold secrets
		if errors.As(err, &u) {
			err = u.Err
		}
		return nil, fmt.Errorf("call: %w", err)
	}
	return resp, nil
}

// dial looks the host up once and connects to what was checked. One address that is not public condemns the name.
func (g *Guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBlocked, err)
	}
	var ips []netip.Addr
	if ip, err := netip.ParseAddr(host); err == nil {
		ips = []netip.Addr{ip}
	} else if ips, err = g.policy.Resolver.LookupNetIP(ctx, "ip", plain(host)); err != nil {
		return nil, err
	}
	for _, ip := range ips {
		if !g.policy.Private && !Public(ip) {
			return nil, fmt.Errorf("%w: its name leads to an address that is not public", ErrBlocked)
		}
	}
	err = fmt.Errorf("%w: its name leads nowhere", ErrBlocked)
	for _, ip := range ips {
		var conn net.Conn
		if conn, err = g.policy.Dial(ctx, network, net.JoinHostPort(ip.String(), port)); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// control looks at the address once more where the kernel gets it.
func (g *Guard) control(network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("%w: %s is not TCP", ErrBlocked, network)
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil || !g.policy.Private && !Public(ap.Addr()) {
		return fmt.Errorf("%w: it is not public", ErrBlocked)
	}
	return nil
}

// reserved are the ranges of the registries for special use, as far as netip's own predicates do not cover them. Those
// that carry an IPv4 address inside are closed as a whole: nothing public is reached by them alone.
var reserved = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24",
	"192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2001:db8::/32", "2002::/16",
	"3fff::/20", "5f00::/16", "fec0::/10",
)

func prefixes(list ...string) (out []netip.Prefix) {
	for _, p := range list {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// Public reports whether an address is one of the open internet.
func Public(ip netip.Addr) bool {
	if ip.Zone() != "" {
		return false
	}
	ip = ip.Unmap()
	if !ip.IsValid() || ip.IsUnspecified() || ip.IsLoopback() || ip.IsPrivate() || ip.IsMulticast() || ip.IsLinkLocalUnicast() {
		return false
	}
	if ip.Is6() && !netip.MustParsePrefix("2000::/3").Contains(ip) {
		return false
	}
	return !slices.ContainsFunc(reserved, func(p netip.Prefix) bool { return p.Contains(ip) })
}
