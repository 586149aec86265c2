package main

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/config"
)

// unknownVerb refuses arguments of a command that only has subcommands: what stands there is a mistyped one.
func unknownVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var verbs []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			verbs = append(verbs, c.Name())
		}
	}
	path := cmd.CommandPath()
	if near := config.Nearest(args[0], verbs); near != "" {
		return connector.Configf(fmt.Sprintf("Did you mean `%s %s`?", path, near), "there is no command `%s %s`", path, args[0])
	}
	return connector.Configf(fmt.Sprintf("See `%s --help` for those that there are", path), "there is no command `%s %s`", path, args[0])
}

var (
	flagName  = regexp.MustCompile(`(?m)^ *(?:-\w, )?--([\w-]+)`)
	flagValue = regexp.MustCompile(`(?s)^invalid argument (".*") for "(?:-\w, )?(--[\w-]+)" flag: `)
)

// wrongFlag says what is wrong with a flag, and which one may have been meant.
func wrongFlag(cmd *cobra.Command, err error) error {
	help := fmt.Sprintf("See `%s --help`", cmd.CommandPath())
	if m := flagValue.FindStringSubmatch(err.Error()); m != nil {
		return connector.Configf(help, "%s does not take the value %s", m[2], m[1])
	}
	var unknown interface {
		GetSpecifiedName() string
		GetSpecifiedShortnames() string
	}
	if !errors.As(err, &unknown) || unknown.GetSpecifiedShortnames() != "" {
		return connector.Configf(help, "%v", err)
	}
	name := unknown.GetSpecifiedName()
	var flags []string
	for _, m := range flagName.FindAllStringSubmatch(cmd.LocalFlags().FlagUsages()+cmd.InheritedFlags().FlagUsages(), -1) {
		flags = append(flags, m[1])
	}
	if near := config.Nearest(name, flags); near != "" {
		help = fmt.Sprintf("Did you mean --%s?", near)
	}
	return connector.Configf(help, "`%s` has no flag --%s", cmd.CommandPath(), name)
}
