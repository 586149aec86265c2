package job

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/inbox"
)

// endpointsDoc says what endpoints takes.
const endpointsDoc = "Names of the receiver's accounts, or of single webhooks of them, that are read. Without it: all webhooks of this account."

// endpoints are those of a configuration's account, of these the ones that it names, by their accounts at the receiver or by
// their own names. It is for one reader at a time.
type endpoints struct {
	names  []string // none: all of the account
	vendor string
	tenant string // the account, as the vendor's tickets name it; "": they do not
	log    *slog.Logger
	told   bool
}

// endpointsOf are those that a source of the vendor reads.
func endpointsOf(v *connector.Vendor, cfg connector.Config, named []string, log *slog.Logger) *endpoints {
	e := &endpoints{names: named, vendor: v.Name, log: log}
	if v.Source.Tenant != nil {
		e.tenant = v.Source.Tenant(cfg)
	}
	return e
}

// whole reports whether everything of the vendor is read.
func (e *endpoints) whole() bool { return len(e.names) == 0 && e.tenant == "" }

// choose is what a reader of the inbox chooses by; nil: all.
func (e *endpoints) choose() func(inbox.Endpoint) bool {
	if e.whole() {
		return nil
	}
	return func(at inbox.Endpoint) bool {
		return e.own(at) && (len(e.names) == 0 || slices.ContainsFunc(e.names, func(name string) bool { return names(name, at) }))
	}
}

// own reports whether an endpoint is of the account.
func (e *endpoints) own(at inbox.Endpoint) bool {
	return e.tenant == "" || at.Account == "" || strings.EqualFold(at.Account, e.tenant)
}

// names reports whether a name is that of an endpoint or of its account.
func names(name string, at inbox.Endpoint) bool {
	account, _, _ := strings.Cut(at.Name, "/")
	return name == at.Name || name == account
}

// await returns what a reader asks before it reads: whether anything came in yet of the account and under its names. What else
// came in may be passed over only then: with a mistyped account or name all of it would be, and never come again. nil: all is
// read.
func (e *endpoints) await(lists InboxLists) func(context.Context) (bool, error) {
	if e.whole() {
		return nil
	}
	return func(ctx context.Context) (bool, error) {
		note, some, err := e.compare(ctx, lists)
		if note != "" && !e.told {
			e.told = true
			e.log.Warn(note)
		}
		return some, err
	}
}

// compare holds the account and the names against the endpoints at which something came in: note is about what is none of
// them, "" if all are. It cannot be a fault, for an endpoint is in the list from its first request on. some: one is chosen.
func (e *endpoints) compare(ctx context.Context, lists InboxLists) (note string, some bool, err error) {
	if e.whole() {
		return "", true, nil
	}
	all, err := lists.Endpoints(ctx)
	if err != nil {
		return "", false, fmt.Errorf("inbox: %w", err)
	}
	all = slices.DeleteFunc(all, func(at inbox.Endpoint) bool { return at.Vendor != e.vendor })
	others := accounts(all)
	if all = slices.DeleteFunc(all, func(at inbox.Endpoint) bool { return !e.own(at) }); len(all) == 0 && len(others) > 0 {
		return fmt.Sprintf("the inbox has webhooks of the account %s, and none of %s, which is configured. %s", strings.Join(others, ", "), e.tenant, nothingRead), false, nil
	}
	if len(e.names) == 0 {
		return "", true, nil
	}
	var unknown []string
	for _, name := range e.names {
		if !slices.ContainsFunc(all, func(at inbox.Endpoint) bool { return names(name, at) }) {
			unknown = append(unknown, fmt.Sprintf("%q", name)+hint(name, all))
		}
	}
	if len(unknown) == 0 {
		return "", true, nil
	}
	note = fmt.Sprintf("`endpoints` names %s, where nothing came in yet. The inbox has %s", strings.Join(unknown, ", "), listed(all))
	if some = len(unknown) < len(e.names); !some {
		note += ". " + nothingRead
	}
	return note, some, nil
}

const nothingRead = "Nothing is read and the position stays where it is until something comes in there"

// accounts are those of some endpoints.
func accounts(all []inbox.Endpoint) []string {
	var list []string
	for _, at := range all {
		list = append(list, at.Account)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// hint is the name that may have been meant.
func hint(name string, all []inbox.Endpoint) string {
	var known []string
	for _, at := range all {
		account, _, _ := strings.Cut(at.Name, "/")
		known = append(known, account, at.Name)
	}
	if near := config.Nearest(name, known); near != "" {
		return " (did you mean " + near + "?)"
	}
	return ""
}

// listed is a list of endpoints for people.
func listed(all []inbox.Endpoint) string {
	var known []string
	for _, at := range all {
		known = append(known, at.Name)
	}
	slices.Sort(known)
	known = slices.Compact(known)
	switch n := len(known); {
	case n == 0:
		return "no endpoint of this CRM"
	case n > namesAtMost:
		return fmt.Sprintf("%s and %d more", strings.Join(known[:namesAtMost], ", "), n-namesAtMost)
	}
	return strings.Join(known, ", ")
}
