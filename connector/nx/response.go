package nx

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// maxMessage bounds, in bytes, what is kept of an answer for people to read.
const maxMessage = 4096

// envelope is the vendor's answer: {"code":int,"message":string,"data":any,"traceId":string}. Its pages disagree on the
// types, so each member is read leniently.
type envelope struct {
	Code    json.RawMessage `json:"code"`
	Message json.RawMessage `json:"message"`
	Msg     json.RawMessage `json:"msg"`
	Data    json.RawMessage `json:"data"`
	TraceID json.RawMessage `json:"traceId"`
}

// reply is an envelope as read.
type reply struct {
	code             int64
	message, traceID string
	data             []byte // nil if empty: absent, null, "", {} or []
}

// readReply reads the envelope. ok is false where the body is not one: HTML, a cut body, JSON without a code.
func readReply(body []byte) (r reply, ok bool) {
	var e envelope
	if json.Unmarshal(body, &e) != nil {
		return reply{}, false
	}
	code, ok := flexInt(e.Code)
	if !ok {
		return reply{}, false
	}
	r = reply{code: code, message: flexText(e.Message), traceID: flexText(e.TraceID)}
	if r.message == "" {
		r.message = flexText(e.Msg)
	}
	switch data := bytes.TrimSpace(e.Data); string(data) {
	case "", "null", `""`, "{}", "[]":
	default:
		r.data = data
	}
	return r, true
}

// flexInt reads a JSON number or a string that holds one.
func flexInt(raw json.RawMessage) (int64, bool) {
	s := string(raw)
	if len(raw) > 0 && raw[0] == '"' {
		if json.Unmarshal(raw, &s) != nil {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	return n, err == nil
}

// flexText reads a JSON string; any other value but null as its text.
func flexText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// text is what a person reads of the answer: the vendor's message, and its data verbatim where there is some (the vendor
// documents no partial failure, so what it might say there must not be lost).
func (r reply) text() string {
	s := r.message
	if r.data != nil {
		if s != "" {
			s += " "
		}
		s += "data: " + string(r.data)
	}
	return clip(s)
}

func clip(s string) string {
	if len(s) > maxMessage {
		s = s[:maxMessage] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// outcome reads one answer. The vendor's code speaks first, whatever the status; a status other than 2xx speaks where
// there is no code, or where the code claims success.
func outcome(resp *connector.Response) (connector.Outcome, error) {
	r, ok := readReply(resp.Body)
	success := resp.Status >= 200 && resp.Status < 300
	switch {
	case ok && (success || r.code != codeOK):
		return byCode(r, resp), nil
	case !success:
		o := byStatus(resp)
		o.RequestID = r.traceID
		return o, nil
	}
	return connector.Outcome{}, fmt.Errorf("nx: answer is not the vendor's JSON: %s", glimpse(resp))
}

func byCode(r reply, resp *connector.Response) connector.Outcome {
	o := connector.Outcome{
		Verdict: connector.VerdictSuspect, Code: strconv.FormatInt(r.code, 10), Message: r.text(), RequestID: r.traceID,
	}
	switch {
	case r.code == codeOK && claimsFailures(r.data):
		o.Code = codePartial
	case r.code == codeOK:
		o.Verdict = connector.VerdictDelivered
	case r.code == codeFailed:
		o.Verdict, o.Tries, o.RetryAfter = connector.VerdictRetry, triesFailed, retryAfter(resp.Header)
		o.Throttled = resp.Status == http.StatusTooManyRequests
	case r.code == codeClock:
		o.Verdict, o.Tries = connector.VerdictRetry, triesClock
		o.Clock, _ = http.ParseTime(resp.Header.Get("Date")) // zero where the answer has none: a fresh signature may do
	case isConfig(r.code):
		// Retry, not Rejected: nothing is wrong with the rows.
		o.Verdict, o.Stop = connector.VerdictRetry, connector.KindConfig
	case resp.Status == http.StatusTooManyRequests || resp.Status >= 500:
		o.Verdict, o.RetryAfter = connector.VerdictRetry, retryAfter(resp.Header)
		o.Throttled = resp.Status == http.StatusTooManyRequests
	case refusedStatus(resp.Status):
		o.Verdict, o.Stop = connector.VerdictRetry, connector.KindConfig
	}
	return o
}

// claimsFailures looks for a count or list of failed rows in the data of a successful answer. The vendor documents none;
// but if it ever sends one, counting all rows as delivered would lose some, and sending them again does no harm.
func claimsFailures(data []byte) bool {
	var members map[string]json.RawMessage
	if len(data) == 0 || json.Unmarshal(data, &members) != nil {
		return false
	}
	for name, value := range members {
		name = strings.ToLower(name)
		if (strings.HasPrefix(name, "fail") || strings.HasPrefix(name, "err")) && isSome(value) {
			return true
		}
	}
	return false
}

// isSome reports whether the value is a positive number or a list or object that is not empty.
func isSome(value json.RawMessage) bool {
	if n, ok := flexInt(value); ok {
		return n > 0
	}
	switch value[0] {
	case '[', '{':
		return len(bytes.TrimSpace(value[1:len(value)-1])) > 0
	}
	return false
}

// isConfig reports whether the code blames the account, not the rows.
func isConfig(code int64) bool {
	switch code {
	case codeParameter, codeClock:
		return false
	case codeNoTenant, codeNoApp, codeTenant, codeApp:
		return true
	}
	return code >= codeAuthFirst && code <= codeAuthLast
}

func byStatus(resp *connector.Response) connector.Outcome {
	o := connector.Outcome{Verdict: connector.VerdictRetry, Message: glimpse(resp)}
	switch s := resp.Status; {
	case s == http.StatusTooManyRequests:
		o.Code, o.Throttled, o.RetryAfter = codeHTTPBusy, true, retryAfter(resp.Header)
	case s >= 500 || s == http.StatusRequestTimeout || s == http.StatusTooEarly:
		o.Code, o.RetryAfter = codeHTTPServer, retryAfter(resp.Header)
		o.Throttled = s == http.StatusServiceUnavailable && o.RetryAfter > 0 // it says when, so it is not broken
	case refusedStatus(s):
		o.Code, o.Stop = codeHTTPAuth, connector.KindConfig
	case s < 400 || s == http.StatusNotFound || s == http.StatusMethodNotAllowed:
		o.Code, o.Stop = codeHTTPPath, connector.KindConfig
	case s == http.StatusRequestEntityTooLarge:
		o.Code, o.Verdict = codeHTTPTooLarge, connector.VerdictSuspect
	default:
		o.Code, o.Verdict = codeHTTPRefused, connector.VerdictSuspect
	}
	return o
}

// refusedStatus reports whether a gateway let nobody in, whatever the rows.
func refusedStatus(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusProxyAuthRequired
}

// glimpse shows the status and the beginning of an answer that is not the vendor's JSON.
func glimpse(resp *connector.Response) string {
	const most = 200
	body := bytes.Join(bytes.Fields(resp.Body[:min(len(resp.Body), 4*most)]), []byte(" "))
	if len(body) > most {
		body = append(body[:most:most], "…"...)
	}
	if len(body) == 0 {
		return fmt.Sprintf("HTTP %d with an empty body", resp.Status)
	}
	return fmt.Sprintf("HTTP %d, %s", resp.Status, clip(string(body)))
}

// retryAfter reads the header in seconds or as an HTTP date. A date counts from the answer's own Date header, since
// this package has no clock; without one it says nothing.
func retryAfter(h http.Header) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value == "" {
		return 0
	}
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
