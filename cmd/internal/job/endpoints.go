package job

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/inbox"
)

// endpointsDoc says what endpoints takes.
const endpointsDoc = "Names of the receiver's accounts, or of single webhooks of them, that are read. Without it: all of the CRM. Name them where the receiver hears several accounts of one CRM."

// endpoints are those that a configuration names, by their accounts or by their own names. It is for one reader at a time.
type endpoints struct {
	names  []string // none: all of the vendor
	vendor string
	log    *slog.Logger
	told   bool
}

// choose is what a reader of the inbox chooses by; nil: all.
func (e *endpoints) choose() func(inbox.Endpoint) bool {
	if len(e.names) == 0 {
		return nil
	}
	return func(at inbox.Endpoint) bool {
		return slices.ContainsFunc(e.names, func(name string) bool { return names(name, at) })
	}
}

// names reports whether a name is that of an endpoint or of its account.
func names(name string, at inbox.Endpoint) bool {
	account, _, _ := strings.Cut(at.Name, "/")
	return name == at.Name || name == account
}

// await returns what a reader asks before it reads: whether anything came in yet that these names choose. What else came
// in may be passed over only then: with a mistyped name all of it would be, and never come again. nil: all is read.
func (e *endpoints) await(lists InboxLists) func(context.Context) (bool, error) {
	if len(e.names) == 0 {
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

// compare holds the names against the endpoints at which something came in: note is about names that are none of them, ""
// if all are. It cannot be a fault, for an endpoint is in the list from its first request on. some: one name is in it.
func (e *endpoints) compare(ctx context.Context, lists InboxLists) (note string, some bool, err error) {
	if len(e.names) == 0 {
		return "", true, nil
	}
	all, err := lists.Endpoints(ctx)
	if err != nil {
		return "", false, fmt.Errorf("inbox: %w", err)
	}
	all = slices.DeleteFunc(all, func(at inbox.Endpoint) bool { return at.Vendor != e.vendor })
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
		note += ". Nothing is read and the position stays where it is until something comes in under one of the names"
	}
	return note, some, nil
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
