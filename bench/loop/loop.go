// Package loop is the yardstick: the same job as the pipeline of the benchmark, written by hand for exactly these records,
// with no schema, no mapping language, no rejects, no order and no retry. It decodes, maps, encodes and signs.
package loop

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"strconv"
	"unicode/utf8"
)

// Contact holds the fields that the mapping reads; every slice aliases the line or Scratch.
type Contact struct {
	Mobile, Given, Family, Mail, Sex, Birth, Street, Land, Note, Zone []byte
	Labels                                                            [8][]byte
	NumLabels                                                         int
}

var errSyntax = errors.New("not a contact")

// Decode reads one line. Strings with escapes are not part of the benchmark's data and are refused.
func (c *Contact) Decode(line []byte) error {
	if !utf8.Valid(line) {
		return errSyntax
	}
	*c = Contact{}
	i := 0
	if len(line) == 0 || line[0] != '{' {
		return errSyntax
	}
	for i++; i < len(line); i++ {
		key, next, err := str(line, i)
		if err != nil || next >= len(line) || line[next] != ':' {
			return errSyntax
		}
		if i, err = c.value(key, line, next+1); err != nil {
			return err
		}
		if i >= len(line) {
			return errSyntax
		}
		if line[i] == '}' {
			return nil
		}
		if line[i] != ',' {
			return errSyntax
		}
	}
	return errSyntax
}

func (c *Contact) value(key, line []byte, i int) (int, error) {
	if i >= len(line) {
		return i, errSyntax
	}
	switch line[i] {
	case '"':
		s, next, err := str(line, i)
		if err != nil {
			return i, err
		}
		switch string(key) {
		case "mobile":
			c.Mobile = s
		case "given":
			c.Given = s
		case "family":
			c.Family = s
		case "mail":
			c.Mail = s
		case "sex":
			c.Sex = s
		case "birth":
			c.Birth = s
		case "street":
			c.Street = s
		case "land":
			c.Land = s
		case "note":
			c.Note = s
		case "zone":
			c.Zone = s
		}
		return next, nil
	case '[':
		for i++; i < len(line); i++ {
			s, next, err := str(line, i)
			if err != nil {
				return i, err
			}
			if c.NumLabels < len(c.Labels) {
				c.Labels[c.NumLabels] = s
				c.NumLabels++
			}
			if i = next; i < len(line) && line[i] == ']' {
				return i + 1, nil
			}
		}
		return i, errSyntax
	default:
		for i < len(line) && line[i] != ',' && line[i] != '}' {
			i++
		}
		return i, nil
	}
}

func str(line []byte, i int) (s []byte, next int, err error) {
	if i >= len(line) || line[i] != '"' {
		return nil, i, errSyntax
	}
	n := bytes.IndexByte(line[i+1:], '"')
	if n < 0 || bytes.IndexByte(line[i+1:i+1+n], '\\') >= 0 {
		return nil, i, errSyntax
	}
	return line[i+1 : i+1+n], i + n + 2, nil
}

// Append maps and encodes the contact as one customer of a request body.
func (c *Contact) Append(dst []byte) []byte {
	dst = text(append(dst, `{"first_name":"`...), c.Given)
	dst = text(append(dst, `","last_name":"`...), c.Family)
	dst = digits(append(dst, `","sms_phone":"`...), c.Mobile)
	dst = digits(append(dst, `","whats_app_phone":"`...), c.Mobile)
	dst = text(append(dst, `","country":"`...), c.Land)
	dst = lower(append(dst, `","email":"`...), bytes.TrimSpace(c.Mail))
	dst = text(append(dst, `","address":"`...), c.Street)
	if b := c.Birth; len(b) == 10 {
		dst = append(dst, `","birthday":"`...)
		dst = append(append(append(append(append(dst, b[6:10]...), '-'), b[3:5]...), '-'), b[0:2]...)
	}
	dst = append(dst, `","tagStr":"`...)
	for i, t := range c.Labels[:c.NumLabels] {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = text(dst, t)
	}
	dst = text(append(dst, `","remark":"`...), truncate(c.Note, 100))
	dst = text(append(dst, `","time_zone":"`...), c.Zone)
	dst = append(dst, '"')
	switch string(c.Sex) {
	case "M", "male":
		dst = append(dst, `,"gender":1`...)
	case "F", "female":
		dst = append(dst, `,"gender":0`...)
	}
	return append(dst, '}')
}

func text(dst, s []byte) []byte {
	for _, b := range s {
		if b < 0x20 || b == '"' || b == '\\' {
			q := strconv.AppendQuote(nil, string(s))
			return append(dst, q[1:len(q)-1]...)
		}
	}
	return append(dst, s...)
}

func digits(dst, s []byte) []byte {
	for _, b := range s {
		if b >= '0' && b <= '9' {
			dst = append(dst, b)
		}
	}
	return dst
}

func lower(dst, s []byte) []byte {
	for _, b := range s {
		if b >= 'A' && b <= 'Z' {
			b += 'a' - 'A'
		}
		dst = append(dst, b)
	}
	return dst
}

func truncate(s []byte, runes int) []byte {
	if len(s) <= runes {
		return s
	}
	for i := range string(s) {
		if runes--; runes < 0 {
			return s[:i]
		}
	}
	return s
}

// Head and Tail enclose the customers of a body.
const (
	Head = `{"type":1,"tenant_id":144,"app_key":"sandbox=app","customers":[`
	Tail = `]}`
)

// Sign returns the signature of a body at ts (milliseconds) as the CRM wants it.
func Sign(ts, body []byte) string {
	h := md5.New()
	_, _ = h.Write([]byte("accessKey=sandbox-key&action=mt&bizType=2&ts="))
	_, _ = h.Write(ts)
	_, _ = h.Write([]byte("&body="))
	_, _ = h.Write(body)
	_, _ = h.Write([]byte("&accessSecret=sandbox-secret"))
	return hex.EncodeToString(h.Sum(nil))
}
