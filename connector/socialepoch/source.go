package socialepoch

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/restapi"
)

// source is the way back: two webhooks and the query of an account's friends.
var source = connector.Source{
	NewConfig: func() connector.Config {
		return &SourceConfig{WindowSeconds: defaultWindow, TimeZone: defaultZone, FriendID: friendContact, BaseURL: host}
	},
	Fields:   sourceFields,
	Streams:  streams,
	Webhooks: webhooks,
	Tenant:   tenantOf,
	Puller:   newPuller,
	Check:    newSourceCheck,
}

// SourceConfig is one account to hear from and to ask. Its table is sourceFields.
type SourceConfig struct {
	TenantID         int64              `json:"tenant_id"`
	WebhookSecrets   []connector.Secret `json:"webhook_secrets"` // none: webhooks are not taken
	WindowSeconds    int64              `json:"signature_window"`
	Strict           bool               `json:"strict"`
	TimeZone         string             `json:"time_zone"`
	FriendID         string             `json:"friend_id"`
	APIKey           connector.Secret   `json:"api_key"`
	BaseURL          string             `json:"base_url"`
	WhatsAppAccounts []string           `json:"whatsapp_accounts"` // none: nobody is asked
	Stages           map[string]int64   `json:"stages"`            // name → id; likewise Sources
	Sources          map[string]int64   `json:"sources"`
}

// What friendWhatsId names. The vendor's pages say both.
const (
	friendContact = "contact"
	friendAccount = "account"
)

const (
	defaultZone   = "Asia/Shanghai"
	defaultWindow = 300
	leastWindow   = 1
	mostWindow    = 3600
)

var sourceFields = []connector.Field{
	{Name: "tenant_id", Type: connector.TypeInteger, Title: "Company id", Required: true, Min: connector.Bound(1), Examples: []any{82},
		Doc: "Number of the company that owns the contacts. Webhooks of another company are refused."},
	{Name: "webhook_secrets", Type: connector.TypeArray, Title: "Webhook secrets", Items: &connector.Field{Type: connector.TypeString, Secret: true},
		Doc: "Secrets that the vendor signs webhooks with. Each of them is tried: to rotate, add the new one first and take the old one away when the vendor uses the new one."},
	{Name: "signature_window", Type: connector.TypeInteger, Title: "Signature window", Default: defaultWindow, Min: connector.Bound(leastWindow), Max: connector.Bound(mostWindow), Advanced: true,
		Doc: "Seconds by which the time in a webhook may differ from this machine's clock, either way. The signature does not cover the body, so keep it short."},
	{Name: "strict", Type: connector.TypeBoolean, Title: "Strict signatures", Default: false, Advanced: true,
		Doc: "Where a webhook has a signature both in its headers and in its body, both must be right. Otherwise one is enough."},
	{Name: "time_zone", Type: connector.TypeString, Title: "Time zone", Default: defaultZone, Examples: []any{defaultZone, "+08:00"}, Advanced: true,
		Doc: "Zone of the times that the vendor writes without one: a name of the tz database, or an offset from UTC."},
	{Name: "friend_id", Type: connector.TypeString, Title: "Meaning of friendWhatsId", Default: friendContact, Enum: []string{friendContact, friendAccount}, Advanced: true,
		Doc: "Whose number friendWhatsId in webhooks is: the contact's, or that of the account of yours that the contact writes to. The vendor's pages say both; its examples show contacts."},
	{Name: "api_key", Type: connector.TypeString, Title: "API key", Secret: true,
		Doc: "Key that belongs to the company, for queries. Webhooks need none."},
	{Name: "base_url", Type: connector.TypeString, Title: "Base URL", Default: host, Advanced: true,
		Examples: []any{host, "http://127.0.0.1:8080"}, Doc: "Host of the API, with any path prefix. Change it for another host or the sandbox."},
	{Name: "whatsapp_accounts", Type: connector.TypeArray, Title: "WhatsApp accounts", Items: &connector.Field{Type: connector.TypeString}, Examples: []any{[]any{"86187272722"}},
		Doc: "WhatsApp numbers of your side whose friends the stream contacts holds, each asked in turn."},
	{Name: "stages", Type: connector.TypeMap, Title: "Stage ids", Items: &connector.Field{Type: connector.TypeInteger}, Examples: []any{map[string]any{"New customer": 10}}, Advanced: true,
		Doc: "Names of the stages set up in the vendor's console and their ids, which is what queries answer. An id without a name stays a number."},
	{Name: "sources", Type: connector.TypeMap, Title: "Source ids", Items: &connector.Field{Type: connector.TypeInteger}, Examples: []any{map[string]any{"Default": 10}}, Advanced: true,
		Doc: "The same for customer sources."},
}

// Validate reports every fault at once.
func (c *SourceConfig) Validate() error {
	var faults []error
	if c.TenantID <= 0 {
		faults = append(faults, connector.Configf("Set it to the number of the company, such as 82", "tenant_id must be a positive integer, not %d", c.TenantID))
	}
	if c.WindowSeconds < leastWindow || c.WindowSeconds > mostWindow {
		faults = append(faults, connector.Configf(fmt.Sprintf("Set it to %d or leave it out", defaultWindow), "signature_window is %d seconds, not between %d and %d", c.WindowSeconds, leastWindow, mostWindow))
	}
	for i, s := range c.WebhookSecrets {
		if s.IsZero() {
			faults = append(faults, connector.Configf("Remove it, or set it to the secret that the vendor gave you", "webhook_secrets[%d] is empty", i))
		}
		faults = append(faults, restapi.CheckCredential(fmt.Sprintf("webhook_secrets[%d]", i), s))
	}
	if _, err := zoneOf(c.TimeZone); err != nil {
		faults = append(faults, err)
	}
	if c.FriendID != friendContact && c.FriendID != friendAccount {
		faults = append(faults, connector.Configf("Use one of contact, account", "friend_id is %q", c.FriendID))
	}
	if len(c.WebhookSecrets) == 0 && len(c.WhatsAppAccounts) == 0 {
		faults = append(faults, connector.Configf("Set webhook_secrets to hear of changes, whatsapp_accounts and api_key to query contacts, or all three",
			"neither webhook_secrets nor whatsapp_accounts is set, so nothing would ever come"))
	}
	faults = append(faults, c.validateQuery()...)
	return errors.Join(faults...)
}

// validateQuery judges the settings that serve the query alone.
func (c *SourceConfig) validateQuery() []error {
	faults := []error{restapi.CheckBaseURL(c.BaseURL, host), restapi.CheckCredential("api_key", c.APIKey), checkIDs("stages", c.Stages), checkIDs("sources", c.Sources)}
	if len(c.WhatsAppAccounts) > 0 && c.APIKey.IsZero() {
		faults = append(faults, connector.Configf("Set it to the key that the company's administrator gave you, or leave whatsapp_accounts out", "api_key is missing, and whatsapp_accounts cannot be asked without it"))
	}
	seen := map[string]bool{}
	for _, account := range c.WhatsAppAccounts {
		switch {
		case account == "" || digits(account) != account:
			faults = append(faults, connector.Configf("Write the number in digits, country code first, such as 86187272722", "whatsapp_accounts: %q is not a WhatsApp number", account))
		case seen[account]:
			faults = append(faults, connector.Configf("List it once", "whatsapp_accounts: %q is repeated", account))
		}
		seen[account] = true
	}
	return faults
}

// checkIDs wants one name for each id.
func checkIDs(field string, ids map[string]int64) error {
	var faults []error
	taken := map[int64]string{}
	for _, name := range slices.Sorted(maps.Keys(ids)) {
		if strings.TrimSpace(name) == "" {
			faults = append(faults, connector.Configf("Use the name that the vendor's console shows", "%s: %d has no name", field, ids[name]))
		}
		if other, twice := taken[ids[name]]; twice {
			faults = append(faults, connector.Configf("Give each id one name", "%s: %q and %q have both the id %d", field, other, name, ids[name]))
		}
		taken[ids[name]] = name
	}
	return errors.Join(faults...)
}

// zoneOf finds a zone by its name or offset. A machine without the tz database knows the default all the same: it has
// had no other offset since 1991.
func zoneOf(name string) (*time.Location, error) {
	for _, layout := range []string{"-07:00", "-0700"} {
		if t, err := time.Parse(layout, name); err == nil {
			_, offset := t.Zone()
			return time.FixedZone(name, offset), nil
		}
	}
	zone, err := time.LoadLocation(name)
	switch {
	case err == nil && name != "" && name != "Local":
		return zone, nil
	case name == defaultZone:
		return time.FixedZone(name, 8*60*60), nil
	}
	return nil, connector.Configf("Use a name such as Asia/Shanghai, or an offset such as +08:00", "time_zone %q is not known on this machine", name)
}

func sourceConfigOf(cfg connector.Config) (*SourceConfig, error) {
	c, ok := cfg.(*SourceConfig)
	if !ok {
		return nil, fmt.Errorf("socialepoch: source configuration of type %T", cfg)
	}
	return c, nil
}

// signer authorises queries as imports are authorised.
func (c *SourceConfig) signer() *signer {
	return newSigner(&Config{TenantID: c.TenantID, APIKey: c.APIKey})
}

// tenantOf is the account as tickets name it.
func tenantOf(cfg connector.Config) string {
	c, err := sourceConfigOf(cfg)
	if err != nil {
		return ""
	}
	return strconv.FormatInt(c.TenantID, 10)
}
