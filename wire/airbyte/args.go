package airbyte

import (
	"fmt"
	"os"
	"strings"

	"github.com/sluicehq/sluice/connector"
)

// commands are what a program can be asked for, and the flags that each cannot do without.
type commands struct {
	usage string
	needs map[string][]string
}

var destinationCommands = commands{usage: `usage:
  spec                                          print the specification
  check    --config FILE                        test a configuration
  discover --config FILE                        print the objects and operations
  write    --config FILE --catalog FILE         take messages on standard input
`, needs: map[string][]string{"spec": nil, "check": {"config"}, "discover": {"config"}, "write": {"config", "catalog"}}}

var sourceCommands = commands{usage: `usage:
  spec                                                 print the specification
  check    --config FILE                               test a configuration
  discover --config FILE                               print the streams
  read     --config FILE --catalog FILE [--state FILE] print records and states
`, needs: map[string][]string{"spec": nil, "check": {"config"}, "discover": {"config"}, "read": {"config", "catalog"}}}

// arguments are the command line: one command, flags before or behind it.
type arguments struct {
	command                string
	config, catalog, state string
	help                   bool
}

// parseArgs reads the command line. Flags that only other connectors know are passed over.
func parseArgs(of commands, args []string) (arguments, error) {
	var a arguments
	flags := map[string]string{}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			if a.command != "" {
				return a, fmt.Errorf("unexpected argument %q", arg)
			}
			a.command = arg
			continue
		}
		name, value, given := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch name {
		case "help", "h":
			a.help = true
			return a, nil
		case "debug":
			continue
		}
		// An unknown flag may be a switch: it takes the next word only if that cannot be a command.
		_, known := map[string]bool{"config": true, "catalog": true, "state": true}[name]
		if !given && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
			if _, command := of.needs[args[i+1]]; known || !command {
				i++
				value = args[i]
			}
		}
		flags[name] = value
	}
	required, ok := of.needs[a.command]
	switch {
	case a.command == "":
		return a, fmt.Errorf("no command")
	case !ok:
		return a, fmt.Errorf("unknown command %q", a.command)
	}
	for _, name := range required {
		if flags[name] == "" {
			return a, fmt.Errorf("%s needs --%s FILE", a.command, name)
		}
	}
	a.config, a.catalog, a.state = flags["config"], flags["catalog"], flags["state"]
	return a, nil
}

// readFile reads a file that the host names; it may be a pipe.
func readFile(what, path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, connector.Configf("Give --"+what+" the path of a JSON file that this user may read", "the %s cannot be read: %w", what, err)
	}
	return data, nil
}
