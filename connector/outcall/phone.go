package outcall

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Lengths of a number in digits, and of a text that is sent as it is.
const (
	minDigits = 5
	maxDigits = 20
	maxAny    = 64
)

// number brings a telephone number to the form that is sent, or says why it cannot. abroad: its country code comes first.
func (c *codec) number(text string, abroad bool) (number, bad string) {
	switch c.config.PhoneFormat {
	case phoneAny:
		if len(text) > maxAny || !utf8.ValidString(text) || hasControl(text) {
			return "", "phone is longer than 64 bytes or holds a control character"
		}
		return text, ""
	case phoneDigits:
		if !allDigits(text) || len(text) < minDigits || len(text) > maxDigits {
			return "", fmt.Sprintf("phone %q is not 5 to 20 digits", ends(text))
		}
		return text, ""
	}
	number = text
	if len(number) == 13 && number[:2] == "86" {
		number = number[2:]
	} else if abroad {
		return "", fmt.Sprintf("phone +%s is not a mainland mobile number; set phone_format to digits if the CRM takes others", ends(text))
	}
	if len(number) != 11 || !allDigits(number) || number[0] != '1' || number[1] < '3' {
		return "", fmt.Sprintf("phone %q is not a mainland mobile number of 11 digits; set phone_format to digits if the CRM takes others", ends(text))
	}
	return number, ""
}

func hasControl(s string) bool {
	for _, r := range s {
		if unicode.IsControl(r) {
			return true
		}
	}
	return false
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// glance is the beginning of a value, for messages.
func glance(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "…" // the cut may go through a character
	}
	return s
}

// ends is a number for messages: of a longer one what stands at its two ends, enough to know it by beside its row.
func ends(s string) string {
	const end = 3
	if all := []rune(s); len(all) > 2*end {
		return string(all[:end]) + "…" + string(all[len(all)-end:])
	}
	return s
}

// bare takes off the suffix that number_add_suffix adds: "_" and lower-case letters or digits.
func bare(number string) string {
	for i := len(number) - 1; i >= 0; i-- {
		switch c := number[i]; {
		case c == '_' && i < len(number)-1:
			return number[:i]
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		default:
			return number
		}
	}
	return number
}
