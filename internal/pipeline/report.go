package pipeline

import (
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/sluicehq/sluice/connector"
)

// ErrRejectLimit is wrapped by Run's error when Config.MaxRejects or Config.MaxRejectRatio was exceeded.
var ErrRejectLimit = errors.New("too many rows were rejected")

// Report counts the input rows of a run. Its maps are the caller's.
type Report struct {
	Read      int64 `json:"read"`
	Delivered int64 `json:"delivered"`
	Filtered  int64 `json:"filtered"` // left out by the user's mapping, skipped streams included
	Rejected  int64 `json:"rejected"` // their dead letters are durable
	// Left rows were read but not settled: the run was stopped, or failed. The next run reads them again.
	Left int64 `json:"left"`
	// Unacked rows are settled and counted above, but their position did not leave: they stand behind rows that were left,
	// or the batch was cut by the limit. The next run reads them again too.
	Unacked int64 `json:"unacked"`
	Batches int64 `json:"batches"` // settled

	Codes   map[string]int64    `json:"codes,omitempty"`   // rejected rows by code
	Samples map[string][]string `json:"samples,omitempty"` // up to five keys of rejected rows by code
	Skipped map[string]int64    `json:"skipped,omitempty"` // rows by skipped stream; part of Filtered

	// Complete: the input was known to be complete and everything in it is settled.
	Complete bool `json:"complete"`
	// Position is the last one that the Reader was told is safe.
	Position connector.Position `json:"position,omitempty"`
}

// Balanced returns an error unless every row that was read is accounted for exactly once.
func (r Report) Balanced() error {
	if r.Read == r.Delivered+r.Filtered+r.Rejected+r.Left {
		return nil
	}
	return connector.Internalf("This is a defect: report it with the log",
		"the counts do not add up: %d rows read, but %d delivered, %d filtered, %d rejected and %d left",
		r.Read, r.Delivered, r.Filtered, r.Rejected, r.Left)
}

const (
	samplesPerCode = 5
	// codesAtMost bounds the tables of a vendor that puts a number of its own into each code.
	codesAtMost = 256
	codeOther   = "other"
	// ratioFrom is the number of rows from which MaxRejectRatio counts: a bad start of a file must not end its run.
	ratioFrom = 1000
)

// counter is the report in the making.
type counter struct {
	mu    sync.Mutex
	total Report
	acked int64 // rows
}

func newCounter() *counter {
	return &counter{total: Report{Codes: map[string]int64{}, Samples: map[string][]string{}, Skipped: map[string]int64{}}}
}

func (c *counter) read(rows int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total.Read += int64(rows)
}

func (c *counter) leave(rows int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total.Left += int64(rows)
}

func (c *counter) complete() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total.Complete = true
}

// settle counts a flight and says whether that exceeds the limits.
func (c *counter) settle(f *flight, rejected []connector.RowResult, most *int64, ratio float64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &c.total
	t.Batches++
	t.Filtered += int64(f.left)
	t.Rejected += int64(len(rejected))
	t.Delivered += int64(f.rows - f.left - len(rejected))
	if f.dropped {
		t.Skipped[f.stream] += int64(f.rows)
	}
	for _, v := range rejected {
		t.Codes[c.code(v.Code)]++
	}
	if len(rejected) == 0 {
		return nil
	}
	if most != nil && t.Rejected > *most {
		return connector.Configf("Look at the rejected rows and mend the cause, or raise `max_rejects`",
			"%w: %d, and `max_rejects` allows %d", ErrRejectLimit, t.Rejected, *most)
	}
	if n := t.Delivered + t.Rejected; ratio > 0 && n >= ratioFrom && float64(t.Rejected) > ratio*float64(n) {
		return connector.Configf("Look at the rejected rows and mend the cause, or raise `max_reject_ratio`",
			"%w: %d of %d, and `max_reject_ratio` allows %g", ErrRejectLimit, t.Rejected, n, ratio)
	}
	return nil
}

// code returns the name under which a code is counted. The lock is held.
func (c *counter) code(code string) string {
	if _, known := c.total.Codes[code]; !known && len(c.total.Codes) >= codesAtMost {
		return codeOther
	}
	return code
}

func (c *counter) sample(code, key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	code = c.code(code)
	if list := c.total.Samples[code]; key != "" && len(list) < samplesPerCode && !slices.Contains(list, key) {
		c.total.Samples[code] = append(list, key)
	}
}

func (c *counter) ack(f *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acked += int64(f.rows)
	if f.pos != nil {
		c.total.Position = f.pos
	}
}

// snapshot is the report so far, without samples.
func (c *counter) snapshot() Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.total
	t.Codes, t.Skipped, t.Samples = maps.Clone(t.Codes), maps.Clone(t.Skipped), nil
	t.Unacked = t.Delivered + t.Filtered + t.Rejected - c.acked
	t.Complete = false // not before the end
	return t
}

// final is the report of the run as it ended.
func (c *counter) final() Report {
	t := c.snapshot()
	c.mu.Lock()
	defer c.mu.Unlock()
	t.Complete = c.total.Complete
	t.Samples = make(map[string][]string, len(c.total.Samples))
	for code, keys := range c.total.Samples {
		t.Samples[code] = slices.Clone(keys)
	}
	return t
}
