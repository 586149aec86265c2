package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/connector"
	sesandbox "github.com/sluicehq/sluice/connector/socialepoch/sandbox"
	"github.com/sluicehq/sluice/internal/inbox"
)

// heard is an inbox that notes what it is told, beside what was saved.
type heard struct {
	InboxStore
	id    inbox.Identity
	notes []string
	fault error
}

func (h *heard) SetCursor(_ context.Context, of inbox.Identity, consumer string, seq int64) error {
	if of != h.id {
		return fmt.Errorf("the cursor is of the inbox %s", of)
	}
	if h.fault == nil {
		h.notes = append(h.notes, fmt.Sprintf("%s needs nothing up to %d", consumer, seq))
	}
	return h.fault
}

func (h *heard) Close() error                                     { return nil }
func (h *heard) Identity(context.Context) (inbox.Identity, error) { return h.id, nil }

func rowAt(request int64) connector.Position {
	return connector.Position(fmt.Sprintf(`{"seq":%d,"v":1}`, inbox.RowSeq(request, inbox.ItemsPerRequest-1)))
}

// The receiver is told of a position behind the save, never of one that could not be saved, now and then and at the end. A
// receiver that cannot be told keeps nothing from going on, and is told later.
func TestConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, 1, "", sesandbox.Webhooks{})
		defer p.close()
		h := &heard{id: 42}
		p.there.input.Source.inbox = h
		c, err := p.there.input.Consumer(p.there.target)
		if err != nil || c == nil || !strings.HasPrefix(c.Name, "relay-there-") {
			t.Fatal(c, err)
		}
		var broken error
		save := c.After(func(_ context.Context, pos connector.Position) error {
			h.notes = append(h.notes, "saved "+string(pos))
			return broken
		})
		name := c.Name
		told := func(n int64) string { return fmt.Sprintf("%s needs nothing up to %d", name, n) }
		saved := func(n int64) string { return "saved " + string(rowAt(n)) }
		want := func(notes ...string) {
			t.Helper()
			if !slices.Equal(h.notes, notes) {
				t.Errorf("got %q, want %q", h.notes, notes)
			}
			h.notes = nil
		}
		c.Begin(t.Context(), rowAt(3))
		want(told(3))
		for n := range int64(5) {
			if err := save(t.Context(), rowAt(n+4)); err != nil {
				t.Error(err)
			}
		}
		want(saved(4), saved(5), saved(6), saved(7), saved(8))
		time.Sleep(handEvery)
		broken = errors.New("the disk is full")
		if err := save(t.Context(), rowAt(9)); !errors.Is(err, broken) {
			t.Error(err)
		}
		want(saved(9))
		broken, h.fault = nil, errors.New("nobody answers")
		if err := save(t.Context(), rowAt(9)); err != nil {
			t.Error(err)
		}
		want(saved(9))
		h.fault = nil
		time.Sleep(handEvery)
		if err := save(t.Context(), rowAt(10)); err != nil {
			t.Error(err)
		}
		want(saved(10), told(10))
		if err := save(t.Context(), rowAt(11)); err != nil {
			t.Error(err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		want(saved(11), told(11))
		if c, err = p.there.input.Consumer(p.there.target); err != nil {
			t.Fatal(err)
		}
		c.Begin(t.Context(), connector.Position(`{"seq":720895,"v":1,"inbox":"0000002b"}`))
		want(told(0)) // nothing of the inbox that has taken its place
		h.id = 44
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		want(told(0)) // which another one has replaced: there, nobody knows the consumer
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		c, err = p.back.input.Consumer(p.back.target)
		if c != nil || err != nil {
			t.Errorf("a query has the consumer %v, %v", c, err)
		}
		c.Begin(t.Context(), nil)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

// named is a consumer's name under other settings.
func (p *pair) named(file, crm, consumer string) string {
	p.t.Helper()
	from := *p.there.input.Source.from
	from.Consumer = consumer
	src := *p.there.input.Source
	src.from = &from
	pipeline := *p.there.input.pipeline
	pipeline.Path = file
	target := *p.there.target
	target.Vendor = p.there.target.Vendor
	if crm != "" {
		target = *p.back.target
	}
	name, err := (&Input{Source: &src, pipeline: &pipeline}).consumerName(&target)
	if err != nil {
		p.t.Error(err)
	}
	return name
}

// A name is that of one pipeline, wherever it runs.
func TestConsumerNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, 1, "", sesandbox.Webhooks{})
		defer p.close()
		first := p.named("/a/there.yaml", "", "")
		if p.named("/b/c/there.yaml", "", "") != first || p.named("/a/there.yaml", "other", "") == first || p.named("/a/here.yaml", "", "") == first {
			t.Errorf("%s is not the name of one pipeline", first)
		}
		if name := p.named("/a/there.yaml", "", "mine"); name != "mine" {
			t.Errorf("got %s", name)
		}
		if odd := p.named("/a/中 文 "+strings.Repeat("x", 300)+".yaml", "", ""); len(odd) > 100 || !strings.HasPrefix(odd, "relay--xx") {
			t.Errorf("got %s", odd)
		}
	})
}

// A relay that comes back after its webhooks went ends with an error that says which, and goes on where it is told to.
func TestRelayBehindRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, 1, "", sesandbox.Webhooks{MaxItems: 1})
		defer p.close()
		p.begin()
		gone := func(run func() error) error {
			time.Sleep(time.Second)
			p.inSE(1, 0, "Li Wei")
			p.drain()
			time.Sleep(retention + time.Hour) // of the bubble's time
			p.inSE(1, 1, "li@example.com")
			p.drain()
			if _, err := p.box.Trim(t.Context()); err != nil {
				t.Error(err)
			}
			return run()
		}
		once := func() error {
			reader, err := p.there.input.Reader(p.there.target, false)
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = p.there.target.Run(t.Context(), Run{Reader: reader, From: p.there.pos, Rejects: &p.there.rejects})
			return err
		}
		if err := gone(once); connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), "were removed from the inbox before they were read") ||
			!strings.Contains(err.Error(), "on_loss: warn") {
			t.Errorf("got %v", err)
		}
		p.there.input.Source.from.OnLoss = lossWarn
		if err := once(); err != nil {
			t.Errorf("with on_loss: warn: %v", err)
		}
	})
}

// A check and the beginning of a run tell what a folder means.
func TestRetentionTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, 1, "", sesandbox.Webhooks{})
		defer p.close()
		_, notes, err := p.there.input.Check(t.Context(), p.there.target)
		if err != nil || !slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, "hears nothing of this pipeline") }) {
			t.Errorf("%q, %v", notes, err)
		}
		var log strings.Builder
		if err := p.there.input.TellRetention(p.there.target, slog.New(slog.NewTextHandler(&log, nil))); err != nil || !strings.Contains(log.String(), "hears nothing") {
			t.Errorf("%s, %v", &log, err)
		}
		log.Reset()
		if err := p.back.input.TellRetention(p.back.target, slog.New(slog.NewTextHandler(&log, nil))); err != nil || log.Len() > 0 {
			t.Errorf("a query: %s, %v", &log, err)
		}
	})
}

// What cannot be reached is named: of a relay it may be either CRM, or the receiver.
func TestPreflightNamesTheSide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, 1, "drop=100%", sesandbox.Webhooks{})
		defer p.close()
		var log strings.Builder
		logger := slog.New(slog.NewTextHandler(&log, nil))
		for _, r := range []*relay{p.there, p.back} {
			r.target.log, r.input.Source.log = logger, logger
		}
		p.there.input.Source.from.Receiver = "http://receiver.test:9465"
		p.there.input.Source.inbox = &heard{InboxStore: deaf{}}
		for says, of := range map[string]func(context.Context) error{
			"waiting for the receiver http://receiver.test:9465": p.there.input.Preflight,
			"waiting for NXCloud":                                p.back.input.Preflight,
			"waiting for SocialEpoch":                            p.back.target.Preflight,
		} {
			log.Reset()
			if err := of(t.Context()); err == nil || !strings.Contains(log.String(), says) {
				t.Errorf("%v, want %s\n%s", err, says, &log)
			}
		}
	})
}

// deaf is a receiver that cannot be reached.
type deaf struct{ InboxStore }

func (deaf) Head(context.Context) (int64, error) { return 0, connector.Transientf("", "nobody there") }
