package connectortest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/connectortest"
	"github.com/sluicehq/sluice/connector/outcall"
	ocsandbox "github.com/sluicehq/sluice/connector/outcall/sandbox"
)

// latePoller is a good codec that polls, with the reading of polls replaced.
type latePoller struct {
	spoiled
	poll func(p connector.Poller, resp *connector.Response, token string, rec arrow.Record) (connector.Outcome, error)
}

func (l *latePoller) AppendPoll(req *connector.Request, token string, rec arrow.Record) error {
	return l.Codec.(connector.Poller).AppendPoll(req, token, rec)
}

func (l *latePoller) ParsePoll(resp *connector.Response, token string, rec arrow.Record) (connector.Outcome, error) {
	return l.poll(l.Codec.(connector.Poller), resp, token, rec)
}

func polls(read func(p connector.Poller, resp *connector.Response, token string, rec arrow.Record) (connector.Outcome, error)) func(v *connector.Vendor) {
	return func(v *connector.Vendor) {
		open := v.Codec
		v.Codec = func(cfg connector.Config, stream, mode string, schema *arrow.Schema) (connector.Codec, error) {
			good, err := open(cfg, stream, mode, schema)
			if err != nil {
				return nil, err
			}
			return &latePoller{spoiled{Codec: good}, read}, nil
		}
	}
}

// pollDefects are planted in a vendor whose verdicts come later.
var pollDefects = []defect{
	{"never hears of a verdict", "polls", "no verdict after", polls(func(connector.Poller, *connector.Response, string, arrow.Record) (connector.Outcome, error) {
		return connector.Outcome{Verdict: connector.VerdictPending}, nil
	})},
	{"takes the first page for all", "polls", "the vendor took a row", polls(func(p connector.Poller, resp *connector.Response, token string, rec arrow.Record) (connector.Outcome, error) {
		o, err := p.ParsePoll(resp, token, rec)
		if token == "" {
			o.Verdict, o.Rows, o.Token = connector.VerdictRetry, nil, ""
		}
		return o, err
	})},
	{"finds what is not there", "polls", "a row is not there", polls(func(p connector.Poller, resp *connector.Response, token string, rec arrow.Record) (connector.Outcome, error) {
		o, err := p.ParsePoll(resp, token, rec)
		if o.Verdict == connector.VerdictRetry {
			o.Verdict = connector.VerdictDelivered
		}
		return o, err
	})},
	{"takes a failed poll for a verdict", "polls", "is read as delivered", polls(func(p connector.Poller, resp *connector.Response, token string, rec arrow.Record) (connector.Outcome, error) {
		if resp.Status >= 500 {
			return connector.Outcome{}, nil
		}
		return p.ParsePoll(resp, token, rec)
	})},
	{"takes repeats that the vendor refuses for delivered", "nature", "refused as a repeat", polls(func(p connector.Poller, resp *connector.Response, token string, rec arrow.Record) (connector.Outcome, error) {
		o, err := p.ParsePoll(resp, token, rec)
		for i := range o.Rows {
			if o.Rows[i].Verdict == connector.VerdictRejected {
				o.Rows[i].Verdict = connector.VerdictDelivered
			}
		}
		return o, err
	})},
}

func lateVendor() (connector.Vendor, connectortest.Sandbox) {
	return outcall.Vendor, connectortest.Sandbox{
		New:     func() connectortest.Service { return ocsandbox.New(ocsandbox.Options{}) },
		Config:  map[string]any{"token": ocsandbox.Token, "user_id": ocsandbox.UserID, "task_id": ocsandbox.TaskID},
		Contact: map[string]any{"custom": nil},
	}
}

func TestPlantedPollDefectsAreCaught(t *testing.T) {
	for _, d := range pollDefects {
		t.Run(d.name, func(t *testing.T) {
			v, sb := lateVendor()
			good := &recorder{}
			connectortest.RunOne(t, good, d.caught, v, sb)
			if len(good.findings) > 0 {
				t.Errorf("without the defect: %s", strings.Join(good.findings, "\n"))
			}
			d.plant(&v)
			r := &recorder{}
			connectortest.RunOne(t, r, d.caught, v, sb)
			if !slices.ContainsFunc(r.findings, func(f string) bool { return strings.Contains(f, d.says) }) {
				t.Errorf("check %s does not report %q; it found %d things: %s", d.caught, d.says, len(r.findings), strings.Join(r.findings, "\n"))
			}
		})
	}
}
