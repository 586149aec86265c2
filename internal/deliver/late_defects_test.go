package deliver

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
)

// TestLateDefectsAreCaught proves the checker of the late model: each defect is planted around the chain, or in it, and
// some case must tell.
func TestLateDefectsAreCaught(t *testing.T) {
	for _, d := range []struct {
		name  string
		says  string
		plant func(w *lateWorld)
	}{
		{"never hears of a verdict", "the run ended", lateCrook(func(c *lateCrooked) {
			c.poll = func(_ string, o *connector.Outcome) { *o = connector.Outcome{Verdict: connector.VerdictPending} }
		})},
		{"never polls for a verdict", "the run ended", func(w *lateWorld) { w.codec = hidden }},
		{"never looks a lost reply up", "is called ambiguous and is not", func(w *lateWorld) { w.codec = hidden }},
		{"repeats blindly", "was imported 2 times", lateCrook(func(c *lateCrooked) { c.limits.Idempotent = true })},
		{"knows no keys", "of the same person is settled", lateCrook(func(c *lateCrooked) { c.keyless = true })},
		{"drops the token", "although it was accepted", lateCrook(func(c *lateCrooked) {
			c.answer = func(o *connector.Outcome) { o.Token = "" }
		})},
		{"does not take the next step", "the run ended", lateCrook(func(c *lateCrooked) {
			c.poll = func(_ string, o *connector.Outcome) { o.Token = "" }
		})},
		{"takes accepted for delivered", "does not have it", lateCrook(func(c *lateCrooked) {
			c.answer = func(o *connector.Outcome) { change(o, connector.VerdictPending, connector.VerdictDelivered) }
		})},
		{"takes late for delivered", "does not have it", lateCrook(func(c *lateCrooked) {
			c.poll = func(_ string, o *connector.Outcome) { change(o, connector.VerdictPending, connector.VerdictDelivered) }
		})},
		{"takes late for gone", "although it was accepted", lateCrook(func(c *lateCrooked) {
			c.poll = func(_ string, o *connector.Outcome) { change(o, connector.VerdictPending, connector.VerdictRetry) }
		})},
		{"takes not imported for delivered", "does not have it", lateCrook(func(c *lateCrooked) {
			c.poll = func(code string, o *connector.Outcome) {
				if code == "done" {
					o.Rows = nil
				}
			}
		})},
		{"takes gone for delivered", "does not have it", lateCrook(func(c *lateCrooked) {
			c.poll = func(code string, o *connector.Outcome) {
				if code == "gone" {
					o.Verdict = connector.VerdictDelivered
				}
			}
		})},
		{"rejects what is gone", "which is not so", lateCrook(func(c *lateCrooked) {
			c.poll = func(code string, o *connector.Outcome) {
				if code == "gone" {
					o.Verdict, o.Code = connector.VerdictRejected, "not_imported"
				}
			}
		})},
		{"ignores PollRows", "a look-up of", lateCrook(func(c *lateCrooked) { c.limits.PollRows = 0 })},
		{"ignores the wait for a verdict", "a poll came", lateCrook(func(c *lateCrooked) {
			c.poll = func(_ string, o *connector.Outcome) { o.RetryAfter = 0 }
		})},
		{"believes the first look-up", "was imported 2 times", func(w *lateWorld) {
			w.writer = func(w *Writer) connector.Writer { w.lookUps = 1; return w }
		}},
		{"believes the first page", "was imported 2 times", lateCrook(func(c *lateCrooked) {
			c.poll = func(code string, o *connector.Outcome) {
				for i := range o.Rows {
					if code == "page" {
						o.Rows[i].Verdict, o.Token = connector.VerdictRetry, ""
					}
				}
			}
		})},
		{"looks nothing up after a resume", "was imported 2 times", func(w *lateWorld) { w.blind = true }},
		{"looks too few up after a resume", "was imported 2 times", func(w *lateWorld) {
			w.writer = func(w *Writer) connector.Writer { w.lookFirst = min(w.lookFirst, 2); return w }
		}},
		{"mixes tokens up", "by the token of another request", lateCrook(func(c *lateCrooked) { c.mix = true })},
		{"polls too many at once", "in flight", func(w *lateWorld) { w.conf.Concurrency = 9 }},
		{"answers twice", "done was called 2 times", func(w *lateWorld) { w.writer = late(doneTwice) }},
		{"answers early", "does not have it", func(w *lateWorld) { w.writer = late(doneEarly) }},
		{"never answers", "done was called 0 times", func(w *lateWorld) { w.writer = late(doneNever) }},
		{"loses rejects", "does not have it", func(w *lateWorld) { w.writer = late(forget) }},
	} {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(400) {
				var wrong []string
				synctest.Test(t, func(t *testing.T) {
					w := aLateWorld(seed)
					w.server.faults = max(w.server.faults, 0.1)
					d.plant(w)
					wrong = w.run(t, memory.DefaultAllocator)
				})
				if slices.ContainsFunc(wrong, func(s string) bool { return strings.Contains(s, d.says) }) {
					return
				}
			}
			t.Errorf("nothing said %q", d.says)
		})
	}
}

// lateCrooked is a codec with a defect, which to the checker is a defect of the chain.
type lateCrooked struct {
	*lateCodec
	limits connector.Limits
	answer func(*connector.Outcome)
	poll   func(code string, o *connector.Outcome) // code is what the vendor answered
	mix    bool
	// keyless hides the identifiers of rows.
	keyless bool
	// unaskable is the id of a row that AppendPoll refuses.
	unaskable int64

	once  sync.Once
	token string // the first polled
}

func lateCrook(bend func(*lateCrooked)) func(*lateWorld) {
	return func(w *lateWorld) {
		w.codec = func(c *lateCodec) connector.Codec {
			x := &lateCrooked{lateCodec: c, limits: c.Limits()}
			bend(x)
			return x
		}
	}
}

func (c *lateCrooked) Limits() connector.Limits { return c.limits }

func (c *lateCrooked) AppendKeys(dst []uint64, rec arrow.Record, row int) []uint64 {
	if c.keyless {
		return dst
	}
	return c.lateCodec.AppendKeys(dst, rec, row)
}

func (c *lateCrooked) AppendPoll(req *connector.Request, token string, rec arrow.Record) error {
	if c.mix && token != "" {
		c.once.Do(func() { c.token = token })
		token = c.token
	}
	for i := range int(rec.NumRows()) {
		if idOf(rec, i) == c.unaskable {
			return &connector.RowsError{Rows: []connector.RowResult{{Row: i, Code: connector.CodeTooLong}}}
		}
	}
	return c.lateCodec.AppendPoll(req, token, rec)
}

func (c *lateCrooked) ParseResponse(resp *connector.Response, rec arrow.Record) (connector.Outcome, error) {
	o, err := c.lateCodec.ParseResponse(resp, rec)
	if c.answer != nil && err == nil {
		c.answer(&o)
	}
	return o, err
}

func (c *lateCrooked) ParsePoll(resp *connector.Response, token string, rec arrow.Record) (connector.Outcome, error) {
	o, err := c.lateCodec.ParsePoll(resp, token, rec)
	if c.poll != nil && err == nil {
		var r lateReply
		_ = json.Unmarshal(resp.Body, &r)
		c.poll(r.Code, &o)
	}
	return o, err
}

func change(o *connector.Outcome, from, to connector.Verdict) {
	if o.Verdict == from {
		o.Verdict = to
	}
}

// hidden is the codec without its Poller.
func hidden(c *lateCodec) connector.Codec {
	return struct {
		connector.Codec
		connector.Signer
	}{c, c}
}

func late(bend func(connector.Writer) connector.Writer) func(*Writer) connector.Writer {
	return func(w *Writer) connector.Writer { return bend(w) }
}
