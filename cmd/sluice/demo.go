package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/cmd/internal/job"
	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/all"
	"github.com/sluicehq/sluice/connector/all/sandboxes"
	sesandbox "github.com/sluicehq/sluice/connector/socialepoch/sandbox"
	"github.com/sluicehq/sluice/internal/reject"
	"github.com/sluicehq/sluice/internal/sandbox"
)

func (a *app) demo() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See Sluice at work: sync a file of contacts into local stand-ins of the CRMs",
		Long: `Starts local stand-ins of the CRMs, syncs a file of contacts into each through the real code path, explains the
rows that were refused, and takes a change the way back: webhook, inbox, row, and into another CRM. Nothing leaves this machine. The files it leaves behind are yours to play with.`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runDemo(cmd.Context(), dir) },
	}
	cmd.Flags().StringVar(&dir, "dir", "sluice-demo", "folder for the demo's files")
	return cmd
}

func (a *app) runDemo(ctx context.Context, dir string) error {
	contacts, mapping, err := demoFiles(dir)
	if err != nil {
		return err
	}
	services := sandboxes.Services()
	server, err := sandbox.New(sandbox.Options{Seed: 1}, services...).Start("127.0.0.1:0")
	if err != nil {
		return err
	}
	crm := tellingOf(services)
	defer func() { _, _ = server.Stop(), crm.Close() }()
	_, _ = fmt.Fprintf(a.out, "A sandbox of the CRMs runs at %s. Contacts: %s, mapping: %s\n\n", server.URL, contacts, mapping)
	if _, err := a.demoSyncs(ctx, dir, server.URL); err != nil {
		return err
	}
	if _, err := a.demoTrip(ctx, dir, server.URL, crm); err != nil {
		return err
	}
	// The sandbox of the demo ends with it; the files that stay are for the one that `sluice sandbox` serves.
	for _, account := range sandboxes.Accounts() {
		if err := os.WriteFile(filepath.Join(dir, account.Vendor+".yaml"), []byte(demoPipeline(account, "http://"+sandboxAddress)), 0o600); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
	}
	return a.demoNext(dir)
}

// tellingOf finds the sandbox that tells of changes.
func tellingOf(services []sandbox.Service) *sesandbox.Service {
	for _, s := range services {
		if crm, ok := s.(*sesandbox.Service); ok {
			return crm
		}
	}
	panic("no sandbox sends webhooks") // a list in the source
}

// demoFiles writes the demo's contacts and mapping into its folder.
func demoFiles(dir string) (contacts, mapping string, err error) {
	const fix = "Choose a folder that can be written with --dir"
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", "", connector.Configf(fix, "cannot make the demo's folder: %w", err)
	}
	contacts, mapping = filepath.Join(dir, "contacts.jsonl"), filepath.Join(dir, "contacts.yaml")
	for path, text := range map[string][]byte{contacts: sluice.DemoContacts, mapping: sluice.DemoMapping} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return "", "", connector.Configf(fix, "cannot write the demo's files: %w", err)
		}
	}
	return contacts, mapping, nil
}

// demoSyncs syncs the demo's contacts into the sandbox of each CRM.
func (a *app) demoSyncs(ctx context.Context, dir, url string) ([]*result, error) {
	var all []*result
	for _, account := range sandboxes.Accounts() {
		path := filepath.Join(dir, account.Vendor+".yaml")
		if err := os.WriteFile(path, []byte(demoPipeline(account, url)), 0o600); err != nil {
			return all, fmt.Errorf("demo: %w", err)
		}
		res, err := a.demoSync(ctx, path)
		if err != nil {
			return all, err
		}
		all = append(all, res)
	}
	return all, nil
}

// demoPipeline is the pipeline file of one CRM, as a user would write it.
func demoPipeline(account sandboxes.Account, url string) string {
	return "from:\n  file: {path: contacts.jsonl}\n\ntransforms: contacts.yaml\n\nto:\n  " + account.Vendor + ":\n" +
		account.YAML("    ", url) + "\nrejects: {dir: rejects-" + account.Vendor + "}\n"
}

// demoSync runs one of the demo's pipelines from the start and explains three of its rejects.
func (a *app) demoSync(ctx context.Context, path string) (*result, error) {
	p, _, err := job.LoadPipeline(path, all.Vendors)
	if err != nil {
		return nil, err
	}
	if err := os.RemoveAll(p.RejectsDir()); err != nil {
		return nil, fmt.Errorf("demo: %w", err)
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
	reader, err := in.Reader(t, false)
	if err != nil {
		return nil, err
	}
	rejects, err := reject.Open(reject.Config{Dir: p.RejectsDir(), Explain: t.Vendor.Explain})
	if err != nil {
		return nil, err
	}
	res := &result{Vendor: t.Vendor, Means: t.Delivered(), Rejects: p.RejectsDir()}
	start := time.Now()
	res.Report, res.Stats, res.Err = t.Run(ctx, job.Run{Reader: reader, Rejects: rejects})
	res.Took = time.Since(start)
	if err := rejects.Close(); err != nil && res.Err == nil {
		res.Err = err
	}
	if res.begun() {
		res.summary(a.out)
	}
	if res.Err != nil {
		return res, res.Err
	}
	return res, a.explainRejects(p.RejectsDir(), 3)
}

func (a *app) demoNext(dir string) error {
	me, contacts := programName(), filepath.Join(dir, "contacts.jsonl")
	var b strings.Builder
	b.WriteString("Where to look next\n")
	for _, next := range [][2]string{
		{dir + "/contacts.yaml", "the mapping, and the pipeline files beside it"},
		{me + " rejects ls " + dir + "/rejects-nxlink", "every refused row, by reason"},
		{"head -1 " + contacts + " | " + me + " explain -c " + dir + "/nxlink.yaml", "how one record becomes a request"},
		{dir + "/relay.yaml", "a relay between two CRMs; receive.yaml beside it takes the webhooks: " + me + " receive " + dir + "/receive.yaml"},
		{me + " sandbox", "the sandbox; in another terminal: " + me + " run " + dir + "/nxlink.yaml"},
	} {
		fmt.Fprintf(&b, "  %s\n      %s\n", next[0], next[1])
	}
	_, err := io.WriteString(a.out, b.String())
	return err
}
