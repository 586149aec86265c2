package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/bench/data"
	"github.com/sluicehq/sluice/bench/loop"
	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/all"
	"github.com/sluicehq/sluice/internal/rows"
	"github.com/sluicehq/sluice/transforms"
)

const (
	stageRows      = 1000 // rows of one record, as the readers cut them
	rowsPerRequest = 100
)

// stages measures the row's way from a line to a signed body inside one process, beside the hand-written loop.
func (b *bench) stages(doc *bytes.Buffer) error {
	lines, err := sampleLines(stageRows)
	if err != nil {
		return err
	}
	sluice, err := newStage()
	if err != nil {
		return err
	}
	var failed error
	ours := testing.Benchmark(func(t *testing.B) {
		t.ReportAllocs()
		for range t.N {
			if err := sluice.run(lines); err != nil {
				failed = err
			}
		}
	})
	hand := testing.Benchmark(func(t *testing.B) {
		t.ReportAllocs()
		for range t.N {
			if err := handStage(lines); err != nil {
				failed = err
			}
		}
	})
	if failed != nil {
		return failed
	}
	perRow := func(r testing.BenchmarkResult) (ns, allocs float64) {
		return float64(r.NsPerOp()) / stageRows, float64(r.AllocsPerOp()) / stageRows
	}
	ns, allocs := perRow(ours)
	handNs, handAllocs := perRow(hand)
	fmt.Fprintf(doc, "\n## Line to signed body, one goroutine\n\nJSON line → Arrow → twelve-field mapping and preset → body of 100 customers → md5 signature.\n\nTarget: at most 3 times the loop, at most 0.5 allocations a record.\n\n"+
		"| | ratio to the loop | ns a record | allocations a record |\n|---|---:|---:|---:|\n| Sluice | %.2f | %.0f | %.3f |\n| hand-written loop | 1 | %.0f | %.3f |\n",
		ns/handNs, ns, allocs, handNs, handAllocs)
	return nil
}

func sampleLines(n int) ([][]byte, error) {
	var buf bytes.Buffer
	if err := data.Write(&buf, n); err != nil {
		return nil, err
	}
	return bytes.Split(bytes.TrimSpace(buf.Bytes()), []byte("\n")), nil
}

// stage is the pipeline's row path without its loop, queue and network.
type stage struct {
	builder *rows.Builder
	plan    connector.Plan
	codec   connector.Codec
	req     connector.Request
}

func newStage() (*stage, error) {
	v, ok := all.Lookup("nxlink")
	if !ok {
		return nil, fmt.Errorf("no vendor nxlink")
	}
	cfg, err := vendorConfig(v)
	if err != nil {
		return nil, err
	}
	presetText, err := v.Preset(cfg)
	if err != nil {
		return nil, err
	}
	preset, err := transforms.Parse("preset", presetText)
	if err != nil {
		return nil, err
	}
	user, err := transforms.Parse("mapping", []byte(data.Mapping))
	if err != nil {
		return nil, err
	}
	m, err := transforms.Compile(user, transforms.Options{Preset: preset, Identifiers: v.MatchKeys, Alloc: memory.DefaultAllocator})
	if err != nil {
		return nil, err
	}
	s := &stage{builder: rows.NewBuilder(memory.DefaultAllocator, rows.RawSchema(m.Fields("contacts")))}
	plans, err := m.Plans("contacts", rows.RawSchema(m.Fields("contacts")))
	if err != nil || len(plans) != 1 {
		return nil, fmt.Errorf("%d plans: %w", len(plans), err)
	}
	s.plan = plans[0]
	s.codec, err = v.Codec(cfg, "contacts", v.Mode(cfg), s.plan.Schema())
	return s, err
}

func (s *stage) run(lines [][]byte) error {
	for _, line := range lines {
		if refusal := s.builder.Append(line); refusal != nil {
			return refusal
		}
	}
	in := s.builder.NewRecord()
	defer in.Release()
	applied, err := s.plan.Apply(context.Background(), in, nil)
	if err != nil {
		return err
	}
	defer applied.Rows.Release()
	if len(applied.Rejected) > 0 || applied.Rows.NumRows() != int64(len(lines)) {
		return fmt.Errorf("rejected: %+v", applied.Rejected)
	}
	for at := 0; at < len(lines); at += rowsPerRequest {
		part := rows.Slice(applied.Rows, at, at+rowsPerRequest)
		s.req.Body = s.req.Body[:0]
		err := s.codec.AppendRequest(&s.req, part)
		part.Release()
		if err != nil {
			return err
		}
		if err := s.codec.(connector.Signer).Sign(&s.req, time.Now()); err != nil {
			return err
		}
	}
	return nil
}

func handStage(lines [][]byte) error {
	var (
		c    loop.Contact
		body []byte
	)
	for at := 0; at < len(lines); at += rowsPerRequest {
		body = append(body[:0], loop.Head...)
		for i, line := range lines[at : at+rowsPerRequest] {
			if err := c.Decode(line); err != nil {
				return err
			}
			if i > 0 {
				body = append(body, ',')
			}
			body = c.Append(body)
		}
		body = append(body, loop.Tail...)
		if loop.Sign(strconv.AppendInt(nil, time.Now().UnixMilli(), 10), body) == "" {
			return fmt.Errorf("no signature")
		}
	}
	return nil
}
