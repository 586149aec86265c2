package nx

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/connector/restapi"
	"github.com/sluicehq/sluice/internal/rows"
)

// columns makes rows of contacts.
type columns struct {
	tenant, app   string
	given, family string // the vendor's fields of these
	zone          *time.Location
	names         map[string]string // customize_<type>_<n> → member of custom
}

func newColumns(c *SourceConfig, zone *time.Location) columns {
	cols := columns{
		tenant: strconv.FormatInt(c.TenantID, 10), app: c.AppKey, given: "first_name", family: "last_name", zone: zone,
		names: maps.Clone(c.labels),
	}
	if c.NameOrder == nameSurnameFirst {
		cols.given, cols.family = cols.family, cols.given
	}
	if cols.names == nil {
		cols.names = map[string]string{}
	}
	for name, field := range c.CustomFields {
		cols.names[field] = name
	}
	return cols
}

// sourceTypes are the vendor's numbers of where a contact came from. 0 is unknown.
var sourceTypes = [...]string{1: "new", "Excel", "customer initiated", "SMS blast", "voice blast", "third-party API", "callbot", "call center", "email", "form",
	"customer initiated", "Viber", "Messenger", "Instagram", "Line"}

// row is the contact as a row. What cannot be read is left out of its column and stands in raw. null and "" are absent.
func (c *columns) row(raw json.RawMessage) []byte {
	var m map[string]json.RawMessage
	_ = json.Unmarshal(raw, &m) // of what is no object, raw and the key are left
	text := func(names ...string) string {
		for _, name := range names {
			if s := strings.TrimSpace(scalar(m[name])); s != "" {
				return s
			}
		}
		return ""
	}
	var o rows.Object
	o.Text("tenant_id", c.tenant)
	o.Text("app_key", c.app)
	id := text("id")
	if id == "" {
		sum := sha256.Sum256(raw)
		id = "sha256-" + hex.EncodeToString(sum[:16])
	}
	o.Text("id", id)
	for _, name := range []string{"created_at", "updated_at"} {
		if at, ok := restapi.Moment(text(name), c.zone); ok {
			o.Time(name, at)
		}
	}
	o.Text("phone", restapi.Phone(text("sms_phone")))
	o.Text("whatsapp", restapi.Phone(text("whats_app_phone", "whatsApp_phone")))
	o.Text("full_name", text("full_name"))
	o.Text("first_name", text(c.given))
	o.Text("last_name", text(c.family))
	o.Text("email", text("email"))
	o.Text("gender", gender(text(colGender)))
	o.Text("birthday", restapi.Day(text("birthday")))
	o.Text("address", text("address"))
	o.Text("country", text("country"))
	o.Text("remark", text("remark"))
	o.Texts("tags", tags(m["tags"], text("tagStr")))
	source := text("source")
	if n, err := strconv.Atoi(text("source_type")); err == nil && source == "" && n > 0 && n < len(sourceTypes) {
		source = sourceTypes[n]
	}
	o.Text("source", source)
	o.Text("time_zone", text("time_zone"))
	o.Text("owner", text("belong_seat_user"))
	o.Raw("custom", c.custom(m))
	for _, name := range []string{"viber_phone", "messenger", "instagram", "zalo"} {
		o.Text(name, restapi.Phone(text(name)))
	}
	o.Text("line", text("line"))
	o.Raw("raw", raw)
	return o.Bytes()
}

// scalar is the text of a value that is a text, a number or a boolean; "" of others.
func scalar(value json.RawMessage) string {
	if len(value) == 0 || value[0] == '{' || value[0] == '[' || string(value) == "null" {
		return ""
	}
	return restapi.Text(value)
}

// gender reads the vendor's code: 1 is male and 0 is female, and there is none for unknown.
func gender(code string) string {
	switch strings.ToLower(code) {
	case "1", "male", "男":
		return "male"
	case "0", "female", "女":
		return "female"
	}
	return ""
}

// tags reads a list of {id, tag_name} or of texts, or a text with commas.
func tags(list json.RawMessage, joined string) []string {
	var names []string
	add := func(name string) {
		if name = strings.TrimSpace(name); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	var items []json.RawMessage
	if err := json.Unmarshal(list, &items); err != nil {
		joined = scalar(list) + "," + joined
	}
	for _, item := range items {
		var tag struct {
			Name json.RawMessage `json:"tag_name"`
			Text json.RawMessage `json:"name"`
		}
		if json.Unmarshal(item, &tag) != nil {
			add(scalar(item))
			continue
		}
		add(scalar(tag.Name))
		if len(tag.Name) == 0 {
			add(scalar(tag.Text))
		}
	}
	for name := range strings.FieldsFuncSeq(joined, func(r rune) bool { return r == ',' || r == '，' }) {
		add(name)
	}
	return names
}

// custom gathers the custom fields under their names: the members of customize_field, which is an object or a text that
// holds one, and those of the contact itself. nil: there are none. A name that is taken yields to the CRM's own.
func (c *columns) custom(contact map[string]json.RawMessage) []byte {
	found := map[string]json.RawMessage{}
	inner := contact["customize_field"]
	var text string
	if json.Unmarshal(inner, &text) == nil {
		inner = json.RawMessage(text)
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(inner, &members) == nil {
		maps.Copy(found, members)
	}
	for name, value := range contact {
		if customName.MatchString(name) {
			found[name] = value
		}
	}
	if len(found) == 0 {
		return nil
	}
	var o rows.Object
	used := map[string]bool{}
	for _, field := range slices.Sorted(maps.Keys(found)) {
		if s := string(found[field]); s == "null" || s == `""` {
			continue
		}
		name, named := c.names[field]
		if _, taken := found[name]; !named || taken || used[name] {
			name = field
		}
		used[name] = true
		o.Raw(name, found[field])
	}
	if len(used) == 0 {
		return nil
	}
	return o.Bytes()
}
