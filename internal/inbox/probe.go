package inbox

import "context"

// Probe tells whether a request would be stored now, by a transaction that goes to the disk as that of a request does.
// Whoever asks while Stats has a fault learns whether it has passed, also where nobody sends requests any more because
// of it.
func (i *Inbox) Probe(ctx context.Context) error {
	_, err := i.do(ctx, func() (Receipt, error) {
		err := i.w.tx("probe", func(m *meta) error {
			now := i.opts.Clock().UnixMilli()
			// A key that no request has. What is replaced is written even if it is equal.
			return i.c.exec("INSERT OR REPLACE INTO seen VALUES (?, ?, ?)", hashKey(keyProbe, Endpoint{}, nil), m.head, now)
		})
		if err == nil {
			i.stats.failing.Store(nil)
		}
		return Receipt{}, err
	})
	return err
}
