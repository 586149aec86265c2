package pipeline

import "time"

// observer tells Config.Observe of progress, from a goroutine of its own, so that a slow or blocked terminal never holds
// a row up: while one call runs, the changes behind it gather into one.
type observer struct {
	tell  func(Report)
	touch func()
	last  chan Report
	done  chan struct{}
}

// newObserver starts it; tell may be nil. tell must not panic.
func newObserver(tell func(Report), snapshot func() Report) *observer {
	o := &observer{tell: tell, touch: func() {}}
	if tell == nil {
		return o
	}
	changed := make(chan struct{}, 1)
	o.last, o.done = make(chan Report, 1), make(chan struct{})
	o.touch = func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	go func() {
		defer close(o.done)
		for {
			select {
			case report := <-o.last:
				tell(report)
				return
			case <-changed:
				tell(snapshot())
			}
		}
	}()
	return o
}

// close tells the final report and waits for the call's end, though not longer than patience.
func (o *observer) close(report Report, patience time.Duration) {
	if o.tell == nil {
		return
	}
	o.last <- report
	within(o.done, patience)
}
