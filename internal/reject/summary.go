package reject

import (
	"cmp"
	"slices"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// Summary counts the entries of a directory that fit a filter.
type Summary struct {
	Total   int64         `json:"total"`
	Open    int64         `json:"open"`    // without a mark
	Damaged int           `json:"damaged"` // lines that cannot be read, whatever the filter
	Files   int           `json:"files"`
	Bytes   int64         `json:"bytes"`
	Codes   []CodeSummary `json:"codes"` // the most frequent first
}

// CodeSummary counts the entries of one code.
type CodeSummary struct {
	Code        string       `json:"code"`
	Total       int64        `json:"total"`
	Open        int64        `json:"open"`
	First       time.Time    `json:"first"`
	Last        time.Time    `json:"last"`
	Streams     []string     `json:"streams"`
	Keys        []string     `json:"keys"` // a few
	Message     string       `json:"message"`
	Explanation *Explanation `json:"explanation,omitempty"`
}

const keysPerCode = 5

// Summarise counts the entries that fit.
func (d *Dir) Summarise(f Filter) (Summary, error) {
	s := Summary{Codes: []CodeSummary{}}
	files, err := d.files()
	if err != nil {
		return s, connector.Configf("Check the folder's permissions", "the rejects folder cannot be read: %w", err)
	}
	for _, f := range files {
		s.Files++
		s.Bytes += f.size
	}
	index := map[string]int{}
	s.Damaged, err = d.Each(f, func(e Entry) error {
		i, ok := index[e.Code]
		if !ok {
			i = len(s.Codes)
			index[e.Code] = i
			s.Codes = append(s.Codes, CodeSummary{Code: e.Code, First: e.Time, Message: e.Message, Explanation: e.Explanation})
		}
		s.Codes[i].add(&e)
		s.Total++
		if e.Mark == "" {
			s.Open++
		}
		return nil
	})
	slices.SortStableFunc(s.Codes, func(a, b CodeSummary) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Code, b.Code))
	})
	return s, err
}

func (c *CodeSummary) add(e *Entry) {
	c.Total++
	if e.Mark == "" {
		c.Open++
	}
	if e.Time.Before(c.First) {
		c.First = e.Time
	}
	if e.Time.After(c.Last) {
		c.Last = e.Time
	}
	if !slices.Contains(c.Streams, e.Stream) {
		c.Streams = append(c.Streams, e.Stream)
	}
	if e.Key != "" && len(c.Keys) < keysPerCode && !slices.Contains(c.Keys, e.Key) {
		c.Keys = append(c.Keys, e.Key)
	}
}
