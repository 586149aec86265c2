package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/cmd/internal/casefile"
	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/all"
)

// errCases makes test exit with 1: the mapping does something else than its cases say.
var errCases = errors.New("test")

func (a *app) test() *cobra.Command {
	var update bool
	cmd := &cobra.Command{
		Use:   "test FILE…",
		Short: "Run the cases that stand beside mappings",
		Long: "Runs cases: records, and what a mapping must make of them. Those of contacts.yaml stand in contacts" + casefile.Suffix + ";\n" +
			"FILE is either of the two, or a folder, whose case files are all run. Nothing is sent and no secret is needed.\n" +
			"Exit code 1 if a case does not hold, 2 if a file has a fault.",
		Example: "  sluice test mapping.test.yaml\n\n" + caseExample,
		Args:    atLeast(1, "one file or more"),
		RunE: func(cmd *cobra.Command, args []string) error {
			paths, err := caseFiles(args)
			if err != nil {
				return err
			}
			t := tally{}
			for _, path := range paths {
				if err := a.testFile(cmd.Context(), path, update, &t); err != nil {
					t.faults = append(t.faults, err)
					_, _ = fmt.Fprintln(a.out, err)
				}
			}
			_, _ = fmt.Fprintf(a.out, "%d cases, %d failed\n", t.cases, t.failed)
			switch {
			case len(t.faults) > 0:
				return errors.Join(connector.Configf("", "%d of %d files cannot be run", len(t.faults), len(paths)))
			case t.failed > 0:
				return fmt.Errorf("%w: %d of %d cases failed", errCases, t.failed, t.cases)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&update, "update", false, "write what comes out into the expectations of cases that fail")
	return cmd
}

const caseExample = `  # mapping.test.yaml
  to: nxlink                     # for request; not beside a pipeline file
  cases:
    - name: a number with its country
      in: {mobile: "+86 138 0000 0001"}
      out: {whatsapp: "8613800000001"}
    - name: no such day
      in: {mobile: "+86 138 0000 0001", birth: "2021-02-30"}
      reject: {code: bad_date, field: birthday}`

// tally counts what was run.
type tally struct {
	cases, failed int
	faults        []error
}

// caseFiles turns mappings and folders into files of cases.
func caseFiles(args []string) ([]string, error) {
	var paths []string
	for _, arg := range args {
		root := strings.TrimSuffix(strings.TrimSuffix(arg, "..."), "/")
		info, err := os.Stat(root)
		switch {
		case err != nil && strings.ContainsAny(arg, "*?["):
			found, err := filepath.Glob(arg)
			if err != nil || len(found) == 0 {
				return nil, connector.Configf("Check the pattern", "no file fits %s", arg)
			}
			for _, path := range found {
				if path, ok := besideMapping(path); ok && !slices.Contains(paths, path) {
					paths = append(paths, path)
				}
			}
		case err != nil:
			return nil, connector.Configf("Check the path", "there is no file %s", arg)
		case info.IsDir():
			found := len(paths)
			err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
				if err == nil && !d.IsDir() && strings.HasSuffix(path, casefile.Suffix) {
					paths = append(paths, path)
				}
				return err
			})
			if err != nil {
				return nil, connector.Configf("Check the folder", "cannot read %s: %w", root, err)
			}
			if len(paths) == found {
				return nil, connector.Configf("Name them after their mappings, as in contacts"+casefile.Suffix, "no file of cases lies in %s", root)
			}
		default:
			path, ok := besideMapping(root)
			if !ok {
				return nil, connector.Configf("Write them into "+filepath.Base(path), "%s has no cases beside it", root)
			}
			paths = append(paths, path)
		}
	}
	return paths, nil
}

// besideMapping is the file of cases that belongs to a mapping, or the file itself. false: there is none, and the path is
// where it would be.
func besideMapping(path string) (string, bool) {
	if strings.HasSuffix(path, casefile.Suffix) {
		return path, true
	}
	beside := strings.TrimSuffix(path, filepath.Ext(path)) + casefile.Suffix
	if _, err := os.Stat(beside); err == nil {
		return beside, true
	}
	text, err := os.ReadFile(path)
	if err == nil && isOurs(text) {
		return beside, false
	}
	return path, true
}

// testFile runs the cases of one file.
func (a *app) testFile(ctx context.Context, path string, update bool, t *tally) error {
	f, err := casefile.Load(path)
	if err != nil {
		return err
	}
	s, err := casefile.Open(f, all.Vendors)
	if err != nil {
		return err
	}
	defer s.Close()
	var results []casefile.Result
	for i := range f.Cases {
		r, err := s.Run(ctx, &f.Cases[i])
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, f.Cases[i].Line, err)
		}
		results = append(results, r)
		a.tellCase(path, &r)
		t.cases++
		if len(r.Wrong) > 0 {
			t.failed++
		}
	}
	if !update {
		return nil
	}
	n, err := f.Update(results)
	if n > 0 && err == nil {
		_, _ = fmt.Fprintf(a.out, "%s: %d expectations written anew; look at the change before you keep it\n", path, n)
	}
	return err
}

// tellCase prints a case: a line, and what is wrong with it.
func (a *app) tellCase(path string, r *casefile.Result) {
	mark := "ok  "
	if len(r.Wrong) > 0 {
		mark = "FAIL"
	}
	_, _ = fmt.Fprintf(a.out, "%s  %s:%d  %s\n", mark, path, r.Case.Line, printable(r.Case.Name))
	for _, w := range r.Wrong {
		_, _ = fmt.Fprintf(a.out, "        %s\n", printable(w))
	}
}
