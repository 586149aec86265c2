// Command bench measures Sluice beside a hand-written loop and beside Benthos, in one run on one machine, and writes the
// table in docs/benchmarks.md. Only the ratios mean something elsewhere.
//
//	go run ./bench -out docs/benchmarks.md        (make bench)
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/sluicehq/sluice/internal/heap"
)

func main() {
	out := flag.String("out", "", "write the table to this file; empty: standard output")
	rows := flag.Int("rows", 300_000, "contacts for the comparison of whole programs")
	rounds := flag.Int("rounds", 5, "rounds of it; the median counts")
	big := flag.Int("big", 5_000_000, "contacts of the larger memory run; the smaller has a fifth")
	skipPeer := flag.Bool("skip-peer", false, "leave out Benthos (it takes minutes to build) and Airbyte's Python kit")
	events := flag.Int("events", 1_000_000, "webhook events for the source")
	kitEvents := flag.Int("kit-events", 50_000, "of these, for the source by Airbyte's Python kit")
	python := flag.String("python", ".cache/pyairbyte/bin/python", "a Python that has airbyte-cdk")
	only := flag.String("only", "", "run this part alone, such as source")
	flag.Parse()
	heap.Tune() // as the programs do
	if err := run(*out, settings{rows: *rows, rounds: *rounds, big: *big, skipPeer: *skipPeer, events: *events, kitEvents: *kitEvents, python: *python, only: *only}); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type settings struct {
	rows, rounds, big int
	skipPeer          bool
	events, kitEvents int
	python, only      string
}

func run(out string, s settings) (err error) {
	dir, err := os.MkdirTemp("", "sluice-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &bench{settings: s, dir: dir}
	var doc bytes.Buffer
	fmt.Fprintf(&doc, "<!-- written by `make bench`; do not edit -->\n# Benchmarks\n\nOne run, everything side by side on the same machine (%d cores, %s, %s/%s). Absolute figures are this machine's;\nthe ratios are what counts.\n",
		runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	for _, part := range []struct {
		name string
		run  func(*bytes.Buffer) error
	}{
		{"stages", b.stages}, {"mapping", b.mapping}, {"programs", b.programs}, {"latency", b.latency}, {"memory", b.memory}, {"source", b.source},
		{"receive", b.receives}, {"start-up", b.startUp},
	} {
		if b.only != "" && b.only != part.name {
			continue
		}
		start := time.Now()
		if err := part.run(&doc); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "bench: part done in %s\n", time.Since(start).Round(time.Second))
	}
	if out == "" {
		_, err = os.Stdout.Write(doc.Bytes())
		return err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	return os.WriteFile(out, doc.Bytes(), 0o644)
}
