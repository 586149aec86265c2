package connectortest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/connectortest"
	"github.com/sluicehq/sluice/connector/template"
	"github.com/sluicehq/sluice/connector/template/sandbox"
)

// credulous takes every answer for a success.
type credulous struct{ connector.Codec }

func (credulous) ParseResponse(*connector.Response, arrow.Record) (connector.Outcome, error) {
	return connector.Outcome{}, nil
}

// Sign keeps the embedded codec's signature.
func (c credulous) Sign(req *connector.Request, now time.Time) error {
	return c.Codec.(connector.Signer).Sign(req, now)
}

// TestPlayCatches: what goes wrong in a case is said, and a sound case has no faults.
func TestPlayCatches(t *testing.T) {
	cfg := template.Vendor.NewConfig().(*template.Config)
	cfg.APIKey, cfg.Account = connector.NewSecret(sandbox.APIKey), sandbox.Account
	for _, c := range []struct {
		name, faults string
		wrap         func(connector.Codec) connector.Codec
		change       func(p *connectortest.Play)
		want         string // part of a fault; "": none
	}{
		{name: "sound", faults: "5xx=10%,drop=10%,malformed=10%"},
		{name: "a row that is refused", change: func(p *connectortest.Play) { p.Batches[0][1].Code = "" }, want: `is answered "102", want ""`},
		{name: "a row that is not refused", change: func(p *connectortest.Play) { p.Batches[0][0].Code = "102" }, want: `is answered "", want "102"`},
		{name: "a record too many", change: func(p *connectortest.Play) { p.Want = func() []string { return nil } }, want: "the CRM holds"},
		{name: "a failure taken for a success", faults: "5xx=x9", wrap: func(c connector.Codec) connector.Codec { return credulous{c} }, want: "the CRM holds"},
		{name: "a codec that refuses to be made", wrap: func(connector.Codec) connector.Codec { return nil }, want: "is answered 0 times"},
	} {
		t.Run(c.name, func(t *testing.T) {
			service := sandbox.New()
			p := &connectortest.Play{
				Codec: func(stream string, schema *arrow.Schema) (connector.Codec, error) {
					codec, err := template.Vendor.Codec(cfg, stream, "upsert", schema)
					if c.wrap == nil || err != nil {
						return codec, err
					}
					if codec = c.wrap(codec); codec == nil {
						return nil, connector.Configf("Nothing", "no codec")
					}
					return codec, nil
				},
				Service: service, Faults: c.faults, Seed: 4, Concurrency: 2, Columns: []string{"phone", "name"},
				Batches: [][]connectortest.PlayRow{
					{{Values: []string{"8613800138000", "A"}}, {Values: []string{"86x", "B"}, Code: "102"}},
					{{Values: []string{"8613800138000", "C"}}, {Values: []string{"", "D"}, Code: connector.CodeNoIdentifier}},
				},
				Stored: service.Contents,
				Want:   func() []string { return []string{`{"phone":"8613800138000","name":"C"}`} },
			}
			if c.change != nil {
				c.change(p)
			}
			faults := fmt.Sprint(p.Run(t))
			if p.Rows() != 4 || (c.want == "") != (faults == "[]") || !strings.Contains(faults, c.want) {
				t.Errorf("got %s, want %q", faults, c.want)
			}
		})
	}
}
