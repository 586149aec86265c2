package sandbox

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/sluicehq/sluice/internal/sandbox"
)

// registerSource registers the query and the admin routes of the webhooks.
//
//	POST /_sandbox/socialepoch/change      a Change
//	GET  /_sandbox/socialepoch/webhooks    WebhookTotals
//	POST /_sandbox/socialepoch/webhooks    Webhooks: takes their place from now on
//	POST /_sandbox/socialepoch/redeliver   {"last": N}: sends the last N requests once more
func (s *Service) registerSource(mux *sandbox.Mux) {
	s.sender.mu.Lock()
	s.sender.clock = mux.Clock()
	s.sender.mu.Unlock()
	mux.Handle("POST /wscrm-bus-api/open/customer/query", "query", s.queryFriends)
	const admin, endpoint = "/_sandbox/socialepoch/", "admin"
	mux.Handle("GET "+admin+"webhooks", endpoint, func(*sandbox.Call) sandbox.Reply { return adminReply(s.WebhookTotals()) })
	mux.Handle("POST "+admin+"change", endpoint, func(c *sandbox.Call) sandbox.Reply {
		var change Change
		if err := json.Unmarshal(c.Body, &change); err != nil {
			return adminFault(http.StatusBadRequest, err)
		}
		switch err := s.Change(change); {
		case errors.Is(err, ErrNoCustomer):
			return adminFault(http.StatusNotFound, err)
		case err != nil:
			return adminFault(http.StatusBadRequest, err)
		}
		return adminReply(s.WebhookTotals())
	})
	mux.Handle("POST "+admin+"webhooks", endpoint, func(c *sandbox.Call) sandbox.Reply {
		w := Webhooks{Client: s.sender.options().Client}
		if err := json.Unmarshal(c.Body, &w); err != nil {
			return adminFault(http.StatusBadRequest, err)
		}
		s.SetWebhooks(w)
		return adminReply(s.WebhookTotals())
	})
	mux.Handle("POST "+admin+"redeliver", endpoint, func(c *sandbox.Call) sandbox.Reply {
		var ask struct{ Last int }
		if err := json.Unmarshal(c.Body, &ask); err != nil {
			return adminFault(http.StatusBadRequest, err)
		}
		return adminReply(map[string]int{"requests": s.Redeliver(ask.Last)})
	})
}

func adminReply(v any) sandbox.Reply {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // counts always marshal
	}
	return sandbox.Reply{Body: body}
}

func adminFault(status int, err error) sandbox.Reply {
	return sandbox.Reply{Status: status, Body: []byte(`{"error":` + quote(err.Error()) + `}`), Message: err.Error()}
}
