package job

import (
	"net/http"
	"strings"

	"github.com/sluicehq/sluice/connector"
)

// Mask returns the headers of a request with the values that identify or authorise the caller blacked out.
func Mask(h http.Header) http.Header {
	out := h.Clone()
	for name, values := range out {
		switch strings.ToLower(name) {
		case "authorization", "sign", "token", "access_token", "accesskey":
			for i := range values {
				values[i] = connector.Secret{}.String()
			}
		}
	}
	return out
}
