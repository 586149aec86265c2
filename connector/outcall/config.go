package outcall

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/restapi"
)

// Config configures the vendor. Its table is fields.
type Config struct {
	Token           connector.Secret  `json:"token"`
	UserID          string            `json:"user_id"`
	TaskID          string            `json:"task_id"`
	SubUserID       string            `json:"sub_user_id"`
	BaseURL         string            `json:"base_url"`
	Mode            string            `json:"mode"`
	Settle          string            `json:"settle"`
	PhoneFormat     string            `json:"phone_format"`
	IgnoreCRM       bool              `json:"ignore_crm"`
	NumberAddSuffix bool              `json:"number_add_suffix"`
	SkipError       bool              `json:"skip_error"`
	Encryption      bool              `json:"encryption"`
	Components      map[string]string `json:"components"` // source name → id
	LookupNames     bool              `json:"lookup_components"`
	Sources         map[string]int64  `json:"sources"` // name → id; likewise the next two
	Industries      map[string]int64  `json:"industries"`
	Grades          map[string]int64  `json:"grades"`
}

// Values of the settings that are a choice.
const (
	modeAsync = "async"
	modeSync  = "sync"

	settleImported = "imported"
	settleAccepted = "accepted"

	phoneCN11   = "cn11"
	phoneDigits = "digits"
	phoneAny    = "any"
)

const host = "https://ai.api.longlonglong.cn"

const uuidPattern = `^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`

var uuid = regexp.MustCompile(uuidPattern)

var fields = []connector.Field{
	{Name: "token", Type: connector.TypeString, Title: "Token", Required: true, Secret: true,
		Doc: "Bearer token of the account, from the vendor's console under the developer guide. It is not renewed by calls; replace it before it expires."},
	{Name: "user_id", Type: connector.TypeString, Title: "User id", Required: true, Pattern: uuidPattern, Examples: []any{"4d99d91c-f5d9-49da-88da-758977cc58a9"},
		Doc: "Id of the account that owns the task."},
	{Name: "task_id", Type: connector.TypeString, Title: "Task id", Required: true, Pattern: uuidPattern, Examples: []any{"b15b7392-a83f-4e0e-9570-31dd2ec8f85c"},
		Doc: "Id of the task that gets the numbers. A task of version 2.0 must be stopped while numbers are added."},
	{Name: "sub_user_id", Type: connector.TypeString, Title: "Sub-account id", Examples: []any{"91f9254f-ca58-49af-be34-8370d7549d73"}, Advanced: true,
		Doc: "Id of the sub-account to act for. Empty: the account itself."},
	{Name: "base_url", Type: connector.TypeString, Title: "Base URL", Default: host, Advanced: true, Examples: []any{host, "http://127.0.0.1:8080"},
		Doc: "Host of the API. Change it for a white-label host or the sandbox. Lists of imported numbers are fetched from this host alone."},
	{Name: "mode", Type: connector.TypeString, Title: "Mode", Default: modeAsync, Enum: []string{modeAsync, modeSync},
		Doc: "async sends 200 numbers a request that are imported later, sync 100 that are imported before the answer."},
	{Name: "settle", Type: connector.TypeString, Title: "Settle", Default: settleImported, Enum: []string{settleImported, settleAccepted},
		Doc: "When a row counts as delivered: imported waits for the list of imported numbers, accepted takes the vendor's word that it will import them. Of importance to mode async."},
	{Name: "phone_format", Type: connector.TypeString, Title: "Phone format", Default: phoneCN11, Enum: []string{phoneCN11, phoneDigits, phoneAny}, Advanced: true,
		Doc: "cn11 sends mainland mobile numbers of 11 digits and takes off a leading 86; digits sends the digits; any sends the text as it is. " +
			"With cn11 let the mapping pass phone on as it comes or with its +: without it, +1 312 555 0112 has the digits of a mainland number and would be called as one."},
	{Name: "ignore_crm", Type: connector.TypeBoolean, Title: "Keep out of the pool", Default: false,
		Doc: "Put the numbers into the task only, not into the pool of customers. The vendor keeps components in the pool alone."},
	{Name: "number_add_suffix", Type: connector.TypeBoolean, Title: "Add a suffix to numbers", Default: false, Advanced: true,
		Doc: "Let the vendor add a random suffix to each number, so that a task may hold a number several times. Give each row an external_id of its own then: by nothing else can a row whose reply was lost be told from an earlier one, and a row that comes again with the same external_id counts as the same."},
	{Name: "skip_error", Type: connector.TypeBoolean, Title: "Skip bad numbers", Default: false, Advanced: true,
		Doc: "Mode sync only: the vendor leaves bad numbers out without naming them, instead of refusing the request. Needs settle accepted, since nothing tells which were left out."},
	{Name: "encryption", Type: connector.TypeBoolean, Title: "Encryption", Default: false, Advanced: true,
		Doc: "Not supported: the vendor does not publish how numbers are encrypted. Leave it false."},
	{Name: "components", Type: connector.TypeMap, Title: "Components", Items: &connector.Field{Type: connector.TypeString, Pattern: uuidPattern},
		Examples: []any{map[string]any{"nickname": "2a87347c-6dd5-4e22-97fe-9b8001dbcd17"}},
		Doc: "Names of members of `custom`, or of birthday, address, country, profession, income, remark, language and time_zone, and the ids of the components that take them. " +
			"Members of `custom` that are named by an id need no entry; any other name is refused."},
	{Name: "lookup_components", Type: connector.TypeBoolean, Title: "Look components up", Default: false, Advanced: true,
		Doc: "Ask the CRM for its components before a run, so that members of `custom` may go by the components' names."},
	idMap("sources", "Sources", "source"), idMap("industries", "Industries", "industry"), idMap("grades", "Grades", "stage"),
}

func idMap(name, title, column string) connector.Field {
	return connector.Field{Name: name, Type: connector.TypeMap, Title: title, Items: &connector.Field{Type: connector.TypeInteger}, Advanced: true,
		Examples: []any{map[string]any{"fair": 3}}, Doc: "Values of `" + column + "` and the vendor's ids of them. A value that is a number needs no entry."}
}

// Validate reports every fault at once.
func (c *Config) Validate() error {
	var faults []error
	fault := func(bad bool, fix, what string, args ...any) {
		if bad {
			faults = append(faults, connector.Configf(fix, what, args...))
		}
	}
	token := c.Token.Reveal()
	fault(token == "", "Set it to the token from the vendor's console", "token is missing")
	fault(strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }),
		"Paste it again without blanks, line ends and the word Bearer", "token holds a blank, a control character or a sign that is not ASCII")
	for _, id := range []struct{ field, value string }{{"user_id", c.UserID}, {"task_id", c.TaskID}, {"sub_user_id", c.SubUserID}} {
		switch {
		case id.value == "" && id.field != "sub_user_id":
			fault(true, "Copy it from the vendor's console", "%s is missing", id.field)
		case id.value != "":
			fault(!uuid.MatchString(id.value), "Copy it whole from the vendor's console", "%s %q is not an id such as 4d99d91c-f5d9-49da-88da-758977cc58a9", id.field, id.value)
		}
	}
	fault(c.Encryption, "Leave encryption out; numbers are protected on the way by https", "encryption is set, but the vendor does not publish its algorithm")
	fault(c.SkipError && c.Mode == modeAsync, "Leave skip_error out, or set mode: sync", "skip_error is not part of mode async")
	fault(c.SkipError && c.Mode == modeSync && c.Settle == settleImported, "Set settle: accepted, or leave skip_error out so that a bad number is found and rejected",
		"skip_error leaves numbers out without saying which, so settle cannot be imported")
	fault(c.IgnoreCRM && (len(c.Components) > 0 || c.LookupNames), "Leave out one of the two", "components are set, but with ignore_crm the vendor drops them")
	return errors.Join(append(faults,
		connector.OneOf("mode", c.Mode, modeAsync, modeSync),
		connector.OneOf("settle", c.Settle, settleImported, settleAccepted),
		connector.OneOf("phone_format", c.PhoneFormat, phoneCN11, phoneDigits, phoneAny),
		restapi.CheckBaseURL(c.BaseURL, host), checkComponents(c.Components))...)
}

func checkComponents(components map[string]string) error {
	return restapi.CheckTargets("components", components, func(name, id string) error {
		if uuid.MatchString(id) {
			return nil
		}
		return connector.Configf("Use the id that the vendor lists for the component", "components: %q is mapped to %q", name, id)
	})
}

func configOf(cfg connector.Config) (*Config, error) {
	c, ok := cfg.(*Config)
	if !ok {
		return nil, fmt.Errorf("outcall: configuration of type %T", cfg)
	}
	return c, nil
}

func modeOf(cfg connector.Config) string {
	c, err := configOf(cfg)
	if err != nil || c.Mode == "" {
		return modeAsync
	}
	return c.Mode
}

// userURL is the address of the account, which all calls but downloads begin with.
func (c *Config) userURL() string {
	return strings.TrimRight(c.BaseURL, "/") + "/agent-api/user/" + c.UserID
}

func (c *Config) taskURL() string { return c.userURL() + "/task/" + c.TaskID }
