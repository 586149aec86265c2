package job

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/events"
	"github.com/sluicehq/sluice/internal/inbox"
)

const (
	// consumerPattern is what a receiver's consumer may be called.
	consumerPattern = `^[A-Za-z0-9._-]{1,100}$`
	// handEvery is how often a relay that goes on tells the receiver how far it has come. Until then the receiver keeps a
	// little more than it has to, and each call is one more transaction between its requests.
	handEvery = 30 * time.Second
	// handWithin bounds such a call: rows wait for it.
	handWithin = 5 * time.Second
)

// Consumer tells a receiver what a relay needs no more, so that its retention waits for the rest. A nil Consumer tells
// nobody. It is for one goroutine at a time.
type Consumer struct {
	Name string

	log   inbox.Log // of which cursors is the other side
	to    inbox.Cursors
	told  *slog.Logger
	saved connector.Position // durable
	done  int64              // the last request that it needs nothing of, as handed over
	of    inbox.Identity     // of the inbox that was told; 0: none yet
	at    time.Time
}

// Consumer opens the way back to the receiver whose inbox is read; nil: the rows come from elsewhere, or out of a folder,
// whose owner hears nothing of its readers.
func (in *Input) Consumer(t *Target) (*Consumer, error) {
	if in.Source == nil || !in.Source.Events() || t.Whole() {
		return nil, nil
	}
	name, err := in.consumerName(t)
	if err != nil {
		return nil, err
	}
	log, err := in.Source.openInbox()
	if err != nil {
		return nil, err
	}
	to, ok := log.(inbox.Cursors)
	if !ok {
		return nil, log.Close()
	}
	return &Consumer{Name: name, log: log, to: to, told: in.Source.log}, nil
}

// consumerName is what the pipeline file says or, without that, a name made of what it reads and writes: the same in
// every container that runs it.
func (in *Input) consumerName(t *Target) (string, error) {
	if name := in.Source.from.Consumer; name != "" {
		return name, nil
	}
	id, err := in.Identity(t)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(id))
	base := filepath.Base(in.pipeline.Path)
	base = unnamed.ReplaceAllString(strings.TrimSuffix(base, filepath.Ext(base)), "-")
	return "relay-" + base[:min(len(base), 60)] + "-" + hex.EncodeToString(sum[:4]), nil
}

var unnamed = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// Begin makes the consumer known with the position that the run starts from, which is durable.
func (c *Consumer) Begin(ctx context.Context, from connector.Position) {
	if c == nil {
		return
	}
	c.saved = from
	c.hand(ctx)
}

// After returns save with the receiver told now and then of what it has saved, and never of anything else.
func (c *Consumer) After(save func(context.Context, connector.Position) error) func(context.Context, connector.Position) error {
	if c == nil {
		return save
	}
	return func(ctx context.Context, pos connector.Position) error {
		if err := save(ctx, pos); err != nil {
			return err
		}
		c.saved = pos
		if time.Since(c.at) >= handEvery {
			c.hand(context.WithoutCancel(ctx))
		}
		return nil
	}
}

// hand tells the receiver. A failure costs nothing but space there, so it is a warning.
func (c *Consumer) hand(ctx context.Context) {
	c.at = time.Now()
	ctx, cancel := context.WithTimeout(ctx, handWithin)
	defer cancel()
	if err := c.tell(ctx); err != nil {
		c.told.Warn("the receiver could not be told how far this pipeline has come; it keeps more than it has to", "consumer", c.Name, "error", err.Error())
	}
}

// tell hands over what the position says of the inbox that is there: of one that has taken its place, nothing.
func (c *Consumer) tell(ctx context.Context) error {
	id, err := c.log.Identity(ctx)
	if err != nil {
		return err
	}
	seq, err := events.Consumed(c.saved, id)
	if err != nil || seq == c.done && id == c.of {
		return nil // a position that is none ends the run: its reader says so
	}
	if err := c.to.SetCursor(ctx, id, c.Name, seq); err != nil {
		return err
	}
	c.done, c.of = seq, id
	return nil
}

// Close tells the receiver of the last position, too.
func (c *Consumer) Close() error {
	if c == nil {
		return nil
	}
	c.hand(context.Background())
	return c.log.Close()
}

// retention says who keeps the webhooks until they are read, "" where that is no question. waits: the receiver does.
func (in *Input) retention(t *Target) (text string, waits bool, err error) {
	switch {
	case in.Source == nil || !in.Source.Events():
		return "", false, nil
	case t.Whole():
		return "each run reads the inbox from its beginning, and what lies there goes by age and size", false, nil
	case in.Source.from.Receiver == "":
		return "the inbox is read as a folder, so its receiver hears nothing of this pipeline: webhooks go by age and size, read or not. " +
			"Run it more often than that, or set `receiver` in place of `inbox`, so that they wait for it", false, nil
	}
	name, err := in.consumerName(t)
	return fmt.Sprintf("the receiver keeps webhooks until this pipeline has settled them, as its consumer %s", name), true, err
}

// TellRetention logs, as a run begins, who keeps the webhooks until they are read.
func (in *Input) TellRetention(t *Target, log *slog.Logger) error {
	text, _, err := in.retention(t)
	if text != "" && err == nil {
		log.Info(text)
	}
	return err
}
