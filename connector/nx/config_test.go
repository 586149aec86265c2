package nx

import (
	"strings"
	"testing"

	"github.com/sluicehq/sluice/connector"
)

func TestDefaultsLackOnlyTheAccount(t *testing.T) {
	for _, v := range []connector.Vendor{NXLink, NXCloud} {
		err := v.NewConfig().Validate()
		if err == nil {
			t.Fatalf("%s: an empty configuration passes", v.Name)
		}
		wantContains(t, err.Error(), "access_key is missing", "access_secret is missing", "tenant_id must be", "app_key is missing")
		if n := strings.Count(err.Error(), "\n") + 1; n != 4 {
			t.Errorf("%s: %d faults, want 4:\n%v", v.Name, n, err)
		}
		if connector.KindOf(err) != connector.KindConfig {
			t.Errorf("%s: kind %v", v.Name, connector.KindOf(err))
		}
	}
}

func TestValidate(t *testing.T) {
	for _, tc := range []struct {
		name string
		edit func(*CloudConfig)
		want string // "": valid
	}{
		{"good", func(*CloudConfig) {}, ""},
		{"old", func(c *CloudConfig) { c.Contract = contractOld }, ""},
		{"contract", func(c *CloudConfig) { c.Contract = "newest" }, `contract is "newest". Use one of old, new`},
		{"strict and old", func(c *CloudConfig) { c.Contract, c.StrictBinding = contractOld, true }, "strict_binding is not part of the old contract"},
		{"strict and new", func(c *CloudConfig) { c.StrictBinding = true }, ""},
		{"algorithm", func(c *CloudConfig) { c.Algorithm = "SHA-1" }, `algorithm is "SHA-1"`},
		{"mode", func(c *CloudConfig) { c.Mode = "append" }, "upsert, replace, insert"},
		{"name order", func(c *CloudConfig) { c.NameOrder = "western" }, "as_labelled, nx_surname_first"},
		{"tenant", func(c *CloudConfig) { c.TenantID = -3 }, "not -3"},
		{"blank in the secret", func(c *CloudConfig) { c.AccessSecret = connector.NewSecret("abc\n") }, "access_secret holds a blank"},
		{"blank in the key", func(c *CloudConfig) { c.AccessKey = connector.NewSecret("a c") }, "access_key holds a blank"},
		{"https", func(c *CloudConfig) { c.BaseURL = "https://api-idn.nxlink.ai/" }, ""},
		{"loopback", func(c *CloudConfig) { c.BaseURL = "http://127.0.0.1:80/nx" }, ""},
		{"loopback 6", func(c *CloudConfig) { c.BaseURL = "http://[::1]:80" }, ""},
		{"localhost", func(c *CloudConfig) { c.BaseURL = "http://localhost:8080" }, ""},
		{"plain http", func(c *CloudConfig) { c.BaseURL = "http://api-hk.nxlink.ai" }, "unencrypted"},
		{"disguised host", func(c *CloudConfig) { c.BaseURL = "http://127.0.0.1.evil.com" }, "unencrypted"},
		{"no scheme", func(c *CloudConfig) { c.BaseURL = "api-hk.nxlink.ai" }, "not an http or https URL"},
		{"ftp", func(c *CloudConfig) { c.BaseURL = "ftp://api-hk.nxlink.ai" }, "not an http or https URL"},
		{"no host", func(c *CloudConfig) { c.BaseURL = "https://:8080" }, "not an http or https URL"},
		{"user", func(c *CloudConfig) { c.BaseURL = "https://u:p@api-hk.nxlink.ai" }, "holds a user name"},
		{"query", func(c *CloudConfig) { c.BaseURL = "https://api-hk.nxlink.ai?x=1" }, "query or a fragment"},
		{"broken", func(c *CloudConfig) { c.BaseURL = "https://%zz" }, "cannot be read as a URL"},
		{"custom", func(c *CloudConfig) { c.CustomFields = map[string]string{"vip": "customize_1_14"} }, ""},
		{"custom name", func(c *CloudConfig) { c.CustomFields = map[string]string{"vip": "VIP"} }, `"vip" is mapped to "VIP"`},
		{"custom twice", func(c *CloudConfig) {
			c.CustomFields = map[string]string{"a": "customize_1_14", "b": "customize_1_14"}
		}, `"a" and "b" are both mapped`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := goodCloud(contractNew)
			tc.edit(cfg)
			err := cfg.Validate()
			if tc.want == "" {
				if err != nil {
					t.Errorf("got %v, want none", err)
				}
				return
			}
			if connector.KindOf(err) != connector.KindConfig {
				t.Fatalf("got %v, want a config error", err)
			}
			wantContains(t, err.Error(), tc.want)
			for _, secret := range []string{testSecret, testKey, "u:p"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%v shows %q", err, secret)
				}
			}
		})
	}
}

func TestEveryFaultIsReported(t *testing.T) {
	err := (&CloudConfig{Account: Account{BaseURL: "x", CustomFields: map[string]string{"a": "b"}}}).Validate()
	wantContains(t, err.Error(), "access_key", "access_secret", "app_key", "tenant_id", "algorithm", "mode", "name_order", "base_url", "custom_fields", "contract")
}

func TestForeignConfig(t *testing.T) {
	var cfg foreign
	if _, err := newCheck(cfg); err == nil {
		t.Error("check takes another vendor's configuration")
	}
	if _, err := newPreset(cfg); err == nil {
		t.Error("preset takes another vendor's configuration")
	}
	if _, err := newCodec(cfg, "contacts", "", vendorSchema()); err == nil {
		t.Error("codec takes another vendor's configuration")
	}
	if got := modeOf(cfg); got != modeUpsert {
		t.Errorf("mode %q", got)
	}
}

type foreign struct{}

func (foreign) Validate() error { return nil }
