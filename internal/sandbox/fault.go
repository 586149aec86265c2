package sandbox

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FaultHeader asks for faults on one request, in place of the configured ones: "drop", "429@2s", "latency@5s,drop"; the
// word "none" asks for a request without faults. Rate windows hold all the same.
const FaultHeader = "X-Sandbox-Fault"

// Kind is a kind of fault.
type Kind string

const (
	KindNone             Kind = ""
	KindLatency          Kind = "latency"     // waits before the request takes effect; arg: 50ms or 50ms..200ms
	KindTooMany          Kind = "429"         // refused with 429; arg: Retry-After (1s unless given, 0s: without it)
	KindServerError      Kind = "5xx"         // refused with arg (503 unless given)
	KindHTML             Kind = "html"        // refused with 200 and an HTML page, as a captive proxy does
	KindDropBefore       Kind = "drop-before" // connection closed, nothing took effect
	KindPartial          Kind = "partial"     // the service's own knob: takes some rows and reports the others in its data
	KindStall            Kind = "stall"       // takes effect, then waits arg (60s unless given) before the reply
	KindServerErrorAfter Kind = "5xx-after"   // takes effect, answered with arg (504 unless given)
	KindMalformed        Kind = "malformed"   // takes effect, the reply is not JSON any more
	KindTruncate         Kind = "truncate"    // takes effect, half of the reply, then the connection is closed
	KindDrop             Kind = "drop"        // takes effect, connection closed without a reply
	KindRate             Kind = "rate"        // 429 beyond N requests per window, per service and endpoint: rate=50/60s
)

// Kinds lists every kind, as ParseFaults takes them.
var Kinds = []Kind{
	KindLatency, KindTooMany, KindServerError, KindHTML, KindDropBefore, KindPartial, KindStall, KindServerErrorAfter,
	KindMalformed, KindTruncate, KindDrop, KindRate,
}

// before reports whether the fault keeps the request from taking effect.
func (k Kind) before() bool {
	switch k {
	case KindTooMany, KindServerError, KindHTML, KindDropBefore:
		return true
	}
	return false
}

// Fault is one fault and when it strikes. Exactly one of Probability, Every and First is set, except for KindRate.
type Fault struct {
	Service     string // "" strikes every service
	Kind        Kind
	Probability float64       // of each request, drawn independently
	Every       int           // each n-th request that it could strike
	First       int           // the next n requests that it could strike, then never again
	Min, Max    time.Duration // KindLatency, KindStall: drawn evenly; KindTooMany: Min is Retry-After
	Status      int           // KindServerError, KindServerErrorAfter
	Limit       int           // KindRate: requests per Window
	Window      time.Duration
}

// Faults are tried in order. Of those that strike a request at once the first wins; latency and knobs join any other.
type Faults []Fault

// ParseFaults reads the compact form, a comma list of [service.]kind[@arg][=when]:
//
//	429=5%            one request in twenty, seeded        drop=x3        the next three requests
//	429@2s=every10    each tenth, with Retry-After: 2      5xx@502        always; same as 502
//	latency=50ms..200ms   always; same as latency@50ms..200ms=100%
//	rate=50/60s       50 requests per window of a minute   nxlink.drop=5% one service alone
func ParseFaults(text string) (Faults, error) {
	var fs Faults
	var errs []error
	for _, item := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' }) {
		f, err := parseFault(item)
		if err != nil {
			errs = append(errs, fmt.Errorf("%q: %w", item, err))
			continue
		}
		fs = append(fs, f)
	}
	return fs, errors.Join(errs...)
}

func parseFault(item string) (Fault, error) {
	name, when, hasWhen := strings.Cut(item, "=")
	name, arg, hasArg := strings.Cut(name, "@")
	f := Fault{}
	if service, kind, ok := strings.Cut(name, "."); ok {
		f.Service, name = service, kind
		if service == "" {
			return f, errors.New("no service stands before the dot")
		}
	}
	if n, err := strconv.Atoi(name); err == nil && n >= 500 && n <= 599 && !hasArg {
		name, arg, hasArg = string(KindServerError), name, true // 502=1%: the status alone
	}
	f.Kind = Kind(name)
	if !slices.Contains(Kinds, f.Kind) {
		return f, fmt.Errorf("%q is not a fault; there are %s", name, kindList())
	}
	waits := f.Kind == KindLatency || f.Kind == KindStall
	if waits && hasWhen && !hasArg && !strings.HasSuffix(when, "%") && strings.ContainsAny(when[:min(1, len(when))], "0123456789") {
		arg, hasArg, hasWhen = when, true, false // latency=50ms: the duration alone, always
	}
	if f.Kind == KindRate {
		if hasArg || !hasWhen {
			return f, errors.New("write rate=REQUESTS/WINDOW, such as rate=50/60s")
		}
		return f, f.setRate(when)
	}
	if err := f.setArg(arg, hasArg); err != nil {
		return f, err
	}
	if !hasWhen {
		when = "100%"
	}
	return f, f.setWhen(when)
}

func (f *Fault) setRate(s string) error {
	n, window, ok := strings.Cut(s, "/")
	limit, err := strconv.Atoi(n)
	if !ok || err != nil || limit < 1 {
		return errors.New("write rate=REQUESTS/WINDOW, such as rate=50/60s")
	}
	if window == "s" || window == "m" || window == "h" {
		window = "1" + window
	}
	d, err := time.ParseDuration(window)
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is not a window, such as 60s", window)
	}
	f.Limit, f.Window = limit, d
	return nil
}

func (f *Fault) setArg(arg string, given bool) error {
	switch f.Kind {
	case KindLatency, KindStall:
		if !given {
			if f.Kind == KindLatency {
				return errors.New("say how long, such as latency=50ms..200ms")
			}
			arg = "60s"
		}
		low, high, isRange := strings.Cut(arg, "..")
		if !isRange {
			high = low
		}
		return errors.Join(setDuration(&f.Min, low), setDuration(&f.Max, high), orderOf(f))
	case KindTooMany:
		f.Min = time.Second
		if given {
			return setDuration(&f.Min, arg)
		}
	case KindServerError, KindServerErrorAfter:
		f.Status = 503
		if f.Kind == KindServerErrorAfter {
			f.Status = 504
		}
		if given {
			n, err := strconv.Atoi(arg)
			if err != nil || n < 500 || n > 599 {
				return fmt.Errorf("%q is not a status from 500 to 599", arg)
			}
			f.Status = n
		}
	default:
		if given {
			return fmt.Errorf("%s takes nothing behind @", f.Kind)
		}
	}
	return nil
}

func setDuration(dst *time.Duration, s string) error {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return fmt.Errorf("%q is not a duration, such as 200ms", s)
	}
	*dst = d
	return nil
}

func orderOf(f *Fault) error {
	if f.Max < f.Min {
		return errors.New("the range ends before it starts")
	}
	return nil
}

func (f *Fault) setWhen(s string) error {
	if p, ok := strings.CutSuffix(s, "%"); ok {
		n, err := strconv.ParseFloat(p, 64)
		if err != nil || math.IsNaN(n) || n < 0 || n > 100 {
			return fmt.Errorf("%q is not a share from 0%% to 100%%", s)
		}
		f.Probability = n / 100
		return nil
	}
	dst, digits := &f.Every, strings.TrimPrefix(s, "every")
	if digits == s {
		dst, digits = &f.First, strings.TrimPrefix(s, "x")
	}
	n, err := strconv.Atoi(digits)
	if digits == s || err != nil || n < 1 {
		return fmt.Errorf("%q does not say when; write 5%%, every10 (each tenth) or x3 (the next three)", s)
	}
	*dst = n
	return nil
}

// String writes the fault as ParseFaults reads it.
func (f Fault) String() string {
	var b strings.Builder
	if f.Service != "" {
		b.WriteString(f.Service + ".")
	}
	b.WriteString(string(f.Kind))
	switch f.Kind {
	case KindRate:
		fmt.Fprintf(&b, "=%d/%s", f.Limit, f.Window)
		return b.String()
	case KindLatency, KindStall:
		fmt.Fprintf(&b, "@%s..%s", f.Min, f.Max)
	case KindTooMany:
		fmt.Fprintf(&b, "@%s", f.Min)
	case KindServerError, KindServerErrorAfter:
		fmt.Fprintf(&b, "@%d", f.Status)
	}
	switch {
	case f.Every > 0:
		fmt.Fprintf(&b, "=every%d", f.Every)
	case f.First > 0:
		fmt.Fprintf(&b, "=x%d", f.First)
	default:
		fmt.Fprintf(&b, "=%s%%", strconv.FormatFloat(f.Probability*100, 'f', -1, 64))
	}
	return b.String()
}

// String writes the faults as ParseFaults reads them.
func (fs Faults) String() string {
	parts := make([]string, len(fs))
	for i, f := range fs {
		parts[i] = f.String()
	}
	return strings.Join(parts, ",")
}

// check refuses faults of services that are not there.
func (fs Faults) check(services []string) error {
	for _, f := range fs {
		if f.Service != "" && !slices.Contains(services, f.Service) {
			return fmt.Errorf("the fault %q is for a service that this sandbox does not have; it has %s", f, quoteList(services))
		}
	}
	return nil
}

func kindList() string {
	names := make([]string, len(Kinds))
	for i, k := range Kinds {
		names[i] = string(k)
	}
	return quoteList(names)
}
