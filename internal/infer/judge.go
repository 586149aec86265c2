package infer

import (
	"fmt"
	"strings"
)

// verdict is what the values say to a meaning.
type verdict struct {
	steps     string
	why       string
	off       bool
	confirmed bool   // the values are what the name says, and could hardly be anything else
	drop      string // why the column cannot be meant at all
}

// judge looks at the values of a column for one meaning.
func (p *proposer) judge(c *Column, m meaning) verdict {
	if len(c.Values) == 0 {
		return verdict{steps: emptySteps[m.target], off: m.target == "birthday" || m.target == "gender"}
	}
	switch m.target {
	case "phone", "whatsapp":
		return p.phone(c)
	case "email":
		return email(c)
	case "gender":
		return gender(c, m)
	case "birthday":
		return birthday(c, p.o.Year)
	case "full_name", "first_name", "last_name":
		return p.name(c, m.target)
	case "tags":
		return tags(c)
	case "external_id":
		n := len(c.distinct(len(c.Values)))
		return verdict{confirmed: n == len(c.Values) && n > 2 && n == p.sample.Rows}
	case "time_zone":
		if c.all(gmtForm.MatchString) {
			return verdict{confirmed: true}
		}
		return verdict{off: true, why: "the CRM wants a form such as GMT+8: use `map:`"}
	}
	return words(c, m.target)
}

// emptySteps are the steps of columns that the sample has no value for.
var emptySteps = map[string]string{
	"phone": "phone: {format: digits}", "whatsapp": "phone: {format: digits}", "email": "trim: true, case: lower", "gender": genderSteps,
	"birthday": `date: {in: ["%Y-%m-%d"]}`, "tags": "tags: true",
}

var (
	gmtForm = newForm(`^(GMT|UTC)[+-][0-9]{1,2}(:?[0-9]{2})?$`)
	webForm = newForm(`^(https?://|www\.)|^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$`)
)

func (p *proposer) phone(c *Column) verdict {
	v := verdict{steps: "phone: {format: digits}"}
	like, damaged := c.count(phoneLike), c.count(damagedForm.MatchString)
	switch {
	case damaged > 0:
		v.off, v.why = true, "Excel has cut "+c.share(damaged)+" to a form such as 1.38E+10: format the column as text there, then save it again"
		return v
	case like == 0:
		return verdict{drop: "its name speaks of a telephone number, but its values are none"}
	case 2*like < len(c.Values):
		v.off, v.why = true, "only "+c.share(like)+" look like telephone numbers"
	case like < len(c.Values):
		v.why = c.share(len(c.Values)-like) + " do not look like telephone numbers"
	}
	if foreign := len(c.Values) - c.count(isInternational); foreign > 0 {
		local := c.count(chineseMobile.MatchString)
		if local == foreign && p.chinese(c) && c.fits("phone: {region: CN, format: digits}") {
			v.steps = "phone: {region: CN, format: digits}"
			v.why = also(v.why, c.share(foreign)+" have no country code and are taken for Chinese mobile numbers")
		} else {
			v.why = also(v.why, c.share(foreign)+" do not begin with +: where the country code is missing, name the country, as in `phone: {region: CN, format: digits}`")
		}
	}
	if t := c.try(v.steps); t.refused > 0 {
		v.why = also(v.why, c.share(t.refused)+" are refused")
	}
	v.confirmed = v.why == ""
	return v
}

// chinese: the sheet is of people who leave the country code 86 out.
func (p *proposer) chinese(c *Column) bool {
	if isHan(c.Name) {
		return true
	}
	for _, other := range p.sample.Columns {
		if other.most(isHan) {
			return true
		}
	}
	return false
}

func email(c *Column) verdict {
	n := c.count(isEmail)
	v := verdict{steps: "trim: true, case: lower", confirmed: n == len(c.Values)}
	switch {
	case n == 0:
		return verdict{drop: "its name speaks of e-mail, but its values are no addresses"}
	case 2*n < len(c.Values):
		v.off, v.why = true, "only "+c.share(n)+" are e-mail addresses"
	case !v.confirmed:
		v.why = c.share(len(c.Values)-n) + " are no single e-mail address"
	}
	return v
}

func gender(c *Column, m meaning) verdict {
	if c.fits(genderSteps) {
		return verdict{steps: genderSteps, confirmed: true}
	}
	words := c.distinct(12)
	if words == nil || m.grade == maybe {
		return verdict{drop: "its name speaks of a gender, but its values are no words for one"}
	}
	coded := c.count(func(s string) bool { return isNumber(s) || isFlag(s) }) > 0
	var unknown []string
	for _, w := range words {
		one := &Column{}
		for i, v := range c.Values {
			if v == w {
				one.Values, one.raw = c.Values[i:i+1], c.raw[i:i+1]
				break
			}
		}
		if !one.fits(genderSteps) {
			unknown = append(unknown, quoted(w)+": unknown")
		}
	}
	v := verdict{steps: "gender: {map: {" + strings.Join(unknown, ", ") + "}}", off: true}
	if coded {
		v.why = "it holds codes (" + listWords(words) + "), and systems disagree about what those mean: write male, female or unknown behind each, then take the # away"
	} else {
		v.why = "it holds words that are not known: write male, female or unknown behind each, then take the # away"
	}
	return v
}

func birthday(c *Column, year int) verdict {
	d := c.date(year)
	if len(d.layouts) == 0 && d.why == "" {
		return verdict{drop: "its name speaks of a date of birth, but its values are no dates"}
	}
	v := verdict{why: d.why, off: d.off, confirmed: d.why == ""}
	layouts := d.layouts
	if len(layouts) == 0 {
		layouts = []string{"%Y-%m-%d"}
	}
	for i, l := range layouts {
		if strings.ContainsAny(l, "%") {
			layouts[i] = quoted(l)
		}
	}
	v.steps = "date: {in: [" + strings.Join(layouts, ", ") + "]}"
	if c.count(hasTime) > 0 && !v.off {
		v.why = also(v.why, "it holds times of day: if their zone is not the customers' own, days may be off by one; see `tz`")
	}
	return v
}

var timeForm = newForm(`[T ]([0-9]{1,2}):([0-9]{2})`)

// hasTime: a time that is not just midnight stands behind the date.
func hasTime(s string) bool {
	m := timeForm.get().FindStringSubmatch(s)
	return m != nil && (strings.Trim(m[1]+m[2], "0") != "" || strings.ContainsAny(s, "Z+"))
}

func (p *proposer) name(c *Column, target string) verdict {
	companies, persons := c.count(companyForm.MatchString), c.count(personal)
	v := verdict{steps: "trim: true"}
	switch {
	case c.count(isEmail)+c.count(phoneLike) == len(c.Values):
		return verdict{drop: "its name speaks of a person's name, but its values are addresses or numbers"}
	case c.all(func(s string) bool { return isNumber(s) || isFlag(s) || webForm.MatchString(s) || dateLike(s) }):
		return verdict{drop: "its name speaks of a person's name, but its values are none"}
	case companies > 0:
		v.off, v.why = 2*companies > len(c.Values), c.share(companies)+" look like names of companies"
		return v
	case persons < len(c.Values):
		v.why = c.share(len(c.Values)-persons) + " do not look like names of people"
		return v
	}
	if target != "full_name" {
		v.confirmed = true
		return v
	}
	if c.most(singleWord) {
		v.why = "most of its values are one word only"
		return v
	}
	v.confirmed = c.most(isHan) || p.people()
	return v
}

// people: other columns are of the kind that only a person has, or the company has a column of its own.
func (p *proposer) people() bool {
	for _, t := range []string{"gender", "birthday", "first_name", "last_name", "profession", "whatsapp", "company"} {
		if p.told[t] {
			return true
		}
	}
	return false
}

func tags(c *Column) verdict {
	switch {
	case c.all(isFlag), c.all(isNumber) && c.numbers == len(c.Values):
		return verdict{drop: "its name speaks of tags, but its values are flags or numbers"}
	case c.lists > 0 || c.count(func(s string) bool { return strings.HasPrefix(s, "[") }) > 0:
		return verdict{steps: "tags: true", confirmed: c.fits("tags: true"), why: refusals(c, "tags: true")}
	}
	if n := c.count(func(s string) bool { return strings.Contains(s, ":::") }); n > 0 {
		return verdict{steps: `tags: {split: [":::"]}`, why: "what separates tags is taken to be :::, as in exports of address books, whose own groups begin with *"}
	}
	if n := c.count(func(s string) bool { return strings.Contains(s, `"`) }); n > 0 {
		return verdict{steps: `replace: {pattern: '"', with: ""}, tags: true`, why: c.share(n) + " have quotes, which are taken off; a comma inside them would part a tag"}
	}
	found := ""
	for _, sep := range []string{",", "，", ";", "；", "|", "、", "/"} {
		if c.count(func(s string) bool { return strings.Contains(s, sep) }) > 0 {
			found += sep
		}
	}
	switch {
	case found == "" || strings.Trim(found, ",，") == "":
		return verdict{steps: "tags: true", confirmed: true}
	case strings.ContainsAny(found, ",，"):
		return verdict{steps: "tags: true", why: fmt.Sprintf("commas are taken for what separates tags; some values hold other signs too (%s)", strings.Trim(found, ",，"))}
	}
	var seps []string
	for _, r := range found {
		seps = append(seps, quoted(string(r)))
	}
	return verdict{steps: "tags: {split: [" + strings.Join(seps, ", ") + "]}", why: "no value holds a comma; what separates tags is taken to be " + strings.Join(seps, " or ")}
}

// refusals tells how many values a step refuses.
func refusals(c *Column, steps string) string {
	if t := c.try(steps); t.refused > 0 {
		return c.share(t.refused) + " are refused"
	}
	return ""
}

// words judges columns of plain text.
func words(c *Column, target string) verdict {
	switch {
	case c.all(isFlag):
		return verdict{drop: "its name speaks of " + target + ", but its values are flags"}
	case c.all(isEmail) && target != "owner":
		return verdict{drop: "its name speaks of " + target + ", but its values are e-mail addresses"}
	case c.all(webForm.MatchString):
		return verdict{drop: "its name speaks of " + target + ", but its values are addresses of the web"}
	case c.all(isNumber) && target != "income":
		return verdict{off: true, why: "its values are numbers, which may be ids of something that the CRM does not know"}
	case c.all(dateLike):
		return verdict{drop: "its name speaks of " + target + ", but its values are dates"}
	}
	return verdict{steps: "trim: true", confirmed: true}
}
