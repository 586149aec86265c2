package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/cmd/internal/job"
	"github.com/sluicehq/sluice/connector/all"
)

func (a *app) check() *cobra.Command {
	return &cobra.Command{
		Use:     "check PIPELINE.yaml",
		Short:   "Check a pipeline file and the CRM's credentials, without changing anything",
		Example: "  sluice check pipeline.yaml",
		Args:    exactly(1, "the pipeline file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, warnings, err := job.LoadPipeline(args[0], all.Vendors)
			if err != nil {
				return err
			}
			job.Warn(a.log(), warnings)
			t, err := p.Target(cmd.Context(), all.Vendors, job.Settings{Log: a.log()})
			if err != nil {
				return err
			}
			defer t.Close()
			_, _ = fmt.Fprintf(a.out, "ok  %s: the file and its mapping are sound\n", args[0])
			if err := p.CheckInput(cmd.Context(), t); err != nil {
				return err
			}
			_, _ = fmt.Fprintf(a.out, "ok  the input can be read\n")
			if err := t.Check(cmd.Context()); err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.out, "ok  %s takes these credentials\n", t.Vendor.Title)
			return err
		},
	}
}
