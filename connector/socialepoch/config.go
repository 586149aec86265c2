package socialepoch

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/restapi"
)

// Config configures SocialEpoch. Its table is fields.
type Config struct {
	TenantID     int64             `json:"tenant_id"`
	APIKey       connector.Secret  `json:"api_key"`
	BaseURL      string            `json:"base_url"`
	Mode         string            `json:"mode"`
	DefaultOwner string            `json:"default_owner"` // "": contacts without an owner are rejected
	CustomFields map[string]string `json:"custom_fields"` // source name → display name
	FieldTypes   map[string]string `json:"field_types"`   // display name → one of fieldTypes
	SingleSelect string            `json:"single_select"`
	MaxBytes     int64             `json:"max_request_bytes"`
}

const (
	host = "https://api.socialscrm.com"

	selectAuto  = "auto"
	selectPlain = "plain"
	selectList  = "list"

	// The vendor documents no limit in bytes; gateways commonly have one.
	defaultBytes = 8 << 20
	leastBytes   = 64 << 10
	mostBytes    = 32 << 20
)

// Types of extension fields, as the vendor's console calls them. Values of a field without a type go as they come.
const (
	typeText       = "text"
	typeNumber     = "number"
	typeDate       = "date"
	typeTime       = "time"
	typeSingle     = "single"
	typeMulti      = "multi"
	typeAttachment = "attachment"
)

var fieldTypes = []string{typeText, typeNumber, typeDate, typeTime, typeSingle, typeMulti, typeAttachment}

func fields() []connector.Field {
	return []connector.Field{
		{Name: "tenant_id", Type: connector.TypeInteger, Title: "Company id", Required: true, Min: connector.Bound(1), Examples: []any{82},
			Doc: "Number of the company that owns the contacts. The account's administrator knows it."},
		{Name: "api_key", Type: connector.TypeString, Title: "API key", Required: true, Secret: true,
			Doc: "Key that belongs to the company, from its administrator. It goes into the token of every request and is never sent itself."},
		{Name: "base_url", Type: connector.TypeString, Title: "Base URL", Default: host, Advanced: true,
			Examples: []any{host, "http://127.0.0.1:8080"}, Doc: "Host of the API, with any path prefix. Change it for another host or the sandbox."},
		{Name: "mode", Type: connector.TypeString, Title: "Mode", Default: modeImport, Enum: modeNames(),
			Doc: "Where contacts go: import adds and updates the agent's customers, pool_append adds to the agent's import pool, pool_replace replaces that pool by the contacts of this run."},
		{Name: "default_owner", Type: connector.TypeString, Title: "Default owner", Examples: []any{"agent101"},
			Doc: "Login name of the agent who gets contacts that have no `owner`. Empty: such contacts are rejected."},
		{Name: "custom_fields", Type: connector.TypeMap, Title: "Custom fields", Items: &connector.Field{Type: connector.TypeString},
			Examples: []any{map[string]any{"vip_level": "VIP level"}},
			Doc:      "Names of members of `custom` and the display names of the extension fields that take them. A name without an entry is taken for a display name."},
		{Name: "field_types", Type: connector.TypeMap, Title: "Types of custom fields", Items: &connector.Field{Type: connector.TypeString, Enum: fieldTypes}, Advanced: true,
			Examples: []any{map[string]any{"Signed on": typeDate, "Channel": typeSingle}},
			Doc:      "Types of extension fields, by display name. A value is then brought into the form that the vendor wants of the type, and refused before it is sent where that cannot be: number, date (2022-03-08 becomes 2022/03/08), time (hours, minutes and seconds), single and multi (choices; a list is joined by commas), attachment (up to ten web addresses), text. Fields without a type go as they come; a list becomes one text with commas."},
		{Name: "single_select", Type: connector.TypeString, Title: "Form of a single choice", Default: selectAuto, Enum: []string{selectAuto, selectPlain, selectList}, Advanced: true,
			Doc: "How fields of the type single are written: plain as the name of the choice, list as the text of a list of one. auto takes what the vendor shows for the mode: plain for import, list for the pool."},
		{Name: "max_request_bytes", Type: connector.TypeInteger, Title: "Largest request", Default: defaultBytes, Min: connector.Bound(leastBytes), Max: connector.Bound(mostBytes), Advanced: true,
			Doc: "Most bytes that one request may hold, beside the vendor's limit of 10,000 contacts. Lower it where a gateway answers HTTP 413."},
	}
}

// Validate reports every fault at once.
func (c *Config) Validate() error {
	var faults []error
	if c.TenantID <= 0 {
		faults = append(faults, connector.Configf("Set it to the number of the company, such as 82", "tenant_id must be a positive integer, not %d", c.TenantID))
	}
	if c.APIKey.IsZero() {
		faults = append(faults, connector.Configf("Set it to the key that the company's administrator gave you", "api_key is missing"))
	}
	if c.MaxBytes < leastBytes || c.MaxBytes > mostBytes {
		faults = append(faults, connector.Configf(fmt.Sprintf("Set it to %d or leave it out", defaultBytes), "max_request_bytes is %d, not between %d and %d", c.MaxBytes, leastBytes, mostBytes))
	}
	return errors.Join(append(faults,
		connector.OneOf("mode", c.Mode, modeNames()...),
		connector.OneOf("single_select", c.SingleSelect, selectAuto, selectPlain, selectList),
		restapi.CheckCredential("api_key", c.APIKey),
		restapi.CheckBaseURL(c.BaseURL, host),
		checkCustom(c.CustomFields),
		checkTypes(c.FieldTypes))...)
}

func checkCustom(custom map[string]string) error {
	return restapi.CheckTargets("custom_fields", custom, func(name, to string) error {
		switch {
		case to == "":
			return connector.Configf("Use the field's name as the vendor's console shows it", "custom_fields: %q is mapped to nothing", name)
		case builtIn[to]:
			return connector.Configf("Map the value to the canonical column of that field", "custom_fields: %q is mapped to %q, which is a field of every contact", name, to)
		}
		return nil
	})
}

func checkTypes(types map[string]string) error {
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(types)) {
		if builtIn[name] {
			faults = append(faults, connector.Configf("Leave it out; the type of this field is known", "field_types: %q is a field of every contact and no extension field", name))
		}
		if err := connector.OneOf(fmt.Sprintf("field_types: %q", name), types[name], fieldTypes...); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

func configOf(cfg connector.Config) (*Config, error) {
	c, ok := cfg.(*Config)
	if !ok {
		return nil, fmt.Errorf("socialepoch: configuration of type %T", cfg)
	}
	return c, nil
}

// url joins the base and a path of the interface.
func (c *Config) url(path string) string { return strings.TrimRight(c.BaseURL, "/") + path }

func modeOf(cfg connector.Config) string {
	c, err := configOf(cfg)
	if err != nil || c.Mode == "" {
		return endpoints[0].mode.Name
	}
	return c.Mode
}
