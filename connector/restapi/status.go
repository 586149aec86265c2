package restapi

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// Codes of answers that carry none of the vendor's: the HTTP status speaks.
const (
	CodeAuth     = "http_auth"
	CodePath     = "http_path"
	CodeBusy     = "http_429"
	CodeServer   = "http_5xx"
	CodeTooLarge = "http_413"
	CodeRefused  = "http_4xx"
)

// Succeeded reports whether the status claims success.
func Succeeded(status int) bool { return status >= 200 && status < 300 }

// Barred reports whether a gateway let nobody in, whatever the rows.
func Barred(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusProxyAuthRequired
}

// ByStatus reads an answer that has no code of the vendor's, of a call that may be repeated.
func ByStatus(resp *connector.Response) connector.Outcome {
	o := connector.Outcome{Verdict: connector.VerdictRetry, Message: Glimpse(resp.Status, resp.Body)}
	switch s := resp.Status; {
	case s == http.StatusTooManyRequests:
		o.Code, o.Throttled, o.RetryAfter = CodeBusy, true, RetryAfter(resp.Header)
	case s >= 500 || s == http.StatusRequestTimeout || s == http.StatusTooEarly:
		o.Code, o.RetryAfter = CodeServer, RetryAfter(resp.Header)
		o.Throttled = s == http.StatusServiceUnavailable && o.RetryAfter > 0 // it says when, so it is not broken
	case Barred(s):
		o.Code, o.Stop = CodeAuth, connector.KindConfig
	case s < 400 || s == http.StatusNotFound || s == http.StatusMethodNotAllowed:
		o.Code, o.Stop = CodePath, connector.KindConfig
	case s == http.StatusRequestEntityTooLarge:
		o.Code, o.Verdict = CodeTooLarge, connector.VerdictSuspect
	default:
		o.Code, o.Verdict = CodeRefused, connector.VerdictSuspect
	}
	return o
}

// StatusErrors explains the codes that ByStatus gives. credential names the setting that authorises requests, shrink says
// what to do where a request is too large.
func StatusErrors(credential, shrink string) []connector.ErrorInfo {
	return []connector.ErrorInfo{
		{Code: CodeAuth, Meaning: "access refused by the web server", Cause: "HTTP 401 or 403 without a code of the vendor: a gateway or an address filter",
			Fix: "check " + credential + ", base_url and whether the vendor must allow this machine's address", Class: connector.ClassConfig, Assumed: true},
		{Code: CodePath, Meaning: "the address does not serve this interface", Cause: "a redirect, HTTP 404 or 405: base_url points elsewhere",
			Fix: "set base_url to the host that the vendor gave you, without the path", Class: connector.ClassConfig, Assumed: true},
		{Code: CodeTooLarge, Meaning: "the request is too large", Cause: "a gateway refused the body (HTTP 413)",
			Fix: shrink, Class: connector.ClassRows, Assumed: true},
		{Code: CodeBusy, Meaning: "too many requests", Cause: "more calls than the vendor allows (HTTP 429)",
			Fix: "nothing to do; lower the configured rate if it happens often", Class: connector.ClassRetry, Assumed: true},
		{Code: CodeRefused, Meaning: "the web server refused the request", Cause: "an HTTP 4xx status without a code of the vendor",
			Fix: "read the message; mend the row if it names one", Class: connector.ClassRows, Assumed: true},
		{Code: CodeServer, Meaning: "the vendor's server failed", Cause: "an HTTP 5xx status",
			Fix: "nothing to do; the rows are sent again", Class: connector.ClassRetry, Assumed: true},
	}
}

// Remedy is what the vendor's table says against a code, as a sentence; otherwise where the table does not know the code
// or blames a row, which a call without rows has not got.
func Remedy(table []connector.ErrorInfo, code, otherwise string) string {
	for _, e := range table {
		if e.Code == code && e.Class != connector.ClassRows && e.Fix != "" {
			return strings.ToUpper(e.Fix[:1]) + e.Fix[1:]
		}
	}
	return otherwise
}

// RetryAfter reads the header in seconds or as an HTTP date; 0 where it says nothing. A date counts from the answer's own
// Date header, since a codec has no clock.
func RetryAfter(h http.Header) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil {
		return max(0, time.Duration(seconds)*time.Second)
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	from, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	return max(0, until.Sub(from))
}
