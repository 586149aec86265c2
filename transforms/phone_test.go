package transforms

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sluicehq/sluice/connector"
)

func phoneExec() *exec {
	st := &step{run: texts(phoneTexts, phoneDigits)}
	n := &node{name: "phone", steps: []*step{fromStep(ref{}), st}, onError: onErrorReject}
	return newExec(&graph{nodes: []*node{n}, slots: 1})
}

func TestPhones(t *testing.T) {
	for in, want := range map[string]string{
		"13812345678": "13812345678", "+8613812345678": "8613812345678", "008613812345678": "8613812345678", "+00123456": "00123456",
		" 138 1234\u00a05678 ": "13812345678", "（010）１２３４−５６７８": "01012345678", "+٩٦٦٥٠١٢٣٤٥٦٧": "966501234567", "\u200e+86 138": "86138",
		"8613812345678@c.us": "8613812345678", "12345@s.whatsapp.net": "12345", "12345@x.y": "!", "138-1234/5678": "13812345678", "012[345]": "012345",
		"1234": "!", "123456789012345678901": "!", "12345678901234567890": "12345678901234567890", "138x": "!", "12345,67890": "!", "12345;67890": "!",
		"123+4567": "!", "++12345": "!", "#12345": "!", "*12345": "!", "": "", "\u3000": "", "---": "!", "00": "!", "0012": "!", "电话12345": "!", "①②③④⑤": "!",
	} {
		x := phoneExec()
		v, rejects := x.one(textValue(in))
		got := v.s
		if len(rejects) > 0 {
			got = "!"
			if rejects[0].Code != connector.CodeBadPhone {
				t.Errorf("phone of %q is refused as %s", in, rejects[0].Code)
			}
		}
		if got != want {
			t.Errorf("phone of %q: %q %v, want %q", in, got, rejects, want)
		}
	}
	x := phoneExec()
	for _, v := range []value{{k: kindNumber, s: "1.5"}, {k: kindInt, n: -12345}, {k: kindBool, n: 1}} {
		if _, rejects := x.one(v); len(rejects) != 1 || rejects[0].Code != connector.CodeBadPhone {
			t.Errorf("phone of %v: %v, want it refused", v, rejects)
		}
	}
}

func FuzzPhone(f *testing.F) {
	for _, s := range []string{"+86 138-1234-5678", "0049", "１２３４５", "a", "", "123@c.us", "٠١٢٣٤٥"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		x := phoneExec()
		v, rejects := x.one(textValue(s))
		if len(rejects) > 0 {
			if m := rejects[0].Message; utf8.ValidString(s) && !utf8.ValidString(m) || utf8.RuneCountInString(m) > 40*6+80 {
				t.Fatalf("message %q", m)
			}
			return
		}
		if v.missing() {
			return
		}
		if len(v.s) < minPhoneDigits || len(v.s) > maxPhoneDigits || strings.Trim(v.s, "0123456789") != "" {
			t.Fatalf("phone of %q is %q", s, v.s)
		}
		if digits := digitsOf(s); v.s != digits && v.s != strings.TrimPrefix(digits, "00") && v.s+"0" != digits {
			t.Fatalf("phone of %q is %q, and its digits are %q", s, v.s, digits)
		}
		if again, rejects := x.one(v); !strings.HasPrefix(v.s, "00") && (len(rejects) > 0 || again.s != v.s) {
			t.Fatalf("phone of %q is %q, and of that %q %v", s, v.s, again.s, rejects)
		}
	})
}

// digitsOf gives every digit of a text, in whatever script they are that a step reads.
func digitsOf(s string) string {
	return strings.Map(func(c rune) rune {
		for _, zero := range "0０٠۰" {
			if c >= zero && c <= zero+9 {
				return '0' + c - zero
			}
		}
		return -1
	}, s)
}
