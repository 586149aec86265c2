package socialepoch

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/restapi"
	"github.com/sluicehq/sluice/internal/rows"
)

// extension writes extension fields.
type extension struct {
	types      map[string]string // display name → one of fieldTypes
	selectList bool
}

// appendMembers appends the members of a JSON object, each behind a comma. Null members are left out.
func (e *extension) appendMembers(body []byte, object string) ([]byte, *connector.RowResult) {
	refuse := func(code, name, why string) ([]byte, *connector.RowResult) {
		return body, &connector.RowResult{Code: code, Field: name, Message: "custom field " + strconv.Quote(name) + " " + why}
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
			return refuse(connector.CodeUnknownField, name, "has the name of a field that every contact has: map it there, or to another name in custom_fields")
		case name == "" || seen[name]:
			return refuse(connector.CodeBadValue, name, "has no name, or one that is given twice")
		}
		seen[name] = true
		value, code, why := e.value(name, raw)
		if code != "" {
			return refuse(code, name, why)
		}
		body = append(rows.AppendString(append(body, ','), name), ':')
		body = append(body, value...)
	}
	return body, nil
}

// value is the member in the form of its field's type; code and why say what forbids it.
func (e *extension) value(name string, raw json.RawMessage) (value []byte, code, why string) {
	switch raw[0] {
	case '{':
		return nil, connector.CodeBadValue, "is an object where one value is wanted"
	case '[':
		text, code, why := joined(raw)
		if code != "" {
			return nil, code, why
		}
		return e.text(name, text), "", ""
	case '"':
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return nil, connector.CodeBadValue, "is not JSON"
		}
		return e.text(name, s), "", ""
	}
	return raw, "", "" // a number or a truth value
}

// text writes a text as the field's type wants it.
func (e *extension) text(name, s string) []byte {
	switch e.types[name] {
	case typeDate:
		if len(s) == len("2006-01-02") && s[4] == '-' && s[7] == '-' {
			s = strings.ReplaceAll(s, "-", "/")
		}
	case typeSingle:
		if e.selectList && s != "" && s[0] != '[' {
			s = "[" + string(rows.AppendString(nil, s)) + "]"
		}
	}
	return rows.AppendString(nil, s)
}

// joined makes one text of a list, as the vendor wants choices and addresses.
func joined(raw json.RawMessage) (text, code, why string) {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return "", connector.CodeBadValue, "is not JSON"
	}
	var parts []string
	for _, item := range list {
		switch part := restapi.Text(item); {
		case string(item) == "null" || part == "":
		case item[0] == '[' || item[0] == '{':
			return "", connector.CodeBadValue, "is a list of more than single values"
		case strings.Contains(part, ","):
			return "", connector.CodeSeparator, "holds a comma inside " + strconv.Quote(part) + ": the CRM would read two"
		default:
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ","), "", ""
}
