package transforms

import (
	"errors"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

const (
	phoneFormatDigits   = "digits"
	phoneFormatE164     = "e164"
	phoneFormatNational = "national"
)

// phoneStep is a phone step that knows countries.
type phoneStep struct {
	region string // of numbers without a country code; "": there must be none
	code   int    // the region's country code
	plans  []numberPlan
	format string
}

func (p *phoneStep) setRegion(a arg) bool {
	name, ok := a.str()
	if !ok {
		return false
	}
	p.region = strings.ToUpper(name)
	if p.code = phonenumbers.GetCountryCodeForRegion(p.region); p.code == 0 {
		a.problem("%q is no region; write the two letters of a country, such as CN, DE or US", shorten(name))
		return false
	}
	for _, plan := range plansByCode[p.code] {
		if plan.region == p.region {
			p.plans = append(p.plans, plan)
		}
	}
	return true
}

// convert is the definition of the step.
func (p *phoneStep) convert(x *exec, v value) (value, *fault) {
	d, bad := x.dialled(v)
	if bad != nil || d.blank {
		return value{}, bad
	}
	if len(d.digits) > maxPhoneDigits {
		return v, badPhone(x, v, "has too many digits")
	}
	if !x.rowwise {
		if plan, national, ok := p.known(d.digits, d.abroad); ok {
			return textValue(x.keep(p.append(x.room(maxPhoneDigits+1), plan, national))), nil
		}
	}
	if !d.abroad && p.region == "" {
		return v, badPhone(x, v, "does not say its country. Write it with a + and the country code, or set `region` to the country of such numbers")
	}
	number, why := p.ask(d.digits, d.abroad)
	if why != "" {
		return v, badPhone(x, v, why)
	}
	return textValue(number), nil
}

// ask puts the number to the library: it knows the lengths, trunk prefixes and international prefixes of all countries.
func (p *phoneStep) ask(digits string, abroad bool) (number, why string) {
	where := p.region
	if abroad {
		digits, where = "+"+digits, ""
	}
	n, err := phonenumbers.Parse(digits, where)
	switch {
	case errors.Is(err, phonenumbers.ErrInvalidCountryCode):
		return "", "begins with no country code that exists"
	case errors.Is(err, phonenumbers.ErrNumTooLong):
		return "", "is too long"
	case err != nil:
		return "", "is too short"
	}
	if !abroad && strings.HasPrefix(digits, strconv.Itoa(p.code)) {
		other, err := phonenumbers.Parse("+"+digits, "")
		if err == nil && other.GetNationalNumber() != n.GetNationalNumber() && phonenumbers.IsValidNumber(other) {
			if phonenumbers.IsValidNumber(n) {
				return "", "can be read with its country code or without. Write a + before the one, or a trunk prefix before the other"
			}
			n = other
		}
	}
	where = phonenumbers.GetRegionCodeForCountryCode(int(n.GetCountryCode()))
	switch phonenumbers.IsPossibleNumberWithReason(n) {
	case phonenumbers.IS_POSSIBLE:
	case phonenumbers.IS_POSSIBLE_LOCAL_ONLY:
		return "", "lacks its area code"
	case phonenumbers.TOO_SHORT:
		return "", "is too short for " + where
	case phonenumbers.TOO_LONG:
		return "", "is too long for " + where + hintAbroad(abroad)
	default:
		return "", "has a number of digits that " + where + " does not have" + hintAbroad(abroad)
	}
	number = phonenumbers.Format(n, phonenumbers.E164)
	if strings.HasPrefix(phonenumbers.GetNationalSignificantNumber(n), "0") {
		if same, err := phonenumbers.Parse(number, ""); err != nil || phonenumbers.Format(same, phonenumbers.E164) != number {
			return "", "is no number of " + where // zeros that would be taken for a trunk prefix
		}
	}
	if !abroad && p.dropped(digits, n) && !phonenumbers.IsValidNumber(n) {
		return "", "begins with the digits of a dialling service, and what is behind them is no number of " + where
	}
	switch p.format {
	case phoneFormatE164:
		return number, ""
	case phoneFormatNational:
		if int(n.GetCountryCode()) != p.code {
			return "", "is a number of " + where + ", which " + p.region + " does not dial without a country code"
		}
		return onlyDigits(phonenumbers.Format(n, phonenumbers.NATIONAL)), ""
	}
	return number[1:], ""
}

// serviceDigits is the least length of the prefixes by which one chooses a carrier; those of trunks are shorter.
const serviceDigits = 4

// dropped reports whether the library took a carrier's prefix off a number of the region's own. Of any long row of digits
// there would be a number left.
func (p *phoneStep) dropped(digits string, n *phonenumbers.PhoneNumber) bool {
	prefix, whole := strings.CutSuffix(digits, phonenumbers.GetNationalSignificantNumber(n))
	return whole && int(n.GetCountryCode()) == p.code && len(prefix) >= serviceDigits && !strings.HasSuffix(prefix, strconv.Itoa(p.code))
}

func hintAbroad(abroad bool) string {
	if abroad {
		return ""
	}
	return ". If it begins with a country code, write a + before it"
}

func onlyDigits(s string) string {
	return strings.Map(func(c rune) rune {
		if c < '0' || c > '9' {
			return -1
		}
		return c
	}, s)
}

// numberPlan is a kind of number of which the length and the first digits say all: nothing is to be guessed, and the
// library, which takes some microseconds, need not be asked. A test holds each to what the library says.
type numberPlan struct {
	region string
	code   string
	trunk  string   // dialled before the number inside the country; "?": not before each
	length int      // digits behind country code and trunk
	starts []string // one of these begins it
}

// plansByCode are the plans of a country code.
var plansByCode = func() (byCode [1000][]numberPlan) {
	for _, line := range [...]string{
		"CN 86 - 11 13 14 15 16 17 18 19", "HK 852 - 8 51 52 53 54 55 56 59 6 9", "TW 886 0 9 9", "SG 65 - 8 8 9", "MY 60 ? 9 12 13 14 16 17 18 19", "TH 66 0 9 6 8 9",
		"VN 84 0 9 3 5 7 8 9", "ID 62 0 11 81 85 87 89", "PH 63 0 10 9", "JP 81 0 10 70 80 90", "KR 82 0 10 10", "IN 91 0 10 6 7 8 9", "SA 966 0 9 5", "AE 971 0 9 5",
		"TR 90 ? 10 5", "RU 7 8 10 9", "UA 380 0 9 50 63 66 67 68 93 95 96 97 98 99", "DE 49 0 11 151 152 157 159", "DE 49 0 10 160 162 163 17", "FR 33 0 9 6 7", "GB 44 0 10 71 72 73 74 75 77 78 79", "IT 39 - 10 32 33 34 36 37 38",
		"ES 34 - 9 6 7", "NL 31 0 9 6", "PL 48 - 9 5 6 7 8", "US 1 - 10 2 3 4 5 6 7 8 9", "CA 1 - 10 2 3 4 5 6 7 8 9", "BR 55 - 11 11 21 31 41 51 61 71 81 91", "AU 61 0 9 4", "ZA 27 0 9 6 7 8",
	} {
		words := strings.Fields(line)
		length, _ := strconv.Atoi(words[3])
		code, _ := strconv.Atoi(words[1])
		byCode[code] = append(byCode[code], numberPlan{words[0], words[1], strings.Trim(words[2], "-"), length, words[4:]})
	}
	return byCode
}()

// fits reports whether the digits are a number of the plan, without country code and trunk.
func (n *numberPlan) fits(digits string) bool {
	if len(digits) != n.length {
		return false
	}
	for _, start := range n.starts {
		if strings.HasPrefix(digits, start) {
			return true
		}
	}
	return false
}

// known finds the plan of a number, and the number inside its country; false: the library has to say.
func (p *phoneStep) known(digits string, abroad bool) (plan *numberPlan, national string, ok bool) {
	plan, national, ok = p.find(digits, abroad)
	return plan, national, ok && (p.format != phoneFormatNational || plan.trunk != "?")
}

func (p *phoneStep) find(digits string, abroad bool) (*numberPlan, string, bool) {
	if !abroad {
		for i := range p.plans {
			plan := &p.plans[i]
			switch len(digits) - plan.length {
			case 0:
				if plan.fits(digits) && !strings.HasPrefix(digits, plan.code) {
					return plan, digits, true
				}
			case len(plan.code): // where lengths differ, this may be a longer number without its country code
				if len(p.plans) > 1 {
					continue
				}
				if national, ok := strings.CutPrefix(digits, plan.code); ok && plan.fits(national) {
					return plan, national, true
				}
			}
		}
		return nil, "", false
	}
	code := 0
	for i := 0; i < 3 && i < len(digits) && digits[0] != '0'; i++ {
		code = code*10 + int(digits[i]-'0')
		for j := range plansByCode[code] {
			plan := &plansByCode[code][j]
			if plan.fits(digits[i+1:]) && (p.format != phoneFormatNational || code == p.code) {
				return plan, digits[i+1:], true
			}
		}
	}
	return nil, "", false
}

// append writes a number of a plan.
func (p *phoneStep) append(dst []byte, plan *numberPlan, national string) []byte {
	switch p.format {
	case phoneFormatNational:
		return append(append(dst, plan.trunk...), national...)
	case phoneFormatE164:
		dst = append(dst, '+')
	}
	return append(append(dst, plan.code...), national...)
}

// convertTexts is the column kernel: numbers of known plans, written as plainly as most are.
func (p *phoneStep) convertTexts(x *exec, vec *vector, rows []int32) {
	for _, r := range rows {
		s := vec.text[r]
		if len(s) > cap(x.buf) {
			x.buf = make([]byte, 0, 2*len(s))
		}
		digits, ok := plainDialled(s, x.buf[:len(s)])
		if !ok || len(digits) < minPhoneDigits || len(digits) > maxPhoneDigits || s[0] != '+' && digits[0] == '0' && digits[1] == '0' {
			x.leave(r)
			continue
		}
		plan, national, ok := p.known(stringOf(digits), s[0] == '+')
		if !ok {
			x.leave(r)
			continue
		}
		if out := p.append(x.room(maxPhoneDigits+1), plan, national); stringOf(out) != s {
			vec.text[r] = x.keep(out)
		}
	}
}
