// Command sluice moves contacts between data pipelines and WhatsApp-CRMs. `sluice demo` shows it at work.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/heap"
	"github.com/sluicehq/sluice/internal/pipeline"
)

func main() {
	heap.Tune()
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// app carries what every verb needs.
type app struct {
	in       io.Reader
	out, err io.Writer
	verbose  bool
}

func (a *app) log() *slog.Logger {
	level := slog.LevelInfo
	if a.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: level}))
}

// run is main without the process: it returns the exit code.
func run(args []string, in io.Reader, stdout, errw io.Writer) int {
	ctx, stop := withSignals(context.Background())
	defer stop()
	out := &output{to: stdout}
	a := &app{in: in, out: out, err: errw}
	root := &cobra.Command{
		Use:           "sluice",
		Short:         "Moves contacts between data pipelines and WhatsApp-CRMs",
		Long:          "Sluice writes streams of contacts into the batch endpoints of WhatsApp-CRMs.\nNew here? Type: sluice demo",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       sluice.Version,
		Args:          unknownVerb,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errw)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentFlags().BoolVarP(&a.verbose, "verbose", "v", false, "log every request")
	root.SetFlagErrorFunc(wrongFlag)
	root.AddCommand(a.demo(), a.runCmd(), a.check(), a.explain(), a.lint(), a.test(), a.infer(), a.rejects(), a.sandbox(), a.receive(), a.inbox(), a.version())
	err := root.ExecuteContext(ctx)
	if err == nil {
		err = out.failure()
	}
	code := exitCode(ctx, err)
	if err != nil && !errors.Is(err, errSilent) {
		_, _ = fmt.Fprintln(errw, "sluice:", err)
	}
	return code
}

// errSilent ends a verb that has already said what is wrong.
var errSilent = errors.New("already reported")

// exitCode: 0 done, 1 failed, 2 bad configuration or usage, 3 reject limit, 128+n ended by signal n.
func exitCode(ctx context.Context, err error) int {
	if err == nil {
		return 0
	}
	var sig signalError
	if errors.As(context.Cause(ctx), &sig) {
		return 128 + int(sig)
	}
	switch {
	case errors.Is(err, pipeline.ErrRejectLimit):
		return 3
	case connector.KindOf(err) == connector.KindConfig:
		return 2
	default:
		return 1
	}
}
