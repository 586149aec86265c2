package socialepoch

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/restapi"
	"github.com/sluicehq/sluice/internal/rows"
)

// maxAttachments is how many addresses a field of that type takes.
const maxAttachments = 10

// extension writes extension fields.
type extension struct {
	types      map[string]string // display name → one of fieldTypes
	selectList bool
}

// refusal says why a value cannot be written; the zero value: it can.
type refusal struct{ code, why string }

// appendMembers appends the members of a JSON object, each behind a comma. Null members are left out.
func (e *extension) appendMembers(body []byte, object string) ([]byte, *connector.RowResult) {
	refuse := func(name string, no refusal) ([]byte, *connector.RowResult) {
		return body, &connector.RowResult{Code: no.code, Field: name, Message: "custom field " + strconv.Quote(name) + " " + no.why}
	}
	var w rows.Walker
	if text := []byte(object); !w.Open(text) || text[rows.SkipSpace(text, 0)] != '{' {
		return body, &connector.RowResult{Code: connector.CodeBadValue, Field: colCustom, Message: "custom is not an object"}
	}
	var seen []string
	for w.Next() {
		raw := w.Value()
		if string(raw) == "null" {
			continue
		}
		name := string(w.Key())
		switch {
		case builtIn[name]:
			return refuse(name, refusal{connector.CodeUnknownField, "has the name of a field that every contact has: map it there, or to another name in custom_fields"})
		case name == "" || slices.Contains(seen, name):
			return refuse(name, refusal{connector.CodeBadValue, "has no name, or one that is given twice"})
		}
		seen = append(seen, name)
		var no refusal
		body = append(rows.AppendString(append(body, ','), name), ':')
		if body, no = e.appendValue(body, name, raw); no.code != "" {
			return refuse(name, no)
		}
	}
	if !w.Whole() {
		return body, &connector.RowResult{Code: connector.CodeBadValue, Field: colCustom, Message: "custom is not JSON"}
	}
	return body, nil
}

// appendValue appends the member in the form of its field's type.
func (e *extension) appendValue(dst []byte, name string, raw json.RawMessage) ([]byte, refusal) {
	kind := e.types[name]
	text := ""
	switch raw[0] {
	case '{':
		return dst, refusal{connector.CodeBadValue, "is an object where one value is wanted"}
	case '[':
		parts, no := partsOf(raw)
		if no.code != "" {
			return dst, no
		}
		if len(parts) > 1 && kind != "" && kind != typeText && kind != typeMulti && kind != typeAttachment {
			return dst, refusal{connector.CodeBadValue, "holds several values, and its type " + kind + " takes one"}
		}
		text = strings.Join(parts, ",")
	case '"':
		if kind == "" || kind == typeText {
			return append(dst, raw...), refusal{}
		}
		text = string(rows.AppendUnquoted(nil, raw))
	default:
		if kind == "" || kind == typeNumber && raw[0] != 't' && raw[0] != 'f' {
			return append(dst, raw...), refusal{}
		}
		text = string(raw)
	}
	return e.appendTyped(dst, kind, text)
}

// appendTyped writes a text as a field of the type wants it. An empty one stays empty.
func (e *extension) appendTyped(dst []byte, kind, s string) ([]byte, refusal) {
	if trimmed := strings.TrimSpace(s); kind != "" && kind != typeText {
		s = trimmed
	}
	no := refusal{}
	switch {
	case s == "":
	case kind == typeNumber:
		if !isNumber(s) {
			return dst, refusal{connector.CodeBadValue, "is no number: " + strconv.Quote(s)}
		}
		return append(dst, s...), refusal{}
	case kind == typeDate:
		if s = dateOf(s); s == "" {
			no = refusal{connector.CodeBadDate, "is no date such as 2022-03-08"}
		}
	case kind == typeTime:
		if s = timeOf(s); s == "" {
			no = refusal{connector.CodeBadValue, "is no time of day such as 12:00:00"}
		}
	case kind == typeSingle:
		if e.selectList && s[0] != '[' {
			s = "[" + string(rows.AppendString(nil, s)) + "]"
		}
	case kind == typeAttachment:
		no = checkAddresses(s)
	}
	if no.code != "" {
		return dst, no
	}
	return rows.AppendString(dst, s), no
}

// isNumber reports whether the text is a number as JSON writes it.
func isNumber(s string) bool {
	return (s[0] == '-' || s[0] >= '0' && s[0] <= '9') && json.Valid([]byte(s))
}

// dateOf is the date as the vendor writes it, "" where the text is none. A time of day is taken off where it is midnight;
// any other would be lost, and its zone may make it another day.
func dateOf(s string) string {
	for _, layout := range []string{"2006-01-02", "2006/01/02", "2006-01-02 15:04:05", "2006/01/02 15:04:05", "2006-01-02T15:04:05", time.RFC3339Nano} {
		if t, err := time.Parse(layout, s); err == nil && t.Equal(time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())) {
			return t.Format("2006/01/02")
		}
	}
	return ""
}

// timeOf is the time of day as the vendor writes it, "" where the text is none.
func timeOf(s string) string {
	for _, layout := range []string{"15:04:05", "15:04"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.Format("15:04:05")
		}
	}
	return ""
}

// checkAddresses looks at the addresses of a field of the type attachment, joined by commas.
func checkAddresses(s string) refusal {
	list := strings.Split(s, ",")
	if len(list) > maxAttachments {
		return refusal{connector.CodeBadValue, "holds " + strconv.Itoa(len(list)) + " addresses, and the CRM takes " + strconv.Itoa(maxAttachments)}
	}
	if slices.ContainsFunc(list, func(one string) bool {
		u, err := url.Parse(strings.TrimSpace(one))
		return err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https"
	}) {
		return refusal{connector.CodeBadValue, "holds something that is no web address"}
	}
	return refusal{}
}

// partsOf are the values of a list, as the vendor wants choices and addresses to be joined by commas.
func partsOf(raw json.RawMessage) ([]string, refusal) {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return nil, refusal{connector.CodeBadValue, "is not JSON"}
	}
	var parts []string
	for _, item := range list {
		switch part := restapi.Text(item); {
		case string(item) == "null" || part == "":
		case item[0] == '[' || item[0] == '{':
			return nil, refusal{connector.CodeBadValue, "is a list of more than single values"}
		case strings.Contains(part, ","):
			return nil, refusal{connector.CodeSeparator, "holds a comma inside " + strconv.Quote(part) + ": the CRM would read two"}
		default:
			parts = append(parts, part)
		}
	}
	return parts, refusal{}
}
