package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/cmd/internal/job"
	"github.com/sluicehq/sluice/connector/all"
)

func (a *app) check() *cobra.Command {
	return &cobra.Command{
		Use:     "check PIPELINE.yaml",
		Short:   "Check a pipeline file, its input, its folders and the CRM's credentials, without changing anything",
		Example: "  sluice check pipeline.yaml",
		Args:    exactly(1, "the pipeline file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if job.IsReceive(args[0]) {
				return a.checkReceive(args[0])
			}
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
			in, err := p.Input(cmd.Context(), all.Vendors, job.Settings{Log: a.log()})
			if err != nil {
				return err
			}
			defer in.Close()
			return a.checkAll(cmd.Context(), args[0], p, t, in)
		},
	}
}

// checkAll looks at input, folders and CRM, and tells of every fault, not of the first one only.
func (a *app) checkAll(ctx context.Context, path string, p *job.Pipeline, t *job.Target, in *job.Input) error {
	ok := func(format string, args ...any) { _, _ = fmt.Fprintf(a.out, "ok    "+format+"\n", args...) }
	unfit := in.CheckMapping(t)
	if unfit == nil {
		ok("%s: the file and its mapping are sound", path)
	}
	found, notes, err := in.Check(ctx, t)
	faults := []error{unfit, err}
	if err == nil {
		ok("%s", printable(found))
		faults = append(faults, in.CheckPosition(ctx, t))
	}
	for _, n := range notes {
		_, _ = fmt.Fprintf(a.out, "note  %s\n", printable(n))
	}
	folders := in.CheckFolders(ctx, t)
	if len(folders) == 0 {
		ok("rejects go to %s, the position to %s: both can be written", p.RejectsDir(), p.StateDir())
	}
	faults = append(faults, folders...)
	if err := t.Check(ctx); err != nil {
		faults = append(faults, err)
	} else {
		ok("%s takes these credentials", t.Vendor.Title)
	}
	return errors.Join(faults...)
}
