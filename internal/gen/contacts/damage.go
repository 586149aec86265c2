package main

import "strings"

// truth is one line of contacts.truth.jsonl: what is odd about a row. Rows without oddities have none.
type truth struct {
	Row   int      `json:"row"` // the line in contacts.jsonl, from 1
	ID    string   `json:"id"`
	Kinds []string `json:"kinds"`
	// Code is the code with which the row must be rejected under contacts.yaml and the rules of NXLink, Field the field at
	// fault; empty: it must be delivered, or filtered where Filtered is set. What other vendors make of it is in rulesOf.
	Code     string `json:"code,omitempty"`
	Field    string `json:"field,omitempty"`
	Filtered bool   `json:"filtered,omitempty"`
	// Of is set for a repeat: the first row of the same person, which is delivered. No other rows share an identifier, so
	// an empty CRM ends with a record per row that is delivered and no repeat.
	Of int `json:"of,omitempty"`
}

// damage spoils a sound row so that it is rejected.
type damage struct {
	kind, field, code string
	spoil             func(p *person)
	// line, if set, takes the finished line instead; it may make it something that is no JSON any more.
	line func(s string) string
}

func set(field string, v any) func(*person) { return func(p *person) { p.put(field, v) } }

// damages are dealt out in turn. The codes are those of the local refusals: none of these rows gets as far as a vendor that
// has the rule which the damage breaks.
var damages = []damage{
	{kind: "no such day", field: "birth", code: "bad_date", spoil: set("birth", "2021-02-30")},
	{kind: "letters in the phone", field: "mobile", code: "bad_phone", spoil: set("mobile", "ask reception")},
	{kind: "nobody to write to", code: "no_identifier", spoil: func(p *person) {
		p.drop("mobile")
		p.put("wa", nil)
		p.put("mail", nil)
	}},
	{kind: "unknown spelling", field: "sex", code: "unmapped_value", spoil: set("sex", "♂♀")},
	{kind: "mail too long", field: "mail", code: "too_long", spoil: set("mail", strings.Repeat("a.very.long.mailbox.", 3)+"name@example.com")},
	{kind: "cut line", code: "bad_json", line: func(s string) string { return s[:strings.LastIndexByte(s, ',')] }},
	{kind: "day and month swapped", field: "birth", code: "bad_date", spoil: set("birth", "1988-31-05")},
	{kind: "address too long", field: "city", code: "too_long", spoil: set("city", strings.Repeat("很长的地址", 21))},
	{kind: "phone too short", field: "wa", code: "bad_phone", spoil: set("wa", "+86 12")},
	{kind: "not UTF-8", field: "city", code: "bad_utf8", line: func(s string) string {
		return strings.Replace(s, `"city":"`, `"city":"`+"\xc9\xcf\xba\xa3", 1) // 上海 in GBK
	}},
	{kind: "no date", field: "birth", code: "bad_date", spoil: set("birth", "next Tuesday")},
	{kind: "two numbers in one field", field: "mobile", code: "bad_phone", spoil: set("mobile", "+86 138 0013 8000 / +86 139 0013 9000")},
	{kind: "not an object", code: "bad_json", line: func(string) string { return `["王芳","13800138000"]` }},
}
