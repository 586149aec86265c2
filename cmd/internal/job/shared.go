package job

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/ssrf"
)

// deploymentMode is the variable by which an Airbyte platform tells where it runs.
const deploymentMode = "DEPLOYMENT_MODE"

// onShared reports whether the connector runs on a platform that belongs to none of its users. There a configuration must
// not lead it to what only the platform's own network reaches.
func onShared() bool { return strings.EqualFold(os.Getenv(deploymentMode), "CLOUD") }

// checkPublic refuses an address that is not https or does not lead to the open internet. The name is looked up once more
// when it is called: this is to tell of a mistake before anything is.
func checkPublic(ctx context.Context, setting, address string) error {
	const fix = "Give an https address of the open internet, or run the connector on a platform of your own"
	refused := func(err error) error {
		return connector.Configf(fix, "%s: %w, for the connector runs on a shared platform (%s is CLOUD)", setting, err, deploymentMode)
	}
	var policy ssrf.Policy
	if u, err := url.Parse(address); err == nil {
		policy.Hosts = []string{net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "443"))} // any port
	}
	guard, err := ssrf.New(policy, 0)
	if err != nil {
		return refused(err)
	}
	u, err := guard.CheckURL(address)
	if err != nil {
		return refused(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return nil // whoever calls it says so better
	}
	for _, ip := range ips {
		if !ssrf.Public(ip) {
			return refused(fmt.Errorf("%w: its name leads to one that is not public", ssrf.ErrBlocked))
		}
	}
	return nil
}

// checkPublicCRM is checkPublic for the base_url of a CRM's configuration. Without one the vendor's own host is called.
func checkPublicCRM(ctx context.Context, cfg connector.Config) error {
	text, err := json.Marshal(cfg) // it has no other form that is every vendor's
	if err != nil {
		return connector.Internalf("Report this", "the configuration of the CRM cannot be written: %w", err)
	}
	var at struct {
		BaseURL string `json:"base_url"`
	}
	if err := json.Unmarshal(text, &at); err != nil || at.BaseURL == "" {
		return err
	}
	return checkPublic(ctx, "base_url", at.BaseURL)
}

// onlyPublic has a transport connect to the open internet alone, whatever a name leads to by then. A proxy would look the
// name up itself, so there is none.
func onlyPublic(t *http.Transport) {
	d := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !ssrf.Public(at.Addr()) {
			return ssrf.ErrBlocked
		}
		return nil
	}}
	t.Proxy, t.DialContext = nil, d.DialContext
}
