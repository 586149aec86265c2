package infer

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/transforms"
)

// tried is what steps of the language make of a column's values.
type tried struct {
	known   bool // the language has the steps
	refused int  // of the values
}

// try runs steps, written as in a mapping, over the values.
func (c *Column) try(steps string) tried {
	spec, err := transforms.Parse("try", []byte("streams: {s: {fields: {v: {from: v, "+steps+"}}}}"))
	if err != nil {
		return tried{}
	}
	m, err := transforms.Compile(spec, transforms.Options{})
	if err != nil {
		return tried{}
	}
	rec := c.record()
	defer rec.Release()
	plans, err := m.Plans("s", rec.Schema())
	if err != nil || len(plans) != 1 {
		return tried{}
	}
	applied, err := plans[0].Apply(context.Background(), rec, nil)
	if err != nil {
		return tried{}
	}
	defer applied.Rows.Release()
	return tried{true, len(applied.Rejected)}
}

// fits: the steps take all values, and there is one at least.
func (c *Column) fits(steps string) bool {
	t := c.try(steps)
	return t.known && t.refused == 0 && len(c.Values) > 0
}

// record holds the values as the column v.
func (c *Column) record() arrow.Record {
	schema := arrow.NewSchema([]arrow.Field{connector.JSONField("v")}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for _, raw := range c.raw {
		b.Field(0).(*array.StringBuilder).Append(string(raw))
	}
	return b.NewRecord()
}

// count is how many values a test is true for.
func (c *Column) count(is func(string) bool) int {
	n := 0
	for _, v := range c.Values {
		if is(v) {
			n++
		}
	}
	return n
}

func (c *Column) all(is func(string) bool) bool {
	return len(c.Values) > 0 && c.count(is) == len(c.Values)
}
func (c *Column) most(is func(string) bool) bool {
	return len(c.Values) > 0 && 2*c.count(is) > len(c.Values)
}

// distinct are the values, each once, in the order in which they were first seen; nil where there are more than most.
func (c *Column) distinct(most int) []string {
	seen := map[string]bool{}
	var list []string
	for _, v := range c.Values {
		if !seen[v] {
			seen[v] = true
			list = append(list, v)
		}
		if len(list) > most {
			return nil
		}
	}
	return list
}

var (
	emailForm   = newForm(`^[^@\s,;]+@[^@\s,;]+\.[^@\s,;.]+$`)
	numberForm  = newForm(`^[+-]?[0-9]+(\.[0-9]+)?$`)
	damagedForm = newForm(`(?i)^[0-9](\.[0-9]+)?e\+?[0-9]+$`)
	flagForm    = newForm(`(?i)^(true|false|yes|no|y|n|是|否|已验证|未验证|subscribed|unsubscribed)$`)
	companyForm = newForm(`(?i)\b(ltd|limited|inc|llc|llp|gmbh|corp|corporation|company|co|group|holdings?|pte|plc|bv|ag|sa|kg|studios?|partners|bank|university|school|hospital|trading|traders|industries|systems|solutions|services|shop|store)\b\.?|公司|集团|有限|工厂|厂$|店$|门店|工作室|银行|医院|学校|大学|事务所|中心|合作社|商行|经营部`)
)

func isEmail(s string) bool  { return emailForm.MatchString(s) }
func isNumber(s string) bool { return numberForm.MatchString(s) }
func isFlag(s string) bool   { return flagForm.MatchString(s) }

// isInternational: the number says its country.
func isInternational(s string) bool {
	return strings.HasPrefix(s, "+") || strings.HasPrefix(s, "＋") || strings.HasPrefix(s, "00")
}

// phoneLike: it has as many digits as numbers of people have, and few other signs.
func phoneLike(s string) bool {
	digits, letters := 0, 0
	for _, r := range s {
		switch {
		case unicode.IsDigit(r):
			digits++
		case unicode.IsLetter(r):
			letters++
		}
	}
	return digits >= 7 && digits <= 15 && letters == 0 && !strings.ContainsAny(s, ":,;%") && !dateLike(s)
}

var dateForm = newForm(`^(19|20)[0-9]{2}[-/.年][0-9]{1,2}[-/.月][0-9]{1,2}|^[0-9]{1,2}[-/.][0-9]{1,2}[-/.](19|20)?[0-9]{2}\b`)

func dateLike(s string) bool { return dateForm.MatchString(s) }

var chineseMobile = newForm(`^1[3-9][0-9]{9}$`)

// singleWord: a name of one word in letters that are not Chinese, Japanese or Korean.
func singleWord(s string) bool {
	return !isHan(s) && !strings.ContainsAny(s, " ,") && !unicode.In([]rune(s)[0], unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}

func hasDigit(s string) bool { return strings.ContainsAny(s, "0123456789") }

// personal: it can be a name of a person.
func personal(s string) bool {
	if companyForm.MatchString(s) || hasDigit(s) || strings.ContainsAny(s, "@/:&") {
		return false
	}
	if n := len([]rune(s)); isHan(s) && !strings.Contains(s, " ") {
		return n <= 4 || strings.ContainsAny(s, "·•")
	}
	return len(strings.Fields(s)) <= 5
}

// genderSteps reads words for genders.
const genderSteps = "gender: true"

// listWords quotes words for a comment.
func listWords(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = quoted(w)
	}
	return strings.Join(out, ", ")
}

// quoted writes a text as YAML reads it, on one line and in signs that YAML allows.
func quoted(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string can always be written
	text := strings.TrimSuffix(b.String(), "\n")
	if !strings.ContainsFunc(text, unprintable) {
		return text
	}
	b.Reset()
	for _, r := range text {
		switch {
		case !unprintable(r):
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			fmt.Fprintf(&b, `\U%08X`, r)
		}
	}
	return b.String()
}

// unprintable signs end a line in YAML, or are not allowed in it.
func unprintable(r rune) bool { return r >= 0x7F && r != '\u00A0' && !unicode.IsGraphic(r) }

// share says how many of the values.
func (c *Column) share(n int) string { return fmt.Sprintf("%d of its %d values", n, len(c.Values)) }
