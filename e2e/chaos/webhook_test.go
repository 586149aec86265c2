//go:build chaos

package chaos

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// hookAccounts share the load: a signature of the vendor covers company and millisecond, so one account can sign a
	// thousand different bodies a second for as long as it likes, and no more.
	hookAccounts = 4
	hookWindow   = time.Hour // of signatures, the longest that the receiver allows
	mostItems    = 50
)

// hookAccount is one sender of webhooks. Every repeat is signed anew, as the vendor does it.
type hookAccount struct {
	tenant, secret, path string

	mu    sync.Mutex
	stamp int64
}

// oldestStamp is the earliest millisecond that requests sent in the next minutes may be signed at.
func oldestStamp() int64 { return time.Now().Add(-hookWindow + 5*time.Minute).UnixMilli() }

func (a *hookAccount) header() http.Header {
	a.mu.Lock()
	a.stamp = max(a.stamp+1, oldestStamp()) // a long run must not fall out of the window behind
	stamp := strconv.FormatInt(a.stamp, 10)
	a.mu.Unlock()
	mac := hmac.New(sha256.New, []byte(a.secret))
	_, _ = io.WriteString(mac, a.tenant+stamp)
	return http.Header{
		"tenant_id": {a.tenant}, "timestamp": {stamp}, "access_token": {hex.EncodeToString(mac.Sum(nil))}, "Content-Type": {"application/json"},
	}
}

// delivery is one request: n items from first on, which nobody sent before, and maybe one that came with an earlier one.
type delivery struct {
	account   int
	first, n  int
	earlier   int // an item, or -1
	callback  string
	acked     bool
	abandoned bool // an attempt ended without an answer, and it is not sent again
}

// hookSenders sends webhooks over several connections and keeps the log of what was acknowledged.
type hookSenders struct {
	t        *testing.T
	accounts [hookAccounts]*hookAccount
	client   *http.Client
	callback string // where every third request wants to be confirmed; "": none does

	mu       sync.Mutex
	cond     *sync.Cond // of url and closed
	url      string     // "" while no receiver runs
	closed   bool       // nothing new is sent
	list     []delivery
	items    int
	acks     int // answers that acknowledge, repeats included
	repeats  int // of these, for what had been acknowledged
	refused  int // answers that ask for another attempt
	cut      int // attempts that had no answer
	watchers []*watcher
	work     sync.WaitGroup
}

// watcher is told when so many acknowledgements, or refusals in a row, were counted.
type watcher struct {
	want, left int
	refusal    bool
	done       chan struct{}
}

func newHookSenders(t *testing.T) *hookSenders {
	s := &hookSenders{t: t, client: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	s.cond = sync.NewCond(&s.mu)
	for i := range s.accounts {
		path := sha256.Sum256(fmt.Appendf(nil, "%s %d", t.Name(), i))
		s.accounts[i] = &hookAccount{
			tenant: strconv.Itoa(82 + i), secret: fmt.Sprintf("the-secret-of-sender-%d", i), path: hex.EncodeToString(path[:20]),
			stamp: oldestStamp(),
		}
	}
	t.Cleanup(s.client.CloseIdleConnections)
	return s
}

// config is the receiver's file. The limit of requests per source is off: all senders share one address.
func (s *hookSenders) config(inbox string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "listen: 127.0.0.1:0\nadmin: {listen: \"127.0.0.1:0\"}\ninbox: {dir: %q}\nlimits: {requests_per_second_per_source: -1}\n", inbox)
	if s.callback != "" {
		fmt.Fprintf(&b, "allow_private_hosts: true\ncallback_hosts: [%q]\n", strings.TrimPrefix(s.callback, "http://"))
	}
	b.WriteString("accounts:\n")
	for i, a := range s.accounts {
		fmt.Fprintf(&b, "  - name: sender%d\n    crm: {socialepoch: {tenant_id: %s, webhook_secrets: [%q], signature_window: %d}}\n    webhooks: {user_sync_portrait: %q}\n",
			i, a.tenant, a.secret, int(hookWindow.Seconds()), a.path)
	}
	return []byte(b.String())
}

// hookItem is the text of an item, the same each time.
func hookItem(i int) string {
	return fmt.Sprintf(`{"id":"e-%d","type":1,"friendWhatsId":"86138%08d","field":"Name","fieldType":0,"targetValue":"%08x"}`, i, i%100_000, uint32(i)*2654435761)
}

func (d *delivery) body() []byte {
	var list []string
	if d.earlier >= 0 {
		list = append(list, hookItem(d.earlier))
	}
	for i := range d.n {
		list = append(list, hookItem(d.first+i))
	}
	if d.callback != "" {
		return []byte(`{"callBackUrl":"` + d.callback + `","data":[` + strings.Join(list, ",") + `]}`)
	}
	return []byte(`{"data":[` + strings.Join(list, ",") + `]}`)
}

// start lets n connections send until drain.
func (s *hookSenders) start(n int, seed uint64) {
	for i := range n {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		s.work.Go(func() {
			for {
				k, ok := s.next(rng)
				if !ok {
					return
				}
				s.deliver(k, rng)
			}
		})
	}
}

// drain lets what is being delivered come through and sends nothing new.
func (s *hookSenders) drain() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.work.Wait()
	s.mu.Lock()
	s.closed = false
	s.mu.Unlock()
}

// at says where the receiver is; "": nowhere.
func (s *hookSenders) at(url string) {
	s.mu.Lock()
	s.url = url
	s.mu.Unlock()
	s.cond.Broadcast()
}

// next chooses what to send: one time in twenty what was sent before.
func (s *hookSenders) next(rng *rand.Rand) (k int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, false
	}
	if len(s.list) > 0 && rng.IntN(20) == 0 {
		if k := rng.IntN(len(s.list)); !s.list[k].abandoned { // what was given up stays so: it shows what a crash leaves behind
			return k, true
		}
	}
	return s.fresh(rng), true
}

// fresh makes a request that nobody sent before; the lock is held.
func (s *hookSenders) fresh(rng *rand.Rand) int {
	d := delivery{account: len(s.list) % hookAccounts, first: s.items, n: 1 + rng.IntN(3), earlier: -1}
	if rng.IntN(10) == 0 {
		d.n = 1 + rng.IntN(mostItems)
	}
	if len(s.list) >= hookAccounts && rng.IntN(50) == 0 {
		old := rng.IntN(len(s.list)/hookAccounts)*hookAccounts + d.account // of the same account
		if s.list[old].acked {
			d.earlier = s.list[old].first
		}
	}
	d.n = min(d.n, mostItems-1)
	if len(s.list)%3 == 0 {
		d.callback = s.callback
	}
	s.items += d.n
	s.list = append(s.list, d)
	return len(s.list) - 1
}

// deliver sends until it is acknowledged. Where a kill took the answer, half of the requests are given up.
func (s *hookSenders) deliver(k int, rng *rand.Rand) {
	for {
		s.mu.Lock()
		for s.url == "" {
			s.cond.Wait()
		}
		url := s.url
		s.mu.Unlock()
		switch acked, answered := s.once(k, url); {
		case acked:
			return
		case !answered && rng.IntN(2) == 0 && s.abandon(k):
			return
		case answered: // refused: a moment later
			timer := time.NewTimer(2 * time.Millisecond)
			<-timer.C
		}
	}
}

func (s *hookSenders) abandon(k int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list[k].abandoned = !s.list[k].acked
	return true
}

// once makes one attempt. An answer is an acknowledgement or asks for another attempt; any other fails the test.
func (s *hookSenders) once(k int, url string) (acked, answered bool) {
	s.mu.Lock()
	d := s.list[k]
	s.mu.Unlock()
	a := s.accounts[d.account]
	req, err := http.NewRequest(http.MethodPost, url+"/hooks/socialepoch/user_sync_portrait/"+a.path, bytes.NewReader(d.body()))
	if err != nil {
		s.t.Error(err)
		return false, false
	}
	req.Header = a.header()
	resp, err := s.client.Do(req)
	var text []byte
	if err == nil {
		text, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
		s.cut++
		return false, false
	case resp.StatusCode == http.StatusOK && bytes.Contains(text, []byte(`"code":200`)):
		s.acks++
		if s.list[k].acked {
			s.repeats++
		}
		s.list[k].acked = true
		s.tell(false)
		return true, true
	case resp.StatusCode == http.StatusOK && bytes.Contains(text, []byte(`"code":500`)):
		s.refused++
		s.tell(true)
		return false, true
	}
	s.t.Errorf("an honest request was answered with %d %s", resp.StatusCode, text)
	return false, true
}

// tell counts for the watchers; the lock is held.
func (s *hookSenders) tell(refusal bool) {
	s.watchers = slices.DeleteFunc(s.watchers, func(w *watcher) bool {
		if w.refusal != refusal {
			if w.refusal {
				w.left = w.want // they must come in a row
			}
			return false
		}
		w.left--
		if w.left <= 0 {
			close(w.done)
		}
		return w.left <= 0
	})
}

// after returns a channel that is closed after n more acknowledgements, or n refusals in a row.
func (s *hookSenders) after(n int, refusal bool) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &watcher{want: max(1, n), left: max(1, n), refusal: refusal, done: make(chan struct{})}
	s.watchers = append(s.watchers, w)
	return w.done
}
