package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sluicehq/sluice/cmd/internal/job"
	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/all"
	"github.com/sluicehq/sluice/connector/all/sandboxes"
	sesandbox "github.com/sluicehq/sluice/connector/socialepoch/sandbox"
	"github.com/sluicehq/sluice/internal/inbox"
	"github.com/sluicehq/sluice/internal/receiver"
	"github.com/sluicehq/sluice/internal/reject"
	"github.com/sluicehq/sluice/internal/rows"
	"github.com/sluicehq/sluice/internal/ssrf"
)

// demoReceive and demoRelay are the files of the demo's way back, as a user would write them.
const (
	demoReceive = `listen: %s
admin: {listen: %s}
inbox: {dir: inbox}
accounts:
  - name: main
    crm:
      socialepoch: {tenant_id: %d, webhook_secrets: [%q]}
    webhooks: {user_sync_portrait: %s}
`
	demoRelay = `# What agents change in SocialEpoch goes into NXCloud.
from:
  vendor:
    crm:
      socialepoch: {tenant_id: %d, webhook_secrets: [%q]}
    stream: profile_changes
    inbox: inbox

transforms:
  streams:
    profile_changes:
      fields: {whatsapp: whatsapp, full_name: full_name, email: email, remark: remark}

to:
  nxcloud:
%s
echo: memory
rejects: {dir: rejects-relay}
`
)

// demoChange is what an agent does in the demo.
var demoChange = sesandbox.Change{Agent: sesandbox.Agent, Number: "14155550194", Field: "friendName", Value: "Patricia McDonald-Wang"}

// demoTrip shows the way back: a profile is changed in a CRM, its webhook is received, read as a row, and relayed into another.
func (a *app) demoTrip(ctx context.Context, dir, url string, crm *sesandbox.Service) (res *result, err error) {
	path := receiver.NewPath()
	files := func(public, admin, url string) error {
		relay := ""
		for _, account := range sandboxes.Accounts() {
			if account.Vendor == "nxcloud" {
				relay = fmt.Sprintf(demoRelay, sesandbox.TenantID, sesandbox.WebhookSecret, account.YAML("    ", url))
			}
		}
		receive := fmt.Sprintf(demoReceive, public, admin, sesandbox.TenantID, sesandbox.WebhookSecret, path)
		return errors.Join(os.WriteFile(filepath.Join(dir, "receive.yaml"), []byte(receive), 0o600), os.WriteFile(filepath.Join(dir, "relay.yaml"), []byte(relay), 0o600))
	}
	for _, old := range []string{"inbox", "memory", "rejects-relay"} { // of a demo before
		if err := os.RemoveAll(filepath.Join(dir, old)); err != nil {
			return nil, fmt.Errorf("demo: %w", err)
		}
	}
	if err := files("127.0.0.1:0", "127.0.0.1:0", url); err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	_, _ = fmt.Fprintf(a.out, "And back: what an agent changes in SocialEpoch goes into NXCloud\n")
	stop, err := a.demoReceiver(ctx, filepath.Join(dir, "receive.yaml"), crm)
	if err != nil {
		return nil, err
	}
	err = crm.Change(demoChange)
	if err == nil {
		err = crm.Drain(ctx)
	}
	if err = errors.Join(err, stop()); err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	_, _ = fmt.Fprintf(a.out, "  an agent renamed %s; the webhook was verified, and stored before it was acknowledged: %s\n", demoChange.Number, filepath.Join(dir, "inbox"))
	if res, err = a.demoRelayed(ctx, filepath.Join(dir, "relay.yaml")); err != nil {
		return res, err
	}
	return res, files("127.0.0.1:8085", "127.0.0.1:9465", "http://"+sandboxAddress)
}

// demoReceiver starts a receiver, and makes the CRM tell it of changes. stop ends it when what is in flight is stored.
func (a *app) demoReceiver(ctx context.Context, file string, crm *sesandbox.Service) (stop func() error, err error) {
	log := a.log()
	r, _, err := job.LoadReceive(file, all.Vendors)
	if err != nil {
		return nil, err
	}
	opts, err := r.Options(all.Vendors, log)
	if err != nil {
		return nil, err
	}
	l, err := r.Listeners(ctx, log)
	if err != nil {
		return nil, err
	}
	if opts.Inbox, err = inbox.Open(ctx, r.InboxOptions(log)); err != nil {
		return nil, errors.Join(err, closed(l.Public), closed(l.Admin))
	}
	server, err := receiver.New(ctx, opts)
	if err != nil {
		return nil, errors.Join(err, opts.Inbox.Close(), closed(l.Public), closed(l.Admin))
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, l) }()
	crm.SetWebhooks(sesandbox.Webhooks{Portrait: "http://" + l.Public.Addr().String() + opts.Endpoints[0].Address()})
	return func() error {
		crm.SetWebhooks(sesandbox.Webhooks{})
		cancel()
		err := <-done
		for _, g := range []*ssrf.Guard{opts.Calls, opts.Confirms} {
			if g != nil {
				g.Close()
			}
		}
		return errors.Join(err, opts.Inbox.Close())
	}, nil
}

// demoRelayed shows the event as a row and runs the relay.
func (a *app) demoRelayed(ctx context.Context, file string) (*result, error) {
	p, _, err := job.LoadPipeline(file, all.Vendors)
	if err != nil {
		return nil, err
	}
	t, err := p.Target(ctx, all.Vendors, job.Settings{})
	if err != nil {
		return nil, err
	}
	defer t.Close()
	in, err := p.Input(ctx, all.Vendors, job.Settings{})
	if err != nil {
		return nil, err
	}
	defer in.Close()
	if err := a.showEvents(ctx, in, t); err != nil {
		return nil, err
	}
	rejects, err := reject.Open(reject.Config{Dir: p.RejectsDir(), Explain: t.Vendor.Explain})
	if err != nil {
		return nil, err
	}
	reader, err := in.Reader(t, false)
	if err != nil {
		return nil, errors.Join(err, rejects.Close())
	}
	gate, err := in.Gate(ctx, t)
	if err != nil {
		return nil, errors.Join(err, reader.Close(), rejects.Close())
	}
	res := &result{Vendor: t.Vendor, Means: t.Delivered(), Rejects: p.RejectsDir()}
	start := time.Now()
	res.Report, res.Stats, res.Err = t.Run(ctx, job.Run{Reader: reader, Rejects: rejects, Gate: gate})
	res.Took = time.Since(start)
	res.Err = errors.Join(res.Err, gate.Close(), rejects.Close())
	if res.begun() {
		_, _ = fmt.Fprint(a.out, "  ")
		res.summary(a.out)
	}
	return res, res.Err
}

// showEvents prints what the inbox holds, as rows of its stream.
func (a *app) showEvents(ctx context.Context, in *job.Input, t *job.Target) (err error) {
	r, err := in.Reader(t, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if err := r.Open(ctx, nil); err != nil {
		return err
	}
	b, err := r.Read(ctx)
	if err != nil || b.Rows == nil {
		return errors.Join(err, connector.Internalf("Report this", "the webhook of the demo is not in the inbox"))
	}
	defer b.Rows.Release()
	for i := range b.NumRows() {
		_, _ = fmt.Fprintf(a.out, "  read as a row of %s:\n      %s\n", b.Stream, printable(string(rows.AppendJSON(nil, b.Rows, i))))
	}
	return nil
}
