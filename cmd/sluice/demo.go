package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/cmd/internal/job"
	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/all"
	"github.com/sluicehq/sluice/connector/all/sandboxes"
	"github.com/sluicehq/sluice/internal/reject"
	"github.com/sluicehq/sluice/internal/sandbox"
)

func (a *app) demo() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See Sluice at work: sync a file of contacts into local stand-ins of the CRMs",
		Long: `Starts local stand-ins of the CRMs, syncs a file of contacts into each through the real code path, and explains the
rows that were refused. Nothing leaves this machine. The files it leaves behind are yours to play with.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runDemo(cmd.Context(), dir) },
	}
	cmd.Flags().StringVar(&dir, "dir", "sluice-demo", "folder for the demo's files")
	return cmd
}

func (a *app) runDemo(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return connector.Configf("Choose a folder that can be written with --dir", "cannot make the demo's folder: %w", err)
	}
	contacts, mapping := filepath.Join(dir, "contacts.jsonl"), filepath.Join(dir, "contacts.yaml")
	for path, text := range map[string][]byte{contacts: sluice.DemoContacts, mapping: sluice.DemoMapping} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return connector.Configf("Choose a folder that can be written with --dir", "cannot write the demo's files: %w", err)
		}
	}
	sb := sandbox.New(sandbox.Options{Seed: 1}, sandboxes.Services()...)
	server, err := sb.Start("127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() { _ = server.Stop() }()
	_, _ = fmt.Fprintf(a.out, "A sandbox of the CRMs runs at %s. Contacts: %s, mapping: %s\n\n", server.URL, contacts, mapping)
	for _, account := range sandboxes.Accounts() {
		path := filepath.Join(dir, account.Vendor+".yaml")
		if err := os.WriteFile(path, []byte(demoPipeline(account, server.URL)), 0o600); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		if err := a.demoSync(ctx, path); err != nil {
			return err
		}
	}
	return a.demoNext(dir)
}

// demoPipeline is the pipeline file of one CRM, as a user would write it.
func demoPipeline(account sandboxes.Account, url string) string {
	return "from:\n  file: {path: contacts.jsonl}\n\ntransforms: contacts.yaml\n\nto:\n  " + account.Vendor + ":\n" +
		account.YAML("    ", url) + "\nrejects: {dir: rejects-" + account.Vendor + "}\n"
}

// demoSync runs one of the demo's pipelines from the start and explains three of its rejects.
func (a *app) demoSync(ctx context.Context, path string) error {
	p, _, err := job.LoadPipeline(path, all.Vendors)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(p.RejectsDir()); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	t, err := p.Target(all.Vendors, job.Settings{})
	if err != nil {
		return err
	}
	defer t.Close()
	reader, _, err := p.Reader(t, false)
	if err != nil {
		return err
	}
	rejects, err := reject.Open(reject.Config{Dir: p.RejectsDir(), Explain: t.Vendor.Explain})
	if err != nil {
		return err
	}
	res := &result{Vendor: t.Vendor, Rejects: p.RejectsDir()}
	start := time.Now()
	res.Report, res.Stats, res.Err = t.Run(ctx, job.Run{Reader: reader, Rejects: rejects})
	res.Took = time.Since(start)
	if err := rejects.Close(); err != nil && res.Err == nil {
		res.Err = err
	}
	res.summary(a.out)
	if res.Err != nil {
		return res.Err
	}
	return a.explainRejects(p.RejectsDir(), 3)
}

func (a *app) demoNext(dir string) error {
	_, err := fmt.Fprintf(a.out, `Where to look next
  %-50s the mapping, and the pipeline files beside it
  %-50s every refused row, by reason
  %-50s how one record becomes a request
  %-50s the sandbox, to run the pipelines against yourself
`,
		dir+"/contacts.yaml", "sluice rejects ls "+dir+"/rejects-nxlink",
		"sluice explain -c "+dir+"/nxlink.yaml RECORD.json", "sluice sandbox")
	return err
}
