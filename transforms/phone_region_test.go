package transforms

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"
	"github.com/sluicehq/sluice/connector"
	"pgregory.net/rapid"
)

// plansRuns is how many numbers of each plan are compared.
const plansRuns = 12

func TestRegionalPhones(t *testing.T) {
	for _, c := range []struct{ steps, in, want string }{
		{"phone: {region: CN}", "13812345678", "8613812345678"},
		{"phone: {region: cn, format: e164}", "86 138-1234-5678", "+8613812345678"},
		{"phone: {region: CN, format: national}", "+86 138 1234 5678", "13812345678"},
		{"phone: {region: CN, format: national}", "(010) 6552 9988", "01065529988"},
		{"phone: {region: CN}", "8613812345678@c.us", "8613812345678"},
		{"phone: {region: CN}", "447700900123@s.whatsapp.net", "447700900123"},
		{"phone: {region: US}", "011 86 138 1234 5678", "8613812345678"},
		{"phone: {region: US}", "0086 138 1234 5678", "8613812345678"},
		{"phone: {region: DE, format: e164}", "0151 23456789", "+4915123456789"},
		{"phone: {region: DE, format: e164}", "+49 (0) 151 23456789", "+4915123456789"},
		{"phone: {region: IT, format: e164}", "06 698 12345", "+390669812345"},
		{"phone: {format: e164}", "+8613812345678", "+8613812345678"},
		{"phone: {format: e164}", "008613812345678", "+8613812345678"},
		{"phone: {region: CN}", " 13812345678.0 ", "8613812345678"},
		{"phone: true", "13812345678.0", "13812345678"},
		{"phone: true", "138.0", `"138.0" has too few digits`},
		{"phone: {region: CN}", " ", ""},
		{"phone: {region: CN}", "4915123456789", `"491…789" is too long for CN. If it begins with a country code, write a + before it`},
		{"phone: {region: DE}", "4915123456789", `"491…789" can be read with its country code or without. Write a + before the one, or a trunk prefix before the other`},
		{"phone: {region: MY, format: national}", "+60 17 014 2876", "170142876"},
		{"phone: {region: CN}", "12", `"12" is too short for CN`},
		{"phone: {region: CN}", "+999 12345678", `"+99…678" begins with no country code that exists`},
		{"phone: {region: CN}", "+00123456789", `"+00…789" begins with no country code that exists`},
		{"phone: {region: CN}", "+86 12", `"+86 12" is too short for CN`},
		{"phone: {region: CN}", "0", `"0" is too short`},
		{"phone: {region: CN}", "17951 138 1234 5678", "8613812345678"}, // over a carrier
		{"phone: {region: CN}", "12345678901234567", `"123…567" begins with the digits of a dialling service, and what is behind them is no number of CN`},
		{"phone: {region: CN}", "138 1234 5678 ext. 12", `"138… 12" has an extension, which a CRM cannot dial. Take it off, with a ` + "`replace` before the step"},
		{"phone: true", "010-65529988转801", `"010…801" has an extension, which a CRM cannot dial. Take it off, with a ` + "`replace` before the step"},
		{"phone: true", "1.38E+10", `"1.…10" was rounded by a spreadsheet and has lost digits. Set the column's format to text there and export it again`},
		{"phone: {region: US}", "1-800-FLOWERS", `"1-8…ERS" holds the sign 'F'`},
		{"phone: {region: CN}", "123456789012345678901", `"123…901" has too many digits`},
		{"phone: {format: e164}", "13812345678", `"138…678" does not say its country. Write it with a + and the country code, or set ` + "`region` to the country of such numbers"},
		{"phone: {region: CN, format: national}", "+44 7700 900123", `"+44…123" is a number of GB, which CN does not dial without a country code`},
		{"phone: {region: US}", "555-0123", `"55…23" lacks its area code`},
	} {
		x := stepOf(t, c.steps)
		v, rejects := x.one(textValue(c.in))
		got := v.s
		if len(rejects) > 0 {
			got = strings.TrimPrefix(rejects[0].Message, "phone: ")
			if rejects[0].Code != connector.CodeBadPhone {
				t.Errorf("%s of %q is refused as %s", c.steps, c.in, rejects[0].Code)
			}
		}
		if got != c.want {
			t.Errorf("%s of %q: %s, want %s", c.steps, c.in, got, c.want)
		}
	}
	for _, v := range []value{{s: "13812345678.0", k: kindNumber}, {n: 13812345678, k: kindInt}} {
		if got, rejects := stepOf(t, "phone: {region: CN}").one(v); len(rejects) > 0 || got.s != "8613812345678" {
			t.Errorf("phone of %v: %v %v", v, got, rejects)
		}
	}
	for doc, problem := range map[string]string{
		"steps: [{phone: true}, {trim: true}, {phone: {region: CN}}]":         "steps[2].phone: the phone step before it has taken the + off",
		"steps: [{phone: {region: US}}, {phone: {region: CN, format: e164}}]": "leave that step out",
		"phone: {}":                          "says nothing",
		"phone: {format: national}":          "region is missing",
		"phone: {region: XX}":                `"XX" is no region`,
		"phone: {format: E164, region: NO}":  "takes digits, e164 or national",
		"phone: {region: CN, country: true}": `unknown setting "country"`,
	} {
		if _, err := Parse("m", []byte("streams: {s: {fields: {d: {from: c, "+doc+"}}}}")); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: %v, want %s", doc, err, problem)
		}
	}
}

// TestPhonesThroughPreset: a region in a preset never sees numbers that have lost their +.
func TestPhonesThroughPreset(t *testing.T) {
	preset := mustParse(t, "preset", `streams: {"*": {fields: {p: {from: phone, phone: {region: CN}}}}}`)
	for format, want := range map[string]string{"digits": "phone has taken the + off", "e164": "", "national": ""} {
		_, err := Compile(mustParse(t, "m", "streams: {s: {fields: {phone: {from: a, phone: {region: US, format: "+format+"}}}}}"), Options{Preset: preset})
		if got := fmt.Sprint(err); err == nil && want != "" || err != nil && (want == "" || !strings.Contains(got, want)) {
			t.Errorf("%s: %v, want %s", format, err, want)
		}
	}
	for _, c := range []string{"steps: [{phone: {region: US, format: e164}}, {phone: {region: CN}}]", "steps: [{phone: {region: CN}}, {phone: true}]"} {
		x := stepOf(t, c)
		if v, rejects := x.one(textValue("+1 312 555 0112")); len(rejects) > 0 || v.s != "13125550112" {
			t.Errorf("%s: %v %v", c, v, rejects)
		}
	}
}

// planOf makes the step of a region.
func planOf(t testing.TB, region, format string) *phoneStep {
	t.Helper()
	m := mustParse(t, "m", "streams: {s: {fields: {d: {from: c, phone: {region: "+region+", format: "+format+"}}}}}")
	if m == nil {
		t.Fatal("no document")
	}
	p := &phoneStep{region: region, format: format, code: phonenumbers.GetCountryCodeForRegion(region)}
	for _, plan := range plansByCode[p.code] {
		if plan.region == region {
			p.plans = append(p.plans, plan)
		}
	}
	return p
}

// TestPlansAgree: wherever a plan answers, the library gives the same, for numbers written in each way and numbers that
// are nearly those of the plan; and the plans do answer.
func TestPlansAgree(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	random := func(start string, length int) string {
		for len(start) < length {
			start += string(rune('0' + rng.IntN(10)))
		}
		return start
	}
	regions := map[string]bool{}
	for _, plans := range plansByCode {
		for _, plan := range plans {
			regions[plan.region] = true
			for _, format := range []string{phoneFormatDigits, phoneFormatE164, phoneFormatNational} {
				p, answered := planOf(t, plan.region, format), 0
				for range plansRuns {
					start := plan.starts[rng.IntN(len(plan.starts))]
					if rng.IntN(8) == 0 {
						start = ""
					}
					national := random(start, plan.length+rng.IntN(8)/7-rng.IntN(8)/7)
					for _, way := range []struct {
						digits string
						abroad bool
					}{{national, false}, {plan.code + national, false}, {plan.code + national, true}, {strings.Trim(plan.trunk, "?") + national, false}} {
						got, rest, ok := p.known(way.digits, way.abroad)
						if !ok {
							continue
						}
						answered++
						want, why := p.ask(way.digits, way.abroad)
						if number := string(p.append(nil, got, rest)); number != want || why != "" {
							t.Errorf("%s %s of %s (%v): %s, the library says %s %s", plan.region, format, way.digits, way.abroad, number, want, why)
						}
					}
				}
				if none := plan.trunk == "?" && format == phoneFormatNational; !none && answered < plansRuns {
					t.Errorf("%s %s answered %d times", plan.region, format, answered)
				}
			}
		}
	}
	if len(regions) < 20 {
		t.Errorf("%d regions", len(regions))
	}
}

// TestPhonesTwice: what comes out in E.164 stays so, with any region; digits are canonical for a step without a region.
func TestPhonesTwice(outer *testing.T) {
	regions := rapid.SampledFrom([]string{"CN", "US", "DE", "GB", "IT", "MX", "AR", "BR", "RU", "IN", "JP", "KR", "SA", "TH", "FR", "ES", "HK", "AU", "NG", "CI"})
	steps, other := map[string]*exec{}, stepOf(outer, "phone: {region: CN, format: e164}")
	plain := stepOf(outer, "phone: {format: digits}")
	for _, region := range strings.Fields("CN US DE GB IT MX AR BR RU IN JP KR SA TH FR ES HK AU NG CI") {
		for _, format := range []string{phoneFormatE164, phoneFormatDigits, phoneFormatNational} {
			steps[region+format] = stepOf(outer, "phone: {region: "+region+", format: "+format+"}")
		}
	}
	rapid.Check(outer, func(t *rapid.T) {
		region := regions.Draw(t, "region")
		in := rapid.OneOf(rapid.StringMatching(`(\+|00|0)?[1-9][0-9]{5,13}`), rapid.StringMatching(`\+(86|1|49|44|39|52|54|55|7|91|225)[0-9 -]{7,13}`)).Draw(t, "number")
		number, rejects := steps[region+phoneFormatE164].one(textValue(in))
		if len(rejects) > 0 {
			return
		}
		for _, x := range []*exec{steps[region+phoneFormatE164], other} {
			if again, rejects := x.one(number); len(rejects) > 0 || again.s != number.s {
				t.Fatalf("%s in %s is %s, and of that %s %v", in, region, number.s, again.s, rejects)
			}
		}
		digits, rejects := steps[region+phoneFormatDigits].one(textValue(in))
		again, more := plain.one(digits)
		if len(rejects)+len(more) > 0 || again.s != digits.s || "+"+digits.s != number.s {
			t.Fatalf("%s in %s is %s, and of that %s %v %v", in, region, digits.s, again.s, rejects, more)
		}
	})
}

func FuzzRegionalPhone(f *testing.F) {
	for _, s := range []string{"+86 138-1234-5678", "0049", "１２３４５６７８９０１", "a", "", "12345678@c.us", "٠١٢٣٤٥", "12345 x 7", "+39 06", "1.5E+10"} {
		f.Add(s, false)
		f.Add(s, true)
	}
	national, e164 := stepOf(f, "phone: {region: CN, format: national}"), stepOf(f, "phone: {region: US, format: e164}")
	f.Fuzz(func(t *testing.T, s string, inside bool) {
		x := e164
		if inside {
			x = national
		}
		v, rejects := x.one(textValue(s))
		if len(rejects) > 0 || v.missing() {
			return
		}
		if digits := strings.TrimPrefix(v.s, "+"); strings.HasPrefix(v.s, "+") == inside || !plainDigits(digits) || len(digits) > maxPhoneDigits {
			t.Fatalf("phone of %q is %q", s, v.s)
		}
		x.arena = x.arena[:0]
	})
}
