package airbyte

import (
	"bytes"
	"strings"
)

// state hands a state to the ledger, behind the rows read so far.
func (r *reader) state(env *envelope) error {
	if env.state == nil {
		return r.broken("is a STATE without a state")
	}
	of, err := scopeOf(env.state)
	if err != nil {
		return r.broken("holds a state that cannot be read: " + rootCause(err).Error())
	}
	queues, mine, name := r.queues, &r.tally, "all"
	read := int64(0)
	if s := r.find([]byte(of.namespace), []byte(of.name)); s != nil && of.one {
		queues, mine, name = []*queue{&s.queue}, &s.tally, s.name
	}
	for _, q := range queues {
		read += q.read
	}
	if came, differs := mine.compare(read, of.told); differs {
		r.set.log.Warn("a state counts otherwise than what came before it: records were lost or doubled between source and destination, or the source miscounts. "+
			"What came is taken; compare it with the source's log of this sync", "stream", name, "source_says", of.told, "came", came, "line", r.src.Line())
	}
	r.kept += r.ledger.addState(bytes.Clone(env.state), queues)
	return nil
}

// tally holds what a source says that it emitted since the state before against what came. Where they differ the host finds
// a checksum wrong later and cannot say why.
type tally struct {
	stated int64 // rows when the last state came
	warned bool
}

// compare takes the rows read so far, and the count that the state carries: below 0 it carries none. It returns how many
// came since the state before, and whether that differs for the first time.
func (t *tally) compare(read int64, told float64) (came int64, differs bool) {
	came = read - t.stated
	t.stated = read
	if told < 0 || told == float64(came) || t.warned {
		return came, false
	}
	t.warned = true
	return came, true
}

func (r *reader) trace(raw []byte) {
	t, ok := statusOf(raw)
	if !ok {
		return
	}
	if s := r.find([]byte(t.namespace), []byte(t.name)); s != nil {
		s.status = strings.ToUpper(t.status)
	}
}
