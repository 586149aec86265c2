package echo

import (
	"slices"
	"time"
)

const (
	sentMost  = 8                  // writes remembered for a field
	sentFor   = 7 * 24 * time.Hour // how long; webhooks are not repeated later than that
	lostAfter = 15 * time.Minute   // an unconfirmed write that old is not under way any more: a run ends before that
	passMost  = 24                 // passes of one field of one contact in one direction
	passIn    = 24 * time.Hour
)

// fields is what is known of one contact on one side, by canonical column; members of custom stand as "custom.NAME".
type fields map[string]*field

type field struct {
	Seen *seen  `json:"seen,omitempty"`
	Sent []sent `json:"sent,omitempty"` // the last one is the latest
	// Text is the value itself, the last one seen or sent, of columns that a side demands with every write; "": not known.
	Text string `json:"text,omitempty"`
	// Passes counts what went on from here since the time.
	Passes int   `json:"passes,omitempty"`
	Since  int64 `json:"since,omitempty"` // Unix ms
}

// seen is what a side told.
type seen struct {
	Hash  string `json:"hash"`
	Order int64  `json:"order"`          // among all that is noted in the store
	Made  int64  `json:"made,omitempty"` // Unix ms; 0: the side does not say when
	From  string `json:"from,omitempty"` // the value before
	Run   string `json:"run,omitempty"`  // that has not settled it yet; "": it is settled
	// Refused is the run in which the row that told it was rejected, so that the other side was never given it; "": none.
	Refused string `json:"refused,omitempty"`
}

// sent is a value written to a side.
type sent struct {
	Hash    string `json:"hash"`
	Order   int64  `json:"order"`
	At      int64  `json:"at"`                // Unix ms
	Settled int64  `json:"settled,omitempty"` // Unix ms; 0: not yet
	Run     string `json:"run,omitempty"`     // as seen.Run
	Heard   bool   `json:"heard,omitempty"`   // the side told of it
	Before  string `json:"before,omitempty"`  // what field.Text was
}

// at is the field of that name, a new one if there is none.
func (f fields) at(name string) *field {
	if f[name] == nil {
		f[name] = &field{}
	}
	return f[name]
}

// tidy forgets writes that nothing will ever tell of.
func (f *field) tidy(now time.Time) {
	f.Sent = slices.DeleteFunc(f.Sent, func(s sent) bool { return now.Sub(time.UnixMilli(s.At)) > sentFor })
	if n := len(f.Sent); n > sentMost {
		f.Sent = slices.Delete(f.Sent, 0, n-sentMost)
	}
}

// lastSent returns the latest write, nil if there is none.
func (f *field) lastSent() *sent {
	if f == nil || len(f.Sent) == 0 {
		return nil
	}
	return &f.Sent[len(f.Sent)-1]
}

// holdsAsTarget tells what a side is believed to hold, to the relay that writes there: a write of an earlier run of its
// own that was never settled proves nothing.
func (f *field) holdsAsTarget(run string) (hash string, known bool) {
	if f == nil {
		return "", false
	}
	switch s := f.lastSent(); {
	case f.written():
		return s.Hash, s.Run == "" || s.Run == run
	case f.Seen != nil:
		return f.Seen.Hash, true
	}
	return "", false
}

// holdsAsSource is the same to the relay that reads there: what an earlier run of its own read and never settled is news,
// and so is what was rejected.
func (f *field) holdsAsSource(run string) (hash string, known bool) {
	switch {
	case f == nil:
	case f.written():
		return f.lastSent().Hash, true
	case f.Seen != nil:
		return f.Seen.Hash, f.Seen.Refused == "" && (f.Seen.Run == "" || f.Seen.Run == run)
	}
	return "", false
}

// unknown reports whether nothing is known of the field.
func (f *field) unknown() bool { return f == nil || f.Seen == nil && len(f.Sent) == 0 }

// refused reports whether the last that is known of a side is a value that the other one was not given, as its row was
// rejected.
func (f *field) refused() bool {
	return f != nil && f.Seen != nil && f.Seen.Refused != "" && !f.written()
}

// refusedIn reports whether a value is the last that is known of a side, and was rejected in this run.
func (f *field) refusedIn(run, hash string) bool {
	return f.refused() && f.Seen.Refused == run && f.Seen.Hash == hash
}

// written reports whether the last that is known of a side is what was written there.
func (f *field) written() bool {
	s := f.lastSent()
	return s != nil && (f.Seen == nil || s.Order > f.Seen.Order)
}

// news is a value that a side tells.
type news struct {
	hash, from string
	made       int64 // Unix ms; 0: unknown
}

// of is the news of one field, its values hashed.
func (n news) of(s *store, name, value string) news {
	if n.hash = s.hash(name, value); n.from != "" {
		n.from = s.hash(name, n.from)
	}
	return n
}

// change takes in a change and tells whether it may matter to the other side.
func (f *field) change(n news, run string, order int64) bool {
	match := slices.IndexFunc(f.Sent, func(s sent) bool { return !s.Heard && s.Hash == n.hash })
	if match >= 0 {
		f.Sent[match].Heard = true
	}
	if s := f.Seen; s != nil && (s.Run == "" || s.Run == run) && n.overtaken(s) {
		return false
	}
	if match >= 0 && match < len(f.Sent)-1 {
		return false
	}
	f.Seen = &seen{Hash: n.hash, From: n.from, Made: n.made, Order: order, Run: run}
	return true
}

// overtaken reports whether the change was made before the one that was heard last. Within the same tick of the vendor's
// clock, a change that leads to where the other one began came before it.
func (n *news) overtaken(last *seen) bool {
	switch {
	case n.made == 0 || last.Made == 0:
		return false
	case n.made != last.Made:
		return n.made < last.Made
	}
	return last.From != "" && n.hash == last.From && n.from != last.Hash
}

// state takes in what a state shows that was asked for at a time, and tells whether it may matter to the other side.
func (f *field) state(hash string, asked, now time.Time, run string, order int64) bool {
	for _, s := range f.Sent {
		switch {
		case s.Settled == 0 && now.Sub(time.UnixMilli(s.At)) < lostAfter, s.Settled != 0 && !time.UnixMilli(s.Settled).Before(asked):
			return false
		}
	}
	if holds, known := f.holdsAsSource(run); known && holds == hash {
		return false
	}
	f.Seen = &seen{Hash: hash, Order: order, Run: run}
	return true
}

// settle makes the notes of a run's batch final; orders name them. A value that was rejected before is no news any more
// once it, or one written over it, has landed.
func (f *field) settle(order int64, now time.Time) {
	if f.Seen != nil && f.Seen.Order == order {
		f.Seen.Run, f.Seen.Refused = "", ""
	}
	for i := range f.Sent {
		if s := &f.Sent[i]; s.Order == order {
			s.Run, s.Settled = "", now.UnixMilli()
			if f.Seen != nil && f.Seen.Order < order {
				f.Seen.Refused = ""
			}
		}
	}
}

// refuse notes that what the side told did not reach the other one. The side holds it all the same.
func (f *field) refuse(order int64, run string) {
	if f.Seen != nil && f.Seen.Order == order {
		f.Seen.Run, f.Seen.Refused = "", run
	}
}

// takeBack forgets a write that the side refused.
func (f *field) takeBack(order int64) {
	f.Passes = max(f.Passes-1, 0)
	i := slices.IndexFunc(f.Sent, func(s sent) bool { return s.Order == order })
	switch {
	case i < 0:
		return
	case i+1 < len(f.Sent):
		f.Sent[i+1].Before = f.Sent[i].Before
	case f.written():
		f.Text = f.Sent[i].Before
	}
	f.Sent = slices.Delete(f.Sent, i, i+1)
}

// pass counts a value that goes on from here, and tells whether it still may.
func (f *field) pass(now time.Time) bool {
	if f.Since == 0 || now.Sub(time.UnixMilli(f.Since)) > passIn {
		f.Since, f.Passes = now.UnixMilli(), 0
	}
	f.Passes++
	return f.Passes <= passMost
}
