package deliver

import (
	"fmt"
	"log/slog"
	"math"
	"time"

	"golang.org/x/time/rate"

	"github.com/sluicehq/sluice/connector"
)

// failuresToStop is how many failed calls in a row, with no answer in between, make an endpoint count as down. One or
// two happen on a bad line while the other calls still pass.
const failuresToStop = 3

// sayAgain is how long the log keeps quiet about an endpoint that it has spoken of.
const sayAgain = time.Minute

// governor decides when one endpoint may be called. Two gates in series: a pacer (calls a second) and an in-flight
// limit. A signal to slow down stops the endpoint and not a worker: the slot is given back before anything waits. After
// a stop one call goes alone, and only its success opens the endpoint again.
//
// It has no goroutine and no lock: that of the Writer or Caller covers it.
type governor struct {
	endpoint string
	pacer    *rate.Limiter // nil: no rate is known
	slots    int
	inFlight int

	until     time.Time // no call before
	asked     time.Time // likewise, as far as the other side asked for fewer calls
	stoppedAt time.Time // when the last stop began: answers to earlier calls say nothing new
	alone     bool      // since a stop no call has succeeded: one at a time
	wait      *fullJitter

	failures int       // failed calls since the last success
	failing  time.Time // when the first of them failed
	said     time.Time // when the log last spoke of it
}

func newGovernor(endpoint string, perSecond float64, slots int) *governor {
	g := &governor{endpoint: endpoint, slots: max(slots, 1), wait: newFullJitter()}
	if perSecond > 0 {
		g.pacer = rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond/10)))
	}
	return g
}

// ready tells whether a call may start now; if only time is missing, wake is when to ask again.
func (g *governor) ready(now time.Time) (ok bool, wake time.Time) {
	if g.inFlight >= g.slots || (g.alone && g.inFlight > 0) {
		return false, time.Time{} // the end of a call asks again
	}
	if now.Before(g.until) {
		return false, g.until
	}
	if g.pacer != nil {
		if missing := 1 - g.pacer.TokensAt(now); missing > 1e-9 {
			wait := time.Duration(math.Ceil(missing / float64(g.pacer.Limit()) * float64(time.Second)))
			return false, now.Add(max(wait, time.Microsecond))
		}
	}
	return true, time.Time{}
}

// take starts a call; ready has just said yes.
func (g *governor) take(now time.Time) {
	g.inFlight++
	if g.pacer != nil {
		g.pacer.ReserveN(now, 1)
	}
}

// release ends a call, before anything that follows from it waits.
func (g *governor) release() { g.inFlight-- }

// succeeded notes an answer to a call that began at the given time.
func (g *governor) succeeded(began time.Time) {
	g.failures, g.failing = 0, time.Time{}
	if began.Before(g.stoppedAt) {
		return // it passed before the stop; the stop stands
	}
	g.alone = false
	g.wait.Reset()
}

// failed notes a call that did not get through and returns for how long none has. stop: the signal is about the
// endpoint (a throttle, a closed port) and halts it at once. asked is the vendor's own wait, 0 if it named none.
func (g *governor) failed(began, now time.Time, asked time.Duration, stop bool) (down time.Duration) {
	if g.failures++; g.failures == 1 {
		g.failing = now
	}
	if stop || g.failures >= failuresToStop {
		g.stop(began, now, asked)
	}
	return now.Sub(g.failing)
}

// stop halts the endpoint: for what the vendor asks, else for a random time that grows with each stop in a row.
func (g *governor) stop(began, now time.Time, asked time.Duration) {
	if asked = min(asked, retryAfterMax); asked > 0 {
		g.halt(now, now.Add(asked))
		return
	}
	if began.Before(g.stoppedAt) {
		return // calls that were already out when the endpoint stopped are one signal, not many
	}
	g.halt(now, now.Add(g.wait.NextBackOff()))
}

// pause is a wait that the vendor asked for in an answer that is otherwise fine.
func (g *governor) pause(now time.Time, asked time.Duration) {
	if until := now.Add(min(asked, retryAfterMax)); until.After(g.until) {
		g.until = until
	}
}

func (g *governor) halt(now, until time.Time) {
	if until.After(g.until) {
		g.until = until
	}
	g.stoppedAt, g.alone = now, true
}

// hear takes in what a call says of its endpoint. free: the call costs its rows no send. An error ends the run: the
// endpoint has been down for too long, or every further call would leave rows in doubt.
func (g *governor) hear(r *reading, began, now time.Time, c *Config) (free bool, err error) {
	down := time.Duration(0)
	switch r.signal {
	case signalClock:
	case signalAlive:
		g.succeeded(began)
		if r.RetryAfter > 0 {
			g.pause(now, r.RetryAfter)
		}
	case signalThrottle:
		if r.Verdict == connector.VerdictDelivered || r.Verdict == connector.VerdictPending { // it took the rows, and wants a rest
			g.succeeded(began)
			g.stop(began, now, r.RetryAfter)
			break
		}
		free = true
		down = g.failed(began, now, r.RetryAfter, true)
	case signalUnheard:
		free = true
		down = g.failed(began, now, 0, true)
	case signalLost, signalGarbled:
		free = r.signal == signalLost && g.failures > 0
		down = g.failed(began, now, 0, false)
	case signalBusy:
		down = g.failed(began, now, r.RetryAfter, r.RetryAfter > 0)
	}
	if g.alone && now.Sub(g.said) >= sayAgain {
		g.said = now
		c.Log.Warn("the CRM does not take calls at the moment", slog.String("endpoint", g.endpoint), slog.Any("cause", r.why()))
	}
	what := ""
	switch {
	case down >= c.OutageLimit:
		what = "the CRM has taken no call for " + down.Round(time.Second).String()
	case r.Verdict == connector.VerdictAmbiguous && g.failures >= c.MaxAttempts:
		// Each more would cost rows that nobody can say of whether they were taken.
		what = fmt.Sprintf("the answers to %d calls in a row were lost, and these calls must not be repeated", g.failures)
	default:
		return free, nil
	}
	return free, &connector.Error{
		Kind: connector.KindTransient, Err: r.why(), What: what,
		Fix: "Run again when the CRM is back, it goes on behind what is settled",
	}
}
