package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

const (
	slowLatency     = 200 * time.Millisecond
	slowConcurrency = 16
	slowRows        = 160_000
	memoryRate      = 100_000 // rows a second that the slow server takes
)

// latency compares the rate against a server that takes 200 ms with what requests in flight and latency allow.
func (b *bench) latency(doc *bytes.Buffer) error {
	url, stop, err := b.sink("-latency", slowLatency.String())
	if err != nil {
		return err
	}
	defer stop()
	input, err := b.contacts(slowRows)
	if err != nil {
		return err
	}
	args, err := b.pipeline(input, url, fmt.Sprintf("{requests_per_second: 100000, concurrency: %d}", slowConcurrency))
	if err != nil {
		return err
	}
	c, err := b.time(url, slowRows, nil, filepath.Join(b.dir, "sluice"), args...)
	if err != nil {
		return err
	}
	bound := rowsPerRequest * slowConcurrency / slowLatency.Seconds()
	rate := slowRows / c.wall.Seconds()
	fmt.Fprintf(doc, "\n## A server that takes %s, %d requests in flight\n\nTarget: at least 0.9 of what the latency allows.\n\n| share of rows × concurrency / latency | records/s | bound |\n|---:|---:|---:|\n| %.3f | %.0f | %.0f |\n",
		slowLatency, slowConcurrency, rate/bound, rate, bound)
	return nil
}

// memory compares the peak memory of a long run with that of a run five times as long, the server slower than the input.
func (b *bench) memory(doc *bytes.Buffer) error {
	url, stop, err := b.sink("-rate", fmt.Sprint(memoryRate))
	if err != nil {
		return err
	}
	defer stop()
	var peak [2]int64
	sizes := [2]int{b.big / 5, b.big}
	for i, n := range sizes {
		input, err := b.contacts(n)
		if err != nil {
			return err
		}
		args, err := b.pipeline(input, url, "{requests_per_second: 100000, concurrency: 8}")
		if err != nil {
			return err
		}
		c, err := b.time(url, n, nil, filepath.Join(b.dir, "sluice"), args...)
		if err != nil {
			return err
		}
		peak[i] = c.rss
	}
	fmt.Fprintf(doc, "\n## Memory, with a server slower than the input (%d rows a second)\n\nTarget: within a tenth of each other, at most 128 MiB.\n\n| larger to smaller | peak RSS, %d rows | peak RSS, %d rows |\n|---:|---:|---:|\n| %.2f | %d MiB | %d MiB |\n",
		memoryRate, sizes[0], sizes[1], float64(peak[1])/float64(peak[0]), peak[0]>>10, peak[1]>>10)
	return nil
}

// startUp measures how long `destination-sluice spec` takes.
func (b *bench) startUp(doc *bytes.Buffer) error {
	bin, err := b.build("destination-sluice", "./cmd/destination-sluice", "")
	if err != nil {
		return err
	}
	var took []time.Duration
	for range 31 {
		start := time.Now()
		if err := exec.Command(bin, "spec").Run(); err != nil {
			return fmt.Errorf("destination-sluice spec: %w", err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	fmt.Fprintf(doc, "\n## Start-up\n\n`destination-sluice spec`, from start to exit: %.1f ms (median of %d; target: at most 30).\n", took[len(took)/2].Seconds()*1000, len(took))
	return nil
}
