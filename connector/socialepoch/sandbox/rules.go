package sandbox

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The vendor's codes of contacts.
const (
	codeSex         = 10
	codeSource      = 14
	codeStage       = 15
	codeLanguage    = 16
	codeTooMany     = 19
	codeTooLong     = 21
	codeRequired    = 22
	codeNumber      = 23
	codeDate        = 24
	codeTime        = 25
	codeSingle      = 26
	codeMulti       = 27
	codePhone       = 28
	codeNoPhone     = 29
	codeCountry     = 51
	codeProcessing  = 56
	codeManyURLs    = 58
	codeAttachment  = 59
	codeLargeAttach = 60
)

// Types of extension fields.
const (
	FieldText       = "text"
	FieldNumber     = "number"
	FieldDate       = "date"
	FieldTime       = "time"
	FieldSingle     = "single"
	FieldMulti      = "multi"
	FieldAttachment = "attachment"
)

// Extension is a field that the company set up.
type Extension struct {
	Name    string // as the console shows it
	Type    string
	Options []string // of a choice
}

// DefaultExtensions has one field of each type.
var DefaultExtensions = []Extension{
	{"Faction", FieldText, nil},
	{"Points", FieldNumber, nil},
	{"Signed on", FieldDate, nil},
	{"Call at", FieldTime, nil},
	{"Channel", FieldSingle, []string{"Web", "Store", "Partner"}},
	{"Interests", FieldMulti, []string{"Travel", "Music", "Sport"}},
	{"Files", FieldAttachment, nil},
}

// judge finds the first fault of a contact; code 0: none.
func (s *Service) judge(r *row) (code int, info string) {
	for _, name := range fieldOrder {
		v, given := r.text[name]
		switch {
		case !given && name == "whatsApp":
			return codeNoPhone, "PHONE_EMPTY"
		case !given && s.required(name):
			return codeRequired, "REQUIRED " + name
		case !given:
		case name == "whatsApp" && !isDigits(v):
			return codePhone, "PHONE_ERROR"
		case name == "sex" && v != "male" && v != "female" && v != "unknown":
			return codeSex, "SEX_ERROR"
		case name == "birthday" && !parses("2006/01/02", v):
			return codeDate, "DATE_ERROR birthday"
		case name == "stage" && !slices.Contains(s.opts.Stages, v):
			return codeStage, "STAGE_ERROR"
		case name == "source" && !slices.Contains(s.opts.Sources, v):
			return codeSource, "SOURCE_ERROR"
		case name == "languageTag" && !slices.Contains(s.opts.Languages, v):
			return codeLanguage, "LANGUAGE_ERROR"
		case name == "country" && !slices.Contains(s.opts.Countries, v):
			return codeCountry, "COUNTRY_ERROR"
		}
	}
	for i := range s.opts.Extensions {
		e := &s.opts.Extensions[i]
		raw, given := r.custom[e.Name]
		if !given && s.required(e.Name) {
			return codeRequired, "REQUIRED " + e.Name
		}
		if given {
			if code := e.judge(raw); code != 0 {
				return code, "EXTENSION_ERROR " + e.Name
			}
		}
	}
	return 0, ""
}

// judge finds the fault of an extension field's value, given as JSON.
func (e *Extension) judge(raw string) int {
	var text string
	isText := json.Unmarshal([]byte(raw), &text) == nil
	if isText && text == "" {
		return 0
	}
	if utf8.RuneCountInString(text) > maxText {
		return codeTooLong
	}
	switch e.Type {
	case FieldNumber:
		if !isText {
			text = raw
		}
		if _, err := strconv.ParseFloat(text, 64); err != nil {
			return codeNumber
		}
	case FieldDate:
		if !parses("2006/01/02", text) && !parses("2006-01-02", text) {
			return codeDate
		}
	case FieldTime:
		if !parses("15:04:05", text) {
			return codeTime
		}
	case FieldSingle:
		if one := choices(raw, text, ""); len(one) != 1 || !slices.Contains(e.Options, one[0]) {
			return codeSingle
		}
	case FieldMulti:
		for _, choice := range choices(raw, text, ",") {
			if !slices.Contains(e.Options, choice) {
				return codeMulti
			}
		}
	case FieldAttachment:
		return judgeURLs(strings.Split(text, ","))
	}
	return 0
}

// choices reads a list, a list as a text, or a text that sep splits.
func choices(raw, text, sep string) []string {
	var list []string
	if json.Unmarshal([]byte(raw), &list) == nil || json.Unmarshal([]byte(text), &list) == nil {
		return list
	}
	if sep == "" {
		return []string{text}
	}
	return strings.Split(text, sep)
}

func judgeURLs(list []string) int {
	if len(list) > 10 {
		return codeManyURLs
	}
	for _, text := range list {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return codeAttachment
		}
		if strings.Contains(text, "oversize") {
			return codeLargeAttach
		}
	}
	return 0
}

func parses(layout, s string) bool {
	_, err := time.Parse(layout, s)
	return err == nil && len(s) == len(layout)
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
