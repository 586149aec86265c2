package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/deliver"
	"github.com/sluicehq/sluice/internal/echo"
	"github.com/sluicehq/sluice/internal/pipeline"
	"github.com/sluicehq/sluice/transforms"
)

// Target is one configured CRM: all that stands between a Reader and the vendor's HTTP endpoint.
type Target struct {
	Vendor   *connector.Vendor
	Config   connector.Config
	Mode     string
	Mapping  *transforms.Mapping
	Delivery Delivery

	user      *transforms.Spec // the user's document; nil: none
	transport http.RoundTripper
	log       *slog.Logger
}

// Settings are what NewTarget needs beyond the vendor and its configuration.
type Settings struct {
	Mapping  *transforms.Spec // the user's document; nil: source fields go by their own names
	Preset   *transforms.Spec // the user's changes to the vendor's preset; nil: none
	Delivery Delivery
	// Transport replaces the HTTP transport; nil: one built from Delivery.
	Transport http.RoundTripper
	Offline   bool // ask the CRM nothing, also where the configuration needs it
	Public    bool // the HTTP transport connects to addresses of the open internet alone
	Log       *slog.Logger
}

// NewTarget prepares the transport, asks the CRM for what the configuration leaves to it, if anything, and compiles the
// mapping with the vendor's preset.
func NewTarget(ctx context.Context, v *connector.Vendor, cfg connector.Config, s Settings) (*Target, error) {
	if err := cfg.Validate(); err != nil {
		return nil, &connector.Error{Kind: connector.KindConfig, What: err.Error()}
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	t := &Target{Vendor: v, Config: cfg, Mode: v.Mode(cfg), Delivery: s.Delivery.orPace(v.Pace), user: s.Mapping, transport: s.Transport, log: s.Log}
	if t.transport == nil {
		own, err := deliver.NewTransport(t.Delivery.tls(), t.Delivery.Concurrency)
		if err != nil {
			return nil, err
		}
		if s.Public {
			onlyPublic(own)
		}
		t.transport = own
	}
	if s.Log.Enabled(ctx, slog.LevelDebug) {
		t.transport = traced{t.transport, s.Log}
	}
	if v.Lookup != nil && !s.Offline {
		if err := t.probe(ctx, v.Lookup); err != nil {
			return nil, err
		}
	}
	preset, err := Preset(v, cfg, s.Preset)
	if err != nil {
		return nil, err
	}
	t.Mapping, err = transforms.Compile(s.Mapping, transforms.Options{
		Preset:      preset,
		Once:        t.once(),
		Identifiers: v.MatchKeys,
		Alloc:       memory.DefaultAllocator,
		Notice:      func(msg string) { s.Log.Info(msg) },
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Preset parses the vendor's dialect for this configuration and lays the user's changes over it.
func Preset(v *connector.Vendor, cfg connector.Config, over *transforms.Spec) (*transforms.Spec, error) {
	text, err := v.Preset(cfg)
	if err != nil {
		return nil, fmt.Errorf("preset of %s: %w", v.Name, err)
	}
	preset, err := transforms.Parse(v.Name+" preset", text)
	if err != nil {
		return nil, fmt.Errorf("preset of %s: %w", v.Name, err)
	}
	if over == nil {
		return preset, nil
	}
	return preset.Override(over)
}

// Codec makes the vendor's codec for one stream and schema.
func (t *Target) Codec(stream string, schema *arrow.Schema) (connector.Codec, error) {
	return t.Vendor.Codec(t.Config, stream, t.Mode, schema)
}

// Check makes the vendor's one harmless call and returns nil if the credentials and ids work.
func (t *Target) Check(ctx context.Context) error { return t.probe(ctx, t.Vendor.Check) }

// Preflight makes the check until it passes or a few tries are over, so that a run against a wrong address or a wrong
// secret ends at once, and not after the outage limit. A fault that may pass is tried again.
func (t *Target) Preflight(ctx context.Context) error {
	return preflight(ctx, t.Vendor.Title, t.Check, t.log)
}

// preflight makes the check of one side, whose name is for the log.
func preflight(ctx context.Context, side string, check func(context.Context) error, log *slog.Logger) error {
	for wait := 500 * time.Millisecond; ; wait *= 2 {
		err := check(ctx)
		if err == nil || connector.KindOf(err) == connector.KindConfig || wait > 4*time.Second {
			return err
		}
		log.Warn("waiting for "+side, "error", err.Error(), "again_in", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// probe makes one call that changes nothing.
func (t *Target) probe(ctx context.Context, of func(connector.Config) (connector.Probe, error)) error {
	p, err := of(t.Config)
	if p == nil || err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return deliver.Probe(ctx, t.transport, p)
}

// Run describes one run into a Target.
type Run struct {
	Reader     connector.Reader
	From       connector.Position
	Checkpoint func(context.Context, connector.Position) error
	Rejects    pipeline.Rejects
	Limits     RejectLimits
	Limit      int64 // input rows; 0: all
	// Resumed: a run before may have sent rows of this one's beginning. Where a repeat does harm they are looked up before
	// they are sent, which takes a minute.
	Resumed bool
	// DryRun, if set, takes each finished request instead of the network.
	DryRun  func(*connector.Request) error // signed as it would be, its secrets masked
	Observe func(pipeline.Report)
	// Gate stands between a relay's reader and its mapping; nil: none.
	Gate *echo.Gate

	window int64 // bytes between reader and CRM; 0: window
}

// window bounds the rows between reader and CRM, in bytes of input: enough to fill some hundred requests of a hundred
// rows, and small enough for a container of 128 MiB.
const window = 16 << 20

// Run moves the reader's rows into the CRM until the input ends or ctx is cancelled, which stops the run in two phases.
func (t *Target) Run(ctx context.Context, r Run) (pipeline.Report, deliver.Stats, error) {
	whole, err := t.spooled(&r)
	if err != nil {
		return pipeline.Report{}, deliver.Stats{}, err
	}
	plans := t.Mapping.Plans
	if r.Gate != nil {
		r.Reader, plans = r.Gate.Reader(r.Reader), r.Gate.Plans(plans)
	}
	if whole != nil {
		plans = whole.Plans
	}
	dry := dryRun{target: t, take: r.DryRun}
	w := deliver.New(deliver.Config{
		Codec:             dry.codec,
		Transport:         t.transport,
		Concurrency:       t.Delivery.Concurrency,
		RequestsPerSecond: t.Delivery.RequestsPerSecond,
		Linger:            t.Delivery.Linger.D(),
		Timeout:           t.Delivery.Timeout.D(),
		OutageLimit:       t.Delivery.OutageLimit.D(),
		LookupFirst:       lookupFirst(r.Resumed),
		DryRun:            dry.request(),
		Log:               t.log,
	})
	ratio := 0.0
	if r.Limits.MaxRatio != nil {
		ratio = *r.Limits.MaxRatio
	}
	report, err := pipeline.Run(ctx, pipeline.Config{
		Reader:         r.Reader,
		Writer:         w,
		From:           r.From,
		Plans:          plans,
		Rejects:        r.Rejects,
		Checkpoint:     r.Checkpoint,
		Window:         cmp.Or(r.window, window),
		Limit:          r.Limit,
		MaxRejects:     r.Limits.Max,
		MaxRejectRatio: ratio,
		Log:            t.log,
		Observe:        r.Observe,
	})
	if whole != nil {
		report = withheld(report, whole)
	}
	return report, w.Stats(), t.explainStop(err)
}

// resumedRows is how many rows of a resumed run may have been under way when the last one ended: what the window held,
// and what was settled since the position was last saved.
const resumedRows = 20_000

func lookupFirst(resumed bool) int {
	if !resumed {
		return 0
	}
	return resumedRows
}

// Delivered is the word for a delivered row: "delivered", unless the vendor has promised less than that.
func (t *Target) Delivered() string {
	if t.Vendor.Unconfirmed != nil {
		if s := t.Vendor.Unconfirmed(t.Config); s != "" {
			return s
		}
	}
	return "delivered"
}

// explainStop adds what the vendor's table of codes says to an error that the vendor's answer caused.
func (t *Target) explainStop(err error) error {
	var code *deliver.CodeError
	if !errors.As(err, &code) {
		return err
	}
	info, ok := t.Vendor.Explain(code.Code)
	if !ok {
		return err
	}
	return &connector.Error{
		Kind: connector.KindOf(err), Err: code,
		What: fmt.Sprintf("%s ended the run with code %s (%s)", t.Vendor.Title, code.Code, info.Meaning),
		Fix:  fmt.Sprintf("Likely cause: %s. What to do: %s", info.Cause, info.Fix),
	}
}

// Close frees idle connections.
func (t *Target) Close() {
	if c, ok := t.transport.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
