package job

import (
	"sync"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
)

// dryRun signs the requests of a dry run and masks what must not be shown before they are handed on.
type dryRun struct {
	target *Target
	take   func(*connector.Request) error

	mu     sync.Mutex // covers signer
	signer connector.Signer
}

// codec makes the target's codec and keeps its signer: all codecs of a target sign alike.
func (d *dryRun) codec(stream string, schema *arrow.Schema) (connector.Codec, error) {
	c, err := d.target.Codec(stream, schema)
	if s, ok := c.(connector.Signer); ok && err == nil {
		d.mu.Lock()
		d.signer = s
		d.mu.Unlock()
	}
	return c, err
}

// request returns what the delivery chain calls, nil where nothing is dry.
func (d *dryRun) request() func(*connector.Request) error {
	if d.take == nil {
		return nil
	}
	return func(req *connector.Request) error {
		d.mu.Lock()
		signer := d.signer
		d.mu.Unlock()
		if signer != nil {
			if err := signer.Sign(req, time.Now()); err != nil {
				return err
			}
		}
		masked := *req
		masked.Header = Mask(req.Header)
		return d.take(&masked)
	}
}
