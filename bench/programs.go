package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/bench/data"
	"github.com/sluicehq/sluice/connector"
)

// bench carries the folder of this run and the programs built into it.
type bench struct {
	settings
	dir string
}

// run is what one process took.
type cost struct {
	wall, cpu time.Duration
	rss       int64 // KiB
}

func vendorConfig(v connector.Vendor) (connector.Config, error) {
	cfg := v.NewConfig()
	err := json.Unmarshal([]byte(`{"access_key":"sandbox-key","access_secret":"sandbox-secret","tenant_id":144,"app_key":"sandbox=app"}`), cfg)
	return cfg, err
}

// build compiles a package of this module, or of the module in dir.
func (b *bench) build(name, pkg, dir string) (string, error) {
	out := filepath.Join(b.dir, name)
	cmd := exec.Command("go", "build", "-trimpath", "-o", out, pkg)
	cmd.Dir = dir
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, text)
	}
	return out, nil
}

// contacts writes n contacts to a file.
func (b *bench) contacts(n int) (string, error) {
	path := filepath.Join(b.dir, fmt.Sprintf("contacts-%d.jsonl", n))
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	return path, errors.Join(data.Write(f, n), f.Close())
}

// sink starts the counting server and returns its URL.
func (b *bench) sink(args ...string) (url string, stop func(), err error) {
	bin, err := b.build("sink", "./bench/cmd/sink", "")
	if err != nil {
		return "", nil, err
	}
	cmd := exec.Command(bin, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	line := make([]byte, 64)
	n, err := out.Read(line)
	if err != nil {
		return "", nil, fmt.Errorf("sink: %w", err)
	}
	return strings.TrimSpace(string(line[:n])), func() { _, _ = cmd.Process.Kill(), cmd.Wait() }, nil
}

// counted returns the requests and rows that the sink has had.
func counted(url string) (requests, rows int64, err error) {
	resp, err := http.Get(url + "/count")
	if err != nil {
		return 0, 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, 0, err
	}
	_, err = fmt.Sscan(string(text), &requests, &rows)
	return requests, rows, err
}

// time runs a command and makes sure that the sink got all rows.
func (b *bench) time(url string, rows int, env []string, name string, args ...string) (cost, error) {
	_, before, err := counted(url)
	if err != nil {
		return cost{}, err
	}
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	start := time.Now()
	if text, err := cmd.CombinedOutput(); err != nil {
		return cost{}, fmt.Errorf("%s: %w\n%s", name, err, text)
	}
	wall := time.Since(start)
	_, after, err := counted(url)
	if err != nil {
		return cost{}, err
	}
	if after-before != int64(rows) {
		return cost{}, fmt.Errorf("%s: %d of %d rows arrived", name, after-before, rows)
	}
	return costOf(cmd, wall), nil
}

// costOf is what a process that has ended took.
func costOf(cmd *exec.Cmd, wall time.Duration) cost {
	return cost{wall: wall, cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), rss: maxRSS(cmd.ProcessState)}
}

// pipeline writes a pipeline file for the sink and returns the arguments that run it.
func (b *bench) pipeline(input, url string, delivery string) ([]string, error) {
	mapping := filepath.Join(b.dir, "mapping.yaml")
	path := filepath.Join(b.dir, "pipeline.yaml")
	text := fmt.Sprintf("from:\n  file: {path: %s}\ntransforms: %s\nto:\n  nxlink: {base_url: %q, access_key: sandbox-key, access_secret: sandbox-secret, tenant_id: 144, app_key: sandbox=app}\ndelivery: %s\n", input, mapping, url, delivery)
	err := errors.Join(os.WriteFile(mapping, []byte(data.Mapping), 0o600), os.WriteFile(path, []byte(text), 0o600))
	return []string{"run", path, "--from-start"}, err
}

// programs compares whole programs: a file of JSON lines in, signed batches of 100 out to the counting server.
func (b *bench) programs(doc *bytes.Buffer) error {
	input, err := b.contacts(b.rows)
	if err != nil {
		return err
	}
	sluice, err := b.build("sluice", "./cmd/sluice", "")
	if err != nil {
		return err
	}
	hand, err := b.build("handloop", "./bench/cmd/handloop", "")
	if err != nil {
		return err
	}
	url, stop, err := b.sink()
	if err != nil {
		return err
	}
	defer stop()
	args, err := b.pipeline(input, url, "{requests_per_second: 100000, concurrency: 8}")
	if err != nil {
		return err
	}
	type program struct {
		name string
		env  []string
		argv []string
	}
	list := []program{{"Sluice", nil, append([]string{sluice}, args...)}, {"hand-written loop", nil, []string{hand, input, url + "/x"}}}
	if !b.skipPeer {
		benthos, err := b.build("benthos", ".", "bench/benthos")
		if err != nil {
			return err
		}
		list = append(list, program{"Benthos 4.78.0", []string{"INPUT=" + input, "URL=" + url + "/x"}, []string{benthos, "run", "bench/benthos/contacts.yaml"}})
	}
	costs := make([][]cost, len(list))
	for n := range b.rounds {
		for k := range list {
			i := (k + n) % len(list) // none always comes first
			p := list[i]
			c, err := b.time(url, b.rows, p.env, p.argv[0], p.argv[1:]...)
			if err != nil {
				return err
			}
			costs[i] = append(costs[i], c)
		}
	}
	fmt.Fprintf(doc, "\n## Whole program\n\n%d contacts of about 310 bytes, JSON lines in, twelve mapped fields, batches of 100 out to a plain counting HTTP server on the same\nmachine. Medians of %d rounds; a ratio is of two runs of one round. Benthos neither signs nor wraps its bodies.\n\nTarget: at least 8 times the records/s of Benthos for at most 1/8 of its CPU, at least 0.4 of the loop's records/s.\n\n| | Sluice's records/s over its | its CPU over Sluice's | records/s | CPU µs a record | peak RSS MiB |\n|---|---:|---:|---:|---:|---:|\n", b.rows, b.rounds)
	for i, p := range list {
		m := median(costs[i])
		wall := ratios(costs[i], costs[0], func(c cost) float64 { return c.wall.Seconds() })
		cpu := ratios(costs[i], costs[0], func(c cost) float64 { return c.cpu.Seconds() })
		fmt.Fprintf(doc, "| %s | %s | %s | %.0f | %.2f | %d |\n", p.name, wall, cpu,
			float64(b.rows)/m.wall.Seconds(), m.cpu.Seconds()*1e6/float64(b.rows), m.rss>>10)
	}
	return nil
}

// median takes that of each figure.
func median(list []cost) cost {
	mid := func(of func(cost) int64) int64 {
		figures := make([]int64, len(list))
		for i, c := range list {
			figures[i] = of(c)
		}
		slices.Sort(figures)
		return figures[len(figures)/2]
	}
	return cost{
		wall: time.Duration(mid(func(c cost) int64 { return int64(c.wall) })), cpu: time.Duration(mid(func(c cost) int64 { return int64(c.cpu) })),
		rss: mid(func(c cost) int64 { return c.rss }),
	}
}
