package socialepoch

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

// envelope is the vendor's answer. Its tables and its examples disagree on names and types, so each member is read
// leniently.
type envelope struct {
	Code    json.RawMessage `json:"code"`
	Message json.RawMessage `json:"message"`
	Msg     json.RawMessage `json:"msg"`
	Data    json.RawMessage `json:"data"`
}

// reply is an envelope as read.
type reply struct {
	code    int64
	message string
	data    report
}

// report is what the answer says of single contacts.
type report struct {
	failed      []failure
	successes   int64
	failures    int64
	notFollowed int64
	text        string // of data or errExcel where they are no JSON
}

// failure is one element of errExcel.
type failure struct {
	phone, code, info string // code "": none was given
	number            int64  // of code; 0 where it is no number
}

// readReply reads the answer. ok is false where it is not the vendor's: HTML, a cut body, JSON without a code.
func readReply(body []byte) (r reply, ok bool) {
	var e envelope
	if !decode(body, &e) {
		return reply{}, false
	}
	if r.code, ok = flexInt(e.Code); !ok {
		return reply{}, false
	}
	if r.message = flexText(e.Message); r.message == "" {
		r.message = flexText(e.Msg)
	}
	r.data = readReport(e.Data)
	return r, true
}

// decode reads JSON, also with the commas before closing brackets that the vendor's example of a failure has.
func decode(text []byte, into any) bool {
	return json.Unmarshal(text, into) == nil || json.Unmarshal(withoutTrailingCommas(text), into) == nil
}

// withoutTrailingCommas is a copy of the text without commas before ] and } outside of strings.
func withoutTrailingCommas(text []byte) []byte {
	out := make([]byte, 0, len(text))
	inString, comma := false, -1 // comma: where in out the last one stands, if nothing but white space followed
	for i := 0; i < len(text); i++ {
		b := text[i]
		switch {
		case inString:
			switch b {
			case '\\':
				if i+1 < len(text) {
					out = append(out, b)
					i++
					b = text[i]
				}
			case '"':
				inString = false
			}
		case b == '"':
			inString, comma = true, -1
		case b == ',':
			comma = len(out)
		case b == ']' || b == '}':
			if comma >= 0 {
				out = append(out[:comma], out[comma+1:]...)
			}
			comma = -1
		case b != ' ' && b != '\t' && b != '\n' && b != '\r':
			comma = -1
		}
		out = append(out, b)
	}
	return out
}

// readReport reads data: an object, the same as a text, or nothing.
func readReport(raw json.RawMessage) (r report) {
	raw = unwrapped(raw)
	var data struct {
		Failed      json.RawMessage `json:"errExcel"`
		Failures    json.RawMessage `json:"errCount"`
		Successes   json.RawMessage `json:"successCount"`
		NotFollowed json.RawMessage `json:"notFollowSuccessCount"`
	}
	if len(raw) == 0 || raw[0] != '{' || !decode(raw, &data) {
		if r.text = flexText(raw); r.text == "null" {
			r.text = ""
		}
		return r
	}
	r.failures, _ = flexInt(data.Failures)
	r.successes, _ = flexInt(data.Successes)
	r.notFollowed, _ = flexInt(data.NotFollowed)
	var list []json.RawMessage
	if failed := unwrapped(data.Failed); len(failed) > 0 && !decode(failed, &list) {
		r.text = flexText(failed)
	}
	for _, item := range list {
		r.failed = append(r.failed, readFailure(item))
	}
	return r
}

func readFailure(raw json.RawMessage) failure {
	var item struct {
		Phone json.RawMessage `json:"errPhone"`
		Info  json.RawMessage `json:"errInfo"`
		Code  json.RawMessage `json:"errCode"`
	}
	if json.Unmarshal(raw, &item) != nil {
		return failure{info: flexText(raw)}
	}
	f := failure{phone: strings.TrimSpace(flexText(item.Phone)), info: clip(flexText(item.Info))}
	if n, ok := flexInt(item.Code); ok {
		f.number, f.code = n, strconv.FormatInt(n, 10)
	}
	return f
}

// unwrapped is the JSON inside a JSON text, or the value itself.
func unwrapped(raw json.RawMessage) json.RawMessage {
	raw = bytes.TrimSpace(raw)
	var inner string
	if len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &inner) == nil {
		if text := strings.TrimSpace(inner); strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
			return json.RawMessage(text)
		}
	}
	return raw
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

func clip(s string) string {
	if len(s) > maxMessage {
		s = s[:maxMessage] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// byStatus is the reading of an answer that has no code of the vendor's.
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
