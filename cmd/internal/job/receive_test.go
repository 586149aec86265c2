package job

import (
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector/all"
	"github.com/sluicehq/sluice/internal/inbox"
	"github.com/sluicehq/sluice/internal/receiver"
	"github.com/sluicehq/sluice/internal/ssrf"
)

// receiveFile writes a file of `sluice receive` with one account, behind lines of its own.
func receiveFile(t *testing.T, lines, account string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "receive.yaml")
	text := lines + `
accounts:
  - name: main
    crm: {socialepoch: {tenant_id: 82, webhook_secrets: ["the-secret-of-the-vendor"]}}
    webhooks: {user_write_flow: kq3v9x2m7w5t8z4c6b1n0p7r5s3d9f2h, user_sync_portrait: x9k2q7m4w3t8z5c6b1n0p7r5s3d9f2hv}
` + account
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// What a file says comes to where it counts, and so do the defaults of what it leaves out.
func TestReceiveOptions(t *testing.T) {
	networks := func(list ...string) (out []netip.Prefix) {
		for _, p := range list {
			out = append(out, netip.MustParsePrefix(p))
		}
		return out
	}
	for _, tc := range []struct {
		what, lines, account string
		dir, token           string
		limits               receiver.Limits
		proxies, from        []netip.Prefix
		store                inbox.Options
	}{
		{
			what:   "nothing set",
			dir:    "inbox",
			limits: receiver.Limits{Body: 1 << 20, InFlight: 1024, Connections: 4096, Rate: 2000},
			store:  inbox.Options{MaxAge: 30 * 24 * time.Hour, MaxBytes: 10 << 30, DedupeFor: 7 * 24 * time.Hour},
		},
		{
			what: "all set",
			lines: `
admin: {token: a-token-of-this-test}
inbox: {dir: kept, max_age: 99h, max_megabytes: 7, dedupe_for: 444h}
trusted_proxies: [10.1.2.3/16, "fd00::1"]
callback_hosts: [api.example.com]
allow_private_hosts: true
limits: {body_bytes: 2048, in_flight: 3, connections: 5, requests_per_second_per_source: 0.5}
`,
			account: `    allow_from: [203.0.113.7, "2001:db8::/32"]`,
			dir:     "kept", token: "a-token-of-this-test",
			limits:  receiver.Limits{Body: 2048, InFlight: 3, Connections: 5, Rate: 0.5},
			proxies: networks("10.1.0.0/16", "fd00::1/128"), from: networks("203.0.113.7/32", "2001:db8::/32"),
			store: inbox.Options{MaxAge: 99 * time.Hour, MaxBytes: 7 << 20, DedupeFor: 444 * time.Hour},
		},
	} {
		t.Run(tc.what, func(t *testing.T) {
			path, log := receiveFile(t, tc.lines, tc.account), slog.New(slog.DiscardHandler)
			r, _, err := LoadReceive(path, all.Vendors)
			if err != nil {
				t.Fatal(err)
			}
			o, err := r.Options(all.Vendors, log)
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(filepath.Dir(path), tc.dir)
			if o.Limits != tc.limits || o.Dir != dir || o.Token.Reveal() != tc.token || o.Log != log {
				t.Errorf("limits %+v, folder %s, token %q", o.Limits, o.Dir, o.Token.Reveal())
			}
			if !slices.Equal(o.TrustedProxies, tc.proxies) {
				t.Errorf("proxies %v, want %v", o.TrustedProxies, tc.proxies)
			}
			var names []string
			for _, e := range o.Endpoints {
				names = append(names, e.Name+" "+e.Address())
				if !slices.Equal(e.AllowFrom, tc.from) || e.Hook == nil {
					t.Errorf("%s takes requests from %v, want %v", e.Name, e.AllowFrom, tc.from)
				}
			}
			want := []string{
				"main/user_sync_portrait /hooks/socialepoch/user_sync_portrait/x9k2q7m4w3t8z5c6b1n0p7r5s3d9f2hv",
				"main/user_write_flow /hooks/socialepoch/user_write_flow/kq3v9x2m7w5t8z4c6b1n0p7r5s3d9f2h",
			}
			if !slices.Equal(names, want) {
				t.Errorf("endpoints %q, want %q", names, want)
			}
			tc.store.Dir, tc.store.Log = dir, log
			if store := r.InboxOptions(log); !reflect.DeepEqual(store, tc.store) {
				t.Errorf("inbox %+v, want %+v", store, tc.store)
			}
		})
	}
}

// What webhooks ask to be called is called within what the file allows: confirmations go to the hosts that it lists and to no
// other, and nothing goes to this machine or by http: unless it says so.
func TestReceiveCalls(t *testing.T) {
	const listed, other, private, plain = "https://api.example.com:8443/", "https://api.example.com/", "https://10.0.0.1:8443/", "http://api.example.com:8443/"
	const hosts = "callback_hosts: [api.example.com:8443, 10.0.0.1:8443]\n"
	for _, tc := range []struct {
		lines           string
		confirms, calls []string // that are allowed
	}{
		{"", nil, []string{other}},
		{"allow_private_hosts: true\n", nil, []string{listed, other, private, plain}},
		{hosts, []string{listed}, []string{other}},
		{hosts + "allow_private_hosts: true\n", []string{listed, private, plain}, []string{listed, other, private, plain}},
	} {
		r, _, err := LoadReceive(receiveFile(t, tc.lines, ""), all.Vendors)
		if err != nil {
			t.Fatal(err)
		}
		o, err := r.Options(all.Vendors, nil)
		if err != nil {
			t.Fatal(err)
		}
		allowed := func(g *ssrf.Guard) (list []string) {
			for _, url := range []string{listed, other, private, plain} {
				if g == nil {
					break // no call is made
				}
				if _, err := g.CheckURL(url); err == nil {
					list = append(list, url)
				}
			}
			return list
		}
		if got := allowed(o.Confirms); !slices.Equal(got, tc.confirms) {
			t.Errorf("%q confirms at %q, want %q", tc.lines, got, tc.confirms)
		}
		if got := allowed(o.Calls); !slices.Equal(got, tc.calls) {
			t.Errorf("%q calls %q, want %q", tc.lines, got, tc.calls)
		}
	}
}
