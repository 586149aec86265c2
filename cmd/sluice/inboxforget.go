package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/cmd/internal/job"
	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/inbox"
)

func (a *app) inboxForget(f *inboxFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "forget INBOX CONSUMER",
		Short: "Let retention wait no longer for a consumer",
		Long: `A consumer is a reader that has named itself; what it has not read yet is kept however old it is. Forget one that will not
come again. If it does come again it is known again, and lacks what was removed meanwhile.`,
		Example: "  sluice inbox ls inbox\n  sluice inbox forget http://127.0.0.1:9465 relay-crm",
		Args:    exactly(2, "an inbox and the name of a consumer"),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := withInbox(args[0], f, func(s job.InboxStore) error {
				list, err := s.Consumers(cmd.Context())
				if err != nil {
					return err
				}
				return known(list, args[1])
			})
			if err != nil {
				return err
			}
			own, err := job.OwnInbox(cmd.Context(), args[0], f.caFile, a.log())
			if err != nil {
				return err
			}
			if err := errors.Join(own.DropConsumer(cmd.Context(), args[1]), own.Close()); err != nil {
				return err
			}
			if f.asJSON {
				return a.encode(map[string]string{"forgotten": args[1]})
			}
			_, err = fmt.Fprintf(a.out, "%s is forgotten: retention no longer waits for it\n", printable(args[1]))
			return err
		},
	}
}

// known refuses a name that no consumer has.
func known(list []inbox.Consumer, name string) error {
	if slices.ContainsFunc(list, func(c inbox.Consumer) bool { return c.Name == name }) {
		return nil
	}
	fix := "There is none at all"
	if len(list) > 0 {
		names := make([]string, len(list))
		for i := range list {
			names[i] = list[i].Name
		}
		fix = "There are " + strings.Join(names, ", ")
	}
	return connector.Configf(fix, "the inbox knows no consumer %q", name)
}
