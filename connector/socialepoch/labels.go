package socialepoch

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// profileField is a basic field of a profile.
type profileField struct {
	column string // canonical; "": a follow-up
	kind   valueKind
}

// valueKind is how a value is made canonical.
type valueKind uint8

const (
	valueText valueKind = iota
	valueGender
	valueDate
	valueTags
)

// labels are the names under which the vendor's client shows basic fields, in English and in Chinese, lower case. The
// vendor sends the label, in the language of the client.
var labels = func() map[string]profileField {
	all := map[string]profileField{}
	for _, f := range []struct {
		profileField
		names string
	}{
		{profileField{"full_name", valueText}, "name|full name|nickname|姓名|名称|昵称"},
		{profileField{"gender", valueGender}, "gender|sex|性别"},
		{profileField{"birthday", valueDate}, "dob|birthday|date of birth|生日|出生日期"},
		{profileField{"address", valueText}, "address|地址"},
		{profileField{"email", valueText}, "email|e-mail|邮箱|电子邮箱"},
		{profileField{"profession", valueText}, "position|profession|职业|职位"},
		{profileField{"income", valueText}, "income|收入"},
		{profileField{"remark", valueText}, "description|remarks|remark|备注|描述"},
		{profileField{"source", valueText}, "from|source|customer source|客户来源|来源"},
		{profileField{"stage", valueText}, "state|stage|customer stage|客户阶段|阶段"},
		{profileField{"language", valueText}, "language|customer language|客户语言|语言"},
		{profileField{"tags", valueTags}, "tags|tag|标签"},
		{profileField{"", valueText}, "follow up records|follow-up records|follow up|写跟进|跟进记录"},
	} {
		for name := range strings.SplitSeq(f.names, "|") {
			all[name] = f.profileField
		}
	}
	return all
}()

// fieldOf finds the basic field of a label, whatever its case; also where two names are written as the vendor's table has
// them: DOB(Birthday).
func fieldOf(label []byte) (profileField, bool) {
	if f, ok := fieldNamed(label); ok {
		return f, true
	}
	outer, inner, ok := bytes.Cut(label, []byte("("))
	if !ok {
		outer, inner, ok = bytes.Cut(label, []byte("（"))
	}
	if !ok {
		return profileField{}, false
	}
	if f, ok := fieldNamed(outer); ok {
		return f, true
	}
	return fieldNamed(bytes.TrimRight(inner, ")） "))
}

func fieldNamed(label []byte) (profileField, bool) {
	label = bytes.TrimSpace(label)
	var lower [64]byte
	if len(label) == 0 || len(label) > len(lower) {
		return profileField{}, false
	}
	for i, c := range label {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	f, ok := labels[string(lower[:len(label)])]
	return f, ok
}

// valueTypes are the vendor's numbers of fieldConfig.
var valueTypes = [...]string{1: "text", "lines", "single", "multi", "number", "date", "time", "attachment"}

const (
	configMulti = 4
	configDate  = 6
)

// genderOf reads the words that the vendor uses for a gender in its several places; "" for any other. Numbers are no
// words: each vendor gives them another meaning.
func genderOf(text []byte) string {
	text = bytes.TrimSpace(text)
	var upper [8]byte
	if len(text) > len(upper) {
		return ""
	}
	for i, c := range text {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		upper[i] = c
	}
	switch string(upper[:len(text)]) {
	case "M", "MALE", "男":
		return "male"
	case "F", "FEMALE", "女":
		return "female"
	case "UNKNOWN", "UNKOWNN", "UNKOWN", "未知":
		return "unknown"
	}
	return ""
}

// appendDate appends a date as ISO 8601; false where text is none: 2022-03-08, 2022/3/8 and 20220308, also with a time
// behind it.
func appendDate(dst, text []byte) ([]byte, bool) {
	text = bytes.TrimSpace(text)
	if i := bytes.IndexAny(text, " T"); i > 0 {
		text = text[:i]
	}
	var y, m, d int
	var ok bool
	if len(text) == 8 && !bytes.ContainsAny(text, "-/.") {
		y, ok = number(text[:4])
		m, d = twoDigits(text[4:]), twoDigits(text[6:])
	} else if len(text) > 4 && bytes.IndexByte([]byte("-/."), text[4]) >= 0 {
		month, day, cut := bytes.Cut(text[5:], text[4:5])
		y, ok = number(text[:4])
		m, d = -1, -1
		if n, good := number(month); good && cut && len(month) <= 2 {
			m = n
		}
		if n, good := number(day); good && len(day) <= 2 {
			d = n
		}
	}
	if !ok || m < 1 || m > 12 || d < 1 || d > daysIn(y, m) {
		return dst, false
	}
	return append(dst, byte('0'+y/1000), byte('0'+y/100%10), byte('0'+y/10%10), byte('0'+y%10), '-',
		byte('0'+m/10), byte('0'+m%10), '-', byte('0'+d/10), byte('0'+d%10)), true
}

func daysIn(y, m int) int {
	switch m {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// number reads one to four digits.
func number(text []byte) (n int, ok bool) {
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, len(text) > 0 && len(text) <= 4
}

// twoDigits reads the first two bytes of text, -1 where they are no digits.
func twoDigits(text []byte) int {
	if len(text) < 2 || text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9' {
		return -1
	}
	return int(text[0]-'0')*10 + int(text[1]-'0')
}

// eachTag calls each with every entry of a list that is no JSON: [Tag 1,Tag 2], with or without brackets.
func eachTag(text []byte, each func(tag []byte)) {
	text = bytes.TrimSpace(text)
	if n := len(text); n >= 2 && text[0] == '[' && text[n-1] == ']' {
		text = text[1 : n-1]
	}
	for len(text) > 0 {
		at, width := commaIn(text)
		if tag := bytes.TrimSpace(text[:at]); len(tag) > 0 {
			each(tag)
		}
		text = text[at+width:]
	}
}

// commaIn finds the first comma, of either width; len(text), 0 if there is none.
func commaIn(text []byte) (at, width int) {
	for i := 0; i < len(text); i++ {
		if text[i] == ',' {
			return i, 1
		}
		if text[i] == "，"[0] && bytes.HasPrefix(text[i:], []byte("，")) {
			return i, utf8.RuneLen('，')
		}
	}
	return len(text), 0
}
