package sandbox

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/sluicehq/sluice/internal/sandbox"
)

type envelope struct {
	Code    int    `json:"code"`
	Status  string `json:"status"`
	Message string `json:"message"`
	Data    any    `json:"data"`
	Meta    *meta  `json:"meta,omitempty"`
}

type meta struct {
	HasPages    bool `json:"has_pages"`
	Total       int  `json:"total"`
	LastPage    int  `json:"last_page"`
	CurrentPage int  `json:"current_page"`
	PerPage     int  `json:"per_page"`
}

func success(message string, data any, m *meta) sandbox.Reply {
	return write(http.StatusOK, envelope{200, "success", message, data, m})
}

// failure answers with a code; 401 and 422 have the HTTP status of the same number.
func failure(code int, message string) sandbox.Reply {
	status := http.StatusOK
	if code == http.StatusUnauthorized || code == http.StatusUnprocessableEntity {
		status = code
	}
	return write(status, envelope{code, "error", message, []any{}, nil})
}

func write(status int, e envelope) sandbox.Reply {
	r := sandbox.Reply{Status: status, Body: encode(e), Code: strconv.Itoa(e.Code)}
	if e.Code != 200 {
		r.Message = e.Message
	}
	return r
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // made of texts and numbers only
	}
	return b
}

// pageOf cuts the page that a query asks for; ok is false for a page or a size that is no positive number.
func pageOf[T any](c *sandbox.Call, all []T) (list []T, m *meta, ok bool) {
	m = &meta{Total: len(all), CurrentPage: 1, PerPage: 15}
	for _, p := range []struct {
		name string
		to   *int
	}{{"page", &m.CurrentPage}, {"per_page", &m.PerPage}} {
		if text := c.URL.Query().Get(p.name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 {
				return nil, nil, false
			}
			*p.to = n
		}
	}
	m.PerPage = min(m.PerPage, maxPage)
	m.LastPage = max(1, (len(all)+m.PerPage-1)/m.PerPage)
	m.HasPages = m.LastPage > 1
	from := len(all)
	if m.CurrentPage <= m.LastPage {
		from = (m.CurrentPage - 1) * m.PerPage
	}
	list = append([]T{}, all[from:min(from+m.PerPage, len(all))]...)
	return list, m, true
}

// maxPage is the largest page that is given.
const maxPage = 1000
