package rows

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// maker makes JSON objects that are mostly, but not always, in order.
type maker struct{ *rand.Rand }

func (m maker) pick(of ...string) string { return of[m.IntN(len(of))] }

func (m maker) space() string { return m.pick("", "", "", "", " ", "\n", "\t\r\n ") }

func (m maker) text() string {
	var s strings.Builder
	for range m.IntN(12) {
		s.WriteString(m.pick("a", "bc", "12", "é", "小明", "😀", `\n`, `\"`, `\\`, `\u0041`, `\ud83d\ude00`, " ", "0123456789", "\u2028", "<&>", "{", "]"))
	}
	if m.IntN(150) == 0 {
		s.WriteString(m.pick("\xff", `\ud800`, "\x01", `\x`, "\xe4\xbd", `"`))
	}
	return `"` + s.String() + `"`
}

func (m maker) number() string {
	n := fmt.Sprint(m.Int64() >> m.IntN(64))
	return m.pick("0", "-0", "7", "-12", n, "-"+n, n+n, n+".0", n+".50", "0."+n, n+"e2", "12e-1", "1.20E+1", "120e-1", n+"e-3", "1e400", "9223372036854775807", "9223372036854775808")
}

func (m maker) value(depth int) string {
	switch n := m.IntN(14); {
	case n < 4:
		return m.text()
	case n < 7:
		return m.number()
	case n < 10:
		return m.pick("true", "false", "null", `"true"`, `"12"`, `"1.5"`)
	case depth == 0:
		return "null"
	case n < 12:
		return m.object(depth-1, func() string { return m.text() })
	}
	s := "[" + m.space()
	for i := range m.IntN(5) {
		if i > 0 {
			s += "," + m.space()
		}
		s += m.value(depth-1) + m.space()
	}
	return s + "]"
}

func (m maker) object(depth int, key func() string) string {
	s := "{" + m.space()
	for i := range m.IntN(10) {
		if i > 0 {
			s += "," + m.space()
		}
		s += key() + m.space() + ":" + m.space() + m.value(depth) + m.space()
	}
	return s + "}"
}

// broken cuts, doubles or changes a byte now and then.
func (m maker) broken(s string) string {
	i := m.IntN(len(s))
	switch m.IntN(40) {
	case 0:
		return s[:i]
	case 1:
		return s[:i] + s[i:i+1] + s[i:]
	case 2:
		return s[:i] + m.pick(",", ":", "{", "}", "[", "]", `"`, "0", ".", "e", "-", "\\", "\x00", "\xff") + s[i+1:]
	case 3:
		return s + m.pick(" ", "{}", "x", "\n")
	}
	return s
}

// TestDifferential holds made-up objects against encoding/json: the same are taken, and the same values come back.
func TestDifferential(t *testing.T) {
	m := maker{rand.New(rand.NewPCG(1, 2))}
	raw := RawSchema([]string{"i", "l", "s"})
	taken, refused := 0, 0
	for range 500 {
		object := []byte(m.broken(m.object(2, func() string {
			return m.pick(`"s"`, `"i"`, `"n"`, `"b"`, `"l"`, `"o"`, `"u"`, `"s"`, `"l"`, `"zz"`, `"\u0073"`, `"_extra"`, m.text())
		})))
		agree(t, typedSchema, object)
		agree(t, raw, object)
		agree(t, listSchema, object)
		if _, ok := expect(typedSchema, object); ok {
			taken++
		} else {
			refused++
		}
	}
	if taken < 100 || refused < 100 {
		t.Errorf("%d taken and %d refused make a poor test", taken, refused)
	}
}
