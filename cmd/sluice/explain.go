package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/cmd/internal/job"
	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/all"
	"github.com/sluicehq/sluice/transforms"
)

func (a *app) explain() *cobra.Command {
	var path, stream string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain -c PIPELINE.yaml [RECORD.json]",
		Short: "Show step by step how one record becomes a request",
		Long:  "Shows what each step of the mapping and of the CRM's preset makes of one record, and the request that comes out of it.\nThe record is a file with one JSON object, or what stands first on standard input (also as -). Nothing is sent.",
		Example: "  sluice explain -c pipeline.yaml record.json\n" +
			`  echo '{"mobile":"+86 138 0000 0001","name":"Wei Zhang"}' | sluice explain -c pipeline.yaml`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if path == "" {
				return connector.Configf("Add -c PIPELINE.yaml", "sluice explain needs to know the pipeline")
			}
			p, _, err := job.LoadPipeline(path, all.Vendors)
			if err != nil {
				return err
			}
			t, err := p.Target(cmd.Context(), all.Vendors, job.Settings{Log: a.log()})
			if err != nil {
				return err
			}
			defer t.Close()
			object, err := a.readRecord(args)
			if err != nil {
				return err
			}
			told, err := t.Explain(cmd.Context(), stream, object)
			if err != nil {
				return err
			}
			if asJSON {
				return a.tellJSON(t.Vendor, &told)
			}
			return a.tell(t.Vendor, &told)
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", "", "the pipeline file")
	cmd.Flags().StringVar(&stream, "stream", "contacts", "the stream that the record belongs to")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object, for programs")
	return cmd
}

// readRecord reads the one JSON object to explain.
func (a *app) readRecord(args []string) ([]byte, error) {
	in := a.in
	if len(args) == 1 && args[0] != "-" {
		f, err := os.Open(args[0])
		if err != nil {
			return nil, connector.Configf("Check the path", "cannot read the record: %w", err)
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, 64<<20))
	if err != nil {
		return nil, connector.Configf("Check the file", "cannot read the record: %w", err)
	}
	text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	var object json.RawMessage
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&object); err != nil {
		return bytes.TrimSpace(text), nil // the row reader says better what is wrong
	}
	if rest := bytes.TrimSpace(text[d.InputOffset():]); len(rest) > 0 {
		_, _ = fmt.Fprintln(a.err, "Only the first record is explained; more text stands behind it.")
	}
	return object, nil
}

// tell prints the explanation; a record that would be rejected is an error of the verb, already reported.
func (a *app) tell(v *connector.Vendor, told *job.Told) error {
	w := a.out
	switch {
	case told.Skipped:
		fmt.Fprintf(w, "The mapping skips the stream %s.\n", told.Stream)
		return nil
	case told.Filtered:
		fmt.Fprintf(w, "The row is left out: %s.\n", leftOut(told.FilteredBy))
		return nil
	}
	preset, part := false, 0
	for i := range told.Fields {
		f := &told.Fields[i]
		if f.Part != part {
			preset, part = false, f.Part
			fmt.Fprintf(w, "\nrow %d of the %d that explode makes of the record\n", part, told.Parts)
		}
		if f.Preset && !preset {
			preset = true
			fmt.Fprintf(w, "\npreset of %s\n", v.Title)
		}
		tellField(w, f)
	}
	if len(told.Rejected) == 0 && told.Request != nil {
		fmt.Fprintf(w, "\nThe row is sound. This is how %s would get it:\n%s %s\n%s\n", v.Title, told.Request.Method, told.Request.URL, told.Request.Body)
		return nil
	}
	fmt.Fprintln(w, "\nThe row would be rejected:")
	for _, r := range told.Rejected {
		field := ""
		if r.Field != "" {
			field = " field " + r.Field + ","
		}
		fmt.Fprintf(w, "  %s:%s %s\n", r.Code, printable(field), printable(r.Message))
		if info, ok := v.Explain(r.Code); ok {
			fmt.Fprintf(w, "    to do: %s\n", info.Fix)
		}
	}
	return errSilent
}

// tellField prints one field on a line: what it reads, each step with the value after it.
func tellField(w io.Writer, f *transforms.FieldTrace) {
	if f.Value == "" && len(f.From) == 0 && f.Rejected == nil {
		return // nothing in, nothing out
	}
	var b strings.Builder
	fmt.Fprintf(&b, "  %-16s", f.Field)
	for i, s := range f.From {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, " %s = %s", s.Name, s.Value)
	}
	last := ""
	if len(f.From) == 1 {
		last = f.From[0].Value
	}
	for _, s := range f.Steps {
		if s.Value == last {
			if !f.Preset && s.Op != "from" { // the steps of the user's own are all shown: they ran
				fmt.Fprintf(&b, "  → %s%s unchanged", s.Op, args(s.Args))
			}
			continue
		}
		last = s.Value
		shown := s.Value
		if shown == "" {
			shown = "(nothing)"
		}
		fmt.Fprintf(&b, "  → %s%s %s", s.Op, args(s.Args), shown)
	}
	if f.Rejected != nil {
		fmt.Fprintf(&b, "  ✗ %s: %s", f.Rejected.Code, f.Rejected.Message)
	}
	if f.File != "" && f.Line > 0 && !f.Preset {
		fmt.Fprintf(&b, "   (%s:%d)", f.File, f.Line)
	}
	fmt.Fprintln(w, printable(b.String()))
}

// leftOut says in words what left a row out.
func leftOut(by string) string {
	switch by {
	case "where":
		return "`where` is not true for it"
	case "explode":
		return "`explode` finds nothing in it"
	}
	return "the field " + printable(by) + " marks it as deleted"
}

func args(s string) string {
	if s == "" {
		return ""
	}
	return "(" + s + ")"
}
