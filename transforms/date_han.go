package transforms

import (
	"strings"
	"unicode/utf8"
)

// hanDigits are the digits of Chinese numerals, by value.
var hanDigits = [...]string{"〇零○", "一壹", "二贰", "三叁", "四", "五", "六", "七", "八", "九"}

// readHan reads 1976年4月12日, with a weekday and a time of day behind it or without, in digits or Chinese numerals.
func (d *dateParts) readHan(s string) bool {
	width := 0
	if d.year, width, s = hanYear(s); width != 2 && width != 4 {
		return false
	}
	ok := true
	if s, ok = cutOne(s, "年"); !ok {
		return false
	}
	if d.month, s = hanNumber(s); d.month < 0 {
		return false
	}
	if s, ok = cutOne(s, "月"); !ok {
		return false
	}
	if d.day, s = hanNumber(s); d.day < 0 {
		return false
	}
	if s, ok = cutOne(s, "日", "号", "號"); !ok && s != "" {
		return false
	}
	if width == 2 {
		d.shortYear()
	}
	return d.readHanClock(hanWeekday(s))
}

// cutOne takes one of the words off the front, and blanks around it.
func cutOne(s string, words ...string) (string, bool) {
	s = strings.TrimLeft(s, " ")
	for _, word := range words {
		if rest, ok := strings.CutPrefix(s, word); ok {
			return strings.TrimLeft(rest, " "), true
		}
	}
	return s, false
}

// hanWeekday takes off a weekday, in brackets or not; it is not compared with the date.
func hanWeekday(s string) string {
	rest, bracket := cutOne(s, "(")
	rest, ok := cutOne(rest, "星期", "周", "週", "礼拜", "禮拜")
	if !ok {
		return s
	}
	if rest, ok = cutOne(rest, "一", "二", "三", "四", "五", "六", "日", "天"); !ok {
		return s
	}
	if bracket {
		if rest, ok = cutOne(rest, ")"); !ok {
			return s
		}
	}
	return rest
}

// Parts of the day: by how many hours the clock goes on, where it shows one of the hours named.
var hanHalves = []struct {
	word             string
	least, most, add int
}{
	{"上午", 0, 11, 0}, {"上午", 12, 12, -12}, {"早上", 4, 11, 0}, {"凌晨", 0, 6, 0}, {"凌晨", 12, 12, -12}, {"中午", 11, 12, 0}, {"中午", 1, 2, 12},
	{"下午", 1, 11, 12}, {"下午", 12, 23, 0}, {"晚上", 5, 11, 12}, {"晚上", 17, 23, 0},
}

// readHanClock reads 下午3点05分, 3点半, 15:04:05 or nothing, to the end.
func (d *dateParts) readHanClock(s string) bool {
	if s = strings.TrimLeft(s, " "); s == "" {
		return true
	}
	d.timed = true
	s, half := hanHalf(s)
	ok := true
	if d.hour, s = hanNumber(s); d.hour < 0 || !d.inHalf(half) {
		return false
	}
	if s, ok = cutOne(s, "时", "時", "点", "點", ":"); !ok {
		return false
	}
	if rest, ok := cutOne(s, "半"); ok {
		d.minute = 30
		return rest == ""
	}
	if s, ok = cutOne(s, "整"); ok || s == "" {
		return s == ""
	}
	if d.minute, s = hanNumber(s); d.minute < 0 {
		return false
	}
	if s, ok = cutOne(s, "分", ":"); s == "" {
		return d.minute <= 59
	}
	if d.second, s = hanNumber(s); d.second < 0 || !ok {
		return false
	}
	s, _ = cutOne(s, "秒")
	return s == "" && d.minute <= 59 && d.second <= 59
}

// hanHalf takes a part of the day off the front.
func hanHalf(s string) (rest, half string) {
	for _, h := range hanHalves {
		if rest, ok := cutOne(s, h.word); ok {
			return rest, h.word
		}
	}
	return s, ""
}

// inHalf sets the hour by the part of the day; false: that part has no such hour, or it may be either of two.
func (d *dateParts) inHalf(half string) bool {
	if half == "" {
		return d.hour <= 23
	}
	for _, h := range hanHalves {
		if h.word == half && d.hour >= h.least && d.hour <= h.most {
			d.hour += h.add
			return true
		}
	}
	return false
}

// hanYear reads a year digit by digit; width counts them.
func hanYear(s string) (year, width int, rest string) {
	for width < 5 {
		digit, rest := hanDigit(s)
		if digit < 0 {
			break
		}
		year, width, s = year*10+digit, width+1, rest
	}
	return year, width, s
}

// hanNumber reads a number below 100: 7, 07, 七, 〇七, 十, 十二, 二十三, 廿三. -1: there is none.
func hanNumber(s string) (n int, rest string) {
	s = strings.TrimLeft(s, " ")
	first, rest := hanDigit(s)
	tens, afterTens := hanTens(rest)
	switch {
	case first < 0:
		if tens, rest = hanTens(s); tens == 0 {
			return -1, s
		}
		n = tens * 10
	case s[0] >= utf8.RuneSelf && tens == 1 && first > 0:
		n, rest = first*10, afterTens
	default:
		if second, after := hanDigit(rest); second >= 0 {
			return first*10 + second, after
		}
		return first, rest
	}
	if ones, after := hanDigit(rest); ones > 0 {
		return n + ones, after
	}
	return n, rest
}

// hanTens reads 十, 廿 or 卅; 0: there is none.
func hanTens(s string) (tens int, rest string) {
	for i, word := range [...]string{"十", "廿", "卅"} {
		if rest, ok := strings.CutPrefix(s, word); ok {
			return i + 1, rest
		}
	}
	return 0, s
}

// hanDigit reads a digit, Chinese or not; -1: there is none.
func hanDigit(s string) (digit int, rest string) {
	if s == "" {
		return -1, s
	}
	if s[0] < utf8.RuneSelf {
		if d := s[0] - '0'; d <= 9 {
			return int(d), s[1:]
		}
		return -1, s
	}
	c, width := utf8.DecodeRuneInString(s)
	for n, signs := range hanDigits {
		if strings.ContainsRune(signs, c) {
			return n, s[width:]
		}
	}
	return -1, s
}
