package sandbox

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Webhooks says where, how and how badly the service tells of its customers' changes.
type Webhooks struct {
	// Portrait and WriteFlow are the addresses for profile changes with follow-ups, and for follow-ups alone; "": none.
	Portrait  string `json:"portrait_url"`
	WriteFlow string `json:"write_flow_url"`
	Secret    string `json:"secret,omitempty"` // "": WebhookSecret
	// Placement of the signature: PlaceHeader (also ""), PlaceBody or PlaceBoth.
	Placement string `json:"placement"`
	Imports   bool   `json:"imports"`      // imports tell of what they change too
	Chinese   bool   `json:"chinese"`      // labels in Chinese
	Whole     bool   `json:"whole_follow"` // the JSON of a follow-up alone is complete; on the vendor's page it lacks a bracket
	MaxItems  int    `json:"max_items"`    // per request; 0: 50, which is the most
	Vary      bool   `json:"vary"`         // requests of none up to MaxItems items
	Shuffle   bool   `json:"shuffle"`      // items leave in another order than they came
	Repeat    int    `json:"repeat"`       // each so many-th request is sent twice; 0: none
	Attempts  int    `json:"attempts"`     // per request; 0: 3
	// RetryWait is the time before the next attempt; 0: a second.
	RetryWait time.Duration `json:"retry_wait_ns"`
	Queue     int           `json:"queue"` // items that may wait; what comes beyond is dropped and counted; 0: 100,000
	Seed      uint64        `json:"seed"`  // of Vary and Shuffle
	// Client sends the requests; nil: one of the service's own.
	Client *http.Client `json:"-"`
}

// Placements of a signature.
const (
	PlaceHeader = "header"
	PlaceBody   = "body"
	PlaceBoth   = "both"
)

// WebhookSecret signs webhooks unless Webhooks has another one.
const WebhookSecret = "sandbox-webhook-secret"

// The vendor's page: an answer that takes longer counts as none, and a request has 50 items at the most.
const (
	answerIn  = 3 * time.Second
	mostItems = 50
	keepSent  = 1000 // requests that can be sent again on demand
)

func (w Webhooks) withDefaults() Webhooks {
	w.Secret = cmp.Or(w.Secret, WebhookSecret)
	w.Placement = cmp.Or(w.Placement, PlaceHeader)
	if w.MaxItems <= 0 || w.MaxItems > mostItems {
		w.MaxItems = mostItems
	}
	w.Attempts = cmp.Or(w.Attempts, 3)
	w.RetryWait = cmp.Or(w.RetryWait, time.Second)
	w.Queue = cmp.Or(w.Queue, 100_000)
	return w
}

// WebhookTotals counts what the sender did since its start or reset.
type WebhookTotals struct {
	Items     int64 `json:"items"`     // told of
	Dropped   int64 `json:"dropped"`   // of these, because too many waited
	Requests  int64 `json:"requests"`  // that were answered well, repeats left out
	Delivered int64 `json:"delivered"` // items in these
	Repeats   int64 `json:"repeats"`   // requests sent though they had been answered well
	Failures  int64 `json:"failures"`  // attempts that were not answered well, or not within 3 s
	GivenUp   int64 `json:"given_up"`  // items of requests whose last attempt failed; they can be sent again on demand
	Waiting   int   `json:"waiting"`   // items now
}

// parcel is one request: its items, which an attempt signs anew.
type parcel struct {
	flow  bool // USER_WRITE_FLOW
	items []json.RawMessage
	again bool // it is a repeat
}

// sender is the queue and the one goroutine that empties it. The goroutine runs from the first item to Close.
type sender struct {
	client *http.Client // used where Webhooks names none
	tenant int64        // the company that all requests are signed for
	wake   chan struct{}

	mu      sync.Mutex // guards what follows
	opts    Webhooks
	clock   func() time.Time
	random  *rand.Rand
	waiting [2][]json.RawMessage // portrait, write flow
	again   []parcel
	sent    []parcel
	idle    chan struct{} // closed while nothing waits and nothing is on its way
	totals  WebhookTotals
	stop    context.CancelFunc // nil: no goroutine
	done    chan struct{}
	closed  bool
}

func newSender(o Webhooks) *sender {
	t := http.DefaultTransport.(*http.Transport).Clone()
	s := &sender{
		client: &http.Client{Transport: t}, wake: make(chan struct{}, 1), clock: time.Now, idle: make(chan struct{}),
	}
	close(s.idle)
	s.set(o)
	return s
}

// set replaces the options; what waits stays.
func (s *sender) set(o Webhooks) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opts = o.withDefaults()
	s.random = rand.New(rand.NewPCG(o.Seed, 1))
}

func (s *sender) options() Webhooks {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opts
}

func (s *sender) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock()
}

// reset forgets what waits, what was sent and all counts.
func (s *sender) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting, s.again, s.sent, s.totals = [2][]json.RawMessage{}, nil, nil, WebhookTotals{}
}

// tell queues an item for one webhook, if that has an address.
func (s *sender) tell(flow bool, item any) {
	raw, err := json.Marshal(item)
	if err != nil {
		panic(err) // items are made of texts and numbers
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.address(flow) == "" || s.closed {
		return
	}
	s.totals.Items++
	if len(s.waiting[0])+len(s.waiting[1]) >= s.opts.Queue {
		s.totals.Dropped++
		return
	}
	s.waiting[index(flow)] = append(s.waiting[index(flow)], raw)
	s.start()
}

// start makes sure, under the lock, that somebody empties the queue.
func (s *sender) start() {
	select {
	case <-s.idle:
		s.idle = make(chan struct{})
	default:
	}
	if s.stop == nil {
		ctx, cancel := context.WithCancel(context.Background())
		s.stop, s.done = cancel, make(chan struct{})
		go s.run(ctx, s.done)
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *sender) run(ctx context.Context, done chan struct{}) {
	defer close(done)
	for {
		p, ok := s.next()
		switch {
		case ctx.Err() != nil:
			return
		case ok:
			s.deliver(ctx, p)
			continue
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return
		}
	}
}

// next takes the next request out of the queue. Where there is none, it says so to those who wait for that.
func (s *sender) next() (p parcel, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.again) > 0 {
		p, s.again = s.again[0], s.again[1:]
		return p, true
	}
	for _, flow := range [2]bool{false, true} {
		list := &s.waiting[index(flow)]
		if len(*list) == 0 {
			continue
		}
		n := min(len(*list), s.opts.MaxItems)
		if s.opts.Vary {
			if n = min(len(*list), s.random.IntN(s.opts.MaxItems+1)); s.random.IntN(10) == 0 {
				n = 0 // often enough that receivers meet it
			}
		}
		if s.opts.Shuffle {
			s.random.Shuffle(len(*list), func(i, j int) { (*list)[i], (*list)[j] = (*list)[j], (*list)[i] })
		}
		p = parcel{flow: flow, items: append([]json.RawMessage{}, (*list)[:n]...)}
		*list = (*list)[n:]
		return p, true
	}
	select {
	case <-s.idle:
	default:
		close(s.idle)
	}
	return p, false
}

// deliver sends a request until it is answered well, and now and then once more.
func (s *sender) deliver(ctx context.Context, p parcel) {
	o := s.options()
	answered := false
	for attempt := 0; attempt < o.Attempts && !answered && ctx.Err() == nil; attempt++ {
		if attempt > 0 && !wait(ctx, o.RetryWait) {
			return
		}
		answered = s.post(ctx, o, p) == nil
		s.count(func(t *WebhookTotals) {
			if !answered {
				t.Failures++
			}
		})
	}
	repeat := false
	s.count(func(t *WebhookTotals) {
		switch {
		case answered && p.again:
			t.Repeats++
		case answered:
			t.Requests++
			t.Delivered += int64(len(p.items))
			repeat = o.Repeat > 0 && t.Requests%int64(o.Repeat) == 0
		case !p.again:
			t.GivenUp += int64(len(p.items))
		}
		if !p.again {
			s.sent = append(s.sent[max(0, len(s.sent)-keepSent+1):], p)
		}
	})
	if repeat && s.post(ctx, o, p) == nil {
		s.count(func(t *WebhookTotals) { t.Repeats++ })
	}
}

func (s *sender) count(f func(t *WebhookTotals)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.totals)
}

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// address is where a webhook goes, under the lock.
func (s *sender) address(flow bool) string {
	if flow {
		return s.opts.WriteFlow
	}
	return s.opts.Portrait
}

func index(flow bool) int {
	if flow {
		return 1
	}
	return 0
}

// sign is the vendor's access_token. The secret is the key only, whatever the page's prose says.
func sign(secret, tenant, stamp string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(tenant + stamp))
	return hex.EncodeToString(mac.Sum(nil))
}

// redeliver queues the last n requests once more, and says how many those are.
func (s *sender) redeliver(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = min(max(n, 0), len(s.sent))
	if s.closed || n == 0 {
		return 0
	}
	for _, p := range s.sent[len(s.sent)-n:] {
		p.again = true
		s.again = append(s.again, p)
	}
	s.start()
	return n
}

func (s *sender) drain(ctx context.Context) error {
	s.mu.Lock()
	idle := s.idle
	s.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("sandbox: webhooks still wait: %w", ctx.Err())
	}
}

// close ends the goroutine. What waits is not sent.
func (s *sender) close() {
	s.mu.Lock()
	stop, done := s.stop, s.done
	s.stop, s.closed = nil, true
	s.mu.Unlock()
	if stop != nil {
		stop()
		<-done
	}
	s.client.CloseIdleConnections()
}

// credentials of one attempt.
type credentials struct{ tenant, stamp, token string }

func (s *sender) credentials(secret string) credentials {
	c := credentials{tenant: strconv.FormatInt(s.tenant, 10), stamp: strconv.FormatInt(s.now().UnixMilli(), 10)}
	c.token = sign(secret, c.tenant, c.stamp)
	return c
}

var errAnswer = errors.New("sandbox: the webhook was not answered with code 200")
