package inbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"slices"
	"time"
)

// ItemsPerRequest is how many sequence numbers a request has for its items: a row's seq is Seq·ItemsPerRequest + item.
const ItemsPerRequest = 1 << 16

// RowSeq is the sequence number of an item of the request seq. It rises in the order in which requests were committed.
func RowSeq(seq int64, item int) int64 { return seq*ItemsPerRequest + int64(item) }

// SplitRowSeq is the reverse of RowSeq.
func SplitRowSeq(row int64) (seq int64, item int) {
	return row / ItemsPerRequest, int(row % ItemsPerRequest)
}

// Endpoint says where a request came in. All of it together is what dedupe keys are valid for.
type Endpoint struct {
	Name    string `json:"name"`              // as configured, never the secret path
	Vendor  string `json:"vendor,omitempty"`  // such as "socialepoch"
	Account string `json:"account,omitempty"` // the vendor's account or tenant
	Type    string `json:"type,omitempty"`    // the kind of webhook
}

// Record is one request as it came. Its slices belong to whoever holds it.
type Record struct {
	Seq        int64
	Endpoint   Endpoint
	ReceivedAt time.Time // UTC
	Method     string
	Body       []byte // verbatim
	Note       string // what the receiver remarked, such as that the body could not be split
	Items      int    // at least 1
	// Origin is the record that this one repeats, since a person released or replayed it; 0: it came in by itself.
	// Whoever makes ids of sequences takes Origin where there is one.
	Origin int64
	// Quarantine says why the request was stored but must not be applied; empty: it may be. Read leaves such out.
	Quarantine string
	// FollowUp says that its request asked for something that is done about it later; see Reader.FollowUps.
	FollowUp bool

	seen, header []byte
	keys         []byte // keySize of each item: of a record that is quarantined or is being written
}

// Seen says whether the item was there before, in an earlier record or earlier in this one: a reader skips it.
func (r *Record) Seen(item int) bool {
	return item/8 < len(r.seen) && r.seen[item/8]&(1<<(item%8)) != 0
}

// Header returns the headers that were kept. It is decoded anew by each call.
func (r *Record) Header() http.Header {
	h := http.Header{}
	rest := cut{b: r.header}
	for n := rest.uvarint(); n > 0; n-- {
		name := rest.text()
		h[name] = append(h[name], rest.text())
	}
	return h
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const (
	recordVersion = 1
	flagHeld      = 1 // quarantined when it came in; the keys of its items count once it is released
	flagFollowUp  = 2 // something is to be done about it once it may be applied
	flagKeys      = 4 // it holds the keys of its items, which may not be in their table yet

	offVersion  = 4
	offFlags    = 5
	offEndpoint = 6
	offReceived = 10
	offOrigin   = 18
	offItems    = 26
	offSeen     = 30
)

// sum is the check over a sequence and the bytes that belong to it.
func sum(seq int64, b []byte) uint32 {
	return crc32.Update(sumNumber(0, uint64(seq), 8), castagnoli, b)
}

// sumNumber goes on with a check over the low bytes of a number. It is crc32.Update, to which the bytes would have to be
// given in memory of their own.
func sumNumber(crc uint32, v uint64, bytes int) uint32 {
	crc = ^crc
	for ; bytes > 0; bytes-- {
		crc = castagnoli[byte(crc)^byte(v)] ^ crc>>8
		v >>= 8
	}
	return ^crc
}

// frame encodes a record but for what only the writer knows: endpoint, seen and the sum.
func frame(r *Record) []byte { return appendFrame(nil, r) }

// appendFrame makes a frame in the memory of b, which is empty.
func appendFrame(b []byte, r *Record) []byte {
	bits := (r.Items + 7) / 8
	b = slices.Grow(b, offSeen+bits+len(r.keys)+len(r.Method)+len(r.Note)+len(r.Quarantine)+len(r.header)+len(r.Body)+32)[:offSeen+bits]
	clear(b)
	b[offVersion] = recordVersion
	switch {
	case r.Quarantine != "":
		b[offFlags] = flagHeld
	case len(r.keys) > 0:
		b[offFlags] = flagKeys
	}
	if r.FollowUp {
		b[offFlags] |= flagFollowUp
	}
	binary.LittleEndian.PutUint64(b[offReceived:], uint64(r.ReceivedAt.UnixNano()))
	binary.LittleEndian.PutUint64(b[offOrigin:], uint64(r.Origin))
	binary.LittleEndian.PutUint32(b[offItems:], uint32(r.Items))
	copy(b[offSeen:], r.seen)
	b = append(b, r.keys...)
	for _, text := range []string{r.Method, r.Note, r.Quarantine} {
		b = appendText(b, text)
	}
	if len(r.header) == 0 {
		b = append(b, 0)
	}
	b = append(b, r.header...)
	return append(b, r.Body...)
}

// seal fills in what frame left open.
func seal(b []byte, seq int64, endpoint uint32) {
	binary.LittleEndian.PutUint32(b[offEndpoint:], endpoint)
	binary.LittleEndian.PutUint32(b, sum(seq, b[4:]))
}

// markSeen sets an item's bit in a frame.
func markSeen(b []byte, item int) { b[offSeen+item/8] |= 1 << (item % 8) }

// errSum is why a record is not served.
var errSum = errors.New("its checksum does not match")

// unseal checks and decodes a frame; the record's slices point into it. The endpoint is left to the caller.
func unseal(seq int64, b []byte) (r Record, endpoint uint32, err error) {
	if len(b) < offSeen || binary.LittleEndian.Uint32(b) != sum(seq, b[4:]) {
		return Record{}, 0, errSum
	}
	if b[offVersion] != recordVersion {
		return Record{}, 0, fmt.Errorf("it has the format %d, and this version knows %d", b[offVersion], recordVersion)
	}
	r.Seq = seq
	r.ReceivedAt = time.Unix(0, int64(binary.LittleEndian.Uint64(b[offReceived:]))).UTC()
	r.Origin = int64(binary.LittleEndian.Uint64(b[offOrigin:]))
	r.Items = int(binary.LittleEndian.Uint32(b[offItems:]))
	r.FollowUp = b[offFlags]&flagFollowUp != 0
	rest := cut{b: b[offSeen:]}
	r.seen = rest.take((r.Items + 7) / 8)
	if b[offFlags]&(flagHeld|flagKeys) != 0 {
		keys := rest.take(r.Items * keySize)
		if b[offFlags]&flagHeld != 0 {
			r.keys = keys
		}
	}
	r.Method, r.Note, r.Quarantine = rest.text(), rest.text(), rest.text()
	start := rest.b
	for n := rest.uvarint(); n > 0 && !rest.short; n-- {
		rest.take(int(rest.uvarint()))
		rest.take(int(rest.uvarint()))
	}
	if rest.short {
		return Record{}, 0, errors.New("it is shorter than it says")
	}
	r.header = slices.Clip(start[:len(start)-len(rest.b)])
	r.Body = rest.b
	return r, endpointOf(b), nil
}

// endpointOf returns the endpoint's id of a frame that is whole.
func endpointOf(b []byte) uint32 { return binary.LittleEndian.Uint32(b[offEndpoint:]) }

// cut takes pieces off the front of b; short is set when there was not enough.
type cut struct {
	b     []byte
	short bool
}

func (c *cut) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.short, c.b = true, nil
		return nil
	}
	head := c.b[:n:n]
	c.b = c.b[n:]
	return head
}

func (c *cut) uvarint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.short, c.b = true, nil
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *cut) text() string { return string(c.take(int(c.uvarint()))) }

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// appendHeader writes the headers in a fixed order, so that equal requests are equal bytes.
func appendHeader(b []byte, h http.Header) []byte {
	var some [8]string
	names, n := some[:0], 0
	for name, values := range h {
		names = append(names, name)
		n += len(values)
	}
	slices.Sort(names)
	b = binary.AppendUvarint(b, uint64(n))
	for _, name := range names {
		for _, v := range h[name] {
			b = appendText(appendText(b, name), v)
		}
	}
	return b
}

// tag is a record's endpoint with a check of its own: a reader that passes a record over because of its endpoint must be
// as sure of it as of one that it serves.
func tag(seq int64, endpoint uint32) int64 {
	return int64(uint64(endpoint)<<32 | uint64(sumNumber(sumNumber(0, uint64(seq), 8), uint64(endpoint), 4)))
}
