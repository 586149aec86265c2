package receiver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/inbox"
)

// TicketHeader is the name under which a record keeps the hash of the ticket that it came with and when that expires. No
// sender can set it: only chosen headers of a request are kept.
const TicketHeader = "Sluice-Ticket"

// TokenReuse is the reason of quarantine for a ticket that came with another body before.
const TokenReuse = "token_reuse"

const (
	maxTickets     = 2 << 20
	rememberFor    = 2 * time.Hour // looked back at the start
	rememberNewest = 100_000       // records looked at
)

type short [16]byte

func shorten(b []byte) (s short) {
	sum := sha256.Sum256(b)
	copy(s[:], sum[:])
	return s
}

// ticketID names a ticket at an endpoint. It cannot be turned back into the token.
func ticketID(endpoint string, t connector.Ticket) short {
	var text [256]byte
	b := append(append(text[:0], endpoint...), 0)
	b = append(append(b, t.Tenant...), 0)
	return shorten(append(b, t.Token...))
}

type heldTicket struct {
	body    short
	expires int64 // unix seconds
}

// tickets remembers, for tickets that do not cover the body, which body each came with. There are two generations: a
// ticket is looked for in both and put into the young one; the old one is dropped when all of it has expired.
type tickets struct {
	most int // of one generation

	mu         sync.Mutex
	young, old map[short]heldTicket
	until      [2]int64 // the latest to expire in young, in old
	forgotten  int64    // dropped though fresh
}

func newTickets(most int) *tickets {
	return &tickets{most: max(1, most/2), young: map[short]heldTicket{}, old: map[short]heldTicket{}}
}

// reused remembers the ticket and reports whether it came with another body before.
func (t *tickets) reused(id, body short, expires, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	sec := now.Unix()
	if h, ok := t.young[id]; ok && h.expires >= sec {
		return h.body != body
	}
	if h, ok := t.old[id]; ok && h.expires >= sec {
		return h.body != body
	}
	until := expires.Unix() + 1
	if expires.IsZero() {
		until = sec + int64(rememberFor/time.Second)
	}
	t.turn(sec)
	t.young[id] = heldTicket{body, until}
	t.until[0] = max(t.until[0], until)
	return false
}

// turn makes the young generation the old one if that has expired, or if the young one is full.
func (t *tickets) turn(now int64) {
	full := len(t.young) >= t.most
	if len(t.young) == 0 || t.until[1] >= now && !full {
		return
	}
	if t.until[1] >= now {
		for _, h := range t.old {
			if h.expires >= now {
				t.forgotten++
			}
		}
	}
	t.old, t.young = t.young, map[short]heldTicket{}
	t.until = [2]int64{0, t.until[0]}
}

func (t *tickets) stats() (held int, forgotten int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.young) + len(t.old), t.forgotten
}

// parseMark reads what scratch.mark made.
func parseMark(text string) (id short, expires time.Time, ok bool) {
	name, sec, _ := strings.Cut(text, " ")
	n, err := strconv.ParseInt(sec, 10, 64)
	b, err2 := hex.DecodeString(name)
	if err != nil || err2 != nil || len(b) != len(id) {
		return id, expires, false
	}
	return short(b), time.Unix(n, 0), true
}

// remember fills the memory from the end of the log, before the first request comes in. Records that cannot be read are
// passed over.
func (t *tickets) remember(ctx context.Context, log *inbox.Reader, now time.Time) error {
	head, err := log.Head(ctx)
	if err != nil {
		return err
	}
	floor, err := log.Floor(ctx)
	if err != nil {
		return err
	}
	after := max(floor, head-rememberNewest)
	if after, err = recent(ctx, log, after, head, now.Add(-rememberFor)); err != nil {
		return err
	}
	for more := after < head; more; {
		page, err := log.Read(ctx, inbox.Query{After: after, Head: head, Quarantined: true})
		if err != nil {
			return err
		}
		for i := range page.Records {
			r := &page.Records[i]
			id, expires, ok := parseMark(r.Header().Get(TicketHeader))
			if ok && expires.After(now) && r.Quarantine != TokenReuse && r.Origin == 0 {
				t.reused(id, shorten(r.Body), expires, now)
			}
		}
		after, more = page.Last, page.More
	}
	return nil
}

// recent finds, between two sequences, one behind which all records came in since a time, by halving: records lie nearly
// in the order in which they came in.
func recent(ctx context.Context, log *inbox.Reader, low, high int64, since time.Time) (int64, error) {
	for high-low > 1000 {
		middle := low + (high-low)/2
		page, err := log.Read(ctx, inbox.Query{After: middle - 1, Head: high, Rows: 100, Bytes: 1, Quarantined: true})
		if err != nil {
			return low, err
		}
		if len(page.Records) == 0 || page.Records[0].ReceivedAt.After(since) {
			high = middle
			continue
		}
		low = middle
	}
	return low, nil
}
