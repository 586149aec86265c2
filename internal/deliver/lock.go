package deliver

import "time"

// locking is what a lane knows of a vendor that may refuse, for Limits.SplitAfter, what it has just taken. Such a lock
// matters where a request that was taken in part is bisected: its good rows would meet their own lock. Waiting it out at
// every level is most of a bisection's time, so the lane finds out first: one row of the suspect request is sent alone at
// once. If it passes there is no lock, and the parts go at once; if the vendor asks it to wait there is one.
//
// To be wrong costs time and no row: a locked row waits by itself, and its answer corrects what was thought.
type locking uint8

const (
	lockUnknown locking = iota
	lockSeen            // a row was told to wait
	lockAbsent          // a row of a suspect request was taken when sent at once
)

// learnMost bounds the rows that are sent alone to find out: each may be a bad one, which says nothing.
const learnMost = 8

// splitAt is when the parts of a suspect request may be sent.
func (l *lane) splitAt(now time.Time) time.Time {
	if l.lock == lockAbsent {
		return now
	}
	return now.Add(l.limits.SplitAfter)
}

// wantsToLearn reports whether the next row that is sent alone should go at once, to find out.
func (l *lane) wantsToLearn() bool {
	return l.limits.SplitAfter > 0 && l.lock == lockUnknown && !l.learns && l.lessons < learnMost
}

// learn takes a row out of a suspect request and sends it alone at once, if that is wanted. It returns the others.
func (l *lane) learn(rows []*row) []*row {
	if len(rows) < 2 || !l.wantsToLearn() {
		return rows
	}
	at := len(rows) / 2
	l.teach(rows[at : at+1 : at+1])
	return append(append(make([]*row, 0, len(rows)-1), rows[:at]...), rows[at+1:]...)
}

func (l *lane) teach(one []*row) {
	l.learns = true
	l.lessons++
	l.units = append(l.units, &unit{rows: append([]*row(nil), one...), part: true, learns: true})
}

// learned ends a lesson. What waits for the lock goes at once where there is none; where the row was bad, another is tried.
func (l *lane) learned(s *sorting) {
	l.learns = false
	if s.delivered > 0 && l.lock == lockUnknown {
		l.lock = lockAbsent
		l.setSplits(s.now)
	}
	if l.lock != lockUnknown {
		return
	}
	for _, a := range l.doubt.aside {
		a.rows = l.learn(a.rows)
	}
	for _, u := range l.units {
		if u.split {
			u.rows = l.learn(u.rows)
		}
	}
}

// locked notes that a row was told to wait: parts that are not sent yet wait as well.
func (l *lane) locked(now time.Time) {
	if l.lock == lockSeen || l.limits.SplitAfter == 0 {
		return
	}
	if l.lock == lockAbsent {
		l.setSplits(now.Add(l.limits.SplitAfter))
	}
	l.lock = lockSeen
}

func (l *lane) setSplits(at time.Time) {
	for _, a := range l.doubt.aside {
		a.at = at
	}
	for _, u := range l.units {
		if u.split {
			u.at = at
		}
	}
}
