package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/sluicehq/sluice/cmd/internal/casefile"
	"github.com/sluicehq/sluice/cmd/internal/job"
	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/all"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/transforms"
)

// errFaults makes lint exit with 1: the faults are what it was asked for, not a failure of its own configuration.
var errFaults = errors.New("lint")

func (a *app) lint() *cobra.Command {
	return &cobra.Command{
		Use:   "lint FILE…",
		Short: "Check pipeline files, mappings and cases without running them",
		Long: "Checks pipeline files, mappings, receive files and files of cases, and prints every fault with its place. FILE may be a pattern, or a\n" +
			"folder, in which all files of these kinds are checked, or - for standard input. Nothing is sent and no secret is needed: references such as ${env:X}\n" +
			"are taken as given. Exit code 1 if a file has a fault.",
		Example: "  sluice lint pipeline.yaml 'mappings/*.yaml'\n  sluice lint ./...",
		Args:    atLeast(1, "one file or more"),
		RunE: func(_ *cobra.Command, args []string) error {
			paths, err := lintFiles(args)
			if err != nil {
				return err
			}
			bad := 0
			for _, path := range paths {
				if err := a.lintOne(path); err != nil {
					bad++
					_, _ = fmt.Fprintln(a.out, placed(err))
					continue
				}
				_, _ = fmt.Fprintf(a.out, "ok  %s\n", path)
			}
			if bad > 0 {
				return fmt.Errorf("%w: %d of %d files have faults", errFaults, bad, len(paths))
			}
			return nil
		},
	}
}

// lintOne checks a file of cases, or what job knows; - is a pipeline file or a mapping on standard input.
func (a *app) lintOne(path string) error {
	if path == "-" {
		text, err := io.ReadAll(io.LimitReader(a.in, config.MaxFile+1))
		if err != nil {
			return connector.Configf("Name a file", "cannot read standard input: %w", err)
		}
		return job.LintText("stdin", text, all.Vendors)
	}
	if !strings.HasSuffix(path, casefile.Suffix) {
		return job.Lint(path, all.Vendors)
	}
	f, err := casefile.Load(path)
	if err != nil {
		return err
	}
	s, err := casefile.Open(f, all.Vendors)
	if err != nil {
		return err
	}
	s.Close()
	return nil
}

// placed writes the faults of a mapping with line and column.
func placed(err error) string {
	var faults transforms.Problems
	var rest interface{ Unwrap() []error }
	if errors.As(err, &rest) {
		var lines []string
		for _, one := range rest.Unwrap() {
			lines = append(lines, placed(one))
		}
		return strings.Join(lines, "\n")
	}
	if !errors.As(err, &faults) {
		return err.Error()
	}
	lines := make([]string, 0, len(faults))
	for _, p := range faults {
		line := p.String()
		if p.Column > 0 {
			at := fmt.Sprintf("%s:%d", p.File, p.Line)
			line = fmt.Sprintf("%s:%d%s", at, p.Column, strings.TrimPrefix(line, at))
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// lintFiles turns patterns and folders into files, each once.
func lintFiles(args []string) ([]string, error) {
	var paths []string
	for _, arg := range args {
		found, err := lintArg(arg)
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			if !slices.Contains(paths, path) {
				paths = append(paths, path)
			}
		}
	}
	return paths, nil
}

func lintArg(arg string) ([]string, error) {
	root := strings.TrimSuffix(arg, "...")
	if info, err := os.Stat(root); err == nil && info.IsDir() {
		found, err := ownFiles(root)
		if err != nil {
			return nil, connector.Configf("Check the folder", "cannot read %s: %w", root, err)
		}
		if len(found) == 0 {
			return nil, connector.Configf("Name a file, or another folder", "no pipeline file or mapping lies in %s", root)
		}
		return found, nil
	}
	if _, err := os.Lstat(arg); err != nil && strings.ContainsAny(arg, "*?[") {
		found, err := filepath.Glob(arg)
		if err != nil || len(found) == 0 {
			return nil, connector.Configf("Check the pattern", "no file fits %s", arg)
		}
		return found, nil
	}
	return []string{arg}, nil
}

// ownFiles lists the files in a folder that are ours to check: other YAML may lie beside them.
func ownFiles(root string) ([]string, error) {
	var found []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && strings.HasPrefix(d.Name(), "."):
			return filepath.SkipDir
		case d.IsDir():
			return nil
		}
		if ext := filepath.Ext(path); ext != ".yaml" && ext != ".yml" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err == nil && (strings.HasSuffix(path, casefile.Suffix) || job.IsReceive(path) || isOurs(text)) {
			found = append(found, path)
		}
		return err
	})
	return found, err
}

// isOurs: the file holds keys of a pipeline file or of a mapping, as far as it can be read.
func isOurs(text []byte) bool {
	var top map[string]yaml.Node
	if yaml.Unmarshal(text, &top) != nil {
		for _, key := range []string{"\nstreams:", "\ntransforms:"} {
			if strings.Contains("\n"+string(text), key) {
				return true
			}
		}
		return false
	}
	_, streams := top["streams"]
	_, mapping := top["transforms"]
	_, from := top["from"]
	_, to := top["to"]
	return streams || mapping || from && to
}
