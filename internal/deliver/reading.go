package deliver

import (
	"net/http"
	"strconv"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
)

// signal is what a call says about its endpoint rather than about its rows.
type signal uint8

const (
	signalAlive    signal = iota // it answered
	signalThrottle               // it asks for fewer calls
	signalUnheard                // the call never got there
	signalLost                   // the answer never came, or a gateway answered in its place
	signalGarbled                // it answered a success that cannot be read
	signalBusy                   // it answered, and asks to send the whole request again
	signalClock                  // it answered that our clock is wrong
)

// reading is an answer, or its absence, as a verdict.
type reading struct {
	connector.Outcome
	signal signal
	status int
	cause  error // what went wrong where no codec could say; nil after an answer that was read
}

// parser is Codec.ParseResponse or Poller.ParsePoll.
type parser = func(*connector.Response, arrow.Record) (connector.Outcome, error)

// read makes one reading of an answer or a fault. The codec goes first, whatever the status. repeat: a lost call may be
// repeated.
func read(parse parser, repeat bool, url string, resp *connector.Response, f *fault, rec arrow.Record, now time.Time) reading {
	if f != nil {
		return readFault(repeat, f)
	}
	o, err := parse(resp, rec)
	if err != nil {
		return readStatus(repeat, url, resp, err, now)
	}
	r := reading{Outcome: o, status: resp.Status}
	asked := retryAfter(resp, now)
	switch {
	case o.Verdict != connector.VerdictRetry:
	case resp.Status == http.StatusTooManyRequests, resp.Status == http.StatusServiceUnavailable && asked > 0:
		r.Throttled = true
		r.RetryAfter = max(r.RetryAfter, asked)
	}
	switch {
	case !o.Clock.IsZero():
		r.signal = signalClock
	case r.Throttled:
		r.signal = signalThrottle
	case o.Verdict == connector.VerdictRetry && len(o.Rows) == 0:
		if r.signal = signalBusy; resp.Status >= 500 || resp.Status == http.StatusRequestTimeout {
			r.signal = signalLost // the codec knows the answer by its status only, as the chain would
		}
	}
	return r
}

func readFault(repeat bool, f *fault) reading {
	switch {
	case connector.KindOf(f.err) == connector.KindConfig:
		return reading{cause: f.err, Outcome: connector.Outcome{Stop: connector.KindConfig}}
	case f.sent:
		return lost(repeat, f.err)
	}
	return reading{signal: signalUnheard, cause: f.err, Outcome: connector.Outcome{Verdict: connector.VerdictRetry}}
}

// lost is the reading of a reply that never came: nobody knows whether the vendor took the rows.
func lost(repeat bool, cause error) reading {
	r := reading{signal: signalLost, cause: cause, Outcome: connector.Outcome{Verdict: connector.VerdictRetry}}
	if !repeat {
		r.Verdict, r.Message = connector.VerdictAmbiguous, cause.Error()
	}
	return r
}

// readStatus goes by the status where the codec can make nothing of the answer.
func readStatus(repeat bool, url string, resp *connector.Response, parse error, now time.Time) reading {
	cause := unreadable(url, resp, parse)
	asked := retryAfter(resp, now)
	switch s := resp.Status; {
	case connector.KindOf(cause) == connector.KindConfig:
		return reading{cause: cause, Outcome: connector.Outcome{Stop: connector.KindConfig}}
	case s == http.StatusTooManyRequests:
		return reading{signal: signalThrottle, cause: cause,
			Outcome: connector.Outcome{Verdict: connector.VerdictRetry, Throttled: true, RetryAfter: asked}}
	case s == http.StatusServiceUnavailable && asked > 0:
		r := lost(repeat, cause)
		r.signal, r.Throttled, r.RetryAfter = signalThrottle, true, asked
		return r
	case s >= 200 && s < 300:
		r := lost(repeat, cause)
		r.signal = signalGarbled
		return r
	case s >= 500, s == http.StatusRequestTimeout:
		return lost(repeat, cause)
	case s == http.StatusRequestEntityTooLarge:
		return reading{cause: cause, Outcome: connector.Outcome{
			Verdict: connector.VerdictSuspect, Code: connector.CodeTooBig, Message: cause.Error()}}
	}
	return reading{cause: cause, Outcome: connector.Outcome{
		Verdict: connector.VerdictSuspect, Code: "http_" + strconv.Itoa(resp.Status), Message: cause.Error()}}
}

// retryAfter reads the header on the statuses that carry it for us: seconds, or a date by the server's own clock.
func retryAfter(resp *connector.Response, now time.Time) time.Duration {
	if resp.Status != http.StatusTooManyRequests && resp.Status != http.StatusServiceUnavailable {
		return 0
	}
	v := resp.Header.Get("Retry-After")
	if v == "" {
		return 0
	}
	if s, err := strconv.ParseInt(v, 10, 64); err == nil {
		return time.Duration(min(max(s, 0), int64(retryAfterMax/time.Second))) * time.Second
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		now = date
	}
	return min(max(at.Sub(now), 0), retryAfterMax)
}
