package sandbox

import (
	"time"

	"github.com/sluicehq/sluice/internal/sandbox"
)

// Rate is how many calls of one interface a company may make within a time; the zero value does not limit them.
type Rate struct {
	Calls int
	Per   time.Duration
}

// limited answers calls beyond the rate with the vendor's code for failures, before anything is looked at.
func (s *Service) limited(endpoint string, h sandbox.Handler) sandbox.Handler {
	if s.opts.Rate.Calls <= 0 {
		return h
	}
	return func(c *sandbox.Call) sandbox.Reply {
		if !s.admit(endpoint+" "+c.Header.Get("tenant_id"), c.Now) {
			return s.refuse(codeFailed, "Request limit exceeded")
		}
		return h(c)
	}
}

// admit counts a call unless as many as are allowed were counted in the time before it.
func (s *Service) admit(key string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	recent := s.calls[key]
	for len(recent) > 0 && now.Sub(recent[0]) >= s.opts.Rate.Per {
		recent = recent[1:]
	}
	ok := len(recent) < s.opts.Rate.Calls
	if ok {
		recent = append(recent, now)
	}
	s.calls[key] = recent
	return ok
}
