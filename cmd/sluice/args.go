package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/connector"
)

// exactly wants n arguments and says what they are.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return connector.Configf(fmt.Sprintf("Write: %s", cmd.UseLine()), "%s wants %s", cmd.CommandPath(), what)
	}
}

// atLeast wants n arguments or more.
func atLeast(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= n {
			return nil
		}
		return connector.Configf(fmt.Sprintf("Write: %s", cmd.UseLine()), "%s wants %s", cmd.CommandPath(), what)
	}
}

// none wants no arguments.
func none(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return connector.Configf(fmt.Sprintf("Write: %s", cmd.UseLine()), "%s takes no arguments, but got %q", cmd.CommandPath(), args[0])
}

// programName is what has to be typed to run this program again: its name where the shell finds it, the path it was started
// by where not, and the go command where that had built it for one run.
func programName() string {
	name := os.Args[0]
	if strings.Contains(name, string(filepath.Separator)+"go-build") {
		return "go run ./cmd/sluice"
	}
	if !strings.ContainsRune(name, filepath.Separator) {
		return name
	}
	found, err := exec.LookPath(filepath.Base(name))
	if own, oerr := os.Executable(); err == nil && oerr == nil && found == own {
		return filepath.Base(name)
	}
	return name
}
