package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/cmd/internal/job"
	"github.com/sluicehq/sluice/connector/all"
)

// errFaults makes lint exit with 1: the faults are what it was asked for, not a failure of its own configuration.
var errFaults = errors.New("lint")

func (a *app) lint() *cobra.Command {
	return &cobra.Command{
		Use:     "lint FILE…",
		Short:   "Check pipeline files and mappings without running them",
		Long:    "Checks pipeline files and mappings and prints every fault with its line. Nothing is sent and no secret is needed:\nreferences such as ${env:X} are taken as given. Exit code 1 if a file has a fault.",
		Example: "  sluice lint pipeline.yaml mappings/*.yaml",
		Args:    atLeast(1, "one file or more"),
		RunE: func(_ *cobra.Command, args []string) error {
			bad := 0
			for _, path := range args {
				if err := job.Lint(path, all.Vendors); err != nil {
					bad++
					_, _ = fmt.Fprintln(a.out, err)
					continue
				}
				_, _ = fmt.Fprintf(a.out, "ok  %s\n", path)
			}
			if bad > 0 {
				return fmt.Errorf("%w: %d of %d files have faults", errFaults, bad, len(args))
			}
			return nil
		},
	}
}
