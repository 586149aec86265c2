package receiver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// scratch is what a request needs in memory until the inbox has a copy of it.
type scratch struct {
	signed connector.Request
	call   connector.Request // what the body asks for
	list   []string
	header http.Header
	ticket [1]string
	text   []byte
	body   [smallBody]byte
}

const smallBody = 4 << 10

var scratches = sync.Pool{New: func() any { return &scratch{header: http.Header{}} }}

// free gives it back for the next request.
func (s *scratch) free() {
	if cap(s.list) > 1000 {
		s.list = nil
	}
	s.signed, s.call = connector.Request{}, connector.Request{}
	clear(s.list)
	clear(s.header)
	scratches.Put(s)
}

// keptHeaders are the headers that are stored with a request: what decoding and people may need, no credentials.
var keptHeaders = []string{"Content-Type", "Date", "User-Agent", "X-Request-Id"}

func (s *scratch) kept(h http.Header) http.Header {
	for _, name := range keptHeaders {
		if v := h[name]; len(v) > 0 {
			s.header[name] = v[:1]
		}
	}
	return s.header
}

// mark adds the TicketHeader.
func (s *scratch) mark(id short, expires time.Time) {
	s.text = append(hex.AppendEncode(s.text[:0], id[:]), ' ')
	s.ticket[0] = string(strconv.AppendInt(s.text, expires.Unix(), 10))
	s.header[TicketHeader] = s.ticket[:]
}

func (s *scratch) keys(h connector.Hook, body []byte) (list []string, note string) {
	list, note = appendKeys(s.list[:0], h, body)
	s.list = list
	return list, note
}

// keys are the dedupe keys of a body's items. One that cannot be split is one item.
func keys(h connector.Hook, body []byte) (list []string, note string) {
	return appendKeys(nil, h, body)
}

func appendKeys(list []string, h connector.Hook, body []byte) ([]string, string) {
	items, err := h.Split(body)
	if err != nil {
		return nil, "it could not be split into items: " + clip(err.Error())
	}
	for _, item := range items {
		key := "k" + item.Key
		if item.Key == "" {
			sum := sha256.Sum256(item.Bytes)
			key = "h" + hex.EncodeToString(sum[:])
		}
		list = append(list, key)
	}
	return list, ""
}

// patience makes the contexts that end when a request has waited for the inbox long enough. Those of a tenth of a second
// share one, since a timer for each costs more than to wait a little shorter.
type patience struct{ now atomic.Pointer[spell] }

type spell struct {
	ctx   context.Context
	until time.Time // it is handed out so long
}

const spellLasts = 100 * time.Millisecond

func (p *patience) context() context.Context {
	now := time.Now()
	if s := p.now.Load(); s != nil && now.Before(s.until) {
		return s.ctx
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeWithin)
	context.AfterFunc(ctx, cancel)
	p.now.Store(&spell{ctx, now.Add(spellLasts)})
	return ctx
}
