package nx

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/restapi"
)

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
	code, ok := restapi.Int(e.Code)
	if !ok {
		return reply{}, false
	}
	r = reply{code: code, message: restapi.Text(e.Message), traceID: restapi.Text(e.TraceID)}
	if r.message == "" {
		r.message = restapi.Text(e.Msg)
	}
	switch data := bytes.TrimSpace(e.Data); string(data) {
	case "", "null", `""`, "{}", "[]":
	default:
		r.data = data
	}
	return r, true
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
	return restapi.Clip(s)
}

// outcome reads one answer. The vendor's code speaks first, whatever the status; a status other than 2xx speaks where
// there is no code, or where the code claims success.
func outcome(resp *connector.Response) (connector.Outcome, error) {
	r, ok := readReply(resp.Body)
	success := restapi.Succeeded(resp.Status)
	switch {
	case ok && (success || r.code != codeOK):
		return byCode(r, resp), nil
	case !success:
		o := restapi.ByStatus(resp)
		o.RequestID = r.traceID
		return o, nil
	}
	return connector.Outcome{}, fmt.Errorf("nx: answer is not the vendor's JSON: %s", restapi.Glimpse(resp.Status, resp.Body))
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
		o.Verdict, o.Tries, o.RetryAfter = connector.VerdictRetry, triesFailed, restapi.RetryAfter(resp.Header)
		o.Throttled = resp.Status == http.StatusTooManyRequests
	case r.code == codeClock:
		o.Verdict, o.Tries = connector.VerdictRetry, triesClock
		o.Clock, _ = http.ParseTime(resp.Header.Get("Date")) // zero where the answer has none: a fresh signature may do
	case isConfig(r.code):
		// Retry, not Rejected: nothing is wrong with the rows.
		o.Verdict, o.Stop = connector.VerdictRetry, connector.KindConfig
	case resp.Status == http.StatusTooManyRequests || resp.Status >= 500:
		o.Verdict, o.RetryAfter = connector.VerdictRetry, restapi.RetryAfter(resp.Header)
		o.Throttled = resp.Status == http.StatusTooManyRequests
	case restapi.Barred(resp.Status):
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
	if n, ok := restapi.Int(value); ok {
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
