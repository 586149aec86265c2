package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/cmd/internal/job"
	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/all"
	"github.com/sluicehq/sluice/internal/reject"
	"github.com/sluicehq/sluice/internal/state"
)

func (a *app) rejects() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rejects",
		Short: "List, show, resend and remove rejected rows",
		Args:  unknownVerb,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.rejectsLs(), a.rejectsShow(), a.rejectsRetry(), a.rejectsPurge())
	return cmd
}

// filterFlags adds the flags that select rejects.
func filterFlags(cmd *cobra.Command, f *reject.Filter) {
	cmd.Flags().StringVar(&f.Code, "code", "", "only this code")
	cmd.Flags().StringVar(&f.Stream, "stream", "", "only this stream")
	cmd.Flags().StringVar(&f.Run, "run", "", "only this run")
	cmd.Flags().StringVar(&f.Key, "key", "", "only this contact")
}

func (a *app) rejectsLs() *cobra.Command {
	var (
		f      reject.Filter
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:     "ls FOLDER",
		Short:   "Count rejected rows by reason",
		Example: "  sluice rejects ls rejects",
		Args:    exactly(1, "the rejects folder"),
		RunE: func(_ *cobra.Command, args []string) error {
			d, err := reject.At(args[0])
			if err != nil {
				return err
			}
			s, err := d.Summarise(f)
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(a.out)
				enc.SetEscapeHTML(false)
				return enc.Encode(s)
			}
			return a.printSummary(s)
		},
	}
	filterFlags(cmd, &f)
	cmd.Flags().BoolVar(&f.Open, "open", false, "only rows that nobody has dealt with")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) printSummary(s reject.Summary) error {
	fmt.Fprintf(a.out, "%d rejected rows, %d of them open\n", s.Total, s.Open)
	if s.Damaged > 0 {
		fmt.Fprintf(a.out, "%d lines cannot be read: cut off when a run was killed; their rows were read again by the next run\n", s.Damaged)
	}
	if len(s.Codes) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(a.out, 0, 4, 3, ' ', 0)
	fmt.Fprintln(w, "\nROWS\tOPEN\tCODE\tMEANING\tFIX\tSUCH AS")
	for _, c := range s.Codes {
		meaning, fix := c.Message, ""
		if c.Explanation != nil {
			meaning, fix = c.Explanation.Meaning, c.Explanation.Fix
		}
		fmt.Fprintf(w, "%d\t%d\t%s\t%s\t%s\t%s\n", c.Total, c.Open, c.Code, printable(meaning), printable(fix), printable(strings.Join(c.Keys[:min(2, len(c.Keys))], ", ")))
	}
	return w.Flush()
}

func (a *app) rejectsShow() *cobra.Command {
	var (
		f     reject.Filter
		limit int
		raw   bool
	)
	cmd := &cobra.Command{
		Use:     "show FOLDER [ID…]",
		Short:   "Show rejected rows with their reasons",
		Example: "  sluice rejects show rejects --code bad_phone\n  sluice rejects show rejects --json > edited.jsonl",
		Args:    atLeast(1, "the rejects folder"),
		RunE: func(_ *cobra.Command, args []string) error {
			f.IDs = args[1:]
			d, err := reject.At(args[0])
			if err != nil {
				return err
			}
			return a.showRejects(d, f, limit, raw)
		},
	}
	filterFlags(cmd, &f)
	cmd.Flags().BoolVar(&f.Open, "open", false, "only rows that nobody has dealt with")
	cmd.Flags().IntVarP(&limit, "limit", "n", 0, "show at most so many; 0: all")
	cmd.Flags().BoolVar(&raw, "json", false, "print the lines as they are kept: to edit, then `sluice rejects retry --file`")
	return cmd
}

// errEnough ends an iteration.
var errEnough = errors.New("enough")

func (a *app) showRejects(d *reject.Dir, f reject.Filter, limit int, raw bool) error {
	n := 0
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	_, err := d.Each(f, func(e reject.Entry) error {
		if limit > 0 && n == limit {
			return errEnough
		}
		n++
		if raw {
			return enc.Encode(e)
		}
		a.printReject(&e)
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	if n == 0 && !raw {
		fmt.Fprintln(a.out, "no rejected row fits")
	}
	return nil
}

// printReject prints one reject for a person: what, why, what to do, the row.
func (a *app) printReject(e *reject.Entry) {
	state := "open"
	if e.Mark != "" {
		state = string(e.Mark)
	}
	field := ""
	if e.Field != "" {
		field = ", field " + e.Field
	}
	fmt.Fprintf(a.out, "%s  %s  %s%s  (%s)\n", e.ID, printable(e.Key), e.Code, printable(field), state)
	if e.Message != "" {
		fmt.Fprintf(a.out, "    says:   %s\n", printable(e.Message))
	}
	if x := e.Explanation; x != nil {
		fmt.Fprintf(a.out, "    means:  %s: %s\n    to do:  %s\n", x.Meaning, x.Cause, x.Fix)
	}
	if e.RequestID != "" {
		fmt.Fprintf(a.out, "    sent:   %d times, last request %s\n", e.Attempts, printable(e.RequestID))
	}
	fmt.Fprintf(a.out, "    row:    %s\n\n", printable(string(e.Original())))
}

// explainRejects shows one open reject of each of the n most frequent codes.
func (a *app) explainRejects(dir string, n int) error {
	d, err := reject.At(dir)
	if err != nil {
		return err
	}
	s, err := d.Summarise(reject.Filter{Open: true})
	if err != nil {
		return err
	}
	fmt.Fprintln(a.out)
	for _, c := range s.Codes[:min(n, len(s.Codes))] {
		if err := a.showRejects(d, reject.Filter{Code: c.Code, Open: true}, 1, false); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) rejectsRetry() *cobra.Command {
	var retry reject.Retry
	cmd := &cobra.Command{
		Use:   "retry PIPELINE.yaml",
		Short: "Send rejected rows through the pipeline again",
		Long: `Sends the open rejects of a pipeline through it again, as they were first read, with the mapping as it is now. Each row
is marked with what became of it, so the next retry passes it over. To mend rows first, write them to a file with
"sluice rejects show FOLDER --open --json", edit their "row", and give the file with --file.

The retry of a relay with an echo folder asks its memory first: values that the source is not known to hold any more, or
that reached the CRM another way, are left out, and a row of which nothing is left is marked as overtaken. Stop the relay
before.`,
		Example: "  sluice rejects retry pipeline.yaml\n  sluice rejects retry pipeline.yaml --file edited.jsonl",
		Args:    exactly(1, "the pipeline file"),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.retryRejects(cmd.Context(), args[0], retry) },
	}
	filterFlags(cmd, &retry.Filter)
	cmd.Flags().StringVar(&retry.File, "file", "", "an edited copy of reject lines")
	cmd.Flags().BoolVar(&retry.DryRun, "dry-run", false, "print the requests, send nothing, mark nothing")
	return cmd
}

func (a *app) retryRejects(ctx context.Context, path string, retry reject.Retry) error {
	p, warnings, err := job.LoadPipeline(path, all.Vendors)
	if err != nil {
		return err
	}
	log := a.log()
	job.Warn(log, warnings)
	t, err := p.Target(ctx, all.Vendors, job.Settings{Log: log})
	if err != nil {
		return err
	}
	defer t.Close()
	dir := p.RejectsDir()
	if _, err := reject.At(dir); err != nil {
		return err
	}
	d, err := reject.Open(reject.Config{Dir: dir, Explain: t.Vendor.Explain})
	if err != nil {
		return err
	}
	reader := reject.NewReader(d, retry, t.Mapping.Fields, memory.DefaultAllocator)
	r := job.Run{Reader: reader, Rejects: d, Resumed: true} // an ambiguous row may be in the CRM
	if retry.DryRun {
		r.DryRun, r.Rejects = a.printRequest, nil
	}
	forget, err := a.remember(ctx, p, t, retry, &r)
	if err != nil {
		return errors.Join(err, forget(), d.Close())
	}
	res := &result{Vendor: t.Vendor, Means: t.Delivered(), Rejects: dir}
	start := time.Now()
	res.Report, res.Stats, res.Err = t.Run(ctx, r)
	res.Took = time.Since(start)
	res.gate(r.Gate)
	err = a.finish(res, runFlags{dryRun: retry.DryRun})
	if res.Err == nil {
		a.tellHeld(reader.Held(), dir, retry)
	}
	return errors.Join(err, forget(), d.Close())
}

// remember puts the memory of a relay between its rejects and the CRM, and keeps the relay itself from running meanwhile:
// what it reads now would be written before or after what it rejected, as it happens. forget lets go of both.
func (a *app) remember(ctx context.Context, p *job.Pipeline, t *job.Target, retry reject.Retry, r *job.Run) (forget func() error, err error) {
	var opened []io.Closer
	forget = func() (err error) {
		for _, c := range opened {
			err = errors.Join(err, c.Close())
		}
		return err
	}
	if p.Echo == "" {
		return forget, nil
	}
	if retry.DryRun {
		fmt.Fprintln(a.err, "a dry run does not ask the echo memory: the retry itself completes rows from it, and leaves out what was overtaken")
		return forget, nil
	}
	in, err := p.Input(ctx, all.Vendors, job.Settings{Log: a.log(), Offline: true})
	if err != nil {
		return forget, err
	}
	defer in.Close()
	id, err := in.Identity(t)
	if err != nil {
		return forget, err
	}
	st, err := state.Open(p.StateDir(), id)
	if err != nil {
		return forget, err
	}
	opened = append(opened, st)
	if r.Gate, err = in.RetryGate(ctx, t, retry.File != ""); err == nil {
		opened = append(opened, r.Gate)
	}
	return forget, err
}

// tellHeld tells of the rejects that a retry left as they were, and how to mend them.
func (a *app) tellHeld(held reject.Held, dir string, retry reject.Retry) {
	if held.Rows == 0 {
		return
	}
	out := a.out
	if retry.DryRun {
		out = a.err
	}
	first := ""
	if held.First != "" {
		first = " of " + held.First
	}
	fmt.Fprintf(out, "  %d rejected rows were not sent and stay as they are: what is kept of them is no JSON object, so there is nothing to map\n", held.Rows)
	fmt.Fprintf(out, "  the text%s: %s\n", first, printable(held.Why))
	edit := retry.File
	if edit == "" {
		edit = "edited.jsonl"
		fmt.Fprintf(out, "  to mend them: sluice rejects show %s --open --json > %s\n", dir, edit)
	}
	fmt.Fprintf(out, "  then put an object such as {\"phone\": \"…\"} in place of the text behind \"row\" and retry with --file %s\n", edit)
}

func (a *app) rejectsPurge() *cobra.Command {
	var (
		older time.Duration
		p     reject.Purge
	)
	cmd := &cobra.Command{
		Use:     "purge FOLDER",
		Short:   "Remove rejected rows for good",
		Example: "  sluice rejects purge rejects --marked\n  sluice rejects purge rejects --older-than 720h",
		Args:    exactly(1, "the rejects folder"),
		RunE: func(_ *cobra.Command, args []string) error {
			if older > 0 {
				p.Before = time.Now().Add(-older)
			}
			if p.Before.IsZero() && !p.Marked && !p.All {
				return connector.Configf("Add --marked, --older-than or --all", "sluice rejects purge needs to know what goes")
			}
			d, err := reject.At(args[0])
			if err != nil {
				return err
			}
			n, err := d.Purge(p)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.out, "%d rejected rows removed\n", n)
			return err
		},
	}
	cmd.Flags().DurationVar(&older, "older-than", 0, "rows rejected longer ago than this, such as 720h")
	cmd.Flags().BoolVar(&p.Marked, "marked", false, "rows that landed since, or were dealt with otherwise")
	cmd.Flags().BoolVar(&p.All, "all", false, "all rows")
	return cmd
}
