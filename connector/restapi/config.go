package restapi

import (
	"errors"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/connector"
)

// CheckBaseURL judges the setting base_url. It wants https, except for a host on this machine: no signature or token
// hides the contacts in a body. example is a base URL that works.
func CheckBaseURL(base, example string) error {
	fix := "Write it like " + example
	u, err := url.Parse(base)
	switch {
	case err != nil:
		return connector.Configf(fix, "base_url cannot be read as a URL")
	case u.User != nil:
		return connector.Configf("Leave user and password out; the other settings authorise requests", "base_url holds a user name")
	case u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return connector.Configf(fix, "base_url %q is not an http or https URL", base)
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return connector.Configf(fix, "base_url holds a query or a fragment")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return connector.Configf("Use https://; plain http is for a host on this machine", "base_url %q would send contacts unencrypted", base)
	}
	return nil
}

func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// CheckCredential judges a secret that goes into a header or a signature: one pasted with a blank or a line end never
// works, and the vendor would only say that it is wrong.
func CheckCredential(field string, secret connector.Secret) error {
	if strings.ContainsFunc(secret.Reveal(), func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return connector.Configf("Paste it again without blanks and line ends", "%s holds a blank or a control character", field)
	}
	return nil
}

// CheckTargets judges a setting that maps names of the source to fields of the CRM: fault says what is wrong with one
// pair, nil if nothing is, and no two names may share a field. Faults come in the order of the names.
func CheckTargets(field string, targets map[string]string, fault func(name, to string) error) error {
	var faults []error
	taken := make(map[string]string, len(targets))
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		to := targets[name]
		if err := fault(name, to); err != nil {
			faults = append(faults, err)
		}
		if other, twice := taken[to]; twice {
			faults = append(faults, connector.Configf("Give each its own", "%s: %q and %q are both mapped to %q", field, other, name, to))
		}
		taken[to] = name
	}
	return errors.Join(faults...)
}
