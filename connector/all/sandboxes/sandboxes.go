// Package sandboxes lists the sandboxes of the vendors in connector/all, with the accounts that they know from the start.
package sandboxes

import (
	"fmt"
	"strings"

	nxsandbox "github.com/sluicehq/sluice/connector/nx/sandbox"
	ocsandbox "github.com/sluicehq/sluice/connector/outcall/sandbox"
	sesandbox "github.com/sluicehq/sluice/connector/socialepoch/sandbox"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// Services returns a fresh sandbox of every vendor.
func Services() []sandbox.Service {
	return []sandbox.Service{nxsandbox.New(nxsandbox.Options{}), sesandbox.New(sesandbox.Options{}), ocsandbox.New(ocsandbox.Options{})}
}

// Account is one that a sandbox knows from the start: the configuration that reaches it.
type Account struct {
	Vendor   string
	Settings []Setting // of the vendor's configuration, in the order to show them; without base_url
}

// Setting is one value of a configuration: a string or a whole number.
type Setting struct {
	Name  string
	Value any
}

// Accounts lists one account per vendor, in the order of connector/all.
func Accounts() []Account {
	nx := []Setting{
		{"access_key", nxsandbox.AccessKey}, {"access_secret", nxsandbox.AccessSecret},
		{"tenant_id", nxsandbox.TenantID}, {"app_key", nxsandbox.AppKey},
	}
	se := []Setting{{"tenant_id", sesandbox.TenantID}, {"api_key", sesandbox.APIKey}, {"default_owner", sesandbox.Agent}}
	oc := []Setting{{"token", ocsandbox.Token}, {"user_id", ocsandbox.UserID}, {"task_id", ocsandbox.TaskID}}
	return []Account{{"nxlink", nx}, {"nxcloud", nx}, {"socialepoch", se}, {"outcall", oc}}
}

// YAML writes the account's settings as the lines of a pipeline file, each behind indent.
func (a Account) YAML(indent, url string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%sbase_url: %q\n", indent, url)
	for _, s := range a.Settings {
		form := "%s%s: %v\n"
		if _, text := s.Value.(string); text {
			form = "%s%s: %q\n"
		}
		fmt.Fprintf(&b, form, indent, s.Name, s.Value)
	}
	return b.String()
}
