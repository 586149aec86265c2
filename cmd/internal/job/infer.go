package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/infer"
	"github.com/sluicehq/sluice/internal/rows"
	"github.com/sluicehq/sluice/transforms"
	"github.com/sluicehq/sluice/wire/file"
)

// Inferred is a mapping proposed for a sample, and what it does to the sample.
type Inferred struct {
	infer.Proposal
	Text []byte // the mapping, as YAML
	Rows int    // of the sample
	Tried
	Refused int // rows of the file that are none
	// Unmet are the CRM's demands that the proposal leaves open, for which it cannot be run; empty: it was run.
	Unmet []string
}

// maxSample bounds the rows of a sample together, in bytes: they are all held.
const maxSample = 16 << 20

// Infer proposes a mapping of a file's first rows into a vendor, and runs it over them. Nothing is sent.
func Infer(ctx context.Context, cfg file.Config, v *connector.Vendor, most int) (Inferred, error) {
	sample, batches, err := readSample(ctx, cfg, most, maxSample)
	defer release(batches)
	if err != nil {
		return Inferred{}, err
	}
	vendor, err := Placeholder(v)
	if err != nil {
		return Inferred{}, err
	}
	takes, err := columnsOf(v, vendor)
	if err != nil {
		return Inferred{}, err
	}
	stream := cfg.Stream
	out := Inferred{Rows: sample.Rows, Proposal: infer.Propose(sample, infer.Options{
		Stream: stream, CRM: v.Title, Takes: func(c string) bool { return slices.Contains(takes, c) }, Year: time.Now().Year(),
	})}
	if out.Active() == 0 {
		out.Text = out.YAML(fmt.Sprintf("Proposed for %s from %s: no column can be mapped without a choice of yours.", v.Title, filepath.Base(cfg.Path)))
		return out, nil
	}
	if err := out.try(ctx, v, vendor, stream, batches); err != nil {
		return Inferred{}, err
	}
	out.Text = out.YAML(out.head(v, filepath.Base(cfg.Path))...)
	return out, nil
}

// readSample reads the beginning of a file, until it has that many rows or bytes. The batches are the caller's.
func readSample(ctx context.Context, cfg file.Config, most, size int) (*infer.Sample, []connector.Batch, error) {
	sample := &infer.Sample{}
	var batches []connector.Batch
	cfg.BatchRows = min(1000, most)
	if look, err := file.Look(ctx, cfg, 1); err == nil && look.Format == file.CSV {
		for _, name := range look.Fields {
			sample.Column(name) // in the order of the header, also where no row has a value
		}
	}
	r := file.NewReader(cfg, nil, memory.DefaultAllocator)
	defer func() { _ = r.Close() }()
	if err := r.Open(ctx, nil); err != nil {
		return sample, batches, err
	}
	for sample.Rows < most && sample.Bytes < size {
		b, err := r.Read(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return sample, batches, err
		}
		batches = append(batches, b)
		refused := map[int]bool{}
		for _, one := range b.Refused {
			refused[one.Row] = true
		}
		for row := range b.NumRows() {
			if refused[row] {
				continue
			}
			if err := sample.Add(rows.AppendJSON(nil, b.Rows, row)); err != nil {
				return sample, batches, err
			}
		}
	}
	if sample.Rows == 0 {
		return sample, batches, connector.Configf("Give a file with a few rows, better some hundred", "%s has no row to look at", cfg.Path)
	}
	return sample, batches, nil
}

func release(batches []connector.Batch) {
	for _, b := range batches {
		if b.Rows != nil {
			b.Rows.Release()
		}
	}
}

// columnsOf lists what the vendor's preset reads.
func columnsOf(v *connector.Vendor, cfg connector.Config) ([]string, error) {
	preset, err := Preset(v, cfg, nil)
	if err != nil {
		return nil, err
	}
	m, err := transforms.Compile(nil, transforms.Options{Preset: preset})
	if err != nil {
		return nil, err
	}
	return m.Fields("contacts"), nil
}

// try runs the proposal over the sample: what is proposed must be a mapping without faults.
func (i *Inferred) try(ctx context.Context, v *connector.Vendor, cfg connector.Config, stream string, batches []connector.Batch) error {
	spec, err := transforms.Parse("the proposal", i.YAML())
	if err != nil {
		return connector.Internalf("Please report it", "the proposed mapping has a fault: %w", err)
	}
	if _, err := transforms.Compile(spec, transforms.Options{}); err != nil {
		return connector.Internalf("Please report it", "the proposed mapping has a fault: %w", err)
	}
	t, err := NewTarget(ctx, v, cfg, Settings{Mapping: spec, Offline: true})
	var demands transforms.Problems
	if errors.As(err, &demands) {
		// A sheet may lack what the CRM demands. What is known of it helps all the same.
		for _, d := range demands {
			i.Unmet = append(i.Unmet, d.Message)
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer t.Close()
	for _, b := range batches {
		if b.Rows == nil {
			continue
		}
		one, err := t.Try(ctx, stream, b.Rows, b.Refused)
		if err != nil {
			return err
		}
		i.Refused += len(b.Refused)
		i.Rejected = append(i.Rejected, one.Rejected...)
		i.Filtered += one.Filtered
		i.Delivered += one.Delivered
	}
	return nil
}

// head says where the proposal comes from and how it does.
func (i *Inferred) head(v *connector.Vendor, name string) []string {
	lines := []string{
		fmt.Sprintf("Proposed for %s from the names and values of %s. Lines behind \"unsure\" need a look; lines that are", v.Title, name),
		"comments wait for a choice of yours.",
	}
	lines = append(lines, i.outcome()...)
	if i.Refused > 0 {
		lines = append(lines, fmt.Sprintf("%d rows of the file cannot be read at all; `sluice check` shows them.", i.Refused))
	}
	for _, need := range v.Required {
		if len(i.Unmet) == 0 && !i.has(need) && !(isName(need) && slices.ContainsFunc([]string{"full_name", "first_name", "last_name"}, i.has)) {
			lines = append(lines, fmt.Sprintf("%s demands %s, and no column is mapped to it.", v.Title, need))
		}
	}
	if len(v.MatchKeys) > 0 && !slices.ContainsFunc(v.MatchKeys, i.has) {
		lines = append(lines, fmt.Sprintf("%s knows people by %s, and no column is mapped to one of these.", v.Title, strings.Join(v.MatchKeys, ", ")))
	}
	if !i.has("whatsapp") && i.has("phone") && slices.Contains(v.MatchKeys, "whatsapp") {
		lines = append(lines, "No column says that its numbers have WhatsApp: where those of phone do, name the field whatsapp.")
	}
	return lines
}

// outcome says what the proposal does to the sample, or why it cannot be run.
func (i *Inferred) outcome() []string {
	if len(i.Unmet) > 0 {
		lines := []string{"It cannot be run before these demands of the CRM are met:"}
		for _, d := range i.Unmet {
			lines = append(lines, "- "+d)
		}
		return lines
	}
	told := fmt.Sprintf("Over %d rows: %d rejected (%.1f %%)", i.Rows, len(i.Rejected), 100*float64(len(i.Rejected))/float64(max(i.Rows, 1)))
	counts := map[string]int{}
	for _, r := range i.Rejected {
		counts[r.Code]++
	}
	var codes []string
	for code, n := range counts {
		codes = append(codes, fmt.Sprintf("%s %d", code, n))
	}
	slices.Sort(codes)
	if len(codes) > 0 {
		told += ": " + strings.Join(codes, ", ")
	}
	if i.Filtered > 0 {
		told += fmt.Sprintf("; %d left out", i.Filtered)
	}
	return []string{told + "."}
}

// has: a field fills the canonical column.
func (i *Inferred) has(column string) bool {
	return slices.ContainsFunc(i.Lines, func(l infer.Line) bool { return l.Target == column && !l.Off })
}

// isName: presets find either half of a name in the whole, and the other way round.
func isName(column string) bool {
	return column == "full_name" || column == "first_name" || column == "last_name"
}
