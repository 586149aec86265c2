package nx

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/restapi"
)

// cloudSource is the way back from NXCloud: a query of its contacts. The vendor documents no webhook, and no query on the
// sea path, so NXLink gives nothing back.
var cloudSource = connector.Source{
	NewConfig: func() connector.Config {
		a := defaultAccount()
		return &SourceConfig{
			Algorithm: a.Algorithm, NameOrder: a.NameOrder, Contract: contractNew, Incremental: true,
			OverlapMinutes: 15, PageSize: maxPage, TimeZone: restapi.DefaultZone,
		}
	},
	Fields:  sourceFields(),
	Streams: streams,
	Puller:  newPuller,
	Lookup:  newSourceLookup,
	Check:   newSourceCheck,
}

// SourceConfig is one tenant and application whose contacts are read. Its table is sourceFields.
type SourceConfig struct {
	AccessKey      connector.Secret  `json:"access_key"`
	AccessSecret   connector.Secret  `json:"access_secret"`
	TenantID       int64             `json:"tenant_id"`
	AppKey         string            `json:"app_key"`
	BaseURL        string            `json:"base_url"`
	Algorithm      string            `json:"algorithm"`
	Contract       string            `json:"contract"`
	NameOrder      string            `json:"name_order"`
	CustomFields   map[string]string `json:"custom_fields"` // name → customize_<type>_<n>
	LookupFields   bool              `json:"lookup_custom_fields"`
	StartTime      string            `json:"start_time"`
	Incremental    bool              `json:"incremental"`
	OverlapMinutes int64             `json:"overlap_minutes"`
	PageSize       int64             `json:"page_size"`
	TimeZone       string            `json:"time_zone"`

	labels map[string]string // customize_<type>_<n> → what the CRM calls it; from the look-up
}

const maxOverlap = 7 * 24 * 60

func sourceFields() []connector.Field {
	var shared []connector.Field
	for _, f := range cloudFields() {
		switch f.Name {
		case "access_key", "access_secret", "tenant_id", "app_key", "base_url", "algorithm", "contract":
		case "name_order":
			f.Doc = "as_labelled reads the given name from first_name. nx_surname_first reads the family name there, as the vendor's own examples have it."
		case "custom_fields":
			f.Doc = "Names for members of `custom` and the fields of the CRM that hold them. A field without an entry goes by its display name, if that is looked up, else by the CRM's own name."
		case "lookup_custom_fields":
			f.Doc = "Ask the CRM for the display names of its custom fields before a run."
		default:
			continue
		}
		shared = append(shared, f)
	}
	return append(shared,
		connector.Field{Name: "start_time", Type: connector.TypeString, Title: "Start", Examples: []any{"2026-01-01T00:00:00Z"},
			Doc: "Read only contacts that changed since then, in RFC 3339. Empty: all. A saved position goes before it."},
		connector.Field{Name: "incremental", Type: connector.TypeBoolean, Title: "Changes only", Default: true,
			Doc: "Read only what changed since the run before. That the vendor's start_time speaks of changes is assumed, since its page does not say it; set this to false to read all contacts each time."},
		connector.Field{Name: "overlap_minutes", Type: connector.TypeInteger, Title: "Overlap", Default: 15, Min: connector.Bound(1), Max: connector.Bound(maxOverlap), Advanced: true,
			Doc: "How far a run reaches back behind the beginning of the run before, so that changes which became visible late are not missed. Contacts that changed in that time come again."},
		connector.Field{Name: "page_size", Type: connector.TypeInteger, Title: "Page size", Default: maxPage, Min: connector.Bound(1), Max: connector.Bound(maxPage), Advanced: true,
			Doc: "Contacts per call. The vendor gives 50 at most."},
		connector.Field{Name: "time_zone", Type: connector.TypeString, Title: "Time zone", Default: restapi.DefaultZone, Examples: []any{restapi.DefaultZone, "+08:00"}, Advanced: true,
			Doc: "Zone of the times that the vendor writes without one: a name of the tz database, or an offset from UTC."},
	)
}

// Validate reports every fault at once.
func (c *SourceConfig) Validate() error {
	a := c.account()
	faults := append(a.faults(), connector.OneOf("contract", c.Contract, contractOld, contractNew))
	if _, err := restapi.Zone("time_zone", c.TimeZone); err != nil {
		faults = append(faults, err)
	}
	if _, err := time.Parse(time.RFC3339, c.StartTime); err != nil && c.StartTime != "" {
		faults = append(faults, connector.Configf("Write it like 2026-01-01T00:00:00Z", "start_time %q is not a time in RFC 3339", c.StartTime))
	}
	if c.OverlapMinutes < 1 || c.OverlapMinutes > maxOverlap {
		faults = append(faults, connector.Configf("Set it to 15 or leave it out", "overlap_minutes is %d, not between 1 and %d", c.OverlapMinutes, maxOverlap))
	}
	if c.PageSize < 1 || c.PageSize > maxPage {
		faults = append(faults, connector.Configf("Leave it out", "page_size is %d, and the vendor gives 1 to %d contacts a call", c.PageSize, maxPage))
	}
	return errors.Join(faults...)
}

// account is the part of the configuration that imports have too.
func (c *SourceConfig) account() *Account {
	a := defaultAccount()
	a.AccessKey, a.AccessSecret, a.TenantID, a.AppKey, a.BaseURL = c.AccessKey, c.AccessSecret, c.TenantID, c.AppKey, c.BaseURL
	a.Algorithm, a.NameOrder, a.CustomFields = c.Algorithm, c.NameOrder, c.CustomFields
	return &a
}

func (c *SourceConfig) settings() *settings {
	return &settings{Account: *c.account(), contract: c.Contract}
}

func sourceConfigOf(cfg connector.Config) (*SourceConfig, error) {
	c, ok := cfg.(*SourceConfig)
	if !ok {
		return nil, connector.Internalf("", "nx: source configuration of type %T", cfg)
	}
	return c, nil
}

// newSourceCheck asks for one contact.
func newSourceCheck(cfg connector.Config) (connector.Probe, error) {
	c, err := sourceConfigOf(cfg)
	if err != nil {
		return nil, err
	}
	s := c.settings()
	return &probe{
		signer: newSigner(&s.Account), method: http.MethodPost, url: s.url(pathQuery), endpoint: endpointQuery,
		body: append(queryPrefix(c, 1), '}'),
	}, nil
}

// sourceLookup asks for the tenant's custom fields and keeps what the CRM calls them.
type sourceLookup struct {
	*probe
	config *SourceConfig
}

// newSourceLookup returns nil where the configuration does not ask for it.
func newSourceLookup(cfg connector.Config) (connector.Probe, error) {
	c, err := sourceConfigOf(cfg)
	if err != nil || !c.LookupFields {
		return nil, err
	}
	return &sourceLookup{fieldsProbe(c.settings()), c}, nil
}

// ParseResponse keeps the labels. A label that two fields share names neither: a contact must not lose one of them.
func (l *sourceLookup) ParseResponse(resp *connector.Response) error {
	if err := l.probe.ParseResponse(resp); err != nil {
		return err
	}
	list, err := readFields(resp.Body)
	if err != nil {
		return err
	}
	labels, owners := map[string]string{}, map[string][]string{}
	for _, f := range list {
		label := strings.TrimSpace(f.Display)
		if label == "" {
			label = strings.TrimSpace(f.English)
		}
		if customName.MatchString(f.Name) && label != "" && !slices.Contains(owners[label], f.Name) {
			labels[f.Name] = label
			owners[label] = append(owners[label], f.Name)
		}
	}
	for _, names := range owners {
		if len(names) > 1 {
			for _, name := range names {
				delete(labels, name)
			}
		}
	}
	l.config.labels = labels
	return nil
}

// crmField is an entry of the CRM's list of fields.
type crmField struct {
	Name    string `json:"name"`
	Display string `json:"display_name"`
	English string `json:"display_en_name"`
}

// readFields reads the answer to fieldsProbe.
func readFields(body []byte) ([]crmField, error) {
	var answer struct {
		Data []crmField `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, connector.Configf("Leave lookup_custom_fields out and list the fields in custom_fields", "the CRM's list of custom fields cannot be read")
	}
	return answer.Data, nil
}
