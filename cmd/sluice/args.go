package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/connector"
)

// exactly wants n arguments and says what they are.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return connector.Configf(fmt.Sprintf("Write: %s", cmd.UseLine()), "%s wants %s", cmd.CommandPath(), what)
	}
}

// atLeast wants n arguments or more.
func atLeast(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= n {
			return nil
		}
		return connector.Configf(fmt.Sprintf("Write: %s", cmd.UseLine()), "%s wants %s", cmd.CommandPath(), what)
	}
}

// none wants no arguments.
func none(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return connector.Configf(fmt.Sprintf("Write: %s", cmd.UseLine()), "%s takes no arguments, but got %q", cmd.CommandPath(), args[0])
}
