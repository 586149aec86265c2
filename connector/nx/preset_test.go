package nx_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/nx"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/rows"
	"github.com/sluicehq/sluice/transforms"
)

// dialect maps canonical contacts with the preset of one configuration.
type dialect struct {
	t       *testing.T
	mem     *memory.CheckedAllocator
	mapping *transforms.Mapping
}

func newDialect(t *testing.T, v connector.Vendor, settings map[string]any) *dialect {
	t.Helper()
	data, err := json.Marshal(account(settings))
	if err != nil {
		t.Fatal(err)
	}
	cfg := v.NewConfig()
	if err := config.Decode("test", data, v.Fields, cfg); err != nil {
		t.Fatal(err)
	}
	text, err := v.Preset(cfg)
	if err != nil {
		t.Fatal(err)
	}
	preset, err := transforms.Parse("preset.yaml", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	d := &dialect{t: t, mem: memory.NewCheckedAllocator(memory.DefaultAllocator)}
	d.mapping, err = transforms.Compile(nil, transforms.Options{Preset: preset, Identifiers: v.MatchKeys, Alloc: d.mem})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.mem.AssertSize(t, 0) })
	return d
}

// object returns the vendor's object of a contact as JSON, or the code of its refusal with the field.
func (d *dialect) object(contact string) string {
	d.t.Helper()
	b := rows.NewBuilder(d.mem, rows.RawSchema(d.mapping.Fields("contacts")))
	defer b.Release()
	if refusal := b.Append([]byte(contact)); refusal != nil {
		d.t.Fatal(refusal)
	}
	in := b.NewRecord()
	defer in.Release()
	plans, err := d.mapping.Plans("contacts", in.Schema())
	if err != nil {
		d.t.Fatal(err)
	}
	out, err := plans[0].Apply(context.Background(), in, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	defer out.Rows.Release()
	if len(out.Rejected) > 0 {
		return strings.TrimSpace(out.Rejected[0].Code + " " + out.Rejected[0].Field)
	}
	return string(rows.AppendJSON(nil, out.Rows, 0))
}

// fields returns some fields of the vendor's object as compact JSON, "-" for those that are not there.
func (d *dialect) fields(contact string, names ...string) string {
	d.t.Helper()
	text := d.object(contact)
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &object) != nil {
		return text // a refusal
	}
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = "-"
		if v, ok := object[name]; ok {
			parts[i] = string(v)
		}
	}
	return strings.Join(parts, " ")
}

// The whole object in each contract, in the vendor's order of fields.
func TestPresetWholeContact(t *testing.T) {
	const contact = `{"phone":"+86 181-6372-5558","whatsapp":"8618667728886","full_name":"Zhang San","email":" a@example.com ","gender":"Male",
		"birthday":"1976/4/12","address":"Guizhou","country":"China","company":"X","stage":"won","remark":"vip","tags":["test","99"],"time_zone":"GMT+8",
		"source":"fair","owner":"seat-7","custom":{"vip_level":"aa","customize_2_16":5},"viber_phone":"+1 (555) 010-0199","line":"li-ne"}`
	custom := map[string]any{"vip_level": "customize_1_14"}
	const middle = `"whats_app_phone":"8618667728886","sms_phone":"8618163725558","email":"a@example.com",`
	const tail = `"gender":1,"birthday":"1976-04-12","country":"China","address":"Guizhou","remark":"vip","source":"fair","time_zone":"GMT+8",`
	const end = `"tagStr":"test,99","customize_field":"{\"customize_1_14\":\"aa\",\"customize_2_16\":5}"}`
	for _, tc := range []struct {
		name     string
		vendor   connector.Vendor
		settings map[string]any
		want     string
	}{
		{"sea", nx.NXLink, map[string]any{"custom_fields": custom},
			`{"first_name":"Zhang","last_name":"San",` + middle + tail + `"belong_seat_user":"seat-7",` + end},
		{"sea surname first", nx.NXLink, map[string]any{"custom_fields": custom, "name_order": "nx_surname_first", "send_full_name": true},
			`{"full_name":"Zhang San","last_name":"Zhang","first_name":"San",` + middle + tail + `"belong_seat_user":"seat-7",` + end},
		{"old", nx.NXCloud, map[string]any{"custom_fields": custom, "contract": "old"},
			`{"first_name":"Zhang","last_name":"San",` + middle + tail + end},
		{"new", nx.NXCloud, map[string]any{"custom_fields": custom},
			`{"full_name":"Zhang San","first_name":"Zhang","last_name":"San",` + middle + `"viber_phone":"15550100199","line":"li-ne",` + tail + `"belong_seat_user":"seat-7",` + end},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := newDialect(t, tc.vendor, tc.settings).object(contact); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// Names by script and contract. given and family are the halves; the two labels of the vendor are filled by name_order.
func TestPresetNames(t *testing.T) {
	table := []struct {
		in                  string // members of the contact
		given, family, full string
	}{
		{`"full_name":"张三"`, "三", "张", "张三"},
		{`"full_name":"欧阳娜娜"`, "娜娜", "欧阳", "欧阳娜娜"},
		{`"full_name":"司马相如"`, "相如", "司马", "司马相如"},
		{`"full_name":"诸葛亮"`, "亮", "诸葛", "诸葛亮"},
		{`"full_name":"김철수"`, "철수", "김", "김철수"},
		{`"full_name":"Anna Müller"`, "Anna", "Müller", "Anna Müller"},
		{`"full_name":"  Ana María Silva "`, "Ana María", "Silva", "Ana María Silva"},
		{`"full_name":"Ludwig van Beethoven"`, "Ludwig", "van Beethoven", "Ludwig van Beethoven"},
		{`"full_name":"Madonna"`, "Madonna", "-", "Madonna"},
		{`"full_name":"Мария Иванова"`, "Мария", "Иванова", "Мария Иванова"},
		{`"full_name":"محمد علي"`, "محمد", "علي", "محمد علي"},
		{`"full_name":"O'Neil-Smith 🍵"`, "O'Neil-Smith", "🍵", "O'Neil-Smith 🍵"},
		{`"first_name":"三","last_name":"张"`, "三", "张", "张三"},
		{`"first_name":"Anna","last_name":"Müller"`, "Anna", "Müller", "Anna Müller"},
		{`"first_name":"Anna"`, "Anna", "-", "Anna"},
		{`"last_name":"Müller","full_name":null`, "-", "Müller", "Müller"},
		{`"first_name":"Anna","last_name":"Müller","full_name":"Dr. A. Müller"`, "Anna", "Müller", "Dr. A. Müller"},
	}
	for _, order := range []string{"as_labelled", "nx_surname_first"} {
		sea := newDialect(t, nx.NXLink, map[string]any{"name_order": order})
		latest := newDialect(t, nx.NXCloud, map[string]any{"name_order": order})
		for _, tc := range table {
			t.Run(order+"/"+tc.in, func(t *testing.T) {
				contact := `{"email":"a@b.cn",` + tc.in + `}`
				first, last := tc.given, tc.family
				if order == "nx_surname_first" {
					first, last = last, first
				}
				sea.t, latest.t = t, t
				if got, want := sea.fields(contact, "first_name", "last_name", "full_name"), fmt.Sprintf("%q %q -", first, last); got != want {
					t.Errorf("sea: got %s, want %s", got, want)
				}
				// The new contract demands neither half, so none is made up.
				want := fmt.Sprintf("%q", tc.full)
				for _, half := range []string{first, last} {
					if half == "-" {
						want += " -"
					} else {
						want += fmt.Sprintf(" %q", half)
					}
				}
				if got := latest.fields(contact, "full_name", "first_name", "last_name"); got != want {
					t.Errorf("new: got %s, want %s", got, want)
				}
			})
		}
	}
}

func TestPresetMissingNames(t *testing.T) {
	sea := newDialect(t, nx.NXLink, nil)
	if got := sea.object(`{"email":"a@b.cn"}`); got != "required first_name" {
		t.Errorf("sea without a name: %s", got)
	}
	dotted := newDialect(t, nx.NXLink, map[string]any{"missing_name": "n.a."})
	if got := dotted.fields(`{"email":"a@b.cn","full_name":"Cher"}`, "first_name", "last_name"); got != `"Cher" "n.a."` {
		t.Errorf("missing_name n.a.: %s", got)
	}
	strict := newDialect(t, nx.NXLink, map[string]any{"missing_name": ""})
	if got := strict.object(`{"email":"a@b.cn","full_name":"Cher"}`); got != "required last_name" {
		t.Errorf("empty missing_name: %s", got)
	}
	latest := newDialect(t, nx.NXCloud, nil)
	if got := latest.object(`{"email":"a@b.cn"}`); got != "required full_name" {
		t.Errorf("new without a name: %s", got)
	}
}

// 0 is female: it must be there for women, and for nobody else.
func TestPresetGender(t *testing.T) {
	d := newDialect(t, nx.NXLink, nil)
	for want, spellings := range map[string][]string{
		"1":                     {`"male"`, `"Male"`, `"M"`, `" m "`, `"男"`, `"MALE"`},
		"0":                     {`"female"`, `"F"`, `"女"`, `"Female "`, `"WOMAN"`},
		"-":                     {`null`, `""`, `" "`, `"unknown"`, `"UNKOWNN"`, `"UNKNOWN"`, `"未知"`},
		"unmapped_value gender": {`"1"`, `"0"`, `1`, `0`, `2`, `true`, `"xyz"`},
		"bad_type gender":       {`["male"]`, `{"a":1}`},
	} {
		for _, spelling := range spellings {
			if got := d.fields(`{"email":"a@b.cn","full_name":"A B","gender":`+spelling+`}`, "gender"); got != want {
				t.Errorf("gender %s: got %s, want %s", spelling, got, want)
			}
		}
	}
	if got := d.object(`{"email":"a@b.cn","full_name":"A B"}`); strings.Contains(got, "gender") {
		t.Errorf("no gender: %s", got)
	}
}

func TestPresetValues(t *testing.T) {
	sea := newDialect(t, nx.NXLink, map[string]any{"custom_fields": map[string]any{"vip": "customize_1_14", "sum": "customize_2_16"}})
	latest := newDialect(t, nx.NXCloud, nil)
	long := func(n int) string { return `"` + strings.Repeat("长", n) + `"` }
	for _, tc := range []struct{ field, in, column, sea, latest string }{
		{"birthday", `"1976-04-12"`, "birthday", `"1976-04-12"`, ""},
		{"birthday", `"1976/4/2"`, "birthday", `"1976-04-02"`, ""},
		{"birthday", `"12.04.1976"`, "birthday", "bad_date birthday", ""},
		{"birthday", `"19760412"`, "birthday", `"1976-04-12"`, ""},
		{"birthday", `"1976年4月12日"`, "birthday", `"1976-04-12"`, ""},
		{"birthday", `"12 Apr 1976"`, "birthday", `"1976-04-12"`, ""},
		{"birthday", `"April 12, 1976"`, "birthday", `"1976-04-12"`, ""},
		{"birthday", `"1976-04-12T00:00:00Z"`, "birthday", `"1976-04-12"`, ""},
		{"birthday", `"1976-04-12T00:00:00+08:00"`, "birthday", `"1976-04-12"`, ""},
		{"birthday", `"1976-04-12T00:00:00.000-05:00"`, "birthday", `"1976-04-12"`, ""},
		{"birthday", `"2000-02-29"`, "birthday", `"2000-02-29"`, ""},
		{"birthday", `"1999-02-29"`, "birthday", "bad_date birthday", ""},
		{"birthday", `"04/12/1976"`, "birthday", "bad_date birthday", ""},
		{"birthday", `""`, "birthday", "-", ""},

		{"whatsapp", `"+86 (186) 6772-8886"`, "whats_app_phone", `"8618667728886"`, ""},
		{"whats_app_phone", `"8618667728886"`, "whats_app_phone", `"8618667728886"`, ""},
		{"whatsapp", `"86-abc"`, "whats_app_phone", "bad_phone whats_app_phone", ""},
		{"phone", `8618667728886`, "sms_phone", `"8618667728886"`, ""},
		{"sms_phone", `"0086 186"`, "sms_phone", `"86186"`, ""},

		{"tags", `["vip"," 新 ","vip",""]`, "tagStr", `"vip,新"`, ""},
		{"tags", `"a，b, c ,a"`, "tagStr", `"a,b,c"`, ""},
		{"tags", `["a,b","c"]`, "tagStr", "separator_in_tag tagStr", ""},
		{"tagStr", `"test,99"`, "tagStr", `"test,99"`, ""},

		{"remark", long(100), "remark", long(100), ""},
		{"remark", long(101), "remark", "too_long remark", long(101)},
		{"remark", long(2000), "remark", "too_long remark", long(2000)},
		{"remark", long(2001), "remark", "too_long remark", "too_long remark"},
		{"email", `"` + strings.Repeat("长", 45) + `@b.cn"`, "email", `"` + strings.Repeat("长", 45) + `@b.cn"`, ""},
		{"email", `"` + strings.Repeat("长", 46) + `@b.cn"`, "email", "too_long email", ""},
		{"country", long(51), "country", "too_long country", ""},
		{"address", long(101), "address", "too_long address", ""},
		{"owner", long(128), "belong_seat_user", long(128), ""},
		{"owner", long(129), "belong_seat_user", "too_long belong_seat_user", ""},
		{"first_name", long(129), "first_name", "too_long first_name", ""},
		{"full_name", `"` + strings.Repeat("A", 250) + ` Li"`, "last_name", "too_long first_name", "too_long first_name"},

		{"custom", `{"vip":"g\"old","sum":1.50}`, "customize_field", `"{\"customize_1_14\":\"g\\\"old\",\"customize_2_16\":1.50}"`, "unknown_field customize_field"},
		{"custom", `{"customize_3_17":"Web","vip":null}`, "customize_field", `"{\"customize_3_17\":\"Web\"}"`, "unknown_field customize_field"},
		{"custom", `{}`, "customize_field", "-", ""},
		{"custom", `{"vpi":1}`, "customize_field", "unknown_field customize_field", ""},
		{"custom", `{"customize_1_x":1}`, "customize_field", "unknown_field customize_field", ""},
		{"customize_field", `"{\"customize_1_14\": \"aa\"}"`, "customize_field", `"{\"customize_1_14\":\"aa\"}"`, ""},
		{"custom", `"text"`, "customize_field", "bad_value customize_field", ""},
	} {
		if tc.latest == "" {
			tc.latest = tc.sea
		}
		members := `"full_name":"A B","email":"a@b.cn"`
		if tc.field == "email" || tc.field == "full_name" {
			members = `"full_name":"A B","whatsapp":"12345678"`
			if tc.field == "full_name" {
				members = `"whatsapp":"12345678"`
			}
		}
		contact := `{` + members + `,"` + tc.field + `":` + tc.in + `}`
		if got := sea.fields(contact, tc.column); got != tc.sea {
			t.Errorf("sea: %s %.60s: got %.160s, want %.160s", tc.field, tc.in, got, tc.sea)
		}
		if got := latest.fields(contact, tc.column); got != tc.latest {
			t.Errorf("new: %s %.60s: got %.160s, want %.160s", tc.field, tc.in, got, tc.latest)
		}
	}
}

func TestPresetIdentifiers(t *testing.T) {
	d := newDialect(t, nx.NXCloud, nil)
	for contact, want := range map[string]string{
		`{"full_name":"A B"}`:                                         "no_identifier",
		`{"full_name":"A B","viber_phone":"12345678"}`:                "no_identifier",
		`{"full_name":"A B","email":" ","phone":"","whatsapp":null}`:  "no_identifier",
		`{"full_name":"A B","phone":"12345678"}`:                      `{"full_name":"A B","first_name":"A","last_name":"B","sms_phone":"12345678"}`,
		`{"full_name":"A B","phone":"12345678","company":"X","no":1}`: `{"full_name":"A B","first_name":"A","last_name":"B","sms_phone":"12345678"}`,
	} {
		if got := d.object(contact); got != want {
			t.Errorf("%s: got %s, want %s", contact, got, want)
		}
	}
}
