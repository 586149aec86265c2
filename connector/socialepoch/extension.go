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
	dec := json.NewDecoder(strings.NewReader(object))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return body, &connector.RowResult{Code: connector.CodeBadValue, Field: colCustom, Message: "custom is not an object"}
	}
	seen := map[string]bool{}
	for dec.More() {
		token, err := dec.Token()
		name, _ := token.(string)
		var raw json.RawMessage
		if err != nil || dec.Decode(&raw) != nil {
			return body, &connector.RowResult{Code: connector.CodeBadValue, Field: colCustom, Message: "custom is not JSON"}
		}
		switch {
		case string(raw) == "null":
			continue
		case builtIn[name]:
			return refuse(name, refusal{connector.CodeUnknownField, "has the name of a field that every contact has: map it there, or to another name in custom_fields"})
		case name == "" || seen[name]:
			return refuse(name, refusal{connector.CodeBadValue, "has no name, or one that is given twice"})
		}
		seen[name] = true
		value, no := e.value(name, raw)
		if no.code != "" {
			return refuse(name, no)
		}
		body = append(rows.AppendString(append(body, ','), name), ':')
		body = append(body, value...)
	}
	return body, nil
}

// value is the member in the form of its field's type.
func (e *extension) value(name string, raw json.RawMessage) ([]byte, refusal) {
	kind := e.types[name]
	text := string(raw) // of a number or a truth value
	switch raw[0] {
	case '{':
		return nil, refusal{connector.CodeBadValue, "is an object where one value is wanted"}
	case '[':
		parts, no := partsOf(raw)
		if no.code != "" {
			return nil, no
		}
		if len(parts) > 1 && kind != "" && kind != typeText && kind != typeMulti && kind != typeAttachment {
			return nil, refusal{connector.CodeBadValue, "holds several values, and its type " + kind + " takes one"}
		}
		text = strings.Join(parts, ",")
	case '"':
		if json.Unmarshal(raw, &text) != nil {
			return nil, refusal{connector.CodeBadValue, "is not JSON"}
		}
	default:
		if kind == "" || kind == typeNumber && raw[0] != 't' && raw[0] != 'f' {
			return raw, refusal{}
		}
	}
	return e.typed(kind, text)
}

// typed writes a text as a field of the type wants it. An empty one stays empty.
func (e *extension) typed(kind, s string) ([]byte, refusal) {
	if trimmed := strings.TrimSpace(s); kind != "" && kind != typeText {
		s = trimmed
	}
	no := refusal{}
	switch {
	case s == "":
	case kind == typeNumber:
		if !isNumber(s) {
			return nil, refusal{connector.CodeBadValue, "is no number: " + strconv.Quote(s)}
		}
		return []byte(s), refusal{}
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
		return nil, no
	}
	return rows.AppendString(nil, s), no
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
