package pipeline

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// plainScenario is n batches of ten rows that are all delivered.
func plainScenario(n int) scenario {
	s := scenario{seed: 11, streams: 1, window: 1 << 20, most: -1, queue: 1000}
	for range n {
		s.batches = append(s.batches, 10)
	}
	return s
}

// TestDeadlockAckWaits: rows move on while Ack hangs, and the run ends once it returns.
func TestDeadlockAckWaits(t *testing.T) {
	s := plainScenario(200)
	s.window = 100_000 // far more batches pass than lie in it at once
	var delivered int64
	o := play(t, s, func(j *joint) {
		first := true
		onAck(j, func(ctx context.Context, x connector.Settled, next func(connector.Settled) error) error {
			if first {
				first = false
				<-time.After(time.Hour)
				j.check.mu.Lock()
				for _, r := range j.check.rows {
					if r.closed {
						delivered++
					}
				}
				j.check.mu.Unlock()
			}
			return next(x)
		})
	})
	if o.err != nil || len(o.faults) > 0 {
		t.Fatalf("%v %q", o.err, o.faults)
	}
	if delivered < 1900 {
		t.Errorf("%d of 2000 rows were delivered while Ack hung", delivered)
	}
}

// TestDeadlockOutputWaits: neither a blocked Observe nor a slow disk for rejects holds the rest of the rows up.
func TestDeadlockOutputWaits(t *testing.T) {
	s := plainScenario(50)
	s.vendor, s.slowDisk = 5, time.Minute
	o := play(t, s, func(j *joint) {
		tell := j.Observe
		j.Observe = func(r Report) {
			<-time.After(time.Second)
			tell(r)
		}
	})
	if o.err != nil || len(o.faults) > 0 {
		t.Fatalf("%v %q", o.err, o.faults)
	}
	if o.took > 4*time.Minute {
		t.Errorf("took %v: what gathers while the disk is busy should be written at once", o.took)
	}
}

// TestDeadlockKeyWaits: the writer holds the first batch until a later one has come (a row that waits for another of its
// key, or for its own retry). The window must let the others by.
func TestDeadlockKeyWaits(t *testing.T) {
	s := plainScenario(100)
	s.window = 60_000 // less than all batches, more than what waits for the head
	seen := 0
	o := play(t, s, func(j *joint) {
		var release chan struct{}
		onWrite(j, func(b connector.Batch, done doneFunc, next writeFunc) error {
			seen++
			switch seen {
			case 1:
				release = make(chan struct{})
				return next(b, func(rejected []connector.RowResult, err error) {
					go func() { <-release; done(rejected, err) }()
				})
			case 90:
				close(release)
			}
			return next(b, done)
		})
	})
	if o.err != nil || len(o.faults) > 0 {
		t.Fatalf("%v %q", o.err, o.faults)
	}
}

// TestDeadlockWindowSmallerThanAnyBatch: every batch passes alone, exploded ones too.
func TestDeadlockWindowSmallerThanAnyBatch(t *testing.T) {
	s := mutantScenario()
	s.window, s.explode = 1, 60
	if o := play(t, s, nil); o.err != nil || len(o.faults) > 0 {
		t.Fatalf("%v %q", o.err, o.faults)
	}
}

// hang is a writer whose batches from the third on are answered only when its context ends.
func hang(j *joint, answer func(done doneFunc)) {
	n := 0
	m := &mutantWriter{Writer: j.Writer}
	inner := j.Writer.(*checkedWriter)
	m.write = func(b connector.Batch, done doneFunc, next writeFunc) error {
		if n++; n < 3 {
			return next(b, done)
		}
		b.Rows.Release()
		world := inner.Writer.(*faultyWriter).Writer.(*crm)
		world.busy.Go(func() {
			<-world.work.Done()
			answer(done)
		})
		return nil
	}
	j.Writer = m
}

func TestStopCutsAHungWriterShort(t *testing.T) {
	s := plainScenario(20)
	s.stopAt = 10
	o := play(t, s, func(j *joint) {
		hang(j, func(done doneFunc) { done(nil, errors.New("cut short")) })
	})
	if !errors.Is(o.err, errStopped) || connector.KindOf(o.err) != connector.KindTransient {
		t.Errorf("got %v, want the cause of the stop", o.err)
	}
	if len(o.faults) > 0 {
		t.Errorf("%q", o.faults)
	}
	if o.took < DefaultStopTimeout || o.took > DefaultStopTimeout+time.Second {
		t.Errorf("took %v, want the stop timeout", o.took)
	}
	if o.report.Delivered != 20 || o.report.Left != o.report.Read-20 || o.report.Left < 60 {
		t.Errorf("got %+v, want 20 rows delivered and the rest left", o.report)
	}
	if o.report.Position == nil {
		t.Error("the safe position did not leave")
	}
}

// TestStopDrainsWhatIsInFlight: a writer that is merely slow finishes within the timeout.
func TestStopDrainsWhatIsInFlight(t *testing.T) {
	s := plainScenario(20)
	s.stopAt = 10
	o := play(t, s, nil)
	if !errors.Is(o.err, errStopped) || len(o.faults) > 0 {
		t.Fatalf("%v %q", o.err, o.faults)
	}
	if o.report.Left > 10 || o.report.Delivered < 80 || o.took > DefaultStopTimeout {
		t.Errorf("got %+v after %v", o.report, o.took)
	}
}

// TestStopLeavesAStageBehind: what ignores its context must not keep the program from ending.
func TestStopLeavesAStageBehind(t *testing.T) {
	for _, tt := range []struct {
		name   string
		mutate func(j *joint, hang <-chan struct{})
	}{
		{"writer", func(j *joint, hang <-chan struct{}) {
			onWrite(j, func(b connector.Batch, done doneFunc, next writeFunc) error {
				<-hang
				return next(b, done)
			})
		}},
		{"ack", func(j *joint, hang <-chan struct{}) {
			n := 0
			onAck(j, func(_ context.Context, s connector.Settled, next func(connector.Settled) error) error {
				switch n++; n {
				case 1:
					<-time.After(time.Second) // so that several batches are ready behind it
				case 2:
					<-hang
				}
				_ = next(s) // a reader that does not look at its context
				return nil
			})
		}},
		{"checkpoint", func(j *joint, hang <-chan struct{}) {
			save := j.Checkpoint
			j.Checkpoint = func(ctx context.Context, pos connector.Position) error {
				<-hang
				return save(ctx, pos)
			}
		}},
		{"read", func(j *joint, hang <-chan struct{}) {
			j.Reader = &mutantReader{Reader: j.Reader, read: func(b connector.Batch) connector.Batch {
				<-hang
				return b
			}}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := plainScenario(10)
			var took time.Duration
			play(t, s, func(j *joint) {
				hang := make(chan struct{})
				j.Reader.(*checkedReader).Reader.(*faultyReader).stopAt = 1000
				stop := j.Reader.(*checkedReader).Reader.(*faultyReader).stop
				tt.mutate(j, hang)
				time.AfterFunc(time.Minute, func() { stop(errStopped) })
				start := time.Now()
				j.report = func(r *Report) {
					took = time.Since(start)
					if err := r.Balanced(); err != nil {
						t.Error(err)
					}
					acked := j.check.acked
					close(hang)     // later, the stage goes on ...
					synctest.Wait() // ... and the chain behind it runs down
					<-time.After(time.Hour)
					if j.check.acked > acked+1 { // the one that hung
						t.Errorf("%d acks after the run had returned", j.check.acked-acked)
					}
				}
			})
			if most := time.Minute + 10*time.Second; took < time.Minute || took > most {
				t.Errorf("took %v, want between a minute and %v", took, most)
			}
		})
	}
}

// TestStopSaysWhatHangs: the message names a stage that did not end.
func TestStopSaysWhatHangs(t *testing.T) {
	s := plainScenario(10)
	s.stopAt = 2
	hung := make(chan struct{})
	o := play(t, s, func(j *joint) {
		hung = make(chan struct{})
		onWrite(j, func(b connector.Batch, done doneFunc, next writeFunc) error {
			<-hung
			return next(b, done)
		})
		j.report = func(*Report) { close(hung) }
	})
	if !errors.Is(o.err, errStopped) || connector.KindOf(o.err) != connector.KindInternal || !strings.Contains(o.err.Error(), "did not end") {
		t.Errorf("got %v", o.err)
	}
}

// TestStopBeforeTheStart: nothing is read.
func TestStopBeforeTheStart(t *testing.T) {
	s := plainScenario(5)
	o := play(t, s, func(j *joint) { j.Reader.(*checkedReader).Reader.(*faultyReader).stop(errStopped) })
	if !errors.Is(o.err, errStopped) || o.report.Read != 0 || len(o.faults) > 0 {
		t.Errorf("%v %+v %q", o.err, o.report, o.faults)
	}
}

// TestErrorWithAHungWriter: after an error the drain is bounded too.
func TestErrorWithAHungWriter(t *testing.T) {
	s := plainScenario(20)
	s.failOp, s.failAt = "read", 8
	o := play(t, s, func(j *joint) {
		hang(j, func(done doneFunc) { done(nil, errors.New("gave up")) })
	})
	if !errors.Is(o.err, errInjected) || o.took > DefaultStopTimeout+2*time.Second || len(o.faults) > 0 {
		t.Errorf("%v after %v %q", o.err, o.took, o.faults)
	}
	if o.report.Delivered != 20 || o.report.Left != 50 {
		t.Errorf("got %+v, want 20 delivered and 50 left", o.report)
	}
}

// TestStopLetsTheSettledLeave: a dead letter that is being written when the writer is cancelled still becomes durable,
// and its batch is acked.
func TestStopLetsTheSettledLeave(t *testing.T) {
	s := plainScenario(20)
	s.stopAt, s.vendor, s.slowDisk = 10, 30, DefaultStopTimeout+DefaultStopTimeout/16
	o := play(t, s, func(j *joint) {
		hang(j, func(done doneFunc) { done(nil, context.Canceled) })
	})
	if !errors.Is(o.err, errStopped) || len(o.faults) > 0 {
		t.Fatalf("%v %q", o.err, o.faults)
	}
	if o.report.Rejected == 0 || o.report.Position == nil || o.report.Unacked > 0 {
		t.Errorf("got %+v, want the dead letters durable and their position out", o.report)
	}
}
