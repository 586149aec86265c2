package socialepoch

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/sluicehq/sluice/connector/restapi"
)

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
	if r.code, ok = restapi.Int(e.Code); !ok {
		return reply{}, false
	}
	if r.message = restapi.Text(e.Message); r.message == "" {
		r.message = restapi.Text(e.Msg)
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
		if r.text = restapi.Text(raw); r.text == "null" {
			r.text = ""
		}
		return r
	}
	r.failures, _ = restapi.Int(data.Failures)
	r.successes, _ = restapi.Int(data.Successes)
	r.notFollowed, _ = restapi.Int(data.NotFollowed)
	var list []json.RawMessage
	if failed := unwrapped(data.Failed); len(failed) > 0 && !decode(failed, &list) {
		r.text = restapi.Text(failed)
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
		return failure{info: restapi.Text(raw)}
	}
	f := failure{phone: strings.TrimSpace(restapi.Text(item.Phone)), info: restapi.Clip(restapi.Text(item.Info))}
	if n, ok := restapi.Int(item.Code); ok {
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
