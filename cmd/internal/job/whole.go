package job

import (
	"errors"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/pipeline"
	"github.com/sluicehq/sluice/internal/reject"
	"github.com/sluicehq/sluice/internal/spool"
)

// Whole reports whether a call of the target's mode replaces all that the CRM holds of a group, such as an agent's pool.
// Such a run takes all of its input or none of it, see package spool.
func (t *Target) Whole() bool {
	for _, m := range t.Vendor.Modes {
		if m.Name == t.Mode {
			return m.Whole
		}
	}
	return false
}

// once reports whether a row that the target's mode sends twice does harm.
func (t *Target) once() bool {
	for _, m := range t.Vendor.Modes {
		if m.Name == t.Mode {
			return m.Once
		}
	}
	return false
}

// CheckWhole refuses what would give a mode that replaces whole groups only a part of them: a limit, input without an end.
func (t *Target) CheckWhole(follow bool, limit int64) error {
	switch {
	case !t.Whole():
		return nil
	case follow:
		return connector.Configf("Run it without --follow, each time the input is complete", "mode %s replaces what the CRM holds by the whole input, and with --follow the input never ends", t.Mode)
	case limit > 0:
		return connector.Configf("Run it without --limit; `sluice explain` shows what one record becomes", "mode %s replaces what the CRM holds by the whole input, and --limit would cut it", t.Mode)
	}
	return nil
}

// spooled puts a spool around the run's reader where the mode needs one; nil: it does not. Such a run begins at the start
// of its input, whatever Run.From says, and has no position to keep.
func (t *Target) spooled(r *Run) (*spool.Reader, error) {
	if !t.Whole() {
		return nil, nil
	}
	err := t.CheckWhole(false, r.Limit)
	if _, part := r.Reader.(*reject.Reader); part {
		err = connector.Configf("Mend the rows at their source or in the mapping and run the pipeline again",
			"mode %s replaces what the CRM holds: rejected rows sent by themselves would take the place of all others", t.Mode)
	}
	if err != nil {
		return nil, errors.Join(err, r.Reader.Close())
	}
	s := spool.New(spool.Config{Reader: r.Reader, Plans: t.Mapping.Plans, Codec: t.Codec, Alloc: memory.DefaultAllocator, Log: t.log})
	r.Reader, r.From, r.Checkpoint = s, nil, nil
	if tell := r.Observe; tell != nil {
		r.Observe = func(report pipeline.Report) { tell(withheld(report, s)) }
	}
	return s, nil
}

// withheld counts rows that were read and are not in the pipeline: they are left, unless they are handed out later.
func withheld(report pipeline.Report, s *spool.Reader) pipeline.Report {
	n := s.Withheld()
	report.Read += n
	report.Left += n
	report.Position = nil
	return report
}
