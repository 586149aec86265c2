package job

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/all"
)

// inside are addresses that a shared platform must not call, and why.
var inside = map[string]string{
	"http://127.0.0.1:9":      "only https is",
	"http://localhost:9":      "only https is",
	"https://127.0.0.1:9":     "not public",
	"https://10.1.2.3":        "not public",
	"https://192.168.0.9:443": "not public",
	"https://169.254.169.254": "not public",
	"https://[::1]:9":         "not public",
	"https://localhost:9":     "its name leads to one that is not public",
	"https://0x7f000001:9":    "not a host name",
}

func TestCheckPublic(t *testing.T) {
	for address, why := range inside {
		err := checkPublic(t.Context(), "base_url", address)
		if connector.KindOf(err) != connector.KindConfig || !strings.HasPrefix(err.Error(), "base_url: ") || !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), "DEPLOYMENT_MODE is CLOUD") {
			t.Errorf("%s: %v, want %q", address, err, why)
		}
	}
	for _, address := range []string{"https://8.8.8.8", "https://8.8.8.8:9465/", "https://[2606:4700::1111]", "https://crm.example/path"} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // no look-up leaves this machine; one that fails is no refusal
		if err := checkPublic(ctx, "base_url", address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	if err := checkPublic(t.Context(), "base_url", "https://user:pa55@8.8.8.8/"); err == nil || strings.Contains(err.Error(), "pa55") {
		t.Errorf("a user name: %v", err)
	}
}

// The address of each vendor's configuration is found.
func TestCheckPublicCRM(t *testing.T) {
	for _, v := range all.Vendors {
		list := []connector.Config{v.NewConfig()}
		if v.Source != nil {
			list = append(list, v.Source.NewConfig())
		}
		for _, cfg := range list {
			if err := json.Unmarshal([]byte(`{"base_url":"https://10.0.0.1"}`), cfg); err != nil {
				t.Fatal(err)
			}
			if err := checkPublicCRM(t.Context(), cfg); connector.KindOf(err) != connector.KindConfig {
				t.Errorf("%s, %T: %v", v.Name, cfg, err)
			}
		}
	}
}

const (
	sharedAccount = `"crm":{"vendor":"nxcloud","access_key":"k","access_secret":"s","tenant_id":1,"app_key":"a","base_url":%q}`
	sharedInbox   = `"crm":{"vendor":"socialepoch","tenant_id":82,"webhook_secrets":["s"],"base_url":"https://8.8.8.8"},"inbox":{"at":"receiver","url":%q,"token":"0123456789abcdef"}`
)

// Each command of the destination and of the source refuses such an address, if the platform is shared, and calls nobody.
// discover of the destination asks nobody, but says so too.
func TestSharedPlatform(t *testing.T) {
	for _, mode := range []string{"CLOUD", "cloud", "OSS", ""} {
		t.Setenv(deploymentMode, mode)
		for _, address := range []string{"http://127.0.0.1:9", "https://127.0.0.1:9", "https://10.255.255.1", "https://[::1]:9"} {
			if strings.Contains(address, "10.") && !onShared() {
				continue // nobody answers there, ever
			}
			for what, err := range sharedCalls(t, address) {
				told := err != nil && strings.Contains(err.Error(), "shared platform")
				if told != strings.EqualFold(mode, "CLOUD") {
					t.Errorf("%q, %s of %s: %v", mode, what, address, err)
				}
			}
		}
		if code, lines := source(t, AirbyteSource(all.Vendors), "spec", "", "", ""); code != 0 || !strings.Contains(lines[0], `"SPEC"`) {
			t.Errorf("%q: spec: exit code %d", mode, code)
		}
	}
}

// sharedCalls is what each command says to an address.
func sharedCalls(t *testing.T, address string) map[string]error {
	t.Helper()
	said := map[string]error{}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	account := fmt.Appendf(nil, "{"+sharedAccount+"}", address)
	d := Airbyte(all.Vendors)
	said["check"] = d.Check(ctx, account)
	_, said["discover"] = d.Operations(account)
	log := slog.New(slog.DiscardHandler)
	if onShared() { // else it would try for long
		said["write"] = d.Write(ctx, account, &list{}, log)
	}
	for name, text := range map[string]string{"query": sharedAccount, "inbox": sharedInbox} {
		config := fmt.Appendf(nil, "{"+text+"}", address)
		s := AirbyteSource(all.Vendors)
		said["check of the source, "+name] = s.Check(ctx, config, log)
		_, said["discover of the source, "+name] = s.Streams(ctx, config)
		sync, err := s.Open(ctx, config, map[string]connector.Position{map[string]string{"query": "contacts", "inbox": "profile_changes"}[name]: nil}, log)
		if sync != nil {
			_ = sync.Close()
		}
		said["read, "+name] = err
	}
	return said
}

// A name that leads inside only when it is called leads nowhere.
func TestSharedTransports(t *testing.T) {
	var hits atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer server.Close()
	for _, mode := range []string{"CLOUD", ""} {
		t.Setenv(deploymentMode, mode)
		hits.Store(0)
		v, _ := all.Lookup("nxcloud")
		cfg := v.NewConfig()
		if err := json.Unmarshal(fmt.Appendf(nil, `{"access_key":"k","access_secret":"s","tenant_id":1,"app_key":"a","base_url":%q}`, server.URL), cfg); err != nil {
			t.Fatal(err)
		}
		target, err := NewTarget(t.Context(), &v, cfg, Settings{Public: onShared()})
		if err != nil {
			t.Fatal(err)
		}
		_ = target.Check(t.Context())
		target.Close()
		tr, _, err := (&account{vendor: &v}).transportOf(nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := (&http.Client{Transport: tr}).Get(server.URL); err == nil {
			_ = resp.Body.Close()
		}
		tr.(*http.Transport).CloseIdleConnections()
		if proxied := tr.(*http.Transport).Proxy != nil; proxied == onShared() {
			t.Errorf("%q: a proxy is used: %t", mode, proxied)
		}
		if want := map[string]int32{"CLOUD": 0, "": 2}[mode]; hits.Load() != want {
			t.Errorf("%q: %d calls, want %d", mode, hits.Load(), want)
		}
	}
}
