package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/bench/data"
	"github.com/sluicehq/sluice/bench/loop"
	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
	"github.com/sluicehq/sluice/transforms"
)

const (
	mappingRecords = 400_000 // that one round maps
	mappingRounds  = 7
)

// contactSchema is what a source that knows its types says of the contacts.
const contactSchema = `{"properties":{"id":{"type":"integer"},"mobile":{"type":"string"},"given":{"type":"string"},"family":{"type":"string"},"mail":{"type":"string"},
"sex":{"type":"string"},"birth":{"type":"string"},"street":{"type":"string"},"land":{"type":"string"},"labels":{"type":"array","items":{"type":"string"}},"note":{"type":"string"},
"zone":{"type":"string"},"score":{"type":"integer"}}}`

// mapper is the mapping bound to decoded records of one kind.
type mapper struct {
	plan connector.Plan
	in   arrow.Record
}

func newMapper(lines [][]byte, schema func(m *transforms.Mapping) (*arrow.Schema, error)) (*mapper, error) {
	user, err := transforms.Parse("mapping", []byte(data.Mapping))
	if err != nil {
		return nil, err
	}
	m, err := transforms.Compile(user, transforms.Options{Alloc: memory.DefaultAllocator})
	if err != nil {
		return nil, err
	}
	s, err := schema(m)
	if err != nil {
		return nil, err
	}
	plans, err := m.Plans("contacts", s)
	if err != nil || len(plans) != 1 {
		return nil, fmt.Errorf("%d plans: %w", len(plans), err)
	}
	b := rows.NewBuilder(memory.DefaultAllocator, s)
	for _, line := range lines {
		if refusal := b.Append(line); refusal != nil {
			return nil, refusal
		}
	}
	return &mapper{plans[0], b.NewRecord()}, nil
}

func typedMapper(lines [][]byte) (*mapper, error) {
	return newMapper(lines, func(*transforms.Mapping) (*arrow.Schema, error) { return rows.SchemaFromJSON([]byte(contactSchema)) })
}

func rawMapper(lines [][]byte) (*mapper, error) {
	return newMapper(lines, func(m *transforms.Mapping) (*arrow.Schema, error) { return rows.RawSchema(m.Fields("contacts")), nil })
}

func (m *mapper) run() (arrow.Record, error) {
	out, err := m.plan.Apply(context.Background(), m.in, nil)
	if err == nil && out.Rows.NumRows() != m.in.NumRows() {
		err = fmt.Errorf("%d of %d rows came out: %+v", out.Rows.NumRows(), m.in.NumRows(), out.Rejected)
	}
	return out.Rows, err
}

// hand is the same by hand.
func (m *mapper) hand() (arrow.Record, error) {
	return loop.Columns(memory.DefaultAllocator, m.in, m.plan.Schema()), nil
}

// mapping measures the mapping by itself: records decoded before, nothing encoded after.
func (b *bench) mapping(doc *bytes.Buffer) error {
	lines, err := sampleLines(stageRows)
	if err != nil {
		return err
	}
	typed, err := typedMapper(lines)
	if err != nil {
		return err
	}
	raw, err := rawMapper(lines)
	if err != nil {
		return err
	}
	if err := typed.agree(); err != nil {
		return err
	}
	type side struct {
		name string
		ns   func() (float64, error)
		all  []float64
	}
	ours := func(run func() (arrow.Record, error)) func() (float64, error) {
		return func() (float64, error) { return perRecord(run) }
	}
	sides := []*side{
		{name: "Sluice", ns: ours(typed.run)},
		{name: "Sluice, from columns of raw JSON", ns: ours(raw.run)},
		{name: "hand-written Go over the same columns", ns: ours(typed.hand)},
	}
	if !b.skipPeer {
		peer, err := b.bloblang()
		if err != nil {
			return err
		}
		sides = append(sides, &side{name: "bloblang (Benthos 4.78.0)", ns: peer})
	}
	for range mappingRounds {
		for _, s := range sides {
			ns, err := s.ns()
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			s.all = append(s.all, ns)
		}
	}
	fmt.Fprintf(doc, "\n## Mapping alone\n\nTwelve fields of records that are decoded already and not encoded afterwards: Arrow columns to Arrow columns for Sluice and for the loop, which\n"+
		"hands renamed columns on as Sluice does and makes the digits of the telephone number once; maps to maps for bloblang. CPU time of the process with its\n"+
		"garbage collection, median of %d rounds, one goroutine.\n\nTarget: at most 2 times the hand-written loop, at most 1/6 of bloblang.\n\n"+
		"| | its CPU over Sluice's | ns CPU a record |\n|---|---:|---:|\n", mappingRounds)
	for _, s := range sides {
		slices.Sort(s.all)
		slices.Sort(sides[0].all)
		fmt.Fprintf(doc, "| %s | %.2f | %.0f |\n", s.name, s.all[mappingRounds/2]/sides[0].all[mappingRounds/2], s.all[mappingRounds/2])
	}
	return nil
}

// agree makes sure that Sluice and the loop do the same.
func (m *mapper) agree() error {
	ours, err := m.run()
	if err != nil {
		return err
	}
	defer ours.Release()
	hand, err := m.hand()
	if err != nil {
		return err
	}
	defer hand.Release()
	if !array.RecordEqual(ours, hand) {
		return fmt.Errorf("the hand-written mapping makes other records than Sluice")
	}
	return nil
}

// perRecord is the CPU time of a record in nanoseconds.
func perRecord(run func() (arrow.Record, error)) (float64, error) {
	start, err := cpuTime()
	if err != nil {
		return 0, err
	}
	for range mappingRecords / stageRows {
		out, err := run()
		if err != nil {
			return 0, err
		}
		out.Release()
	}
	end, err := cpuTime()
	return float64(end-start) / mappingRecords, err
}

// bloblang builds the peer and returns what measures one round of it.
func (b *bench) bloblang() (func() (float64, error), error) {
	bin, err := b.build("bloblang", "./mapping", filepath.Join("bench", "benthos"))
	if err != nil {
		return nil, err
	}
	input, err := b.contacts(stageRows)
	if err != nil {
		return nil, err
	}
	return func() (float64, error) {
		cmd := exec.Command(bin, input, strconv.Itoa(mappingRecords))
		cmd.Env = append(cmd.Environ(), "GOGC=400") // as this program and Sluice have it
		out, err := cmd.Output()
		if err != nil {
			return 0, err
		}
		return strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	}, nil
}
