package connectortest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/deliver"
)

// checkProbe: the vendor's check passes with the sandbox's credentials, changes nothing, and names the field where one of
// the required ones is wrong. A vendor that is down is no config error.
func checkProbe(b *bench) {
	rec := b.record(b.person(0))
	defer rec.Release()
	w := b.world()
	w.deliver(b.codec(rec.Schema()), rec)
	before := w.service.Contents()
	if err := w.probe(b.cfg); err != nil {
		b.errorf("the check fails with good credentials: %v", err)
	}
	if after := w.service.Contents(); !slices.Equal(before, after) {
		b.errorf("the check changes what is stored: %v, then %v", before, after)
	}
	for _, f := range b.vendor.Fields {
		value, ok := b.sandbox.Config[f.Name]
		if !ok || !f.Required {
			continue
		}
		cfg, err := decode(b.vendor, b.with(f.Name, wrong(value)))
		if err != nil {
			continue // refused without asking the vendor
		}
		err = b.world().probe(cfg)
		if connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), f.Name) {
			b.errorf("the check with a wrong %s gives %v (%v), want a config error that names it", f.Name, err, connector.KindOf(err))
		}
		if err != nil {
			b.public("the check's error", err.Error())
		}
	}
	for fault, want := range map[string][]connector.Kind{
		"5xx@503": {connector.KindTransient},
		"429@1s":  {connector.KindTransient, connector.KindThrottled},
		"html":    {connector.KindConfig, connector.KindTransient},
	} {
		if err := b.newWorld(fault, nil).probe(b.cfg); !slices.Contains(want, connector.KindOf(err)) {
			b.errorf("the check under fault %s gives %v (%v), want %v", fault, err, connector.KindOf(err), want)
		}
	}
}

// wrong changes a value into another of its type.
func wrong(value any) any {
	switch v := value.(type) {
	case string:
		return "wrong" + v
	case int:
		return v + 1
	case float64:
		return v + 1
	}
	return value
}

// probe makes the vendor's check once.
func (w *world) probe(cfg connector.Config) error {
	p, err := w.b.vendor.Check(cfg)
	if err != nil {
		return err
	}
	req := &connector.Request{}
	if err := p.AppendRequest(req); err != nil {
		return err
	}
	w.sign(p, req)
	resp, err := w.post(req)
	w.b.must(err, "call of the check")
	return p.ParseResponse(resp)
}

// checkDelivery: rows of few persons, known now by one identifier and now by another, delivered side by side while the
// vendor fails in every way, leave the state that a serial sender leaves, and none is lost.
func checkDelivery(b *bench) {
	for i, m := range b.vendor.Modes {
		seeds := uint64(1)
		if i == 0 {
			seeds = 2
		}
		for seed := range seeds {
			load := b.load(seed)
			serial := b.serial
			if m.Whole {
				load, serial = b.wholeLoad(m.Name, seed), b.serialWhole
			}
			want := serial(m.Name, load)
			got, err := b.parallel(m.Name, load)
			b.public("the state of a delivery", fmt.Sprint(got))
			switch {
			case err != nil:
				b.errorf("mode %s: a delivery under faults fails: %v", m.Name, err)
			case !slices.Equal(got, want):
				b.errorf("mode %s: a delivery under faults leaves another state than a serial sender:\n%s", m.Name, firstDifference(got, want))
			}
		}
	}
}

// load is rows of 30 persons in batches of uneven size. The first row of a person holds all identifiers.
func (b *bench) load(seed uint64) [][]contact {
	rnd := rand.New(rand.NewPCG(seed, 11))
	met := map[int]bool{}
	var batches [][]contact
	for left := 180; left > 0; {
		var batch []contact
		for range min(left, 1+rnd.IntN(60)) {
			i := rnd.IntN(30)
			if rnd.IntN(3) == 0 {
				i = rnd.IntN(2) // two of them all the time
			}
			c := b.person(i).but(contact{"remark": fmt.Sprintf("row %d", left), "address": nil, "birthday": nil})
			if !slices.Contains(b.vendor.MatchKeys, "external_id") {
				c["external_id"] = fmt.Sprintf("row-%d", left) // each row has its own at the source
			}
			if met[i] {
				c = b.only(c, b.vendor.MatchKeys[rnd.IntN(len(b.vendor.MatchKeys))])
				for _, name := range []string{"tags", "country", "gender", "remark", "source"} {
					if rnd.IntN(2) == 0 {
						delete(c, name)
					}
				}
			}
			met[i] = true
			batch = append(batch, c)
			left--
		}
		batches = append(batches, batch)
	}
	return batches
}

// serial sends row after row, alone.
func (b *bench) serial(mode string, load [][]contact) []string {
	w := b.world()
	for _, batch := range load {
		rec := b.record(batch...)
		c := b.codecIn(mode, rec.Schema())
		for i := range rec.NumRows() {
			one := rec.NewSlice(i, i+1)
			w.again(c, one)
			one.Release()
		}
		rec.Release()
	}
	return w.service.Contents()
}

// faultsFor lists faults that a call may meet without harm: all where it may be repeated or looked up, else only those
// that say clearly that nothing happened.
func faultsFor(c connector.Codec) string {
	if _, polls := c.(connector.Poller); polls || c.Limits().Idempotent {
		return "latency@5ms..400ms=50%,429@1s=4%,5xx=4%,drop-before=2%,drop=4%,5xx-after=3%,malformed=3%,truncate=3%"
	}
	return "latency@5ms..400ms=50%,429@1s=8%"
}

// parallel sends everything through the delivery chain, in fake time.
func (b *bench) parallel(mode string, load [][]contact) (state []string, err error) {
	b.bubble(func() {
		probe := b.record(load[0][0])
		c := b.codecIn(mode, probe.Schema())
		probe.Release()
		w := b.newWorld(faultsFor(c), time.Now)
		out := deliver.New(deliver.Config{
			Codec: func(stream string, schema *arrow.Schema) (connector.Codec, error) {
				return b.vendor.Codec(b.cfg, stream, mode, schema)
			},
			Transport: w.rt, Concurrency: 4, MaxAttempts: 30, Alloc: b.mem,
		})
		err = b.writeAll(out, load, c.Limits().Duplicates == connector.DuplicatesReject)
		state = w.service.Contents()
	})
	return state, err
}

// writeAll writes the batches and waits until each is answered. With repeats, rows of a person who came before may be
// rejected.
func (b *bench) writeAll(out connector.Writer, load [][]contact, repeats bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Hour) // of the bubble's time
	defer cancel()
	if err := out.Open(ctx); err != nil {
		return errors.Join(err, out.Close())
	}
	type answer struct {
		rejected []connector.RowResult
		err      error
	}
	answers := make(chan answer, len(load))
	met := map[any]bool{}
	for _, batch := range load {
		rec := b.record(batch...)
		known := make([]bool, len(batch))
		for i, c := range batch {
			known[i] = repeats && met[c["full_name"]]
			met[c["full_name"]] = true
		}
		done := func(rejected []connector.RowResult, err error) {
			rejected = slices.DeleteFunc(slices.Clone(rejected), func(r connector.RowResult) bool { return known[r.Row] })
			answers <- answer{rejected, err}
		}
		if err := out.Write(ctx, connector.Batch{Stream: stream, Rows: rec}, done); err != nil {
			return errors.Join(err, out.Close())
		}
	}
	errs := []error{out.Close()}
	for range load {
		select {
		case a := <-answers:
			if a.err != nil {
				errs = append(errs, a.err)
			}
			for _, r := range a.rejected {
				errs = append(errs, fmt.Errorf("row %d was rejected as %s: %s", r.Row, r.Code, r.Message))
			}
		default:
			errs = append(errs, fmt.Errorf("a batch was never answered: %w", io.ErrUnexpectedEOF))
		}
	}
	return errors.Join(errs[:min(len(errs), 6)]...)
}

// bubble runs f in fake time.
func (b *bench) bubble(f func()) {
	b.t.Helper()
	synctest.Test(b.t, func(*testing.T) {
		defer b.recoverStop()
		f()
	})
}

func firstDifference(got, want []string) string {
	for i := range max(len(got), len(want)) {
		g, w := "nothing", "nothing"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			return fmt.Sprintf("%d records, want %d\ngot  %s\nwant %s", len(got), len(want), g, w)
		}
	}
	return ""
}
