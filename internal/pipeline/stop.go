package pipeline

import (
	"errors"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// grace is what a stop gives, after StopTimeout, to what is settled already: its dead letters, its position, its ack.
func (r *run) grace() time.Duration { return r.StopTimeout / 8 }

// supervise waits for the chain. From a stop or the first error on it counts down: StopTimeout for the drain, then the
// writer is cancelled; a grace to write out what is settled, then rejects and acks are cancelled; half a grace more, then
// what still hangs is left behind.
func (r *run) supervise(finished <-chan struct{}) {
	select {
	case <-finished:
		return
	case <-r.reading.Done():
	}
	select {
	case <-finished:
		return
	case <-r.stopped:
		r.log.Info("stopping: what is in flight may still finish", "up_to", r.StopTimeout)
	default:
	}
	if within(finished, r.StopTimeout) {
		return
	}
	r.log.Warn("the time to finish is over: cancelling what is still in flight", "after", r.StopTimeout)
	r.mu.Lock()
	r.forced = true
	r.mu.Unlock()
	r.endWork()
	if within(finished, r.grace()) {
		return
	}
	r.endClose()
	if within(finished, r.grace()/2) {
		return
	}
	r.mu.Lock()
	r.hung = connector.Internalf("This is a defect of the reader, the writer or the rejects: report it",
		"a stage of the run did not end although it was cancelled")
	r.mu.Unlock()
}

// within reports whether done is closed before d has passed.
func within(done <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// finish counts what is left and says how the run ended. rest is what stood in the window.
func (r *run) finish(rest []*Ticket[*flight]) (Report, error) {
	unanswered := 0
	for _, t := range rest {
		if !t.Value.isCounted() {
			r.count.leave(t.Value.rows)
		}
		if t.Value.waits() {
			unanswered++
		}
	}
	report := r.count.final()
	r.mu.Lock()
	err, hung := r.err, r.hung
	r.mu.Unlock()
	stop := r.stopErr()
	switch {
	case err != nil:
	case stop != nil && (!report.Complete || report.Left > 0 || report.Unacked > 0):
		err = fmt.Errorf("the run was stopped: %w", stop)
	case hung != nil: // before the counts, which it explains
	case unanswered > 0:
		err = connector.Internalf("This is a defect of the writer: report it",
			"the writer closed without an answer to %d batches", unanswered)
	case report.Left > 0:
		err = connector.Internalf("This is a defect: report it", "the run ended with %d rows left", report.Left)
	}
	if hung != nil {
		err = errors.Join(err, hung)
	}
	if err != nil {
		report.Complete = false
	}
	if report.Left > 0 {
		r.log.Warn("rows were left: they will be read again by the next run", "rows", report.Left)
	}
	if unbalanced := report.Balanced(); unbalanced != nil {
		err = errors.Join(err, unbalanced)
	}
	return report, err
}
