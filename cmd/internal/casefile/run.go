package casefile

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/cmd/internal/job"
	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/rows"
	"github.com/sluicehq/sluice/transforms"
)

// Suffix ends the name of a file of cases: those of contacts.yaml stand in contacts.test.yaml.
const Suffix = ".test.yaml"

// Result is how one case ended.
type Result struct {
	Case  *Case
	Wrong []string // what is not as expected; empty: the case holds
	Got   Outcome
}

// Outcome is what became of a record.
type Outcome struct {
	Out      []byte // the columns that the mapping alone makes, a JSON list of objects; nil: it refuses the row
	Request  []byte // the body that the CRM would get; nil: none
	Rejected []connector.RowResult
	Filtered bool
}

// Suite is a file of cases with its mapping.
type Suite struct {
	File  *File
	alone *transforms.Mapping
	whole *job.Target // nil: no CRM is known
	mem   memory.Allocator
}

// Open loads the mapping of a file of cases. Close frees what it holds.
func Open(f *File, vendors []connector.Vendor) (*Suite, error) {
	path := strings.TrimSuffix(f.Path, Suffix) + ".yaml"
	if f.Mapping != "" {
		path = f.Mapping
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(f.Path), path)
		}
	} else if !strings.HasSuffix(f.Path, Suffix) {
		return nil, connector.Configf("Write `mapping:` into it, or name it after its mapping, as in contacts"+Suffix, "%s names no mapping", f.Path)
	}
	spec, target, err := job.Open(path, vendors)
	if err != nil {
		if _, gone := os.Stat(path); gone != nil {
			return nil, connector.Configf("Check `mapping:`, which is relative to that file", "%s: its mapping cannot be read: %w", f.Path, gone)
		}
		return nil, err
	}
	s := &Suite{File: f, whole: target, mem: memory.DefaultAllocator}
	if f.To != "" {
		if target != nil {
			target.Close()
			return nil, connector.Configf("Remove `to:` from the cases", "%s: %s is a pipeline file, which has a CRM of its own", f.Path, path)
		}
		if s.whole, err = f.target(spec, vendors); err != nil {
			return nil, err
		}
	}
	s.alone, err = transforms.Compile(spec, transforms.Options{})
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// settingsKey is the key of a file of cases that holds settings of the CRM.
const settingsKey = "settings"

// target makes the CRM that the file names, with settings that cannot reach it.
func (f *File) target(spec *transforms.Spec, vendors []connector.Vendor) (*job.Target, error) {
	var names []string
	for i := range vendors {
		v := &vendors[i]
		names = append(names, v.Name)
		if v.Name != f.To {
			continue
		}
		var own []byte
		if f.Settings {
			own = f.text
		}
		cfg, err := job.PlaceholderWith(v, f.Path, own, settingsKey)
		if err != nil {
			return nil, err
		}
		return job.NewTarget(context.Background(), v, cfg, job.Settings{Mapping: spec, Offline: true})
	}
	hint := "There are " + strings.Join(names, ", ")
	if near := config.Nearest(f.To, names); near != "" {
		hint = "Did you mean " + near + "?"
	}
	return nil, connector.Configf(hint, "%s:%d:%d: to: there is no CRM %q", f.Path, f.to.Line, f.to.Column, f.To)
}

// Close frees what the suite holds.
func (s *Suite) Close() {
	if s.whole != nil {
		s.whole.Close()
	}
}

// Run runs one case. An error is a fault of the mapping, not of the record.
func (s *Suite) Run(ctx context.Context, c *Case) (Result, error) {
	got, err := s.outcome(ctx, c)
	if err != nil {
		return Result{}, err
	}
	return Result{c, s.judge(c, &got), got}, nil
}

// outcome maps and encodes the record of a case.
func (s *Suite) outcome(ctx context.Context, c *Case) (Outcome, error) {
	var got Outcome
	rec, refusal := s.record(s.alone, c)
	if refusal != nil {
		got.Rejected = append(got.Rejected, *refusal)
		return got, nil
	}
	defer rec.Release()
	plans, err := s.alone.Plans(c.Stream, rec.Schema())
	if err != nil {
		return got, err
	}
	if len(plans) == 0 {
		got.Filtered = true
		return got, nil
	}
	applied, err := plans[0].Apply(ctx, rec, nil)
	if err != nil {
		return got, err
	}
	defer applied.Rows.Release()
	got.Rejected = applied.Rejected
	if len(got.Rejected) == 0 {
		got.Out = []byte{'['}
		for row := range int(applied.Rows.NumRows()) {
			if row > 0 {
				got.Out = append(got.Out, ',')
			}
			got.Out = rows.AppendJSON(got.Out, applied.Rows, row)
		}
		got.Out = append(got.Out, ']')
		got.Filtered = applied.Rows.NumRows() == 0
	}
	if s.whole == nil {
		return got, nil
	}
	return got, s.throughCRM(ctx, c, &got)
}

// throughCRM adds what the CRM's preset and codec make of the record.
func (s *Suite) throughCRM(ctx context.Context, c *Case, got *Outcome) error {
	rec, refusal := s.record(s.whole.Mapping, c)
	if refusal != nil {
		return nil // told already
	}
	defer rec.Release()
	tried, err := s.whole.Try(ctx, c.Stream, rec, nil)
	if err != nil {
		return err
	}
	if len(got.Rejected) == 0 {
		got.Rejected = tried.Rejected
	}
	if len(tried.Requests) == 1 {
		got.Request = tried.Requests[0].Body
	}
	return nil
}

// record reads the record as a reader without a schema does.
func (s *Suite) record(m *transforms.Mapping, c *Case) (arrow.Record, *connector.RowResult) {
	b := rows.NewBuilder(s.mem, rows.RawSchema(m.Fields(c.Stream)))
	defer b.Release()
	if r := b.Append(c.In); r != nil {
		return nil, &connector.RowResult{Code: r.Code, Message: r.Message}
	}
	return b.NewRecord(), nil
}

// judge compares what came out with what is expected.
func (s *Suite) judge(c *Case, got *Outcome) []string {
	refused := ""
	if len(got.Rejected) > 0 {
		r := got.Rejected[0]
		refused = "the row is refused: " + r.Code
		if r.Field != "" {
			refused += ", field " + r.Field
		}
		refused += ": " + r.Message
	}
	switch {
	case c.Reject != nil && refused == "":
		return []string{fmt.Sprintf("reject: want %s, and the row is not refused", c.Reject)}
	case c.Reject != nil:
		r := got.Rejected[0]
		if r.Code != c.Reject.Code || c.Reject.Field != "" && r.Field != c.Reject.Field {
			return []string{fmt.Sprintf("reject: want %s; %s", c.Reject, refused)}
		}
		return nil
	case refused != "":
		return []string{refused}
	case c.Filtered && !got.Filtered:
		return []string{"filtered: the row is not left out; it gives " + string(got.Out)}
	case !c.Filtered && got.Filtered:
		return []string{"the row is left out"}
	}
	var wrong []string
	if c.Out != nil {
		wrong = append(wrong, trimList(diff(c.Out, got.Out))...)
	}
	if c.Request != nil {
		if s.whole == nil {
			return append(wrong, "request: no CRM is known here; add `to:` to the file of cases, or name a pipeline file in `mapping:`")
		}
		for _, d := range diff(c.Request, asJSON(got.Request)) {
			wrong = append(wrong, "request: "+d)
		}
	}
	return wrong
}

// trimList takes the index off where there is one row only.
func trimList(lines []string) []string {
	for _, l := range lines {
		if !strings.HasPrefix(l, "[0].") {
			return lines
		}
	}
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], "[0].")
	}
	return lines
}

// asJSON is a body as a JSON value: itself, or a text.
func asJSON(body []byte) []byte {
	if body = bytes.TrimSpace(body); json.Valid(body) {
		return body
	}
	return rows.AppendString(nil, strings.ToValidUTF8(string(body), "\uFFFD"))
}

func (r *Reject) String() string {
	if r.Field == "" {
		return r.Code
	}
	return r.Code + ", field " + r.Field
}
