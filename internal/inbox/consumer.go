package inbox

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// errCursor is wrapped where a cursor is refused.
var errCursor = errors.New("the cursor makes no sense")

// Consumer is a named reader that retention waits for.
type Consumer struct {
	Name string
	Seq  int64 // it needs nothing up to here any more
	At   time.Time
}

// SetCursor says, durably, that a consumer needs nothing up to and including seq any more; the first call makes the
// consumer known, and Trim keeps everything behind it. A cursor may go back, to what is still there. One of another inbox is
// refused, as a Config error.
func (i *Inbox) SetCursor(ctx context.Context, of Identity, consumer string, seq int64) error {
	if consumer == "" || len(consumer) > 200 {
		return connector.Configf("Give it a name of 1 to 200 bytes", "a consumer without a fitting name")
	}
	_, err := i.do(ctx, func() (Receipt, error) {
		return Receipt{}, i.w.tx("cursor", func(m *meta) error {
			switch id := Identity(m.id); {
			case of == 0:
				return connector.Configf("Use the client of the receiver's version", "the cursor of %s does not say of which inbox it is: %w", consumer, errCursor)
			case of != id:
				return connector.Configf("Another inbox has taken the place of that one: begin again with what it holds",
					"the cursor of %s is of the inbox %s, and this is %s: %w", consumer, of, id, errCursor)
			case seq < 0 || seq > m.head:
				return connector.Configf("Is it the cursor of another inbox? Start that consumer from the beginning",
					"the cursor %d of %s is not in the inbox, which ends at %d: %w", seq, consumer, m.head, errCursor)
			}
			if err := i.c.exec("INSERT OR REPLACE INTO consumer VALUES (?, ?)", consumer, encodeConsumer(consumer, seq, i.opts.Clock())); err != nil {
				return err
			}
			return i.countConsumers(m)
		})
	})
	return err
}

// DropConsumer forgets a consumer, so that retention no longer waits for it. It is no error if there is none.
func (i *Inbox) DropConsumer(ctx context.Context, consumer string) error {
	_, err := i.do(ctx, func() (Receipt, error) {
		return Receipt{}, i.w.tx("cursor", func(m *meta) error {
			if err := i.c.exec("DELETE FROM consumer WHERE name = ?", consumer); err != nil {
				return err
			}
			return i.countConsumers(m)
		})
	})
	return err
}

func (i *Inbox) countConsumers(m *meta) (err error) {
	m.consumers, err = i.c.number("SELECT count(*) FROM consumer")
	return err
}

func encodeConsumer(name string, seq int64, at time.Time) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(seq))
	return sumFirst(nameID(name), binary.LittleEndian.AppendUint64(b, uint64(at.UnixMilli())))
}

func nameID(name string) int64 { return int64(crc32.Checksum([]byte(name), castagnoli)) }

// consumers lists them by name. One that is damaged is an error: nothing may be trimmed while nobody knows who needs it.
func consumers(ctx context.Context, c *conn, m meta) (list []Consumer, err error) {
	err = c.query(ctx, "SELECT name, data FROM consumer ORDER BY name", func(row []driver.Value) error {
		name, _ := row[0].(string)
		b, ok := checked(nameID(name), row[1])
		if !ok || len(b) != 16 {
			return damagef("the position of consumer %q does not match its checksum", fmt.Sprint(row[0]))
		}
		list = append(list, Consumer{
			Name: name, Seq: int64(binary.LittleEndian.Uint64(b)),
			At: time.UnixMilli(int64(binary.LittleEndian.Uint64(b[8:]))).UTC(),
		})
		return nil
	})
	if err == nil && int64(len(list)) != m.consumers {
		err = damagef("it holds %d consumers and should hold %d", len(list), m.consumers)
	}
	return list, err
}
