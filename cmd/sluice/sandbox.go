package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/all/sandboxes"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// sandboxAddress is where the sandbox listens unless told otherwise.
const sandboxAddress = "127.0.0.1:8089"

func (a *app) sandbox() *cobra.Command {
	var (
		listen, faults, journal string
		seed                    uint64
	)
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Serve local stand-ins of the CRMs",
		Long: `Serves a local stand-in of every CRM on one port, as strict as the vendors' pages say: signatures, limits, formats,
merge rules. Its state and every request can be read back:

  GET  /_sandbox/state     what each CRM holds
  GET  /_sandbox/journal   the requests it got
  POST /_sandbox/faults    faults from now on, in the syntax of --faults
  POST /_sandbox/reset     empty everything`,
		Example: "  sluice sandbox\n  sluice sandbox --faults '429=5%,drop=2%,latency=50ms..200ms'",
		Args:    none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := sandbox.ParseFaults(faults)
			if err != nil {
				return connector.Configf("Write it like 429=5%,drop=2%,latency=50ms..200ms", "--faults: %w", err)
			}
			opts := sandbox.Options{Seed: seed, Faults: f}
			if journal != "" {
				out, err := os.OpenFile(journal, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
				if err != nil {
					return connector.Configf("Choose a file that can be written", "--journal: %w", err)
				}
				defer func() { _ = out.Close() }()
				opts.Journal = out
			}
			return sandbox.New(opts, sandboxes.Services()...).Serve(cmd.Context(), listen, func(url string) {
				_, _ = fmt.Fprintf(a.out, "listening on %s\n", url)
				for _, s := range sandboxes.Accounts() {
					_, _ = fmt.Fprintf(a.out, "\n%s\n%s", s.Vendor, s.YAML("  ", url))
				}
				_, _ = fmt.Fprintf(a.out, "\nstate: %s/_sandbox/state   journal: %s/_sandbox/journal   stop: ^C\n", url, url)
			})
		},
	}
	cmd.Flags().StringVar(&listen, "listen", sandboxAddress, "address to listen on; port 0 takes any free one")
	cmd.Flags().StringVar(&faults, "faults", "", "faults to inject, such as 429=5%,500=1%,drop=2%,latency=20ms..80ms,rate=50/60s")
	cmd.Flags().StringVar(&journal, "journal", "", "append every request to this file, one JSON line each")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "seed of everything random")
	return cmd
}
