package sandbox

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// injector decides which faults strike which request. Chances are drawn from the seed, the rule's place and the
// request's number, so they do not depend on how goroutines interleave.
type injector struct {
	seed uint64

	mu      sync.Mutex
	faults  Faults
	counts  []int // by fault: requests seen (Every) or struck (First)
	windows map[rateKey]*window
}

type rateKey struct {
	rule              int
	service, endpoint string
}

type window struct {
	start time.Time
	used  int
}

// plan is what befalls one request.
type plan struct {
	names      string // for the journal
	latency    time.Duration
	stall      time.Duration
	kind       Kind
	status     int
	retryAfter time.Duration
	knobs      []string
}

func newInjector(seed uint64) *injector { return &injector{seed: seed, windows: map[rateKey]*window{}} }

func (in *injector) set(fs Faults) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.faults, in.counts, in.windows = fs, make([]int, len(fs)), map[rateKey]*window{}
}

func (in *injector) current() Faults {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.faults
}

// plan draws the faults of request seq; header, if not empty, names them instead.
func (in *injector) plan(seq int64, rt *route, header string) (plan, error) {
	if header != "" {
		return in.headerPlan(seq, rt, header)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	var p plan
	for i := range in.faults {
		f := &in.faults[i]
		if f.Kind == KindRate || f.Service != "" && f.Service != rt.service || rt.service == "" {
			continue
		}
		strikes := false
		switch {
		case f.Every > 0:
			in.counts[i]++
			strikes = in.counts[i]%f.Every == 0
		case f.First > 0:
			strikes = in.counts[i] < f.First && p.free(f.Kind)
			if strikes {
				in.counts[i]++
			}
		default:
			strikes = unit(mix(in.seed, uint64(i), uint64(seq))) < f.Probability
		}
		if strikes && p.free(f.Kind) {
			p.add(f, mix(in.seed^0x5a5a, uint64(i), uint64(seq)))
		}
	}
	return p, nil
}

func (in *injector) headerPlan(seq int64, rt *route, header string) (plan, error) {
	var p plan
	if header == "none" {
		return p, nil
	}
	fs, err := ParseFaults(header)
	if err != nil {
		return p, err
	}
	for i := range fs {
		f := &fs[i]
		if f.Kind == KindRate || f.Probability != 1 || f.Service != "" && f.Service != rt.service {
			return p, fmt.Errorf("%q cannot be asked of a single request; write a kind and its argument, such as 429@2s", f)
		}
		if !p.free(f.Kind) {
			return p, errors.New("a request takes one fault besides latency and knobs")
		}
		p.add(f, mix(in.seed^0xa5a5, uint64(i), uint64(seq)))
	}
	return p, nil
}

// free reports whether the request can still take a fault of this kind.
func (p *plan) free(k Kind) bool {
	return k == KindLatency || k == KindPartial || p.kind == KindNone
}

func (p *plan) add(f *Fault, random uint64) {
	p.names = joinNames(p.names, f.Kind)
	switch f.Kind {
	case KindLatency:
		p.latency += between(f.Min, f.Max, random)
		return
	case KindPartial:
		p.knobs = append(p.knobs, string(f.Kind))
		return
	case KindStall:
		p.stall = between(f.Min, f.Max, random)
	case KindTooMany:
		p.retryAfter = f.Min
	}
	p.kind, p.status = f.Kind, f.Status
}

// reply is the answer of a fault that answers in the service's place.
func (p *plan) reply() Reply {
	switch p.kind {
	case KindTooMany:
		return tooMany(p.retryAfter)
	case KindHTML:
		return htmlReply(http.StatusOK, "Sign in to continue")
	default:
		return htmlReply(p.status, fmt.Sprintf("%d %s", p.status, http.StatusText(p.status)))
	}
}

// overRate counts the request against every window that covers it and says how long the fullest one lasts.
func (in *injector) overRate(rt *route, now time.Time) (wait time.Duration, over bool) {
	if rt.service == "" {
		return 0, false
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	for i := range in.faults {
		f := &in.faults[i]
		if f.Kind != KindRate || f.Service != "" && f.Service != rt.service {
			continue
		}
		key := rateKey{i, rt.service, rt.endpoint}
		start := now.Truncate(f.Window)
		w := in.windows[key]
		if w == nil || !w.start.Equal(start) {
			w = &window{start: start}
			in.windows[key] = w
		}
		w.used++
		if w.used > f.Limit {
			over = true
			wait = max(wait, start.Add(f.Window).Sub(now))
		}
	}
	return wait, over
}

func (in *injector) traceID(seq int64) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], mix(in.seed, 0x7472616365, uint64(seq)))
	binary.BigEndian.PutUint64(b[8:], mix(in.seed, 0x6964, uint64(seq)))
	return hex.EncodeToString(b[:])
}

// stream returns the random numbers of one request.
func (in *injector) stream(seq int64) func() uint64 {
	var n uint64
	return func() uint64 {
		n++
		return mix(in.seed^n, 0x72616e64, uint64(seq))
	}
}

// mix is splitmix64's finaliser over three words: cheap, and every bit of each matters.
func mix(a, b, c uint64) uint64 {
	x := a
	for _, w := range [...]uint64{b, c} {
		x += 0x9e3779b97f4a7c15 + w
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		x ^= x >> 31
	}
	return x
}

// unit maps a word to [0, 1).
func unit(x uint64) float64 { return float64(x>>11) / (1 << 53) }

func between(low, high time.Duration, random uint64) time.Duration {
	return low + time.Duration(math.Round(unit(random)*float64(high-low)))
}

func joinNames(names string, k Kind) string {
	if names == "" {
		return string(k)
	}
	return names + "+" + string(k)
}

func tooMany(wait time.Duration) Reply {
	r := textReply(http.StatusTooManyRequests, "too many requests")
	if wait > 0 {
		r.Header["Retry-After"] = []string{strconv.FormatInt(int64(math.Ceil(wait.Seconds())), 10)}
	}
	return r
}

func textReply(status int, text string) Reply {
	return Reply{Status: status, Header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, Body: []byte(text + "\n")}
}

func htmlReply(status int, title string) Reply {
	body := "<!DOCTYPE html>\n<html><head><title>" + title + "</title></head><body><h1>" + title + "</h1></body></html>\n"
	return Reply{Status: status, Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}, Body: []byte(body)}
}

// malform makes JSON that no parser takes, whatever it was.
func malform(body []byte) []byte {
	if len(body) == 0 {
		return []byte("{")
	}
	return append(append([]byte(nil), body[:len(body)-1]...), ",}}"...)
}

func asError[T error](err error, target *T) bool { return errors.As(err, target) }
