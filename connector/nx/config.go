package nx

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/restapi"
)

// Account is the configuration that NXLink and NXCloud share. Its table is accountFields.
type Account struct {
	AccessKey    connector.Secret  `json:"access_key"`
	AccessSecret connector.Secret  `json:"access_secret"`
	TenantID     int64             `json:"tenant_id"`
	AppKey       string            `json:"app_key"`
	BaseURL      string            `json:"base_url"` // "": the contract's own host
	Algorithm    string            `json:"algorithm"`
	Mode         string            `json:"mode"`
	NameOrder    string            `json:"name_order"`
	MissingName  string            `json:"missing_name"` // stands in for a missing half of a name; "": such rows are rejected
	SendFullName bool              `json:"send_full_name"`
	CustomFields map[string]string `json:"custom_fields"` // source name → customize_<type>_<n>
}

// LinkConfig configures NXLink.
type LinkConfig struct{ Account }

// CloudConfig configures NXCloud.
type CloudConfig struct {
	Account
	Contract      string `json:"contract"` // old or new
	StrictBinding bool   `json:"strict_binding"`
	LookupFields  bool   `json:"lookup_custom_fields"`
}

// Values of the settings that are a choice.
const (
	algorithmMD5    = "md5"
	algorithmSHA256 = "sha256"

	modeUpsert  = "upsert"
	modeReplace = "replace"
	modeInsert  = "insert"

	nameAsLabelled   = "as_labelled"
	nameSurnameFirst = "nx_surname_first"

	contractSea = "sea" // NXLink's only one; not a setting
	contractOld = "old"
	contractNew = "new"
)

// Hosts of the contracts.
const (
	hostNXLink  = "https://api-hk.nxlink.ai"
	hostNXCloud = "https://api.nxcloud.com"
)

func defaultAccount() Account {
	return Account{Algorithm: algorithmMD5, Mode: modeUpsert, NameOrder: nameAsLabelled, MissingName: "-"}
}

func accountFields(baseURLDoc string, baseURLDefault any) []connector.Field {
	return []connector.Field{
		{Name: "access_key", Type: connector.TypeString, Title: "Access key", Required: true, Secret: true,
			Doc: "Identity key of the account, from the vendor's console under API keys."},
		{Name: "access_secret", Type: connector.TypeString, Title: "Access secret", Required: true, Secret: true,
			Doc: "Secret that belongs to the access key. It signs every request and is never sent."},
		{Name: "tenant_id", Type: connector.TypeInteger, Title: "Tenant id", Required: true, Min: connector.Bound(1), Examples: []any{144},
			Doc: "Number of the tenant that owns the contacts."},
		{Name: "app_key", Type: connector.TypeString, Title: "App key", Required: true, Examples: []any{"46oKF=os"},
			Doc: "Key of the application inside the tenant. Not a secret."},
		{Name: "base_url", Type: connector.TypeString, Title: "Base URL", Default: baseURLDefault, Advanced: true,
			Examples: []any{"https://api-hk.nxlink.ai", "https://api-idn.nxlink.ai", "http://127.0.0.1:8080/nx"}, Doc: baseURLDoc},
		{Name: "algorithm", Type: connector.TypeString, Title: "Signature", Default: algorithmMD5, Enum: []string{algorithmMD5, algorithmSHA256}, Advanced: true,
			Doc: "Hash of the signature. md5 is the vendor's default; sha256 is announced in the header algorithm."},
		{Name: "mode", Type: connector.TypeString, Title: "Mode", Default: modeUpsert, Enum: []string{modeUpsert, modeReplace, modeInsert},
			Doc: "What becomes of a contact that is there already: upsert adds and updates fields, replace drops the old record, insert keeps the old record."},
		{Name: "name_order", Type: connector.TypeString, Title: "Name order", Default: nameAsLabelled, Enum: []string{nameAsLabelled, nameSurnameFirst},
			Doc: "as_labelled puts the given name into first_name. nx_surname_first puts the family name there, as the vendor's own examples and its Chinese page do."},
		{Name: "missing_name", Type: connector.TypeString, Title: "Missing name", Default: "-", Advanced: true,
			Doc: "Stands in for the half that a one-word name lacks, where both halves are demanded. Empty: such rows are rejected."},
		{Name: "send_full_name", Type: connector.TypeBoolean, Title: "Send full_name", Default: false, Advanced: true,
			Doc: "Send full_name also where the contract does not list it."},
		{Name: "custom_fields", Type: connector.TypeMap, Title: "Custom fields", Items: &connector.Field{Type: connector.TypeString, Pattern: customName.String()},
			Examples: []any{map[string]any{"vip_level": "customize_1_14"}},
			Doc:      "Names of members of `custom` and the fields of the CRM that take them. Names such as customize_1_14 need no entry; any other name is refused."},
	}
}

func linkFields() []connector.Field {
	return accountFields("Host of the API, with any path prefix. Change it for a regional host or the sandbox.", hostNXLink)
}

func cloudFields() []connector.Field {
	fields := accountFields("Host of the API, with any path prefix. Empty: "+hostNXCloud+" for the old contract, "+hostNXLink+
		" for the new one. Change it for a regional host or the sandbox.", nil)
	return append(fields,
		connector.Field{Name: "contract", Type: connector.TypeString, Title: "Contract", Default: contractNew, Enum: []string{contractOld, contractNew},
			Doc: "Version of the vendor's interface. new demands full_name, takes more channels and a longer remark; old demands first_name and last_name."},
		connector.Field{Name: "strict_binding", Type: connector.TypeBoolean, Title: "Strict binding", Default: false, Advanced: true,
			Doc: "Bind each contact to one seat only. The new contract alone has it."},
		connector.Field{Name: "lookup_custom_fields", Type: connector.TypeBoolean, Title: "Look custom fields up", Default: false, Advanced: true,
			Doc: "Ask the CRM for its custom fields before a run, so that members of `custom` may go by their display names."},
	)
}

// customName is what the vendor calls a custom field: its type and number.
var customName = regexp.MustCompile(`^customize_[0-9]+_[0-9]+$`)

// Validate reports every fault at once.
func (c *LinkConfig) Validate() error { return errors.Join(c.faults()...) }

// Validate reports every fault at once.
func (c *CloudConfig) Validate() error {
	faults := c.faults()
	faults = append(faults, connector.OneOf("contract", c.Contract, contractOld, contractNew))
	if c.StrictBinding && c.Contract == contractOld {
		faults = append(faults, connector.Configf("Leave strict_binding out, or set contract: new", "strict_binding is not part of the old contract"))
	}
	return errors.Join(faults...)
}

func (a *Account) faults() []error {
	var faults []error
	need := func(missing bool, field, where string) {
		if missing {
			faults = append(faults, connector.Configf("Set it to the value "+where, "%s is missing", field))
		}
	}
	need(a.AccessKey.IsZero(), "access_key", "from the vendor's console")
	need(a.AccessSecret.IsZero(), "access_secret", "that belongs to access_key")
	need(a.AppKey == "", "app_key", "of the application that holds the contacts")
	if a.TenantID <= 0 {
		faults = append(faults, connector.Configf("Set it to the number of the tenant, such as 144", "tenant_id must be a positive integer, not %d", a.TenantID))
	}
	if a.BaseURL != "" {
		faults = append(faults, restapi.CheckBaseURL(a.BaseURL, hostNXLink))
	}
	return append(faults,
		restapi.CheckCredential("access_key", a.AccessKey),
		restapi.CheckCredential("access_secret", a.AccessSecret),
		connector.OneOf("algorithm", a.Algorithm, algorithmMD5, algorithmSHA256),
		connector.OneOf("mode", a.Mode, modeUpsert, modeReplace, modeInsert),
		connector.OneOf("name_order", a.NameOrder, nameAsLabelled, nameSurnameFirst),
		checkCustom(a.CustomFields))
}

func checkCustom(fields map[string]string) error {
	return restapi.CheckTargets("custom_fields", fields, func(name, to string) error {
		if customName.MatchString(to) {
			return nil
		}
		return connector.Configf("Use the CRM's own name of the field, such as customize_1_14", "custom_fields: %q is mapped to %q", name, to)
	})
}

// settings is what the codec, the preset and the check need of either configuration.
type settings struct {
	Account
	contract      string
	strictBinding bool
}

func settingsOf(cfg connector.Config) (settings, error) {
	switch c := cfg.(type) {
	case *LinkConfig:
		return settings{Account: c.Account, contract: contractSea}, nil
	case *CloudConfig:
		return settings{Account: c.Account, contract: c.Contract, strictBinding: c.StrictBinding}, nil
	}
	return settings{}, fmt.Errorf("nx: configuration of type %T", cfg)
}

// url joins the base and a path of the interface.
func (s *settings) url(path string) string {
	base := s.BaseURL
	if base == "" {
		base = hostNXLink
		if s.contract == contractOld {
			base = hostNXCloud
		}
	}
	return strings.TrimRight(base, "/") + path
}

func modeOf(cfg connector.Config) string {
	s, err := settingsOf(cfg)
	if err != nil || s.Mode == "" {
		return modeUpsert
	}
	return s.Mode
}
