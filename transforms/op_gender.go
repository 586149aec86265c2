package transforms

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sluicehq/sluice/connector"
)

// The canonical genders.
const (
	genderMale    = "male"
	genderFemale  = "female"
	genderUnknown = "unknown"
)

// genderWords is what people and programs write for a gender, in small letters. Numbers are not among it: 0 is female at
// one vendor, unknown at the next.
var genderWords = map[string]string{
	genderMale:   `male m man men boy gentleman mr mr. sir 男 男性 男士 男生 男人 男孩 先生 ♂`,
	genderFemale: `female f woman women girl lady mrs mrs. ms ms. miss madam 女 女性 女士 女生 女人 女孩 小姐 太太 夫人 ♀`,
	genderUnknown: `unknown unkown unkownn unknownn unknow u other others none null n/a na undisclosed unspecified - -- — ? / ` +
		`未知 未填 未填写 未知性别 未设置 不详 不明 保密 其他 其它 无 無`,
}

var opGender = Op{
	Name:      "gender",
	Signature: "gender: true | {map: {word: male, …}, to: {male: …, female: …, unknown: …}}",
	Doc: "Makes a gender male, female or unknown. It knows the words, letters and forms of address of English and Chinese (`M`, `Female`, `Ms.`, `男`, `先生`, `未知`, also misspelt as " +
		"`UNKOWNN`); case, full-width letters and blanks around do not matter. `map` adds words of your source, or takes others than the built-in: its keys compare in the same way. Bare " +
		"numbers are refused unless `map` says what they mean, since 0 is female at one CRM and unknown at another. `to` writes what a CRM wants instead of the three words; one that `to` leaves " +
		"out becomes absent. Blank text becomes absent. What nobody knows goes to a `default` that follows, and is refused where there is none.",
	In: Scalar, Out: 0, Errors: []string{connector.CodeUnmapped, codeBadValue},
	Examples: []Example{
		{Field: `{from: sex, gender: true}`, In: `{"sex":" Female "}`, Out: `"female"`},
		{Field: `{from: sex, gender: true}`, In: `{"sex":"先生"}`, Out: `"male"`},
		{Field: `{from: sex, gender: true}`, In: `{"sex":"Ｍ"}`, Out: `"male"`},
		{Field: `{from: sex, gender: true}`, In: `{"sex":"UNKOWNN"}`, Out: `"unknown"`},
		{Field: `{from: sex, gender: {map: {1: male, 2: female, 0: unknown}}}`, In: `{"sex":2}`, Out: `"female"`},
		{Field: `{from: sex, gender: {map: {Herr: male, Frau: female}}}`, In: `{"sex":"FRAU"}`, Out: `"female"`},
		{Field: `{from: sex, gender: {map: {other: null}}}`, In: `{"sex":"Other"}`, Out: ``},
		{Field: `{from: gender, gender: {to: {male: 1, female: 0}}}`, In: `{"gender":"female"}`, Out: `0`},
		{Field: `{from: gender, gender: {to: {male: 1, female: 0}}}`, In: `{"gender":"unknown"}`, Out: ``},
		{Field: `{from: sex, gender: true, default: unknown}`, In: `{"sex":"x"}`, Out: `"unknown"`},
		{Field: `{from: sex, gender: true}`, In: `{"sex":" "}`, Out: ``},
		{Field: `{from: sex, gender: true}`, In: `{"sex":1}`, Code: connector.CodeUnmapped},
		{Field: `{from: sex, gender: true}`, In: `{"sex":"x"}`, Code: connector.CodeUnmapped},
		{Field: `{from: sex, gender: true}`, In: `{"sex":["M"]}`, Code: codeBadValue},
	},
	parse: parseGender,
}

// genderStep is a gender step made ready.
type genderStep struct {
	table *mapTable // lenient: a default follows
	long  int       // bytes of the longest word in the table
}

func parseGender(a arg) *step {
	g := &genderStep{table: &mapTable{to: map[string]value{}}}
	to := map[string]value{genderMale: textValue(genderMale), genderFemale: textValue(genderFemale), genderUnknown: textValue(genderUnknown)}
	var own []entry
	if a.isMap() {
		settings := a.settings("map", "to")
		if t, ok := settings["to"]; ok {
			to = genderCodes(t)
		}
		if m, ok := settings["map"]; ok {
			own = m.entries()
		}
	} else if !a.flag() {
		return nil
	}
	for gender, words := range genderWords {
		for word := range strings.FieldsSeq(words) {
			g.table.to[word] = to[gender]
		}
	}
	for _, e := range own {
		gender, ok := "", e.value.isNull()
		if !ok {
			gender, ok = e.value.oneOf(genderMale, genderFemale, genderUnknown)
		}
		for _, key := range []string{e.key, canonicalKey(e.at)} {
			if folded := string(appendFolded(nil, key)); ok && folded != "" {
				g.table.to[folded] = to[gender]
			}
		}
	}
	for word, v := range g.table.to {
		g.long = max(g.long, len(word))
		g.table.kinds |= v.kinds()
	}
	g.table.words = newWordTable(commonSpellings(g.table.to, to))
	return &step{table: g.table, out: always(g.table.kinds), run: texts(g.lookupTexts, g.lookup)}
}

// genderCodes reads what a CRM calls the three.
func genderCodes(a arg) map[string]value {
	to := map[string]value{}
	for name, code := range a.settings(genderMale, genderFemale, genderUnknown) {
		to[name] = code.constant()
	}
	if a.isMap() && (to[genderMale].missing() || to[genderFemale].missing()) {
		a.problem("does not say what male and female become: write both, as in {male: 1, female: 2, unknown: 0}")
	}
	return to
}

// commonSpellings are the texts that the column kernel looks for as they stand: the canonical words and those of one
// letter or in capitals.
func commonSpellings(table, to map[string]value) map[string]value {
	common := map[string]value{}
	for _, word := range [...]string{"male", "female", "unknown", "m", "f", "Male", "Female", "Unknown", "MALE", "FEMALE", "UNKNOWN", "M", "F", "男", "女", "先生", "女士", "未知"} {
		if v, ok := table[strings.ToLower(word)]; ok {
			common[word] = v
		}
	}
	return common
}

// lookupTexts finds the common spellings.
func (g *genderStep) lookupTexts(x *exec, vec *vector, rows []int32) {
	for _, r := range rows {
		if to, ok := g.table.words.get(vec.text[r]); ok {
			vec.set(r, to)
		} else {
			x.leave(r)
		}
	}
}

func (g *genderStep) lookup(x *exec, v value) (value, *fault) {
	s, ok := x.text(v)
	if !ok {
		return v, &fault{codeBadValue, "gender takes a single value, not " + v.noun()}
	}
	if v.k == kindNumber {
		s = canonicalNumber(s)
	}
	// No word is longer, however it is written: full-width letters take three bytes each.
	word := x.buf[:0]
	if len(s) <= 4*g.long+32 {
		word = appendFolded(word, s)
		x.buf = word
		if len(word) == 0 {
			return value{}, nil
		}
		if to, ok := g.table.to[string(word)]; ok {
			return to, nil
		}
	}
	if g.table.lenient {
		return value{}, nil
	}
	return v, g.refuse(x, v, string(word))
}

// refuse says what the mapping lacks, with the line to write.
func (g *genderStep) refuse(x *exec, v value, word string) *fault {
	shown := x.shown(v)
	if isNumber(word) || word == "true" || word == "false" {
		return &fault{connector.CodeUnmapped, "gender: " + shown + " is a bare number or flag, and CRMs disagree about what those mean. " +
			"Write `gender: {map: {" + numberLine(word) + "}}` into the field of your mapping, with the meanings that your source gives them"}
	}
	if word == "" || len(word) > shownRunes {
		return &fault{connector.CodeUnmapped, "gender: " + shown + " is no word for a gender. Mend it at its source, or add `default: unknown` to the field"}
	}
	return &fault{connector.CodeUnmapped, "gender: " + shown + " is no word that it knows. Write `gender: {map: {" + strconv.Quote(word) +
		": unknown}}` into the field of your mapping, with male, female or unknown behind the word, or `default: unknown` for all such words"}
}

// numberLine proposes a table that lists the number.
func numberLine(word string) string {
	switch word {
	case "0", "1", "2":
		return "1: male, 2: female, 0: unknown"
	case "true", "false":
		return "true: male, false: female"
	}
	return word + ": unknown"
}

// appendFolded appends a text without blanks around it, in small letters, full-width signs as their ASCII ones.
func appendFolded(dst []byte, s string) []byte {
	s = trimBlank(s)
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < utf8.RuneSelf {
			if c-'A' < 26 {
				c += 'a' - 'A'
			}
			dst = append(dst, c)
			continue
		}
		for _, c := range s[i:] {
			dst = utf8.AppendRune(dst, narrow(unicode.ToLower(c)))
		}
		break
	}
	return dst
}
