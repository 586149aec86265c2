package job

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/inbox"
	"github.com/sluicehq/sluice/internal/receiver"
	"github.com/sluicehq/sluice/internal/ssrf"
)

// Receive is a file of `sluice receive`: which webhooks of which accounts are taken, where, and where they are kept.
type Receive struct {
	Path string `json:"-"` // of the file itself

	Listener
	Admin          ReceiveAdmin     `json:"admin"`
	Inbox          ReceiveInbox     `json:"inbox"`
	Accounts       []ReceiveAccount `json:"accounts"`
	TrustedProxies []string         `json:"trusted_proxies"`
	CallbackHosts  []string         `json:"callback_hosts"`
	PrivateHosts   bool             `json:"allow_private_hosts"`
	Limits         ReceiveLimits    `json:"limits"`
}

// Listener is an address and the certificate that is used there.
type Listener struct {
	Listen    string `json:"listen"`
	CertFile  string `json:"cert_file"`
	KeyFile   string `json:"key_file"`
	PlainHTTP bool   `json:"plain_http"`
}

// ReceiveAdmin is the `admin:` block.
type ReceiveAdmin struct {
	Listener
	Token connector.Secret `json:"token"`
}

// ReceiveInbox is the `inbox:` block.
type ReceiveInbox struct {
	Dir          string   `json:"dir"`
	MaxAge       Duration `json:"max_age"`
	MaxMegabytes int64    `json:"max_megabytes"`
	DedupeFor    Duration `json:"dedupe_for"`
}

// ReceiveAccount is one account at a CRM that sends webhooks.
type ReceiveAccount struct {
	Name      string                      `json:"name"`
	CRM       config.Choice               `json:"crm"`
	Webhooks  map[string]connector.Secret `json:"webhooks"`
	AllowFrom []string                    `json:"allow_from"`
}

// ReceiveLimits is the `limits:` block.
type ReceiveLimits struct {
	BodyBytes   int64   `json:"body_bytes"`
	InFlight    int     `json:"in_flight"`
	Connections int     `json:"connections"`
	PerSource   float64 `json:"requests_per_second_per_source"`
}

func listenerFields(def string) []connector.Field {
	return []connector.Field{
		{Name: "listen", Type: connector.TypeString, Title: "Address", Doc: "Host and port to listen on; port 0 takes any free one.", Default: def, Examples: []any{def, ":8443"}},
		{Name: "cert_file", Type: connector.TypeString, Title: "Certificate", Doc: "PEM file of the certificate with its chain. When the file changes the new one is taken."},
		{Name: "key_file", Type: connector.TypeString, Title: "Key", Doc: "PEM file of the certificate's key."},
		{Name: "plain_http", Type: connector.TypeBoolean, Title: "Plain HTTP", Doc: "Listen without TLS on an address that other machines reach, because a proxy in front ends TLS or the network is your own.", Default: false, Advanced: true},
	}
}

// ReceiveFields is the table of Receive for the vendors that send webhooks.
func ReceiveFields(vendors []connector.Vendor) []connector.Field {
	networks := &connector.Field{Type: connector.TypeString}
	return append(listenerFields("127.0.0.1:8085"), []connector.Field{
		{Name: "admin", Type: connector.TypeObject, Title: "Admin", Doc: "Where health, metrics and the API for readers are served.", Fields: append(listenerFields("127.0.0.1:9465"),
			connector.Field{Name: "token", Type: connector.TypeString, Secret: true, Title: "Token", Doc: "What readers of the API show. Without it there is no API: health and metrics only."})},
		{Name: "inbox", Type: connector.TypeObject, Title: "Inbox", Doc: "Where requests are kept until they are read, and for how long.", Fields: []connector.Field{
			{Name: "dir", Type: connector.TypeString, Title: "Folder", Doc: "Folder of the inbox, on a local disk. A relative path starts at this file's folder.", Default: "inbox"},
			{Name: "max_age", Type: connector.TypeString, Title: "Longest age", Doc: "Requests received longer ago are removed, read or not, unless a named consumer still needs them.", Pattern: durationPattern, Default: "720h"},
			{Name: "max_megabytes", Type: connector.TypeInteger, Title: "Largest size", Doc: "The oldest requests beyond this size are removed in the same way.", Default: 10240, Min: connector.Bound(1)},
			{Name: "dedupe_for", Type: connector.TypeString, Title: "Memory of events", Doc: "How long an event counts as seen before, so that it is not stored twice; a week at least.", Pattern: durationPattern, Default: "168h", Advanced: true},
		}},
		{Name: "accounts", Type: connector.TypeArray, Title: "Accounts", Required: true, Doc: "The accounts that send webhooks.", Items: &connector.Field{Type: connector.TypeObject, Fields: []connector.Field{
			{Name: "name", Type: connector.TypeString, Title: "Name", Required: true, Doc: "What you call the account. Keep it: events are told apart by it.", Pattern: `^[a-z0-9][a-z0-9_-]{0,60}$`},
			{Name: "crm", Type: connector.TypeObject, Title: "CRM", Required: true, Doc: "Which CRM it is, and what proves that a webhook comes from it.", Discriminator: "vendor", OneOf: webhookVariants(vendors)},
			{Name: "webhooks", Type: connector.TypeMap, Title: "Webhooks", Required: true, Items: &connector.Field{Type: connector.TypeString, Secret: true},
				Doc: "Which webhooks are taken, each with the secret end of its address, from `sluice receive --new-path`. The address for the CRM is https://HOST/hooks/VENDOR/WEBHOOK/PATH."},
			{Name: "allow_from", Type: connector.TypeArray, Title: "Allowed sources", Items: networks, Advanced: true, Doc: "Addresses or networks that the CRM sends from. Without it: any."},
		}}},
		{Name: "trusted_proxies", Type: connector.TypeArray, Title: "Trusted proxies", Items: networks, Advanced: true, Doc: "Addresses or networks of your proxies. Their X-Forwarded-For says where a request comes from; nobody else's does."},
		{Name: "callback_hosts", Type: connector.TypeArray, Title: "Callback hosts", Items: &connector.Field{Type: connector.TypeString}, Advanced: true, Doc: "Hosts, with a port unless it is 443, that may be called where a webhook asks for a confirmation. Without it: none is made."},
		{Name: "allow_private_hosts", Type: connector.TypeBoolean, Title: "Private hosts", Default: false, Advanced: true, Doc: "Let calls that webhooks ask for go to addresses of this machine and network, and by http: for the sandbox."},
		{Name: "limits", Type: connector.TypeObject, Title: "Limits", Advanced: true, Doc: "What senders may take of this machine.", Fields: []connector.Field{
			{Name: "body_bytes", Type: connector.TypeInteger, Title: "Body", Doc: "Longest body, in bytes.", Default: 1 << 20, Min: connector.Bound(1024), Max: connector.Bound(receiver.MaxBody)},
			{Name: "in_flight", Type: connector.TypeInteger, Title: "In flight", Doc: "Requests that may be under way at once.", Default: 1024, Min: connector.Bound(1), Max: connector.Bound(100000)},
			{Name: "connections", Type: connector.TypeInteger, Title: "Connections", Doc: "Open connections; one source may have half of them.", Default: 4096, Min: connector.Bound(2), Max: connector.Bound(1000000)},
			{Name: "requests_per_second_per_source", Type: connector.TypeNumber, Title: "Pace", Doc: "Requests per second of one source; -1 is no limit.", Default: 2000, Min: connector.Bound(-1)},
		}},
	}...)
}

// webhookVariants lists the vendors that send webhooks, with the settings of their way back.
func webhookVariants(vendors []connector.Vendor) (out []connector.Variant) {
	for _, v := range vendors {
		if v.Source != nil && len(v.Source.Webhooks) > 0 {
			out = append(out, connector.Variant{Name: v.Name, Title: v.Title, Doc: v.Doc, Fields: v.Source.Fields})
		}
	}
	return out
}

// IsReceive reports whether a file looks like one of `sluice receive`, not like a pipeline or a mapping.
func IsReceive(path string) bool {
	text, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	var top map[string]yaml.Node
	if yaml.Unmarshal(text, &top) != nil {
		return false
	}
	for _, name := range []string{"from", "to", "streams"} {
		if _, ok := top[name]; ok {
			return false
		}
	}
	for _, name := range []string{"accounts", "inbox", "admin"} {
		if _, ok := top[name]; ok {
			return true
		}
	}
	return false
}

// LoadReceive reads and checks a file of `sluice receive`. Warnings are for the log.
func LoadReceive(path string, vendors []connector.Vendor) (r *Receive, warnings []string, err error) {
	r = &Receive{Path: path}
	warnings, err = config.Load(path, ReceiveFields(vendors), r)
	if err != nil {
		return nil, warnings, err
	}
	return r, warnings, nil
}

// lintReceive checks the file as far as that goes without its secrets.
func lintReceive(path string, text []byte, vendors []connector.Vendor) error {
	r := &Receive{Path: path}
	if err := config.DecodeWith(config.Options{StandIns: true}, path, text, ReceiveFields(vendors), r); err != nil {
		return err
	}
	_, err := r.Endpoints(vendors, true)
	return err
}

// Validate reports what the table cannot tell.
func (r *Receive) Validate() error {
	faults := []error{r.Listener.validate(""), r.Admin.validate("admin."), r.validateAddresses()}
	_, err := parsePrefixes("trusted_proxies", r.TrustedProxies)
	faults = append(faults, err)
	for _, h := range r.CallbackHosts {
		if _, _, err := ssrf.CheckHost(h); err != nil {
			faults = append(faults, connector.Configf("Write it like api.example.com or api.example.com:8443", "callback_hosts: %w", err))
		}
	}
	if !r.Admin.Token.IsZero() && len(r.Admin.Token.Reveal()) < 16 {
		faults = append(faults, connector.Configf("Use 16 random characters or more", "admin.token is too short to withstand guessing"))
	}
	if len(r.Accounts) == 0 {
		faults = append(faults, connector.Configf("List one account or more", "accounts is empty, so no webhook would ever be taken"))
	}
	names := map[string]bool{}
	for i, a := range r.Accounts {
		if names[a.Name] {
			faults = append(faults, connector.Configf("Give each account a name of its own", "accounts[%d]: the name %q is repeated", i, a.Name))
		}
		names[a.Name] = true
		_, err := parsePrefixes(fmt.Sprintf("accounts[%d].allow_from", i), a.AllowFrom)
		faults = append(faults, err)
		if len(a.Webhooks) == 0 {
			faults = append(faults, connector.Configf("List one webhook or more with its path", "accounts[%d].webhooks is empty", i))
		}
	}
	return errors.Join(faults...)
}

// parsePrefixes reads networks; a plain address is a network of one.
func parsePrefixes(field string, list []string) (out []netip.Prefix, err error) {
	for _, text := range list {
		p, perr := netip.ParsePrefix(text)
		if ip, ierr := netip.ParseAddr(text); ierr == nil {
			p, perr = netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()), nil
		}
		if perr != nil {
			err = errors.Join(err, connector.Configf("Write it like 203.0.113.7 or 203.0.113.0/24", "%s: %q is neither an address nor a network", field, text))
			continue
		}
		out = append(out, p.Masked())
	}
	return out, err
}

// Endpoints makes an endpoint of each webhook. Faults are reported together. lint lets paths be alike: those that are
// not known have one stand-in.
func (r *Receive) Endpoints(vendors []connector.Vendor, lint bool) (list []receiver.Endpoint, err error) {
	var faults []error
	paths := map[string]string{}
	for i := range r.Accounts {
		a := &r.Accounts[i]
		from, err := parsePrefixes("allow_from", a.AllowFrom)
		v, cfg, err2 := chooseSource(vendors, a.CRM)
		if err := errors.Join(err, err2); err != nil {
			faults = append(faults, err)
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(a.Webhooks)) {
			e := receiver.Endpoint{Name: a.Name + "/" + name, Vendor: v.Name, Type: name, Path: a.Webhooks[name], AllowFrom: from}
			at := fmt.Sprintf("%s: accounts[%d].webhooks.%s", r.Path, i, name)
			if e.Hook, err = hookOf(v, cfg, name); err != nil {
				faults = append(faults, connector.Configf("", "%s: %w", at, err))
			}
			path := e.Path.Reveal()
			if err := receiver.CheckPath(path); err != nil {
				faults = append(faults, connector.Configf("", "%s: %w", at, err))
			} else if other, twice := paths[path]; twice && !lint {
				faults = append(faults, connector.Configf("Make another with `sluice receive --new-path`", "%s has the same path as %s", at, other))
			}
			paths[path] = e.Name
			list = append(list, e)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, asConfig(err)
	}
	return list, nil
}

// chooseSource finds the vendor that a choice names and decodes the configuration of its way back.
func chooseSource(vendors []connector.Vendor, c config.Choice) (*connector.Vendor, connector.Config, error) {
	for i := range vendors {
		if v := &vendors[i]; v.Name == c.Name && v.Source != nil {
			cfg := v.Source.NewConfig()
			if err := c.Decode(cfg); err != nil {
				return nil, nil, err
			}
			return v, cfg, nil
		}
	}
	return nil, nil, connector.Internalf("", "no vendor %q that sends webhooks", c.Name)
}

func hookOf(v *connector.Vendor, cfg connector.Config, name string) (connector.Hook, error) {
	var names []string
	for _, w := range v.Source.Webhooks {
		if w.Name == name {
			return w.Hook(cfg)
		}
		names = append(names, w.Name)
	}
	fix := "Use one of " + strings.Join(names, ", ")
	if near := config.Nearest(name, names); near != "" {
		fix = "Did you mean " + near + "?"
	}
	return nil, connector.Configf(fix, "%s has no webhook %q", v.Title, name)
}

// InboxOptions are those of the store.
func (r *Receive) InboxOptions(log *slog.Logger) inbox.Options {
	return inbox.Options{
		Dir: r.InboxDir(), MaxAge: r.Inbox.MaxAge.D(), MaxBytes: r.Inbox.MaxMegabytes << 20, DedupeFor: r.Inbox.DedupeFor.D(), Log: log,
	}
}

// InboxDir is the folder of the inbox.
func (r *Receive) InboxDir() string { return r.resolve(r.Inbox.Dir) }

func (r *Receive) resolve(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(r.Path), path)
}

// callWithin bounds one call that a webhook asks for.
const callWithin = 20 * time.Second

// Options are those of the receiver, but for the inbox. Whoever holds them closes both guards.
func (r *Receive) Options(vendors []connector.Vendor, log *slog.Logger) (o receiver.Options, err error) {
	o = receiver.Options{
		Log: log, Token: r.Admin.Token, Dir: r.InboxDir(),
		Limits: receiver.Limits{Body: r.Limits.BodyBytes, InFlight: r.Limits.InFlight, Connections: r.Limits.Connections, Rate: r.Limits.PerSource},
	}
	if o.Endpoints, err = r.Endpoints(vendors, false); err != nil {
		return o, err
	}
	if o.TrustedProxies, err = parsePrefixes("trusted_proxies", r.TrustedProxies); err != nil {
		return o, err
	}
	if o.Calls, err = ssrf.New(ssrf.Policy{Private: r.PrivateHosts}, callWithin); err != nil {
		return o, err
	}
	if len(r.CallbackHosts) > 0 {
		o.Confirms, err = ssrf.New(ssrf.Policy{Hosts: r.CallbackHosts, Private: r.PrivateHosts}, callWithin)
	}
	return o, err
}
