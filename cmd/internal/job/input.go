package job

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/echo"
	"github.com/sluicehq/sluice/transforms"
	"github.com/sluicehq/sluice/wire/file"
)

// Input is what a pipeline reads: a file, or a stream of another CRM.
type Input struct {
	// Stdin: it is read once and has no position to keep.
	Stdin  bool
	Source *Source // nil: it is a file

	pipeline *Pipeline
	file     FromFile
}

// Input checks what `from` says. A CRM is asked for what its settings leave to it unless s.Offline; no row is read.
func (p *Pipeline) Input(ctx context.Context, vendors []connector.Vendor, s Settings) (*Input, error) {
	in := &Input{pipeline: p}
	if p.From.Name != "vendor" {
		err := p.From.Decode(&in.file)
		in.file.Path = p.Resolve(in.file.Path)
		in.Stdin = in.file.Path == "-"
		if err == nil && p.Echo != "" {
			err = connector.Configf("Remove it", "`echo` is for pipelines between two CRMs, and this one reads a file")
		}
		return in, err
	}
	from := FromVendor{Every: Duration(defaultEvery), OnLoss: lossFail}
	if err := p.From.Decode(&from); err != nil {
		return nil, err
	}
	for _, path := range []*string{&from.Delivery.CAFile, &from.Delivery.CertFile, &from.Delivery.KeyFile, &from.CAFile, &from.Inbox} {
		if *path != "" {
			*path = p.Resolve(*path)
		}
	}
	var err error
	in.Source, err = from.newSource(ctx, vendors, s)
	return in, err
}

// Stream is the name of the stream that is read.
func (in *Input) Stream() string {
	if in.Source != nil {
		return in.Source.Stream.Name
	}
	return in.file.Stream
}

// Reader makes the reader of the input. follow makes it wait at the end for more.
func (in *Input) Reader(t *Target, follow bool) (connector.Reader, error) {
	if err := t.CheckWhole(follow, 0); err != nil {
		return nil, err
	}
	if in.Source != nil {
		return in.Source.reader(t.Mapping.Fields(in.Stream()), follow)
	}
	cfg := in.file.config()
	cfg.Follow = follow
	return file.NewReader(cfg, t.Mapping.Fields, memory.DefaultAllocator), nil
}

// Preflight finds out whether the CRM that is read can be asked, as Target.Preflight does for the one that is written.
func (in *Input) Preflight(ctx context.Context) error {
	if in.Source == nil {
		return nil
	}
	return preflight(ctx, in.Source.side(), in.Source.Check, in.Source.log)
}

// Close frees what the input keeps.
func (in *Input) Close() {
	if in.Source != nil {
		in.Source.Close()
	}
}

// Identity tells two pipelines apart that would use one state folder: the input as the file names it, the CRM, and the
// account there by the settings that are no secret.
func (in *Input) Identity(t *Target) (string, error) {
	into, err := settingsOf(t.Config, t.Vendor.Fields)
	if err != nil {
		return "", err
	}
	into = " into " + t.Vendor.Name + into
	if in.Source != nil {
		from, err := in.Source.identity()
		return from + into, err
	}
	input := in.file.Path
	if rel, err := filepath.Rel(filepath.Dir(in.pipeline.Path), in.file.Path); err == nil {
		input = rel
	}
	return fmt.Sprintf("file %s as %s", input, in.file.Stream) + into, nil
}

// Gate opens the memory that keeps this pipeline and the one the other way from answering each other; nil: `echo` names
// none.
func (in *Input) Gate(ctx context.Context, t *Target) (*echo.Gate, error) {
	return in.gate(ctx, t, echo.Config{})
}

// RetryGate is the Gate of a retry of this pipeline's rejects; edited: a person may have changed the rows.
func (in *Input) RetryGate(ctx context.Context, t *Target, edited bool) (*echo.Gate, error) {
	return in.gate(ctx, t, echo.Config{Retry: true, Edited: edited})
}

func (in *Input) gate(ctx context.Context, t *Target, c echo.Config) (*echo.Gate, error) {
	if in.pipeline.Echo == "" || in.Source == nil {
		return nil, nil
	}
	if t.Whole() {
		return nil, connector.Configf("Leave `echo` out, or choose another mode", "mode %s replaces what the CRM holds by what is read, and `echo` would leave rows out", t.Mode)
	}
	var err, terr error
	c.Source, err = accountOf(in.Source.Vendor, in.Source.Config)
	c.Target, terr = accountOf(t.Vendor, t.Config)
	if err := errors.Join(err, terr); err != nil {
		return nil, err
	}
	canonical, err := transforms.Compile(t.user, transforms.Options{Alloc: memory.DefaultAllocator})
	if err != nil {
		return nil, err
	}
	c.Dir, c.Events, c.Log = in.pipeline.Resolve(in.pipeline.Echo), in.Source.Events(), t.log
	c.SourceDemands, c.TargetDemands, c.Canonical = in.Source.Vendor.Required, t.Vendor.Required, canonical.Plans
	return echo.Open(ctx, c)
}
