package outcall

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/restapi"
)

// unconfirmed is what a delivered row is with settle accepted.
const unconfirmed = "accepted, import not confirmed"

// reply is the vendor's envelope as read: {"code":int,"status":"success"|"error","message":string,"data":any}. Its data
// is an object on success and a list on errors; errors is there where the request did not pass validation.
type reply struct {
	code            int64
	status, message string
	data, whole     json.RawMessage
}

// readReply reads the envelope. ok is false where the body is not one: HTML, a cut body, JSON without a code.
func readReply(body []byte) (r reply, ok bool) {
	var e struct {
		Code    json.RawMessage `json:"code"`
		Status  json.RawMessage `json:"status"`
		Message json.RawMessage `json:"message"`
		Msg     json.RawMessage `json:"msg"`
		Errors  json.RawMessage `json:"errors"`
		Data    json.RawMessage `json:"data"`
	}
	if json.Unmarshal(body, &e) != nil {
		return reply{}, false
	}
	r = reply{status: flexText(e.Status), message: flexText(e.Message), data: e.Data, whole: body}
	if r.message == "" {
		r.message = flexText(e.Msg)
	}
	if len(e.Errors) > 2 {
		r.message += " errors: " + string(e.Errors)
	}
	r.message = restapi.Clip(r.message)
	r.code, ok = restapi.Int(e.Code)
	return r, ok
}

func (r reply) success() bool { return r.code == codeOK && (r.status == "success" || r.status == "") }

// flexText reads a JSON string, a number as its text; anything else is no text.
func flexText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		return n.String()
	}
	return ""
}

// ParseResponse reads the answer to a request. An accepted async request is pending under the token of its import,
// unless settle is accepted.
func (c *codec) ParseResponse(resp *connector.Response, _ arrow.Record) (connector.Outcome, error) {
	body := c.clean(resp.Body)
	r, ok := readReply(body)
	switch {
	case ok && r.success() && restapi.Succeeded(resp.Status):
		return c.accepted(r)
	case ok && r.code != codeOK:
		return byCode(r, resp), nil
	case !restapi.Succeeded(resp.Status):
		return byStatus(resp, r, body), nil
	case ok:
		return connector.Outcome{Verdict: connector.VerdictSuspect, Code: codeNoSuccess, Message: r.message}, nil
	}
	return connector.Outcome{}, unreadable(resp.Status, body)
}

// accepted reads a success. An async answer without its id cannot be followed up: it counts as a lost reply.
func (c *codec) accepted(r reply) (connector.Outcome, error) {
	o := connector.Outcome{Verdict: connector.VerdictDelivered, Code: strconv.Itoa(codeOK), Message: r.message}
	if c.mode == modeSync {
		return o, nil
	}
	id := importID(r.data)
	if !safeID(id) {
		return connector.Outcome{}, errors.New("outcall: the vendor accepted the request without a unique_id that can be asked for")
	}
	o.RequestID = id
	if c.config.Settle == settleAccepted {
		o.Message = strings.TrimSpace(o.Message + " (" + unconfirmed + ")")
		return o, nil
	}
	o.Verdict, o.Token = connector.VerdictPending, tokenImport+id
	return o, nil
}

func importID(data json.RawMessage) string {
	var d struct {
		ID json.RawMessage `json:"unique_id"`
	}
	if json.Unmarshal(data, &d) != nil {
		return ""
	}
	return flexText(d.ID)
}

// safeID reports whether an id out of an answer may be part of a path.
func safeID(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// byCode reads a refusal by the vendor's code. A refusal that may lie in a row is Suspect: the vendor names no row.
func byCode(r reply, resp *connector.Response) connector.Outcome {
	o := connector.Outcome{Verdict: connector.VerdictSuspect, Code: strconv.FormatInt(r.code, 10), Message: r.message}
	switch {
	case r.code == codeAuth || r.code == codeForbid || r.code == codeMissing:
		o.Verdict, o.Stop = connector.VerdictRetry, connector.KindConfig
		o.Message = strings.TrimSpace(blame(o.Code) + ": " + r.message)
	case r.code == codeRunning || r.code == codeBusy || resp.Status == http.StatusTooManyRequests:
		o.Verdict, o.Throttled, o.RetryAfter = connector.VerdictRetry, true, restapi.RetryAfter(resp.Header)
	case r.code >= 500 && r.code <= 599 || resp.Status >= 500:
		o.Verdict, o.Code = connector.VerdictAmbiguous, codeHTTPServer
	case resp.Status == http.StatusUnauthorized || resp.Status == http.StatusForbidden:
		o.Verdict, o.Stop = connector.VerdictRetry, connector.KindConfig
	}
	return o
}

// byStatus reads an answer whose status alone speaks. The text of a framework's error is kept.
func byStatus(resp *connector.Response, r reply, body []byte) connector.Outcome {
	o := connector.Outcome{Verdict: connector.VerdictRetry, Message: r.message}
	if o.Message == "" {
		o.Message = restapi.Glimpse(resp.Status, body)
	}
	switch s := resp.Status; {
	case s == http.StatusTooManyRequests:
		o.Code, o.Throttled, o.RetryAfter = strconv.Itoa(codeBusy), true, restapi.RetryAfter(resp.Header)
	case s >= 500 || s == http.StatusRequestTimeout || s < 300:
		o.Code, o.Verdict = codeHTTPServer, connector.VerdictAmbiguous
	case s == http.StatusUnauthorized || s == http.StatusForbidden:
		o.Code, o.Stop = strconv.Itoa(s), connector.KindConfig
		o.Message = blame(o.Code) + ": " + o.Message
	case s < 400 || s == http.StatusNotFound || s == http.StatusMethodNotAllowed || s == http.StatusProxyAuthRequired:
		o.Code, o.Stop = codeHTTPPath, connector.KindConfig
	case s == http.StatusUnprocessableEntity:
		o.Code, o.Verdict = strconv.Itoa(codeInvalid), connector.VerdictSuspect
	case s == http.StatusRequestEntityTooLarge:
		o.Code, o.Verdict = codeHTTPTooBig, connector.VerdictSuspect
	default:
		o.Code, o.Verdict = codeHTTPRefused, connector.VerdictSuspect
	}
	return o
}

// clean is the body without the token, should the answer echo it.
func (s signer) clean(body []byte) []byte {
	if t := s.token.Reveal(); t != "" {
		return bytes.ReplaceAll(body, []byte(t), []byte("[REDACTED]")) // always a copy
	}
	return bytes.Clone(body)
}

func unreadable(status int, body []byte) error {
	return fmt.Errorf("outcall: answer is not the vendor's JSON: %s", restapi.Glimpse(status, body))
}
