package inbox

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// A page on its way to another process, integers as uvarints:
//
//	"SLP2" | last | more u8 | trimmed | held | identity | endpoints: count, then JSON each | damage: count, then from, to, reason each |
//	records: count, then seq, length, frame each | crc32c u32 over all before
//
// The frame is the one of the store with its sum, but that the endpoint is an index into the page's list.
const pageMagic = "SLP2"

// errPage is wrapped where a page did not arrive as it was sent.
var errPage = errors.New("the page is not as it was sent")

// AppendTo encodes the page for ParsePage.
func (p *Page) AppendTo(dst []byte) ([]byte, error) {
	start := len(dst)
	dst = append(dst, pageMagic...)
	dst = binary.AppendUvarint(dst, uint64(p.Last))
	more := byte(0)
	if p.More {
		more = 1
	}
	dst = append(dst, more)
	dst = binary.AppendUvarint(dst, uint64(p.Trimmed))
	dst = binary.AppendUvarint(dst, uint64(p.Held))
	dst = binary.AppendUvarint(dst, uint64(p.ID))
	ids := map[Endpoint]uint32{}
	var names [][]byte
	for i := range p.Records {
		e := p.Records[i].Endpoint
		if _, known := ids[e]; known {
			continue
		}
		text, err := json.Marshal(e)
		if err != nil {
			return nil, fmt.Errorf("endpoint: %w", err)
		}
		ids[e] = uint32(len(names))
		names = append(names, text)
	}
	dst = binary.AppendUvarint(dst, uint64(len(names)))
	for _, text := range names {
		dst = appendText(dst, string(text))
	}
	dst = binary.AppendUvarint(dst, uint64(len(p.Damaged)))
	for _, d := range p.Damaged {
		dst = binary.AppendUvarint(dst, uint64(d.From))
		dst = binary.AppendUvarint(dst, uint64(d.To))
		dst = appendText(dst, d.Reason)
	}
	dst = binary.AppendUvarint(dst, uint64(len(p.Records)))
	for i := range p.Records {
		r := &p.Records[i]
		b := frame(r)
		seal(b, r.Seq, ids[r.Endpoint])
		dst = binary.AppendUvarint(dst, uint64(r.Seq))
		dst = binary.AppendUvarint(dst, uint64(len(b)))
		dst = append(dst, b...)
	}
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli)), nil
}

// ParsePage decodes what Page.AppendTo made; the page's slices point into b. Its error wraps ErrDamaged: nothing of such
// a page may be believed.
func ParsePage(b []byte) (Page, error) {
	p, err := parsePage(b)
	if err != nil {
		return Page{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return p, nil
}

func parsePage(b []byte) (p Page, err error) {
	if len(b) < len(pageMagic)+4 || string(b[:len(pageMagic)]) != pageMagic {
		return p, errPage
	}
	body := b[:len(b)-4]
	if binary.LittleEndian.Uint32(b[len(body):]) != crc32.Checksum(body, castagnoli) {
		return p, errPage
	}
	in := &cut{b: body[len(pageMagic):]}
	p.Last = in.number()
	more := in.take(1)
	p.More = !in.short && more[0] == 1
	p.Trimmed = in.number()
	p.Held = int(in.number())
	p.ID = Identity(in.number())
	var known []Endpoint
	for n := in.count(); n > 0; n-- {
		var e Endpoint
		if err := json.Unmarshal(in.take(int(in.uvarint())), &e); err != nil {
			return p, errPage
		}
		known = append(known, e)
	}
	for n := in.count(); n > 0; n-- {
		p.Damaged = append(p.Damaged, Damage{From: in.number(), To: in.number(), Reason: in.text()})
	}
	for n := in.count(); n > 0 && !in.short; n-- {
		seq := in.number()
		rec, id, err := unseal(seq, in.take(int(in.uvarint())))
		if err != nil {
			return p, fmt.Errorf("record %d: %w", seq, err)
		}
		if int(id) >= len(known) {
			return p, errPage
		}
		rec.Endpoint = known[id]
		p.Records = append(p.Records, rec)
	}
	if in.short || len(in.b) > 0 {
		return p, errPage
	}
	return p, nil
}

// number reads a sequence or a count that must fit.
func (c *cut) number() int64 {
	v := c.uvarint()
	if v > math.MaxInt64 {
		c.short, c.b = true, nil
		return 0
	}
	return int64(v)
}

// count reads how many elements follow; each takes at least a byte.
func (c *cut) count() int {
	n := c.number()
	if n > int64(len(c.b)) {
		c.short, c.b = true, nil
		return 0
	}
	return int(n)
}
