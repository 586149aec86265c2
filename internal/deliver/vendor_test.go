package deliver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
)

// contact is a row of the test vendor. Bad is the code with which the vendor refuses it; Refuse makes the codec do so.
type contact struct {
	ID                    int64
	WA, Email, Name, Note string
	Bad                   string
	Refuse, Busy          bool
}

var contactSchema = arrow.NewSchema([]arrow.Field{
	{Name: "line", Type: arrow.BinaryTypes.String}, // the row as the vendor takes it
	{Name: "wa", Type: arrow.BinaryTypes.String},
	{Name: "email", Type: arrow.BinaryTypes.String},
	{Name: "refuse", Type: arrow.FixedWidthTypes.Boolean},
}, nil)

// record makes the record of some contacts.
func record(mem memory.Allocator, schema *arrow.Schema, contacts []contact) arrow.Record {
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	for i := range contacts {
		c := &contacts[i]
		b.Field(0).(*array.StringBuilder).Append(c.line())
		b.Field(1).(*array.StringBuilder).Append(c.WA)
		b.Field(2).(*array.StringBuilder).Append(c.Email)
		b.Field(3).(*array.BooleanBuilder).Append(c.Refuse)
	}
	return b.NewRecord()
}

func (c *contact) line() string {
	return strings.Join([]string{strconv.FormatInt(c.ID, 10), c.WA, c.Email, c.Name, c.Note, c.Bad,
		strconv.FormatBool(c.Busy)}, "|")
}

func parseLine(line string) contact {
	f := strings.Split(line, "|")
	id, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil || len(f) != 7 {
		panic("not a row of the test vendor: " + line)
	}
	return contact{ID: id, WA: f[1], Email: f[2], Name: f[3], Note: f[4], Bad: f[5], Busy: f[6] == "true"}
}

// testCodec speaks to testServer: one line a row, signed with the time.
type testCodec struct {
	limits   connector.Limits
	endpoint string
}

var hashSeed = maphash.MakeSeed()

func (c *testCodec) Limits() connector.Limits { return c.limits }

func (c *testCodec) AppendKeys(dst []uint64, rec arrow.Record, row int) []uint64 {
	for i, kind := range []byte{'w', 'e'} {
		if v := rec.Column(i + 1).(*array.String).Value(row); v != "" {
			dst = append(dst, maphash.Bytes(hashSeed, append([]byte{kind}, v...)))
		}
	}
	return dst
}

func (c *testCodec) AppendRequest(req *connector.Request, rec arrow.Record) error {
	lines, refuse := rec.Column(0).(*array.String), rec.Column(3).(*array.Boolean)
	var bad []connector.RowResult
	req.Method, req.URL, req.Endpoint = "POST", "http://crm.test/import?key=geheim", c.endpoint
	for i := range int(rec.NumRows()) {
		if refuse.Value(i) {
			bad = append(bad, connector.RowResult{Row: i, Code: connector.CodeTooLong, Message: "name"})
		}
		req.Body = append(append(req.Body, lines.Value(i)...), '\n')
	}
	if bad != nil {
		return &connector.RowsError{Rows: bad}
	}
	return nil
}

func signature(now string, body []byte) string {
	return strconv.FormatUint(maphash.Bytes(hashSeed, append([]byte(now), body...)), 16)
}

func (c *testCodec) Sign(req *connector.Request, now time.Time) error {
	ts := strconv.FormatInt(now.UnixNano(), 10)
	req.Header.Set("X-Time", ts)
	req.Header.Set("X-Sign", signature(ts, req.Body))
	return nil
}

// reply is the test vendor's answer. Code: ok, clock, slow, again, auth, or that of some bad row.
type reply struct {
	Code  string
	Wait  time.Duration `json:",omitempty"`
	Tries int           `json:",omitempty"`
	Clock time.Time     `json:",omitzero"`
	Rows  []replyRow    `json:",omitempty"`
}

type replyRow struct {
	Row  int
	Code string // busy: try again after Wait; suspect; pending; anything else: refused
	Wait time.Duration
}

func (c *testCodec) ParseResponse(resp *connector.Response, rec arrow.Record) (connector.Outcome, error) {
	var r reply
	if err := json.Unmarshal(resp.Body, &r); err != nil {
		return connector.Outcome{}, err
	}
	o := connector.Outcome{RequestID: resp.Header.Get("X-Request-Id"), Tries: r.Tries}
	for _, x := range r.Rows {
		v := connector.RowResult{Row: x.Row, Verdict: connector.VerdictRejected, Code: x.Code, Message: "row says " + x.Code}
		switch x.Code {
		case "busy":
			v.Verdict, v.RetryAfter = connector.VerdictRetry, x.Wait
		case "suspect":
			v.Verdict = connector.VerdictSuspect
		case "pending":
			v.Verdict = connector.VerdictPending
		}
		o.Rows = append(o.Rows, v)
	}
	switch r.Code {
	case "ok":
	case "clock":
		o.Verdict, o.Clock, o.Code = connector.VerdictRetry, r.Clock, "clock"
	case "slow":
		o.Verdict, o.Throttled, o.RetryAfter = connector.VerdictRetry, true, r.Wait
	case "again", "down":
		o.Verdict, o.Code, o.Message = connector.VerdictRetry, "again", "please"
	case "auth":
		o.Stop, o.Code, o.Message = connector.KindConfig, "1003", "Invalid signature"
	case "":
		return o, errors.New("no code")
	default:
		o.Verdict, o.Code, o.Message = connector.VerdictSuspect, r.Code, "something is bad"
	}
	return o, nil
}

// rowsOf reads a body of the test vendor.
func rowsOf(body []byte) []contact {
	var out []contact
	for line := range bytes.Lines(body) {
		out = append(out, parseLine(strings.TrimSuffix(string(line), "\n")))
	}
	return out
}

// store is the test vendor's data, and the model's. Records are found by number, then by e-mail address.
type store struct {
	mode    string // merge, replace, insert
	byWA    map[string]*card
	byEmail map[string]*card
}

type card struct{ wa, email, name, note string }

func newStore(mode string) *store {
	return &store{mode: mode, byWA: map[string]*card{}, byEmail: map[string]*card{}}
}

func (s *store) find(c *contact) *card {
	if k := s.byWA[c.WA]; c.WA != "" && k != nil {
		return k
	}
	if c.Email != "" {
		return s.byEmail[c.Email]
	}
	return nil
}

// refuses is the code with which the vendor refuses the row, "" if it takes it.
func (s *store) refuses(c *contact) string {
	switch {
	case c.Bad != "":
		return c.Bad
	case s.mode == "insert" && s.find(c) != nil:
		return "exists"
	}
	return ""
}

func (s *store) apply(c *contact) {
	k := s.find(c)
	if k == nil {
		k = &card{}
	}
	if s.mode == "replace" {
		s.unlink(k)
		*k = card{wa: k.wa, email: k.email, name: c.Name, note: c.Note}
	}
	if c.Name != "" {
		k.name = c.Name
	}
	if c.Note != "" {
		k.note = c.Note
	}
	s.unlink(k)
	if c.WA != "" {
		k.wa = c.WA
	}
	if c.Email != "" {
		k.email = c.Email
	}
	if k.wa != "" {
		s.byWA[k.wa] = k
	}
	if k.email != "" {
		if other := s.byEmail[k.email]; other != nil && other != k {
			other.email = ""
		}
		s.byEmail[k.email] = k
	}
}

func (s *store) unlink(k *card) {
	if s.byWA[k.wa] == k {
		delete(s.byWA, k.wa)
	}
	if s.byEmail[k.email] == k {
		delete(s.byEmail, k.email)
	}
}

// dump is the state as text, to compare.
func (s *store) dump() map[string]int {
	seen, out := map[*card]bool{}, map[string]int{}
	for _, m := range []map[string]*card{s.byWA, s.byEmail} {
		for _, k := range m {
			if !seen[k] {
				seen[k] = true
				out[fmt.Sprintf("%+v", *k)]++
			}
		}
	}
	return out
}
