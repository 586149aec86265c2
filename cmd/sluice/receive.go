package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/cmd/internal/job"
	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/all"
	"github.com/sluicehq/sluice/internal/inbox"
	"github.com/sluicehq/sluice/internal/receiver"
	"github.com/sluicehq/sluice/internal/ssrf"
)

func (a *app) receive() *cobra.Command {
	var (
		file    string
		newPath bool
	)
	cmd := &cobra.Command{
		Use:   "receive [-c] RECEIVE.yaml",
		Short: "Take webhooks of CRMs into a durable inbox",
		Long: `Takes the webhooks of CRMs: a request is verified, put into the inbox, and acknowledged when it is on the disk. Whatever
keeps a good request from being stored asks its sender to send it again. Runs until SIGTERM or ^C.

See docs/operations.md for addresses, TLS, proxies and metrics.`,
		Example: "  sluice receive --new-path\n  sluice receive -c receive.yaml",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if newPath {
				_, err := fmt.Fprintln(a.out, receiver.NewPath())
				return err
			}
			if len(args) > 0 && file == "" {
				file = args[0]
			}
			if file == "" {
				return connector.Configf("Write: sluice receive -c RECEIVE.yaml", "sluice receive wants a file that lists accounts and webhooks")
			}
			return a.serveWebhooks(cmd.Context(), file)
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "", "the file that lists accounts and webhooks")
	cmd.Flags().BoolVar(&newPath, "new-path", false, "print a new unguessable path, and do nothing else")
	return cmd
}

func (a *app) serveWebhooks(ctx context.Context, file string) (err error) {
	log := a.log()
	r, warnings, err := job.LoadReceive(file, all.Vendors)
	if err != nil {
		return err
	}
	job.Warn(log, warnings)
	opts, err := r.Options(all.Vendors, log)
	if err != nil {
		return err
	}
	for _, g := range []*ssrf.Guard{opts.Calls, opts.Confirms} {
		if g != nil {
			defer g.Close()
		}
	}
	l, err := r.Listeners(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closed(l.Public), closed(l.Admin)) }()
	if opts.Inbox, err = inbox.Open(ctx, r.InboxOptions(log)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opts.Inbox.Close()) }()
	server, err := receiver.New(ctx, opts)
	if err != nil {
		return err
	}
	a.tellEndpoints(r, opts.Endpoints, l)
	if err := server.Serve(ctx, l); err != nil {
		return err
	}
	log.Info("stopped: what was in flight is stored and answered")
	return nil
}

// closed closes a listener, which mostly is closed.
func closed(ln net.Listener) error {
	if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func (a *app) tellEndpoints(r *job.Receive, list []receiver.Endpoint, l receiver.Listeners) {
	url := func(ln net.Listener, cfg *tls.Config) string {
		if cfg != nil {
			return "https://" + ln.Addr().String()
		}
		return "http://" + ln.Addr().String()
	}
	base := url(l.Public, l.PublicTLS)
	_, _ = fmt.Fprintf(a.out, "listening on %s\n", base)
	for i := range list {
		_, _ = fmt.Fprintf(a.out, "  %-40s POST %s\n", list[i].Name, list[i].Masked())
	}
	_, _ = fmt.Fprintf(a.out, "admin on %s   /healthz /readyz /metrics", url(l.Admin, l.AdminTLS))
	if !r.Admin.Token.IsZero() {
		_, _ = fmt.Fprint(a.out, " /v1")
	}
	_, _ = fmt.Fprintf(a.out, "\ninbox in %s\n", r.InboxDir())
}

// checkReceive is `sluice check` for a file of `sluice receive`. It takes no port and makes no folder.
func (a *app) checkReceive(file string) error {
	r, warnings, err := job.LoadReceive(file, all.Vendors)
	if err != nil {
		return err
	}
	log := a.log()
	job.Warn(log, warnings)
	list, err := r.Endpoints(all.Vendors, false)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(a.out, "ok    %s: the file is sound\n", file)
	for i := range list {
		_, _ = fmt.Fprintf(a.out, "ok    %s at %s\n", list[i].Name, list[i].Masked())
	}
	faults := []error{r.CheckTLS(log)}
	if faults[0] == nil && (r.CertFile != "" || r.Admin.CertFile != "") {
		_, _ = fmt.Fprintln(a.out, "ok    the TLS files fit")
	}
	dir := r.InboxDir()
	if err := inbox.Foresee(dir); err != nil {
		return errors.Join(append(faults, err)...)
	}
	switch rd, err := inbox.OpenReader(dir); {
	case err == nil:
		_, _ = fmt.Fprintf(a.out, "ok    the inbox %s can be read and written to\n", dir)
		faults = append(faults, rd.Close())
	case noInbox(dir):
		_, _ = fmt.Fprintf(a.out, "note  there is no inbox in %s yet: the receiver will make it\n", dir)
	default:
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// noInbox reports whether a folder is missing or empty.
func noInbox(dir string) bool {
	list, err := os.ReadDir(dir)
	return errors.Is(err, os.ErrNotExist) || err == nil && len(list) == 0
}
