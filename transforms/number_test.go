package transforms

import (
	"math/big"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/connector"
)

// FuzzNumbers: what `type` makes of a text is the number that an exact reader finds in it, to the last digit; what that
// cannot read is refused.
func FuzzNumbers(f *testing.F) {
	for _, s := range []string{"42", " 42 ", "4.0", "-0", "-0.0", "007", "1e3", "1e400", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "1,5", "1_000", "0x10", "+5", ".5", "5.", "１２", "NaN", "Infinity", "", "true", "--1", "1.000000000000000000001"} {
		f.Add(s)
	}
	integer, number := stepOf(f, "type: integer"), stepOf(f, "type: number")
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 40 || strings.ContainsAny(s, "eE") && len(s) > 6 {
			return // an exact number of a huge exponent fills the memory
		}
		exact, ok := new(big.Rat).SetString(strings.TrimSpace(s))
		ok = ok && strings.Trim(strings.TrimSpace(s), "+-.0123456789eE") == ""
		for _, x := range []*exec{integer, number} {
			v, rejects := x.one(textValue(s))
			if len(rejects) > 0 {
				if rejects[0].Code != connector.CodeBadType {
					t.Fatalf("%q is refused as %s", s, rejects[0].Code)
				}
				continue
			}
			text, _ := x.text(v)
			got, isRat := new(big.Rat).SetString(text)
			if !ok || !isRat || got.Cmp(exact) != 0 || x == integer && v.k != kindInt || x == number && !isNumber(text) {
				t.Fatalf("%q became %s, a %s", s, text, v.noun())
			}
		}
		if v, rejects := integer.one(textValue(s)); ok && exact.IsInt() && exact.Num().IsInt64() && plainDigits(strings.TrimSpace(s)) && len(s) < 20 && (len(rejects) > 0 || v.n != exact.Num().Int64()) {
			t.Fatalf("the whole number %q: %v %v", s, v, rejects)
		}
		integer.arena, number.arena = integer.arena[:0], number.arena[:0]
	})
}
