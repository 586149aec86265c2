package socialepoch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/sluicehq/sluice/internal/rows"
)

// timestamp is how every time is written: RFC 3339 in UTC, so that texts sort as times do.
const timestamp = "2006-01-02T15:04:05.000Z"

// appendText appends a member whose value is a text: a JSON string as it is, anything else as the text of it. Nothing
// where nothing is present.
func appendText(dst []byte, name string, value []byte) []byte {
	if !present(value) {
		return dst
	}
	dst = append(dst, name...)
	if value[0] == '"' {
		return append(dst, value...)
	}
	return rows.AppendQuoted(dst, value)
}

// unquoted is a value's text, good until the next call.
func (d *decoder) unquoted(value []byte) []byte {
	if n := len(value); n > 1 && value[0] == '"' && bytes.IndexByte(value, '\\') < 0 {
		return value[1 : n-1]
	}
	d.text = rows.AppendUnquoted(d.text[:0], value)
	return d.text
}

// digits is the number in a value, without what people write around it; good until the next call.
func (d *decoder) digits(value []byte) []byte {
	if !present(value) || value[0] != '"' && (value[0] < '0' || value[0] > '9') {
		return nil
	}
	text := d.unquoted(value)
	for i, c := range text {
		switch {
		case c >= '0' && c <= '9':
		case c == '@': // 8615601882491@c.us
			return text[:i]
		case value[0] != '"': // a number that is no integer
			return nil
		default:
			text, _, _ = bytes.Cut(text, []byte("@"))
			return onlyDigits(text, i)
		}
	}
	return text
}

// onlyDigits is text without anything else; the first i bytes are digits.
func onlyDigits(text []byte, i int) []byte {
	kept := append([]byte(nil), text[:i]...)
	for _, c := range text[i:] {
		if c >= '0' && c <= '9' {
			kept = append(kept, c)
		}
	}
	return kept
}

// small reads a number of up to four digits, or a string that holds one.
func small(value []byte) (int, bool) {
	if n := len(value); n > 2 && value[0] == '"' {
		value = bytes.TrimSpace(value[1 : n-1])
	}
	return number(value)
}

// appendCanonical appends a present value as JSON: a list of texts, or a text in canonical form if it has one.
func (d *decoder) appendCanonical(dst []byte, form valueKind, value []byte) []byte {
	switch form {
	case valueTags:
		d.readList(value)
		return append(dst, d.list...)
	case valueGender:
		if gender := genderOf(d.unquoted(value)); gender != "" {
			return append(append(append(dst, '"'), gender...), '"')
		}
	case valueDate:
		if out, ok := appendDate(append(dst, '"'), d.unquoted(value)); ok {
			return append(out, '"')
		}
	}
	return appendText(dst, "", value)
}

// appendLong appends a member for a value as text.
func (d *decoder) appendLong(dst []byte, name string, form valueKind, value []byte) []byte {
	switch {
	case !present(value):
		return dst
	case form == valueTags:
		d.readList(value)
		return rows.AppendQuoted(append(dst, name...), d.list)
	}
	return d.appendCanonical(append(dst, name...), form, value)
}

// readList reads several choices into d.list: a JSON list, the text of one, or [Tag 1,Tag 2] without quotes.
func (d *decoder) readList(value []byte) {
	d.list = append(d.list[:0], '[')
	add := func(tag []byte) {
		if tag = bytes.TrimSpace(tag); len(tag) > 0 {
			if len(d.list) > 1 {
				d.list = append(d.list, ',')
			}
			d.list = rows.AppendQuoted(d.list, tag)
		}
	}
	elements := value
	if value[0] != '[' {
		elements = d.unquoted(value)
	}
	if !appendElements(&d.walk, elements, add) {
		d.list = d.list[:1]
		eachTag(elements, add)
	}
	d.list = append(d.list, ']')
}

// appendElements gives add the text of every element that is present; false where text is no JSON list.
func appendElements(w *rows.Walker, text []byte, add func([]byte)) bool {
	if i := rows.SkipSpace(text, 0); i == len(text) || text[i] != '[' {
		return false
	}
	for ok := w.Open(text); ok && w.Next(); {
		if present(w.Value()) {
			add(rows.AppendUnquoted(nil, w.Value()))
		}
	}
	return w.Whole()
}

// appendTime appends a member for a time of the vendor's: local, without zone, or milliseconds since 1970. Nothing where
// it is none.
func (d *decoder) appendTime(dst []byte, name string, value []byte) []byte {
	if !present(value) {
		return dst
	}
	text := d.unquoted(value)
	if d.hour.has(text) {
		return append(append(append(append(append(dst, name...), '"'), d.hour.utc[:]...), text[len(d.hour.local):]...), `.000Z"`...)
	}
	t, ok := readTime(text, d.hook.zone)
	if !ok {
		return dst
	}
	d.hour.learn(text, d.hook.zone)
	return append(appendUTC(append(append(dst, name...), '"'), t), '"')
}

// hour is one of the vendor's hours and what it is in UTC: neighbours mostly have it in common.
type hour struct {
	known      bool
	local, utc [len("2006-01-02T15")]byte
}

// has reports whether text is a time of this hour, such as 2022-09-29 20:34:58.
func (h *hour) has(text []byte) bool {
	return h.known && len(text) == len("2006-01-02T15:04:05") && string(text[:len(h.local)]) == string(h.local[:]) && text[13] == ':' && text[16] == ':' &&
		text[14] <= '5' && twoDigits(text[14:]) >= 0 && text[17] <= '5' && twoDigits(text[17:]) >= 0
}

// learn notes the hour of a time that was read. An hour in which the clock is set, or that is not a whole one in UTC, is
// none.
func (h *hour) learn(text []byte, zone *time.Location) {
	if h.known = false; len(text) != len("2006-01-02T15:04:05") {
		return
	}
	copy(h.local[:], text)
	var buf [len(timestamp)]byte
	first, ok := readTime(append(append(buf[:0], h.local[:]...), ":00:00"...), zone)
	last, okToo := readTime(append(append(buf[:0], h.local[:]...), ":59:59"...), zone)
	if ok && okToo && last.Sub(first) == time.Hour-time.Second && first.UTC().Minute() == 0 && first.UTC().Second() == 0 {
		h.known = true
		copy(h.utc[:], appendUTC(buf[:0], first))
	}
}

// appendUTC writes a time as its layout timestamp does, in a third of the time.
func appendUTC(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	if year < 0 || year > 9999 {
		return t.AppendFormat(dst, timestamp)
	}
	pair := func(n int, behind byte) { dst = append(dst, byte('0'+n/10), byte('0'+n%10), behind) }
	dst = append(dst, byte('0'+year/1000), byte('0'+year/100%10))
	pair(year%100, '-')
	pair(int(month), '-')
	pair(day, 'T')
	pair(hour, ':')
	pair(minute, ':')
	pair(second, '.')
	ms := t.Nanosecond() / 1e6
	return append(dst, byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10), 'Z')
}

// readTime reads 2022-09-29 20:34:58, also with slashes, with a T, or in milliseconds since 1970.
func readTime(text []byte, zone *time.Location) (time.Time, bool) {
	if len(text) == 13 {
		ms, err := strconv.ParseInt(string(text), 10, 64)
		return time.UnixMilli(ms), err == nil && ms > 0
	}
	if len(text) < 19 || text[10] != ' ' && text[10] != 'T' || text[13] != ':' || text[16] != ':' || len(text) > 19 && text[19] != '.' {
		return time.Time{}, false
	}
	var buf [10]byte
	date, ok := appendDate(buf[:0], text[:10])
	hour, minute, second := twoDigits(text[11:]), twoDigits(text[14:]), twoDigits(text[17:])
	if !ok || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
		return time.Time{}, false
	}
	year, _ := number(date[:4])
	return time.Date(year, time.Month(twoDigits(date[5:])), twoDigits(date[8:]), hour, minute, second, 0, zone), true
}

// id names a follow-up by what it says, whichever webhook tells of it.
func (f *followUp) id(number []byte) string {
	hash := sha256.New()
	part := func(b []byte) {
		_, _ = hash.Write(b) // a hash takes everything
		_, _ = hash.Write([]byte{0})
	}
	part(number)
	part(bytes.TrimSpace(f.text))
	for _, url := range f.urls {
		part(rows.AppendUnquoted(nil, url))
	}
	if len(f.text) == 0 && len(f.urls) == 0 {
		part(f.document)
	}
	var sum [sha256.Size]byte
	return hex.EncodeToString(hash.Sum(sum[:0])[:16])
}
