package infer

import (
	"fmt"
	"slices"

	"github.com/sluicehq/sluice/connector"
)

// Options say what a mapping is proposed for.
type Options struct {
	Stream string
	CRM    string                   // its title, for comments
	Takes  func(column string) bool // the CRM has a place for the canonical column
	Year   int                      // the current one: birthdays lie before it
}

// Proposal is a mapping to be read and corrected.
type Proposal struct {
	Stream string
	CRM    string
	Lines  []Line // by canonical column, in the order of connector.Contact
	Left   []Left // columns for which no line stands
}

// Line is a field of the mapping.
type Line struct {
	Target string
	From   []string // columns; the first that has a value counts
	Steps  string   // in flow style, without from; may be empty
	Why    string   // what to look at; "": name and values leave no doubt
	Off    bool     // written as a comment, for the reader to choose
}

// Left is a column for which nothing is proposed.
type Left struct{ Column, Why string }

// candidate is a column that may fill a canonical column.
type candidate struct {
	Line
	grade  grade
	column *Column
}

// Propose makes a mapping from a sample.
func Propose(s *Sample, o Options) Proposal {
	p := proposer{o: o, sample: s, byTarget: map[string][]candidate{}, told: map[string]bool{}}
	for _, c := range s.Columns {
		for _, m := range meanings(c.Name) {
			p.told[m.target] = true
		}
	}
	out := Proposal{Stream: o.Stream, CRM: o.CRM}
	for _, c := range s.Columns {
		if why := p.consider(c); why != "" {
			out.Left = append(out.Left, Left{c.Name, why})
		}
	}
	for _, col := range connector.Contact {
		out.Lines = append(out.Lines, p.lines(col.Name)...)
	}
	return out
}

type proposer struct {
	o        Options
	sample   *Sample
	byTarget map[string][]candidate
	told     map[string]bool // canonical columns that some name speaks of
}

// consider finds what a column is for. The text says why it is for nothing; "": it is for something.
func (p *proposer) consider(c *Column) string {
	if c.nestings > 0 {
		return "it holds objects: name a member of one, such as " + quoted(c.Name+"[0]."+c.member()) + ", or make rows of them with `explode`"
	}
	why := p.unknown(c)
	best := candidate{}
	for _, m := range meanings(c.Name) {
		v := p.judge(c, m)
		if v.drop != "" {
			why = v.drop
			continue
		}
		cand := candidate{Line{m.target, []string{c.Name}, v.steps, v.why, v.off}, m.grade, c}
		switch {
		case v.confirmed && m.grade == likely:
			cand.grade = sure
		case m.grade < sure:
			cand.Why = also(m.why, v.why)
		}
		if v.confirmed && (m.why == givenBeside || m.why == familyBeside) && !m.nested && p.pair(m.target) {
			cand.grade, cand.Why = sure, v.why
		}
		if cand.grade == maybe {
			cand.Off = true
		}
		if len(c.Values) == 0 {
			cand.Why = also(cand.Why, "the sample has no value for it")
		}
		if best.column == nil || cand.grade > best.grade || cand.grade == best.grade && v.confirmed {
			best = cand
		}
	}
	if best.column == nil {
		return why
	}
	p.byTarget[best.Target] = append(p.byTarget[best.Target], best)
	return ""
}

// pair: both halves of a name are told, so that neither can be a whole one.
func (p *proposer) pair(target string) bool {
	return (target == "first_name" || target == "last_name") && p.told["first_name"] && p.told["last_name"]
}

// unknown says what the values of a column without a known name look like.
func (p *proposer) unknown(c *Column) string {
	switch {
	case len(c.Values) == 0:
		return "the sample has no value for it"
	case c.all(isEmail):
		return "it holds e-mail addresses, but its name does not say whose: email: {from: " + quoted(c.Name) + "}?"
	case c.all(phoneLike) && c.most(isInternational):
		return "it holds telephone numbers, but its name does not say whose: phone: {from: " + quoted(c.Name) + ", phone: {format: digits}}?"
	case !c.all(isNumber) && !c.all(isFlag) && c.fits(genderSteps):
		return "it holds words for genders, but its name says something else: gender: {from: " + quoted(c.Name) + ", gender: true}?"
	}
	return "no canonical column is known for this name"
}

// lines chooses among the columns that may fill one canonical column.
func (p *proposer) lines(target string) []Line {
	all := p.byTarget[target]
	slices.SortStableFunc(all, func(a, b candidate) int { return rank(a) - rank(b) })
	if target == "phone" {
		all = joinPhones(all)
	}
	var out []Line
	for i, c := range all {
		if i > 0 {
			c.Off = true
			first := "%s is taken from %s; this is another candidate"
			if all[0].Off {
				first = "one more candidate for %s, beside %s"
			}
			c.Why = also(fmt.Sprintf(first, target, quoted(all[0].From[0])), c.Why)
		}
		if p.o.Takes != nil && !p.o.Takes(target) {
			c.Off = true
			c.Why = also(p.o.CRM+" has no place for it, except as a custom field", c.Why)
		}
		out = append(out, c.Line)
	}
	return out
}

// rank puts the column first that fits best.
func rank(c candidate) int {
	r := int(sure-c.grade) * 4
	if c.Off {
		r += 2
	}
	if c.Why != "" {
		r++
	}
	return r
}

// joinPhones makes one line of columns that surely hold numbers of the same person: who has no mobile number has another.
func joinPhones(all []candidate) []candidate {
	n := 0
	for n < len(all) && all[n].grade == sure && !all[n].Off {
		n++
	}
	if n < 2 {
		return all
	}
	first := all[0]
	first.Why = ""
	for _, c := range all[:n] {
		if c.column != first.column {
			first.From = append(first.From, c.From...)
		}
		if c.Steps != first.Steps {
			first.Steps = "phone: {format: digits}"
		}
		first.Why = also(first.Why, c.Why)
	}
	first.Why = also("the first of these that is not empty is taken; put the number that has WhatsApp first", first.Why)
	return append([]candidate{first}, all[n:]...)
}
