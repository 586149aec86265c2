package sandbox

import (
	"encoding/json"
	"strconv"

	"github.com/sluicehq/sluice/internal/sandbox"
)

// Types of custom fields; the first number in their names.
const (
	FieldText = iota + 1
	FieldNumber
	FieldSingleSelect
	FieldMultiSelect
	FieldDate
	FieldDateTime
	FieldTags
)

// CustomField is a field that the tenant defined.
type CustomField struct {
	Name    string // customize_<type>_<n>
	Display string
	English string
	Type    int
	Options []string // of a select
}

// DefaultCustomFields has one field of each type that a customer can define.
var DefaultCustomFields = []CustomField{
	{"customize_1_14", "会员等级", "VIP level", FieldText, nil},
	{"customize_2_16", "积分", "Points", FieldNumber, nil},
	{"customize_3_17", "渠道", "Channel", FieldSingleSelect, []string{"Web", "Store", "Partner"}},
	{"customize_4_18", "兴趣", "Interests", FieldMultiSelect, []string{"Travel", "Music", "Sport"}},
	{"customize_5_19", "签约日期", "Signed on", FieldDate, nil},
	{"customize_6_20", "最近联系", "Last contact", FieldDateTime, nil},
}

// presetFields are the vendor's own; the labels of the two times are swapped, as in its example.
var presetFields = []CustomField{
	{"first_name", "名", "First name", FieldText, nil},
	{"last_name", "姓", "Last name", FieldText, nil},
	{"sms_phone", "手机号", "SMS phone", FieldText, nil},
	{"whats_app_phone", "WhatsApp", "WhatsApp", FieldText, nil},
	{"email", "邮箱", "Email", FieldText, nil},
	{"tags", "标签", "Tags", FieldTags, nil},
	{"created_at", "创建时间", "Updated at", FieldDateTime, nil},
	{"updated_at", "更新时间", "Created at", FieldDateTime, nil},
	{"country", "国家", "Country", FieldText, nil},
	{"time_zone", "时区", "Time zone", FieldText, nil},
	{"age", "年龄", "Age", FieldNumber, nil},
	{"birthday", "生日", "Birthday", FieldDate, nil},
	{"gender", "性别", "Gender", FieldSingleSelect, []string{"女", "男"}},
}

// fieldInfo is one element of the answer; tenantId is in another case than elsewhere, as the vendor prints it.
type fieldInfo struct {
	ID       int     `json:"id"`
	TenantID int64   `json:"tenantId"`
	Name     string  `json:"name"`
	Display  string  `json:"display_name"`
	English  string  `json:"display_en_name"`
	Show     bool    `json:"is_display"`
	Type     int     `json:"field_type"`
	Required bool    `json:"required"` // false for every field, as in the vendor's example
	Sequence int     `json:"sequence"`
	Remark   *string `json:"remark"`
	Info     *string `json:"field_type_info"`
	Preset   bool    `json:"is_preset"`
}

// fields answers GET …/customers/fields.
func (s *Service) fields(c *sandbox.Call) sandbox.Reply {
	acct, f := s.authenticate(c)
	if f != nil {
		return answer(c, f, nil)
	}
	q := c.URL.Query()
	id := scopeID{app: q.Get("app_key")}
	if t := q.Get("tenant_id"); t != "" {
		n, err := strconv.ParseInt(t, 10, 64)
		if err != nil {
			return answer(c, badParameter("tenant_id must be an integer"), nil)
		}
		id.tenant, id.hasTenant = n, true
	}
	key, f := s.scope(acct, id)
	if f != nil {
		return answer(c, f, nil)
	}
	preset := q.Get("is_preset")
	if preset != "" && preset != "true" && preset != "false" {
		return answer(c, badParameter("is_preset must be true or false"), nil)
	}
	list := []fieldInfo{}
	for i, cf := range presetFields {
		if preset != "false" {
			list = append(list, cf.info(i+1, key.tenant, true))
		}
	}
	for i, cf := range s.opts.CustomFields {
		if preset != "true" {
			list = append(list, cf.info(len(presetFields)+i+1, key.tenant, false))
		}
	}
	data, err := json.Marshal(list)
	if err != nil {
		panic(err) // plain values always marshal
	}
	return answer(c, nil, data)
}

func (cf CustomField) info(n int, tenant int64, preset bool) fieldInfo {
	return fieldInfo{
		ID: n, TenantID: tenant, Name: cf.Name, Display: cf.Display, English: cf.English, Show: true, Type: cf.Type,
		Sequence: n, Info: cf.typeInfo(preset), Preset: preset,
	}
}

// typeInfo is a JSON text inside the JSON: a date's layout or a select's options.
func (cf CustomField) typeInfo(preset bool) *string {
	var info string
	switch {
	case cf.Type == FieldDate:
		info = `{"formatter": "yyyy-MM-dd"}`
	case cf.Type == FieldDateTime:
		info = `{"formatter": "yyyy-MM-dd HH:mm:ss"}`
	case len(cf.Options) > 0:
		first := 1
		if preset {
			first = 0 // gender: 0 is female, 1 is male
		}
		info = "["
		for i, o := range cf.Options {
			if i > 0 {
				info += ", "
			}
			info += `{"id": "` + strconv.Itoa(first+i) + `", "name": ` + quote(o) + `}`
		}
		info += "]"
	default:
		return nil
	}
	return &info
}
