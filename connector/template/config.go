package template

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/restapi"
)

// Config configures the vendor. Its table is fields.
type Config struct {
	APIKey  connector.Secret `json:"api_key"`
	Account string           `json:"account"`
	BaseURL string           `json:"base_url"`
}

const (
	host       = "https://api.template.example"
	modeUpsert = "upsert"
)

var fields = []connector.Field{
	{Name: "api_key", Type: connector.TypeString, Title: "API key", Required: true, Secret: true,
		Doc: "Key of the account, from the vendor's console."},
	{Name: "account", Type: connector.TypeString, Title: "Account", Required: true, Examples: []any{"acme-berlin"},
		Doc: "Name of the account that owns the contacts."},
	{Name: "base_url", Type: connector.TypeString, Title: "Base URL", Default: host, Advanced: true,
		Examples: []any{host, "http://127.0.0.1:8080"}, Doc: "Host of the API. Change it for the sandbox."},
}

// Validate reports every fault at once.
func (c *Config) Validate() error {
	var faults []error
	if c.APIKey.IsZero() {
		faults = append(faults, connector.Configf("Set it to the key from the vendor's console", "api_key is missing"))
	}
	if c.Account == "" {
		faults = append(faults, connector.Configf("Set it to the account that owns the contacts", "account is missing"))
	}
	return errors.Join(append(faults, restapi.CheckCredential("api_key", c.APIKey), restapi.CheckBaseURL(c.BaseURL, host))...)
}

func configOf(cfg connector.Config) (*Config, error) {
	c, ok := cfg.(*Config)
	if !ok {
		return nil, fmt.Errorf("template: configuration of type %T", cfg)
	}
	return c, nil
}

// url joins the base and a path of the interface.
func (c *Config) url(path string) string { return strings.TrimRight(c.BaseURL, "/") + path }
