package outcall

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/restapi"
)

// source is the way back: callbacks about imports, the imports themselves, and the pool of customers.
var source = connector.Source{
	NewConfig: func() connector.Config {
		return &SourceConfig{BaseURL: host, PageSize: 100, TimeZone: restapi.DefaultZone}
	},
	Fields:   sourceFields(),
	Streams:  streams,
	Webhooks: webhooks,
	Tenant:   tenantOf,
	Puller:   newPuller,
	Lookup:   newSourceLookup,
	Check:    newSourceCheck,
}

// SourceConfig is one account to hear from and to ask. Its table is sourceFields.
type SourceConfig struct {
	UserID          string             `json:"user_id"`
	Token           connector.Secret   `json:"token"` // none: nothing is asked
	SubUserID       string             `json:"sub_user_id"`
	BaseURL         string             `json:"base_url"`
	CallbackSecrets []connector.Secret `json:"callback_secrets"`
	Imports         []Import           `json:"imports"`
	NumberAddSuffix bool               `json:"number_add_suffix"`
	PageSize        int64              `json:"page_size"`
	TimeZone        string             `json:"time_zone"`
	Components      map[string]string  `json:"components"` // name → id
	LookupNames     bool               `json:"lookup_components"`
	Sources         map[string]int64   `json:"sources"` // name → id; likewise the next two
	Industries      map[string]int64   `json:"industries"`
	Grades          map[string]int64   `json:"grades"`

	names map[string]string // id of a component → what the CRM calls it; from the look-up
}

// Import is an accepted request to add numbers.
type Import struct {
	ID      string   `json:"unique_id"`
	Numbers []string `json:"numbers"` // that were submitted; none: not known
}

// minSecret is the least length, in characters, of a secret that stands in an address.
const minSecret = 16

func sourceFields() []connector.Field {
	shared := map[string]connector.Field{}
	for _, f := range fields {
		shared[f.Name] = f
	}
	edit := func(name, doc string) connector.Field {
		f := shared[name]
		f.Required, f.Doc = false, doc
		return f
	}
	user := edit("user_id", "Id of the account.")
	user.Required = true
	return []connector.Field{
		user,
		edit("token", "Bearer token of the account, from the vendor's console under the developer guide. Callbacks need none, but the lists of numbers that they point to, imports and contacts do."),
		shared["sub_user_id"],
		edit("base_url", "Host of the API. Change it for a white-label host or the sandbox. Lists of numbers are fetched from this host alone."),
		{Name: "callback_secrets", Type: connector.TypeArray, Title: "Callback secrets", Items: &connector.Field{Type: connector.TypeString, Secret: true},
			Doc: "The vendor signs nothing. With a secret here, the address that you give the vendor must end in ?secret= and that text, of 16 characters or more; each of them is tried, so that it can be changed. Without one, nobody may be able to guess the path."},
		{Name: "imports", Type: connector.TypeArray, Title: "Imports",
			Items: &connector.Field{Type: connector.TypeObject, Fields: []connector.Field{
				{Name: "unique_id", Type: connector.TypeString, Title: "Id", Required: true, Doc: "What the vendor called the import when it accepted it."},
				{Name: "numbers", Type: connector.TypeArray, Title: "Numbers", Items: &connector.Field{Type: connector.TypeString}, Doc: "The numbers that were submitted, so that those which were not imported can be told."},
			}},
			Doc: "Imports to ask about, for the stream imports. The vendor has no list of them."},
		edit("number_add_suffix", "The imports had number_add_suffix set: take the suffixes off."),
		{Name: "page_size", Type: connector.TypeInteger, Title: "Page size", Default: 100, Min: connector.Bound(1), Max: connector.Bound(pageSize), Advanced: true,
			Doc: "Customers per call. The vendor gives 15 unless asked for more."},
		{Name: "time_zone", Type: connector.TypeString, Title: "Time zone", Default: restapi.DefaultZone, Examples: []any{restapi.DefaultZone, "+08:00"}, Advanced: true,
			Doc: "Zone of the times that the vendor writes without one: a name of the tz database, or an offset from UTC."},
		edit("components", "Names for members of `custom`, or birthday, address, country, profession, income, remark, language and time_zone, and the ids of the components that hold them. A component without an entry goes by its name, if that is looked up, else by its id."),
		edit("lookup_components", "Ask the CRM for the names of its components before a run."),
		shared["sources"], shared["industries"], shared["grades"],
	}
}

// Validate reports every fault at once.
func (c *SourceConfig) Validate() error {
	account := c.account()
	if account.Token.IsZero() {
		account.Token = connector.NewSecret("none") // callbacks need none
	}
	account.TaskID = "00000000-0000-0000-0000-000000000000" // the way back knows no task
	faults := []error{account.Validate()}
	fault := func(bad bool, fix, what string, args ...any) {
		if bad {
			faults = append(faults, connector.Configf(fix, what, args...))
		}
	}
	for i, secret := range c.CallbackSecrets {
		at := fmt.Sprintf("callback_secrets[%d]", i)
		fault(len(secret.Reveal()) < minSecret, "Use 16 random characters or more", "%s is too short to withstand guessing", at)
		faults = append(faults, restapi.CheckCredential(at, secret))
	}
	seen := map[string]bool{}
	for i, one := range c.Imports {
		fault(!safeID(one.ID), "Copy it from the vendor's answer or from a report", "imports[%d]: unique_id %q is not an id", i, one.ID)
		fault(seen[one.ID], "List it once", "imports[%d]: unique_id %q is repeated", i, one.ID)
		seen[one.ID] = true
	}
	fault(len(c.Imports) > 0 && c.Token.IsZero(), "Set it to the token from the vendor's console, or leave imports out", "token is missing, and imports cannot be asked about without it")
	fault(c.LookupNames && c.Token.IsZero(), "Set it to the token from the vendor's console, or leave lookup_components out", "token is missing, and components cannot be looked up without it")
	fault(c.PageSize < 1 || c.PageSize > pageSize, "Leave it out", "page_size is %d, not between 1 and %d", c.PageSize, pageSize)
	if _, err := restapi.Zone("time_zone", c.TimeZone); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// account is the part of the configuration that imports have too.
func (c *SourceConfig) account() *Config {
	return &Config{
		Token: c.Token, UserID: c.UserID, SubUserID: c.SubUserID, BaseURL: c.BaseURL, Mode: modeAsync, Settle: settleImported, PhoneFormat: phoneAny,
		NumberAddSuffix: c.NumberAddSuffix, Components: c.Components,
	}
}

func sourceConfigOf(cfg connector.Config) (*SourceConfig, error) {
	c, ok := cfg.(*SourceConfig)
	if !ok {
		return nil, connector.Internalf("", "outcall: source configuration of type %T", cfg)
	}
	return c, nil
}

// newPuller makes the query of a stream, nil where the configuration has nothing to ask with.
func newPuller(cfg connector.Config, stream string) (connector.Puller, error) {
	c, err := sourceConfigOf(cfg)
	if err != nil {
		return nil, err
	}
	switch stream {
	case streamImportResults:
		return nil, nil
	case streamImports:
		if c.Token.IsZero() || len(c.Imports) == 0 {
			return nil, nil
		}
		return newImports(c), nil
	case streamContacts:
		if c.Token.IsZero() {
			return nil, nil
		}
		return newPool(c)
	}
	return nil, connector.Configf("Read one of "+strings.Join([]string{streamImportResults, streamImports, streamContacts}, ", "), "there is no stream %q", stream)
}

func newSourceCheck(cfg connector.Config) (connector.Probe, error) {
	c, err := sourceConfigOf(cfg)
	if err != nil || c.Token.IsZero() {
		return nil, err
	}
	return componentsProbe(c.account()), nil
}

// sourceLookup asks for the account's components and keeps what the CRM calls them.
type sourceLookup struct {
	*probe
	config *SourceConfig
}

// newSourceLookup returns nil where the configuration does not ask for it.
func newSourceLookup(cfg connector.Config) (connector.Probe, error) {
	c, err := sourceConfigOf(cfg)
	if err != nil || !c.LookupNames {
		return nil, err
	}
	return &sourceLookup{componentsProbe(c.account()), c}, nil
}

// ParseResponse keeps the names. One that two components share names neither: a customer must not lose one of them.
func (l *sourceLookup) ParseResponse(resp *connector.Response) error {
	if err := l.probe.ParseResponse(resp); err != nil {
		return err
	}
	list, err := readComponents(resp.Body)
	if err != nil {
		return err
	}
	names, owners := map[string]string{}, map[string][]string{}
	for _, c := range list {
		if c.ID != "" && c.Name != "" && !slices.Contains(owners[c.Name], c.ID) {
			names[c.ID] = c.Name
			owners[c.Name] = append(owners[c.Name], c.ID)
		}
	}
	maps.DeleteFunc(names, func(_, name string) bool { return len(owners[name]) > 1 })
	l.config.names = names
	return nil
}

// zoneOf is the zone of a configuration that is valid.
func (c *SourceConfig) zoneOf() (*time.Location, error) { return restapi.Zone("time_zone", c.TimeZone) }

// tenantOf is the account as tickets name it.
func tenantOf(cfg connector.Config) string {
	c, err := sourceConfigOf(cfg)
	if err != nil {
		return ""
	}
	return c.UserID
}
