package wiretest

import (
	"fmt"

	"github.com/sluicehq/sluice/connector"
)

// judge decides whether the states that were given back are right. It is told of every answer before the Reader is.
type judge struct {
	h        Harness
	index    map[string]int    // canonical text of a state → its place in h.States
	seen     int               // emissions judged
	out      []bool            // by state
	rejected map[string][]bool // by stream and settled row
	counted  map[string]int    // rows of a stream that went with a state
}

func newJudge(h Harness) *judge {
	j := &judge{h: h, index: map[string]int{}, out: make([]bool, len(h.States)), rejected: map[string][]bool{}, counted: map[string]int{}}
	for i, s := range h.States {
		j.index[canonical(s.Text)] = i
	}
	return j
}

func (j *judge) settle(stream string, s connector.Settled) {
	base := len(j.rejected[stream])
	j.rejected[stream] = append(j.rejected[stream], make([]bool, s.Rows)...)
	for _, r := range s.Rejected {
		j.rejected[stream][base+r.Row] = true
	}
}

// look judges the emissions that are new.
func (j *judge) look(all []Emission) error {
	for _, e := range all[min(j.seen, len(all)):] {
		j.seen++
		if err := j.one(e); err != nil {
			return err
		}
	}
	return nil
}

func (j *judge) one(e Emission) error {
	at, known := j.index[canonical(e.Text)]
	if !known {
		return fmt.Errorf("a state was given back that the host never sent, or one that has lost a part: %s", e.Text)
	}
	state := j.h.States[at]
	if j.out[at] {
		return fmt.Errorf("a state was given back twice: %s", e.Text)
	}
	j.out[at] = true
	var committed, rejected int64
	for stream, after := range state.After {
		if n := len(j.rejected[stream]); n < after {
			return fmt.Errorf("a state was given back early: %d rows of %s are settled, it stands behind %d: %s", n, stream, after, e.Text)
		}
		for i, earlier := range j.h.States[:at] {
			if _, both := earlier.After[stream]; both && !j.out[i] {
				return fmt.Errorf("a state was given back before an earlier one of %s: %s", stream, e.Text)
			}
		}
		for _, bad := range j.rejected[stream][j.counted[stream]:after] {
			if bad {
				rejected++
			} else {
				committed++
			}
		}
		j.counted[stream] = after
	}
	if e.Committed != committed || e.Rejected != rejected {
		return fmt.Errorf("a state counts %d committed and %d rejected rows, want %d and %d: %s", e.Committed, e.Rejected, committed, rejected, e.Text)
	}
	return nil
}

// complete reports a state that never came back.
func (j *judge) complete() error {
	for i, out := range j.out {
		if !out {
			return fmt.Errorf("a state was never given back: %s", j.h.States[i].Text)
		}
	}
	return nil
}
