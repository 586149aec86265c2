package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/cmd/internal/job"
	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/all"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/wire/file"
)

func (a *app) infer() *cobra.Command {
	var cfg file.Config
	var to string
	var most int
	cmd := &cobra.Command{
		Use:   "infer SAMPLE --to CRM",
		Short: "Propose a mapping from the columns of a file",
		Long: "Looks at the names and values of a file's columns (JSON lines or CSV) and prints a mapping into a CRM. Where it is unsure it says so\n" +
			"in a comment; where a wrong choice would change data, the line itself is a comment. Nothing is sent, and no value is printed.",
		Example: "  sluice infer customers.csv --to nxlink > mapping.yaml",
		Args:    exactly(1, "one file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg.Path = args[0]
			if cfg.Path == "-" {
				return connector.Configf("Save the sample to a file first", "sluice infer reads its sample twice, which standard input cannot do")
			}
			v, err := vendorNamed(to)
			if err != nil {
				return err
			}
			if most < 1 {
				return connector.Configf("Write for example --rows 1000", "--rows %d looks at nothing", most)
			}
			told, err := job.Infer(cmd.Context(), cfg, v, most)
			if err != nil {
				return err
			}
			_, err = a.out.Write(told.Text)
			return err
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "the CRM: its name in a pipeline file")
	cmd.Flags().StringVar(&cfg.Stream, "stream", "contacts", "the stream that the rows belong to")
	cmd.Flags().IntVar(&most, "rows", 1000, "how many rows to look at, at least; no more than fit into 16 MiB")
	cmd.Flags().StringVar(&cfg.Format, "format", file.Auto, "jsonl, csv or auto")
	cmd.Flags().StringVar(&cfg.Encoding, "encoding", file.UTF8, "utf-8 or gb18030")
	cmd.Flags().StringVar(&cfg.Delimiter, "delimiter", "", "of CSV; without it: by the header")
	return cmd
}

// vendorNamed finds a CRM by the name that people type.
func vendorNamed(name string) (*connector.Vendor, error) {
	v, ok := all.Lookup(name)
	switch near := config.Nearest(name, all.Names()); {
	case ok:
		return &v, nil
	case name == "":
		return nil, connector.Configf("Add --to with one of "+strings.Join(all.Names(), ", "), "the CRM is not named")
	case near != "":
		return nil, connector.Configf("Did you mean "+near+"?", "there is no CRM %q", name)
	}
	return nil, connector.Configf("There are "+strings.Join(all.Names(), ", "), "there is no CRM %q", name)
}
