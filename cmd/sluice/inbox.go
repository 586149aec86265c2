package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/cmd/internal/job"
	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/inbox"
)

// inboxFlags are shared by all verbs of `sluice inbox`.
type inboxFlags struct {
	caFile string
	asJSON bool
}

func (a *app) inbox() *cobra.Command {
	f := &inboxFlags{}
	cmd := &cobra.Command{
		Use:   "inbox",
		Short: "List, show, verify, salvage, release and replay stored webhooks; forget a consumer",
		Long: `INBOX is the folder of an inbox or the admin address of the receiver that runs on it, such as http://127.0.0.1:9465. For an
address, the variable ` + job.TokenVariable + ` holds the receiver's admin.token. While a receiver runs, release, replay and forget go through it.`,
		Args: unknownVerb,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&f.caFile, "ca-file", "", "PEM file of an authority that the receiver's certificate is from")
	cmd.PersistentFlags().BoolVar(&f.asJSON, "json", false, "print JSON, one object a line")
	cmd.AddCommand(a.inboxLs(f), a.inboxShow(f), a.inboxVerify(f), a.inboxSalvage(f), a.inboxRelease(f), a.inboxReplay(f), a.inboxForget(f))
	return cmd
}

// withInbox opens an inbox for reading.
func withInbox(at string, f *inboxFlags, do func(job.InboxStore) error) error {
	s, err := job.OpenInbox(at, f.caFile)
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.Close())
}

func (a *app) encode(v any) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func sequence(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, connector.Configf("Use a number from the first column of `sluice inbox ls`", "%q is not the number of a request", text)
	}
	return n, nil
}

// listed is a request as `ls --json` prints it, and `show --json` with what it holds.
type listed struct {
	Seq        int64          `json:"seq"`
	ReceivedAt time.Time      `json:"received_at"`
	Endpoint   inbox.Endpoint `json:"endpoint"`
	Items      int            `json:"items"`
	Seen       []int          `json:"seen,omitempty"` // items that had come before
	Bytes      int            `json:"bytes"`
	Quarantine string         `json:"quarantine,omitempty"`
	Note       string         `json:"note,omitempty"`
	Origin     int64          `json:"origin,omitempty"`
	Method     string         `json:"method,omitempty"`
	Header     http.Header    `json:"header,omitempty"`
	Body       *string        `json:"body,omitempty"`
	Body64     []byte         `json:"body_base64,omitempty"` // where it is not UTF-8
}

func list(r *inbox.Record) listed {
	l := listed{
		Seq: r.Seq, ReceivedAt: r.ReceivedAt, Endpoint: r.Endpoint, Items: r.Items, Bytes: len(r.Body), Quarantine: r.Quarantine, Note: r.Note, Origin: r.Origin,
	}
	for i := range r.Items {
		if r.Seen(i) {
			l.Seen = append(l.Seen, i)
		}
	}
	return l
}

// remark is what is odd about a request, in a few words.
func (l *listed) remark() string {
	var parts []string
	if l.Quarantine != "" {
		parts = append(parts, "quarantined: "+l.Quarantine)
	}
	if l.Origin > 0 {
		parts = append(parts, fmt.Sprintf("repeats %d", l.Origin))
	}
	if len(l.Seen) > 0 {
		parts = append(parts, fmt.Sprintf("%d items seen before", len(l.Seen)))
	}
	if l.Note != "" {
		parts = append(parts, l.Note)
	}
	return printable(strings.Join(parts, "; "))
}

func (a *app) inboxLs(f *inboxFlags) *cobra.Command {
	var (
		endpoint string
		after    int64
		n        int
		held     bool
	)
	cmd := &cobra.Command{
		Use:     "ls INBOX",
		Short:   "List what the inbox holds",
		Example: "  sluice inbox ls inbox\n  sluice inbox ls inbox --quarantined",
		Args:    exactly(1, "the folder of an inbox or the address of a receiver"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withInbox(args[0], f, func(s job.InboxStore) error {
				if held {
					return a.listQuarantined(cmd.Context(), s, f)
				}
				if !cmd.Flags().Changed("after") { // the newest
					head, err := s.Head(cmd.Context())
					if err != nil {
						return err
					}
					after = max(0, head-int64(n))
				}
				return a.listInbox(cmd.Context(), s, f, inboxRange{after: after, n: n, endpoint: endpoint})
			})
		},
	}
	cmd.Flags().Int64Var(&after, "after", 0, "list from behind this one on; without it the newest")
	cmd.Flags().IntVarP(&n, "limit", "n", 20, "look at so many")
	cmd.Flags().StringVar(&endpoint, "endpoint", "", "only this endpoint, such as main/user_sync_portrait")
	cmd.Flags().BoolVar(&held, "quarantined", false, "list what is kept back, released or damaged instead")
	return cmd
}

// inboxRange is a stretch of the log that people ask for.
type inboxRange struct {
	after    int64
	n        int
	endpoint string
}

func (a *app) listInbox(ctx context.Context, s job.InboxStore, f *inboxFlags, r inboxRange) error {
	if !f.asJSON {
		if err := a.inboxSummary(ctx, s); err != nil {
			return err
		}
	}
	q := inbox.Query{After: r.after, Rows: r.n, Bytes: 1 << 40, Quarantined: true}
	if r.endpoint != "" {
		q.Endpoint = func(e inbox.Endpoint) bool { return e.Name == r.endpoint }
	}
	w := tabwriter.NewWriter(a.out, 0, 4, 3, ' ', 0)
	if !f.asJSON {
		_, _ = fmt.Fprintln(w, "\nSEQ\tRECEIVED\tENDPOINT\tITEMS\tBYTES\tREMARK")
	}
	p, err := s.Read(ctx, q)
	if err != nil {
		return err
	}
	for i := range p.Records {
		l := list(&p.Records[i])
		if f.asJSON {
			if err := a.encode(l); err != nil {
				return err
			}
			continue
		}
		_, _ = fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%d\t%s\n", l.Seq, l.ReceivedAt.Format(time.RFC3339), printable(l.Endpoint.Name), l.Items, l.Bytes, l.remark())
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return a.tellDamage(p.Damaged)
}

// errDamaged ends a verb with code 1 after the damage was listed.
var errDamaged = errors.New("the inbox has damaged records: see `sluice inbox salvage --help`")

func (a *app) tellDamage(list []inbox.Damage) error {
	for _, d := range list {
		_, _ = fmt.Fprintf(a.err, "damaged: %d to %d: %s\n", d.From, d.To, printable(d.Reason))
	}
	if len(list) > 0 {
		return errDamaged
	}
	return nil
}

func (a *app) inboxSummary(ctx context.Context, s job.InboxStore) error {
	head, err := s.Head(ctx)
	floor, err2 := s.Floor(ctx)
	consumers, err3 := s.Consumers(ctx)
	if err := errors.Join(err, err2, err3); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(a.out, "requests %d to %d are kept\n", min(floor+1, head), head)
	if floor == head {
		_, _ = fmt.Fprintln(a.out, "(none)")
	}
	for _, c := range consumers {
		_, _ = fmt.Fprintf(a.out, "consumer %s has come to %d, at %s\n", printable(c.Name), c.Seq, c.At.Format(time.RFC3339))
	}
	return nil
}

func (a *app) listQuarantined(ctx context.Context, s job.InboxStore, f *inboxFlags) error {
	const step = 1000
	w := tabwriter.NewWriter(a.out, 0, 4, 3, ' ', 0)
	total := 0
	for after := int64(0); ; {
		list, err := s.Quarantined(ctx, after, step)
		if err != nil {
			return err
		}
		for _, q := range list {
			if total++; total == 1 && !f.asJSON {
				_, _ = fmt.Fprintln(w, "SEQ\tTO\tSINCE\tREASON\tSTATE")
			}
			after = q.From
			if f.asJSON {
				if err := a.encode(map[string]any{"seq": q.From, "to": q.To, "reason": q.Reason, "at": q.At, "released": q.Released}); err != nil {
					return err
				}
				continue
			}
			state := "kept back"
			if q.Released > 0 {
				state = fmt.Sprintf("released as %d", q.Released)
			}
			_, _ = fmt.Fprintf(w, "%d\t%d\t%s\t%s\t%s\n", q.From, q.To, q.At.Format(time.RFC3339), printable(q.Reason), state)
		}
		if len(list) < step {
			break
		}
	}
	if total == 0 && !f.asJSON {
		_, _ = fmt.Fprintln(a.out, "nothing is quarantined")
	}
	return w.Flush()
}

func (a *app) inboxShow(f *inboxFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "show INBOX SEQ…",
		Short:   "Show requests with their bodies",
		Example: "  sluice inbox show inbox 17",
		Args:    atLeast(2, "an inbox and the number of a request"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withInbox(args[0], f, func(s job.InboxStore) error {
				for _, text := range args[1:] {
					seq, err := sequence(text)
					if err != nil {
						return err
					}
					rec, err := s.Get(cmd.Context(), seq)
					if err != nil {
						return inboxFault(err)
					}
					if err := a.showRequest(&rec, f); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

func (a *app) showRequest(r *inbox.Record, f *inboxFlags) error {
	l := list(r)
	if f.asJSON {
		l.Method, l.Header = r.Method, r.Header()
		if body := string(r.Body); utf8.ValidString(body) {
			l.Body = &body
		} else {
			l.Body64 = r.Body
		}
		return a.encode(l)
	}
	_, _ = fmt.Fprintf(a.out, "request %d at %s, received %s\n", l.Seq, printable(l.Endpoint.Name), l.ReceivedAt.Format(time.RFC3339Nano))
	_, _ = fmt.Fprintf(a.out, "  vendor %s, account %s, webhook %s, %d items, %d bytes\n", printable(l.Endpoint.Vendor), printable(l.Endpoint.Account), printable(l.Endpoint.Type), l.Items, l.Bytes)
	if remark := l.remark(); remark != "" {
		_, _ = fmt.Fprintf(a.out, "  %s\n", remark)
	}
	h := r.Header()
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		_, _ = fmt.Fprintf(a.out, "  %s: %s\n", printable(name), printable(strings.Join(h[name], ", ")))
	}
	_, _ = fmt.Fprintf(a.out, "\n%s\n\n", printable(string(r.Body)))
	return nil
}

// inboxFault says what a person can do about the errors of single records.
func inboxFault(err error) error {
	switch {
	case errors.Is(err, inbox.ErrNotFound):
		return connector.Configf("`sluice inbox ls` shows what there is", "%w", err)
	case errors.Is(err, inbox.ErrNotHeld):
		return connector.Configf("`sluice inbox ls --quarantined` shows what can be released", "%w", err)
	}
	return err
}
