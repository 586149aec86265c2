package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/echo"
	"github.com/sluicehq/sluice/internal/reject"
	"github.com/sluicehq/sluice/internal/state"
	"github.com/sluicehq/sluice/internal/state/disk"
	"github.com/sluicehq/sluice/wire/file"
)

// lookAt is how many rows of the input a check looks at.
const lookAt = 1000

// namesAtMost bounds a list of names in a note.
const namesAtMost = 12

// Check looks at the beginning of the input and tells what it found and, in notes, what of it does not fit the mapping.
// Nothing is changed. Its error is what a run would end with.
func (in *Input) Check(ctx context.Context, t *Target) (found string, notes []string, err error) {
	if in.Source != nil {
		return in.checkSource(ctx, t)
	}
	f := in.file
	s, err := file.Look(ctx, f.config(), lookAt)
	switch {
	case err != nil:
		return "", nil, err
	case s.Unread && f.Path == "-":
		return "the input is standard input: it is read by the run only", nil, nil
	case s.Unread:
		return f.Path + " is a pipe: it is read by the run only", nil, nil
	case s.Rows == 0 && len(s.Fields) == 0:
		return f.Path + " can be read", []string{"it is empty: a run finds nothing to send"}, nil
	}
	return describe(f.Path, &s), append(fit(t, f.Stream, &s), refused(&s)...), nil
}

// checkSource asks the CRM or the inbox, and compares the stream's columns with those that the mapping reads.
func (in *Input) checkSource(ctx context.Context, t *Target) (found string, notes []string, err error) {
	s := in.Source
	if err := s.Check(ctx); err != nil {
		return "", nil, err
	}
	sample := file.Sample{Format: file.CSV}
	for _, c := range s.Stream.Columns {
		sample.Fields = append(sample.Fields, c.Name)
	}
	found = fmt.Sprintf("%s answers queries of the stream %s", s.Vendor.Title, s.Stream.Name)
	if s.Events() {
		found = fmt.Sprintf("the inbox can be read for the stream %s of %s", s.Stream.Name, s.Vendor.Title)
	}
	notes = missing(t, s.Stream.Name, &sample)
	for _, ask := range []func(context.Context) (string, error){
		s.checkEndpoints, func(ctx context.Context) (string, error) { return in.incomplete(ctx, t) },
	} {
		text, err := ask(ctx)
		if err != nil {
			return "", nil, err
		}
		if text != "" {
			notes = append(notes, text)
		}
	}
	switch text, waits, err := in.retention(t); {
	case err != nil:
		return "", nil, err
	case waits:
		found += "; " + text
	case text != "":
		notes = append(notes, text)
	}
	return found, notes, nil
}

// incomplete tells of what the CRM demands with every write, and a change that another one tells need not have. "": nothing.
func (in *Input) incomplete(ctx context.Context, t *Target) (string, error) {
	s := in.Source
	if !s.Events() {
		return "", nil
	}
	told, err := t.Explain(ctx, s.Stream.Name, []byte(`{"whatsapp":"8613800000000","phone":"8613800000000"}`))
	if err != nil {
		return "", err
	}
	var lacks []string
	for _, r := range told.Rejected {
		if r.Code == connector.CodeRequired && slices.Contains(t.Vendor.Required, r.Field) {
			lacks = append(lacks, r.Field)
		}
	}
	if len(lacks) == 0 {
		return "", nil
	}
	text := fmt.Sprintf("%s demands %s with every write, and a change in %s need not tell it: ", t.Vendor.Title, strings.Join(lacks, ", "), s.Vendor.Title)
	if in.pipeline.Echo == "" {
		return text + "such a change is rejected. Set `echo:`, which completes it from what a query of contacts or the relay the other way told", nil
	}
	return text + "the echo memory completes it. Until it knows the contact, the change is rejected as " + connector.CodeIncomplete +
		": first run a query of contacts or the relay the other way with the same `echo:` folder; for what was rejected, `sluice rejects retry` after that", nil
}

// describe says what the look at the input showed.
func describe(path string, s *file.Sample) string {
	which := "first "
	if s.Whole {
		which = ""
	}
	if s.Format == file.CSV {
		return fmt.Sprintf("%s is CSV with %s; its %s%s can be read", path, count(len(s.Fields), "column"), which, count(s.Rows-len(s.Refused), "row"))
	}
	return fmt.Sprintf("%s is JSON lines; its %s%s can be read", path, which, count(s.Rows-len(s.Refused), "row"))
}

// missing lists what the mapping reads and the input lacks.
func missing(t *Target, stream string, s *file.Sample) (notes []string) {
	there := func(name string) bool {
		head, _, _ := strings.Cut(name, ".")
		return slices.Contains(s.Fields, name) || slices.Contains(s.Fields, head)
	}
	where := "a column of it"
	if s.Format != file.CSV {
		where = "in the rows looked at"
	}
	for _, w := range t.Mapping.Wants(stream) {
		if !slices.ContainsFunc(w.From, there) {
			notes = append(notes, fmt.Sprintf("the mapping makes %s of %s, which is not %s", w.Field, strings.Join(w.From, ", "), where))
		}
	}
	return notes
}

// fit compares the fields of the input with those that the mapping reads.
func fit(t *Target, stream string, s *file.Sample) (notes []string) {
	notes = missing(t, stream, s)
	var unread []string
	for _, name := range s.Fields {
		if name != "" && !t.Mapping.Reads(stream, name) {
			unread = append(unread, name)
		}
	}
	if n := len(unread); n > 0 {
		list := strings.Join(unread[:min(n, namesAtMost)], ", ")
		if n > namesAtMost {
			list += fmt.Sprintf(" and %d more", n-namesAtMost)
		}
		notes = append(notes, "the mapping does not read: "+list)
	}
	if len(s.Fields) > 0 && len(unread) == len(s.Fields) {
		notes = append(notes, "no field of the input is read at all: every row would be empty. Check the names in the mapping, and `delimiter` if it is CSV")
	}
	return notes
}

// refused tells of rows that cannot be read.
func refused(s *file.Sample) []string {
	if len(s.Refused) == 0 {
		return nil
	}
	first := s.Refused[0]
	return []string{fmt.Sprintf("%d of the %s looked at would be rejected, the first as %s: %s", len(s.Refused), count(s.Rows, "row"), first.Code, first.Message)}
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// CheckMapping reports a mapping that has no entry for the stream that is read: its rows would go unmapped.
func (in *Input) CheckMapping(t *Target) error { return t.user.Unfit(in.Stream()) }

// CheckFolders finds out whether a run could write its rejects and its position down, and go on from what lies there.
// Nothing remains of that.
func (in *Input) CheckFolders(ctx context.Context, t *Target) []error {
	p := in.pipeline
	faults := []error{reject.Foresee(p.RejectsDir())}
	if !in.Stdin { // which has no position to keep
		faults = append(faults, in.checkState(t), in.checkEcho(ctx, t))
	}
	return slices.DeleteFunc(faults, func(err error) bool { return err == nil })
}

// checkState tries the state folder and the position in it.
func (in *Input) checkState(t *Target) error {
	if err := state.Foresee(in.pipeline.StateDir()); err != nil {
		return err
	}
	_, err := in.position(t)
	return err
}

// position is where a run would go on, nil: at the beginning.
func (in *Input) position(t *Target) (connector.Position, error) {
	if in.Stdin || t.Whole() {
		return nil, nil
	}
	id, err := in.Identity(t)
	if err != nil {
		return nil, err
	}
	return state.Peek(in.pipeline.StateDir(), id)
}

// CheckPosition finds out whether an input that can be read can be read on from the position. One that cannot be loaded is
// a fault of its folder.
func (in *Input) CheckPosition(ctx context.Context, t *Target) error {
	pos, err := in.position(t)
	if pos == nil || err != nil {
		return nil
	}
	quiet := *in // what a reader warns of is in the notes
	if in.Source != nil {
		source := *in.Source
		source.log, quiet.Source = slog.New(slog.DiscardHandler), &source
	} else if info, err := os.Stat(in.file.Path); err != nil || !info.Mode().IsRegular() {
		return nil // a pipe would wait for its writer
	}
	r, err := quiet.Reader(t, false)
	if err != nil {
		return err
	}
	return errors.Join(r.Open(ctx, pos), r.Close())
}

// checkEcho opens the memory of relays as a run does. One that is not there yet is not made: the settings are tried on one
// elsewhere.
func (in *Input) checkEcho(ctx context.Context, t *Target) (err error) {
	if in.pipeline.Echo == "" {
		return nil
	}
	p := *in.pipeline
	dir := p.Resolve(p.Echo)
	if err := disk.Foresee(dir); err != nil {
		return connector.Configf("Set `echo:` to a folder that this user may write to", "the echo folder cannot be written to: %w", err)
	}
	if !echo.Begun(dir) {
		if p.Echo, err = os.MkdirTemp("", "sluice-check-"); err != nil {
			return connector.Transientf("Check TMPDIR", "a check needs a temporary folder: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(p.Echo)) }()
	}
	gate, err := (&Input{pipeline: &p, Source: in.Source}).Gate(ctx, t)
	if gate == nil || err != nil {
		return err
	}
	return gate.Close()
}
