package connectortest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/rows"
	"github.com/sluicehq/sluice/internal/sandbox"
	"github.com/sluicehq/sluice/transforms"
)

const stream = "contacts"

// bench is what one check works with.
type bench struct {
	t       *testing.T
	report  reporter
	vendor  connector.Vendor
	sandbox Sandbox

	mem     *memory.CheckedAllocator
	cfg     connector.Config
	secrets map[string]string // field name → value
	mapping *transforms.Mapping
}

func (b *bench) open() {
	b.mem = memory.NewCheckedAllocator(memory.DefaultAllocator)
	b.cfg = b.config(b.sandbox.Config)
	b.secrets = map[string]string{}
	for _, f := range b.vendor.Fields {
		if s, ok := b.sandbox.Config[f.Name].(string); ok && f.Secret {
			b.secrets[f.Name] = s
		}
	}
}

// close finds records that were not released. Defects that stop a check early are reported anyway.
func (b *bench) close() { b.mem.AssertSize(leakReporter{b}, 0) }

type leakReporter struct{ b *bench }

func (l leakReporter) Errorf(format string, args ...any) {
	l.b.errorf("records are not released: "+format, args...)
}
func (l leakReporter) Helper() {}

// config decodes values as the configuration of the vendor.
func (b *bench) config(values map[string]any) connector.Config {
	cfg, err := decode(b.vendor, values)
	b.must(err, "the sandbox's configuration is refused")
	return cfg
}

func decode(v connector.Vendor, values map[string]any) (connector.Config, error) {
	data, err := json.Marshal(values)
	if err != nil {
		return nil, err
	}
	cfg := v.NewConfig()
	if err := config.Decode("suite", data, v.Fields, cfg); err != nil {
		return nil, err
	}
	return cfg, cfg.Validate()
}

// with returns the sandbox's configuration values with one changed.
func (b *bench) with(name string, value any) map[string]any {
	values := maps.Clone(b.sandbox.Config)
	values[name] = value
	return values
}

// world is a fresh service behind the sandbox's frame.
type world struct {
	b       *bench
	service Service
	server  *sandbox.Server
	rt      http.RoundTripper
	now     time.Time // of the server; a call is signed with it plus skew
	skew    time.Duration
	polled  []polled // answered so far
}

// newWorld opens an empty sandbox. Its clock stands still unless clock is given.
func (b *bench) newWorld(faults string, clock func() time.Time) *world {
	fs, err := sandbox.ParseFaults(faults)
	b.must(err, "faults")
	w := &world{b: b, service: b.sandbox.New(), now: time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)}
	if clock == nil {
		clock = func() time.Time { return w.now }
	}
	w.server = sandbox.New(sandbox.Options{Clock: clock, Seed: 7, Faults: fs}, w.service)
	w.rt = sandbox.Transport(w.server)
	return w
}

// codec makes a codec for a record's schema in the vendor's mode.
func (b *bench) codec(schema *arrow.Schema) connector.Codec {
	return b.codecIn(b.vendor.Mode(b.cfg), schema)
}

func (b *bench) codecIn(mode string, schema *arrow.Schema) connector.Codec {
	c, err := b.vendor.Codec(b.cfg, stream, mode, schema)
	b.must(err, "codec of mode %s", mode)
	return c
}

// signedBy is what Codec and Probe have in common for sending.
func (w *world) sign(signedBy any, req *connector.Request) {
	s, ok := signedBy.(connector.Signer)
	if !ok {
		return
	}
	before := slices.Clone(req.Body)
	url := req.URL
	w.b.must(s.Sign(req, w.now.Add(w.skew)), "sign")
	if !bytes.Equal(before, req.Body) || url != req.URL {
		w.b.errorf("Sign changed the body or the URL of the request")
	}
}

// post sends one request as it is.
func (w *world) post(req *connector.Request) (*connector.Response, error) {
	w.b.inspect(req)
	hr, err := http.NewRequest(req.Method, req.URL, bytes.NewReader(req.Body))
	w.b.must(err, "request to %q", req.URL)
	hr.Header = req.Header.Clone()
	if hr.Header == nil {
		hr.Header = http.Header{}
	}
	resp, err := w.rt.RoundTrip(hr)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	return &connector.Response{Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
}

// send encodes, signs and sends the rows and reads the answer.
func (w *world) send(c connector.Codec, rec arrow.Record) (connector.Outcome, error) {
	req := &connector.Request{}
	if err := c.AppendRequest(req, rec); err != nil {
		return connector.Outcome{}, fmt.Errorf("encode: %w", err)
	}
	return w.exchange(c, req, rec)
}

// exchange signs and sends the request made of the rows and reads the answer.
func (w *world) exchange(c connector.Codec, req *connector.Request, rec arrow.Record) (connector.Outcome, error) {
	w.sign(c, req)
	resp, err := w.post(req)
	w.b.must(err, "call")
	o, err := c.ParseResponse(resp, rec)
	w.b.inspectOutcome(o, err)
	return o, err
}

// offer sends the rows and follows those whose verdict comes later.
func (w *world) offer(c connector.Codec, rec arrow.Record) connector.Outcome {
	w.b.report.Helper()
	o, err := w.send(c, rec)
	w.b.must(err, "%d rows", rec.NumRows())
	return w.follow(c, rec, o)
}

// again sends rows of persons that the vendor may know already, which it may refuse.
func (w *world) again(c connector.Codec, rec arrow.Record) {
	w.b.report.Helper()
	if c.Limits().Duplicates == connector.DuplicatesReject {
		w.offer(c, rec)
		return
	}
	w.deliver(c, rec)
}

// deliver sends the rows and wants all of them delivered.
func (w *world) deliver(c connector.Codec, rec arrow.Record) {
	w.b.report.Helper()
	w.delivered(w.offer(c, rec), rec)
}

// delivered wants the outcome to say that all of the rows were.
func (w *world) delivered(o connector.Outcome, rec arrow.Record) {
	w.b.report.Helper()
	if o.Verdict != connector.VerdictDelivered || len(o.Rows) > 0 {
		w.b.fatalf("%d good rows are %v: code %s, %s", rec.NumRows(), o.Verdict, o.Code, o.Message)
	}
}

// inspect looks at a request for what must not be in it.
func (b *bench) inspect(req *connector.Request) {
	b.report.Helper()
	b.public("the URL of a request", req.URL)
	b.public("the body of a request", string(req.Body))
	b.public("the endpoint name", req.Endpoint)
	if req.Endpoint == "" || req.Method == "" {
		b.errorf("a request has no endpoint or no method: %q %q", req.Endpoint, req.Method)
	}
	for name, values := range req.Header {
		if len(values) != 1 {
			b.errorf("header %s has %d values", name, len(values))
		}
		if name != http.CanonicalHeaderKey(name) {
			b.errorf("header %s is not in canonical form %s", name, http.CanonicalHeaderKey(name))
		}
	}
}

// inspectOutcome looks at the reading of an answer.
func (b *bench) inspectOutcome(o connector.Outcome, err error) {
	b.report.Helper()
	if err != nil {
		b.public("an error", err.Error())
		return
	}
	b.public("an outcome", fmt.Sprintf("%+v", o))
	for i, r := range o.Rows {
		if i > 0 && r.Row <= o.Rows[i-1].Row {
			b.errorf("the rows of an outcome are not ascending: %d after %d", r.Row, o.Rows[i-1].Row)
		}
	}
	if o.Verdict > connector.VerdictPending || o.RetryAfter < 0 || o.Tries < 0 {
		b.errorf("an outcome makes no sense: %+v", o)
	}
	if o.Stop != connector.KindNone && o.Verdict == connector.VerdictDelivered {
		b.errorf("an outcome stops the run and claims delivery: code %s", o.Code)
	}
}

// public reports secrets in a text that leaves the program.
func (b *bench) public(where, text string) {
	b.report.Helper()
	for name, secret := range b.secrets {
		if strings.Contains(text, secret) {
			b.errorf("%s shows the secret %s", where, name)
		}
	}
}

// text renders a record for comparison.
func text(rec arrow.Record) []string {
	lines := make([]string, rec.NumRows())
	for i := range lines {
		lines[i] = string(rows.AppendJSON(nil, rec, i))
	}
	return lines
}

// gather makes a record of some rows of rec.
func (b *bench) gather(rec arrow.Record, which ...int32) arrow.Record {
	return rows.Take(b.mem, []rows.Part{{Rec: rec, Rows: which}})
}

func asRowsError(err error) *connector.RowsError {
	var re *connector.RowsError
	if errors.As(err, &re) {
		return re
	}
	return nil
}
