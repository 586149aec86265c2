package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/cmd/internal/job"
	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/all"
	"github.com/sluicehq/sluice/internal/reject"
	"github.com/sluicehq/sluice/internal/state"
)

// runFlags are the flags of `sluice run`.
type runFlags struct {
	dryRun, follow, fresh bool
	limit                 int64
	report, metrics       string
}

func (a *app) runCmd() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run PIPELINE.yaml",
		Short: "Run a pipeline",
		Long: `Runs a pipeline until its input ends, and remembers how far it came: the next run goes on from there.

Exit codes: 0 done, 1 failed, 2 bad configuration, 3 more rejected rows than allowed, 128+n ended by signal n.`,
		Example: "  sluice run pipeline.yaml\n  sluice run pipeline.yaml --dry-run --limit 3",
		Args:    exactly(1, "the pipeline file"),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.runPipeline(cmd.Context(), args[0], f) },
	}
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "print the requests, secrets masked, and send nothing")
	cmd.Flags().Int64Var(&f.limit, "limit", 0, "stop after this many rows, to try a pipeline: the position moves behind whole batches of input only, so the next run may begin with the same rows")
	cmd.Flags().BoolVar(&f.fresh, "from-start", false, "forget the position of earlier runs and begin at the start of the input")
	cmd.Flags().BoolVar(&f.follow, "follow", false, "wait for more input at its end, until a signal")
	cmd.Flags().StringVar(&f.report, "report", "", "write what the run came to as JSON to this file")
	cmd.Flags().StringVar(&f.metrics, "metrics", "", "serve Prometheus metrics on this address while the run lasts")
	return cmd
}

func (a *app) runPipeline(ctx context.Context, path string, f runFlags) error {
	if f.limit < 0 {
		return connector.Configf("Give a number of rows, or leave it out for all", "--limit is %d", f.limit)
	}
	log := a.log()
	p, warnings, err := job.LoadPipeline(path, all.Vendors)
	if err != nil {
		return err
	}
	job.Warn(log, warnings)
	t, err := p.Target(ctx, all.Vendors, job.Settings{Log: log})
	if err != nil {
		return err
	}
	defer t.Close()
	if err := t.CheckWhole(f.follow, f.limit); err != nil {
		return err
	}
	in, err := p.Input(ctx, all.Vendors, job.Settings{Log: log})
	if err != nil {
		return err
	}
	defer in.Close()
	reader, err := in.Reader(t, f.follow)
	if err != nil {
		return err
	}
	r := job.Run{Reader: reader, Limits: p.Rejects.RejectLimits, Limit: f.limit}
	res := &result{Vendor: t.Vendor, Means: t.Delivered()}
	if f.dryRun {
		r.DryRun = a.printRequest
	} else {
		done, err := a.keep(ctx, p, t, in, f.fresh, &r, res, log)
		defer done()
		if err == nil {
			err = errors.Join(in.Preflight(ctx), t.Preflight(ctx))
		}
		if err != nil {
			return errors.Join(err, reader.Close())
		}
	}
	m, stopMetrics, err := serveMetrics(f.metrics, t.Vendor.Name, log)
	if err != nil {
		return errors.Join(err, reader.Close())
	}
	defer stopMetrics()
	bar := newProgress(a.err, log, sizeOf(reader))
	r.Observe = m.observe(bar.observe)
	start := time.Now()
	res.Report, res.Stats, res.Err = t.Run(ctx, r)
	res.Took = time.Since(start)
	bar.close()
	res.gate(r.Gate)
	if sig := (signalError(0)); errors.As(errors.Unwrap(res.Err), &sig) {
		next := "Run it again: it begins where this one began"
		if res.Report.Position != nil && res.save != nil {
			next = "Run it again: it goes on behind what is settled"
		}
		res.Err = connector.Transientf(next, "%w", sig)
	}
	if pos := res.Report.Position; pos != nil && res.save != nil {
		res.Err = errors.Join(res.Err, res.save(context.WithoutCancel(ctx), pos))
	}
	return a.finish(res, f)
}

// keep opens what outlives the run: the rejects, the position and, for a relay, what it knows of both sides. done closes
// them.
func (a *app) keep(ctx context.Context, p *job.Pipeline, t *job.Target, in *job.Input, fresh bool, r *job.Run, res *result, log *slog.Logger) (done func(), err error) {
	var opened []io.Closer
	done = func() {
		for _, c := range opened {
			_ = c.Close()
		}
	}
	dir, err := reject.Open(reject.Config{Dir: p.RejectsDir(), Explain: t.Vendor.Explain})
	if err != nil {
		return done, err
	}
	opened = append(opened, dir)
	r.Rejects, res.Rejects = dir, p.RejectsDir()
	if in.Stdin {
		r.Resumed = true // standard input has no position to keep, and nothing tells whether it was sent before
		return done, nil
	}
	id, err := in.Identity(t)
	if err != nil {
		return done, err
	}
	st, err := state.Open(p.StateDir(), id)
	if err != nil {
		return done, err
	}
	opened = append(opened, st)
	if r.Gate, err = in.Gate(ctx, t); err != nil {
		return done, err
	}
	if r.Gate != nil {
		opened = append(opened, r.Gate)
	}
	if t.Whole() { // the folder is locked against a second run all the same
		log.Info("the mode replaces what the CRM holds: every run reads its input from the beginning and keeps no position", "mode", t.Mode)
		return done, in.TellRetention(t, log)
	}
	r.Resumed = st.Begun()
	if fresh {
		err = st.Forget()
	} else {
		r.From, err = st.Load()
	}
	if err != nil {
		return done, err
	}
	if r.From != nil {
		log.Info("going on where the last run stopped", "state", p.StateDir())
	}
	consumer, err := in.Consumer(t)
	if err != nil {
		return done, err
	}
	opened = append(opened, consumer)
	consumer.Begin(ctx, r.From)
	res.save = consumer.After(st.Save)
	r.Checkpoint = atMostEvery(saveEvery, res.save)
	return done, in.TellRetention(t, log)
}

// saveEvery is how often a run writes its position down: a file made, synced and renamed for each batch would cost more
// than the batch. A killed run repeats that much.
const saveEvery = 500 * time.Millisecond

// atMostEvery passes a call on if the last that it passed is long enough ago. The pipeline makes calls one at a time.
func atMostEvery(interval time.Duration, save func(context.Context, connector.Position) error) func(context.Context, connector.Position) error {
	var last time.Time
	return func(ctx context.Context, pos connector.Position) error {
		now := time.Now()
		if now.Sub(last) < interval {
			return nil
		}
		last = now
		return save(ctx, pos)
	}
}

// finish prints the summary, writes the report and turns the outcome into the verb's error.
func (a *app) finish(res *result, f runFlags) error {
	out := a.out
	if f.dryRun {
		out = a.err
	}
	if res.begun() {
		res.summary(out)
		if f.dryRun {
			fmt.Fprintln(out, "  a dry run: nothing was sent, and nothing is remembered")
		}
		if f.limit > 0 && res.save != nil {
			res.tellLimit(out)
		}
	}
	err := res.Err
	if f.report != "" {
		err = errors.Join(err, res.write(f.report))
	}
	return err
}

// tellLimit says what of a run that --limit ended comes again: a position stands behind a whole batch of the input.
func (r *result) tellLimit(w io.Writer) {
	switch {
	case r.Report.Complete || r.Report.Read == 0:
	case r.Report.Position == nil:
		fmt.Fprintln(w, "  --limit: the position was not moved; these rows go again")
	default:
		fmt.Fprintln(w, "  --limit: the position was moved behind the last whole batch of input; rows after it go again")
	}
}

// sizeOf returns the reader's own count of bytes, nil if it keeps none.
func sizeOf(r connector.Reader) func() (int64, int64) {
	if s, ok := r.(interface{ Progress() (int64, int64) }); ok {
		return s.Progress
	}
	return nil
}

// printRequest is a DryRun that prints the request as it would be sent.
func (a *app) printRequest(req *connector.Request) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s\n", req.Method, req.URL)
	header := req.Header
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, v := range header[name] {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	fmt.Fprintf(&b, "\n%s\n\n", req.Body)
	_, err := a.out.Write(b.Bytes())
	return err
}
