package restapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// MaxMessage bounds, in bytes, what Clip keeps of an answer for people to read.
const MaxMessage = 4096

// Clip is the text as valid UTF-8, cut where it is longer than MaxMessage.
func Clip(s string) string {
	if len(s) > MaxMessage {
		s = s[:MaxMessage] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// Glimpse shows the status and the beginning of an answer that is not the vendor's JSON.
func Glimpse(status int, body []byte) string {
	const most = 200
	text := bytes.Join(bytes.Fields(body[:min(len(body), 4*most)]), []byte(" "))
	if len(text) > most {
		text = append(text[:most:most], "…"...)
	}
	if len(text) == 0 {
		return fmt.Sprintf("HTTP %d with an empty body", status)
	}
	return fmt.Sprintf("HTTP %d, %s", status, Clip(string(text)))
}

// Int reads a JSON number or a string that holds one.
func Int(raw json.RawMessage) (int64, bool) {
	s := string(raw)
	if len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	return n, err == nil
}

// Text reads a JSON string, null as "", and any other value as it is written.
func Text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}
