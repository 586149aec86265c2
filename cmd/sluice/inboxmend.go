package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/cmd/internal/job"
	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/inbox"
)

func (a *app) inboxVerify(f *inboxFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "verify INBOX",
		Short:   "Read every request and check its checksum",
		Long:    "Reads every request that is kept and checks it. Nothing is changed, and a receiver may run meanwhile. Exit code 1 if a request\nis damaged or missing.",
		Example: "  sluice inbox verify inbox",
		Args:    exactly(1, "the folder of an inbox or the address of a receiver"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withInbox(args[0], f, func(s job.InboxStore) error { return a.verifyInbox(cmd.Context(), s, f) })
		},
	}
}

func (a *app) verifyInbox(ctx context.Context, s job.InboxStore, f *inboxFlags) error {
	head, err := s.Head(ctx)
	if err != nil {
		return err
	}
	floor, err := s.Floor(ctx)
	if err != nil {
		return err
	}
	var sound, bad, held int64
	var damage []inbox.Damage
	for after, more := floor, head > floor; more; {
		p, err := s.Read(ctx, inbox.Query{After: after, Head: head, Quarantined: true})
		if err != nil {
			return err
		}
		for i := range p.Records {
			if p.Records[i].Quarantine != "" {
				held++
			}
		}
		sound += int64(len(p.Records))
		for _, d := range p.Damaged {
			bad += d.To - d.From + 1
		}
		damage = append(damage, p.Damaged...)
		after, more = p.Last, p.More
	}
	if f.asJSON {
		if err := a.encode(map[string]int64{"head": head, "floor": floor, "sound": sound, "quarantined": held, "damaged": bad}); err != nil {
			return err
		}
	} else {
		_, _ = fmt.Fprintf(a.out, "%d requests are sound (%d of them quarantined), %d are damaged or missing\n", sound, held, bad)
	}
	return a.tellDamage(damage)
}

func (a *app) inboxSalvage(f *inboxFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "salvage FOLDER",
		Short: "Move what is whole in a damaged inbox into a new one",
		Long: `Copies every request that is whole into a new database in the same folder, under its number, and lists the others as
quarantined. The old files are kept in a folder beside it. Stop the receiver first.`,
		Example: "  sluice inbox salvage inbox",
		Args:    exactly(1, "the folder of an inbox"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if job.IsReceiverURL(args[0]) {
				return connector.Configf("Stop the receiver and give the folder", "an inbox cannot be salvaged while a receiver runs on it")
			}
			if noInbox(args[0]) {
				return connector.Configf("Check the path", "there is no inbox in %s", args[0])
			}
			s, err := inbox.Salvage(cmd.Context(), inbox.Options{Dir: args[0], Log: a.log()})
			if err != nil {
				return err
			}
			if f.asJSON {
				return a.encode(map[string]any{"records": s.Records, "damaged": s.Damaged, "keys": s.Keys, "lost_bookkeeping": s.Lost, "old": s.Old})
			}
			_, _ = fmt.Fprintf(a.out, "%d requests were kept, %d could not be; the old files are in %s\n", s.Records, s.Damaged, s.Old)
			if s.Lost {
				_, _ = fmt.Fprintln(a.out, "some bookkeeping is lost too: consumers may have to begin again, and events that come once more may count as new")
			}
			return nil
		},
	}
}

func (a *app) inboxRelease(f *inboxFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "release INBOX SEQ…",
		Short:   "Let quarantined requests through",
		Long:    "A released request comes in once more at the end of the log, so that readers get it. If all its events have come in otherwise\nmeanwhile, nothing is added.",
		Example: "  sluice inbox ls inbox --quarantined\n  sluice inbox release inbox 17",
		Args:    atLeast(2, "an inbox and the number of a request"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withOwner(cmd.Context(), args, f, func(own job.InboxOwner, seqs []int64) error {
				for _, seq := range seqs {
					r, err := own.Release(cmd.Context(), seq)
					if err != nil {
						return inboxFault(err)
					}
					if err := a.tellReceipt("released", seq, r, f); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

// withOwner opens an inbox for writing, once its other arguments are numbers. One that is repeated counts once.
func (a *app) withOwner(ctx context.Context, args []string, f *inboxFlags, do func(job.InboxOwner, []int64) error) error {
	var seqs []int64
	named := map[int64]bool{}
	for _, text := range args[1:] {
		seq, err := sequence(text)
		if err != nil {
			return err
		}
		if !named[seq] {
			named[seq] = true
			seqs = append(seqs, seq)
		}
	}
	own, err := job.OwnInbox(ctx, args[0], f.caFile, a.log())
	if err != nil {
		return err
	}
	return errors.Join(do(own, seqs), own.Close())
}

func (a *app) tellReceipt(what string, seq int64, r inbox.Receipt, f *inboxFlags) error {
	if f.asJSON {
		return a.encode(map[string]any{"seq": seq, "as": r.Seq, "items": r.Items, "seen": r.Seen, "duplicate": r.Duplicate})
	}
	if r.Duplicate {
		_, err := fmt.Fprintf(a.out, "%d %s: all its events have come in otherwise, so nothing was added\n", seq, what)
		return err
	}
	_, err := fmt.Fprintf(a.out, "%d %s as %d\n", seq, what, r.Seq)
	return err
}

// replayFlags choose what is replayed.
type replayFlags struct {
	from, to int64
	endpoint string
	yes      bool
	rate     float64
}

func (a *app) inboxReplay(f *inboxFlags) *cobra.Command {
	var r replayFlags
	cmd := &cobra.Command{
		Use:   "replay INBOX [SEQ…]",
		Short: "Put requests into the log once more",
		Long: `Puts a copy of requests at the end of the log, so that every reader gets them again. Name them, or a range: for a range the
verb says how many those are and does nothing until --yes is given.`,
		Example: "  sluice inbox replay inbox 17\n  sluice inbox replay inbox --from 100 --to 200 --endpoint main/user_sync_portrait --yes",
		Args:    atLeast(1, "an inbox"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ranged := cmd.Flags().Changed("from") || cmd.Flags().Changed("to")
			if ranged == (len(args) > 1) {
				return connector.Configf("Write numbers, or --from and --to", "sluice inbox replay wants to know which requests")
			}
			if r.rate <= 0 {
				return connector.Configf("Leave --rate out, or set it to 10", "--rate %g would never end", r.rate)
			}
			if !ranged {
				return a.withOwner(cmd.Context(), args, f, func(own job.InboxOwner, seqs []int64) error { return a.replay(cmd.Context(), own, seqs, r, f) })
			}
			return a.replayRange(cmd.Context(), args[0], r, f)
		},
	}
	cmd.Flags().Int64Var(&r.from, "from", 1, "the first of a range")
	cmd.Flags().Int64Var(&r.to, "to", 0, "the last of a range; without it the last that there is")
	cmd.Flags().StringVar(&r.endpoint, "endpoint", "", "of the range, only this endpoint")
	cmd.Flags().BoolVar(&r.yes, "yes", false, "do it")
	cmd.Flags().Float64Var(&r.rate, "rate", 100, "requests per second")
	return cmd
}

func (a *app) replayRange(ctx context.Context, at string, r replayFlags, f *inboxFlags) error {
	var seqs []int64
	err := withInbox(at, f, func(s job.InboxStore) (err error) {
		seqs, err = replayable(ctx, s, r)
		return err
	})
	if err != nil {
		return err
	}
	if len(seqs) == 0 {
		return connector.Configf("`sluice inbox ls` shows what there is", "the range holds no request that can be replayed")
	}
	if !r.yes {
		if f.asJSON {
			return a.encode(map[string]int{"would_replay": len(seqs)})
		}
		_, err := fmt.Fprintf(a.out, "%d requests, %d to %d, would be replayed. Add --yes to do it\n", len(seqs), seqs[0], seqs[len(seqs)-1])
		return err
	}
	own, err := job.OwnInbox(ctx, at, f.caFile, a.log())
	if err != nil {
		return err
	}
	return errors.Join(a.replay(ctx, own, seqs, r, f), own.Close())
}

// replayable lists what a range holds: not what is quarantined, and nothing that came in after the question.
func replayable(ctx context.Context, s job.InboxStore, r replayFlags) (seqs []int64, err error) {
	head, err := s.Head(ctx)
	if err != nil {
		return nil, err
	}
	if r.to > 0 {
		head = min(head, r.to)
	}
	q := inbox.Query{After: max(r.from-1, 0), Head: head}
	if r.endpoint != "" {
		q.Endpoint = func(e inbox.Endpoint) bool { return e.Name == r.endpoint }
	}
	for more := q.After < head; more; {
		p, err := s.Read(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range p.Records {
			seqs = append(seqs, p.Records[i].Seq)
		}
		q.After, more = p.Last, p.More
	}
	return seqs, nil
}

// replay repeats requests at a bounded pace. If it ends early, the error names the last one that was done, so that one can go
// on behind it. So ctx counts only between requests: one that was given up while it waits may come to be done all the same.
func (a *app) replay(ctx context.Context, own job.InboxOwner, seqs []int64, r replayFlags, f *inboxFlags) error {
	tick := time.NewTicker(time.Duration(float64(time.Second) / r.rate))
	defer tick.Stop()
	early := func(done int, err error) error {
		if done == 0 {
			return fmt.Errorf("none of %d requests was replayed: %w", len(seqs), err)
		}
		return fmt.Errorf("%d of %d requests were replayed, the last one %d: %w", done, len(seqs), seqs[done-1], err)
	}
	for i, seq := range seqs {
		if i > 0 {
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
		if ctx.Err() != nil {
			return early(i, context.Cause(ctx))
		}
		receipt, err := own.Replay(context.WithoutCancel(ctx), seq)
		if err != nil {
			return early(i, inboxFault(err))
		}
		if err := a.tellReceipt("replayed", seq, receipt, f); err != nil {
			return err
		}
	}
	return nil
}
