package nx

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// The vendor's limit and the paths of its interface.
const (
	maxRows = 100

	pathSeaCreate = "/saas/sea/cdp/openapi/customers/batch_create"
	pathCreate    = "/saas/cdp/openapi/customers/batch_create"
	pathFields    = "/saas/cdp/openapi/customers/fields"

	endpointCreate = "customers/batch_create"
	endpointFields = "customers/fields"
)

// Vendor columns that identify a person, in the order in which the vendor is taken to match them.
const (
	colWhatsApp = "whats_app_phone"
	colSMS      = "sms_phone"
	colEmail    = "email"
	colGender   = "gender"
)

var identifierColumns = [...]string{colWhatsApp, colSMS, colEmail}

// typeOf is the wire's number for each mode.
var typeOf = map[string]int{modeReplace: 0, modeUpsert: 1, modeInsert: 2}

// codec is a connector.Codec and Signer for one contract, mode and schema.
type codec struct {
	*signer
	schema  *arrow.Schema
	url     string
	prefix  []byte // the body up to the first customer
	columns [len(identifierColumns)]int
	limits  connector.Limits

	encoders sync.Pool // of *rows.Encoder for schema; empty texts are left out
}

func newCodec(cfg connector.Config, _, mode string, schema *arrow.Schema) (connector.Codec, error) {
	s, err := settingsOf(cfg)
	if err != nil {
		return nil, err
	}
	if mode == "" {
		mode = s.Mode
	}
	kind, ok := typeOf[mode]
	if !ok {
		return nil, connector.Configf("Use one of upsert, replace, insert", "mode is %q", mode)
	}
	c := &codec{
		signer: newSigner(&s.Account), schema: schema, url: s.url(pathCreate), prefix: bodyPrefix(&s, kind),
		limits: connector.Limits{Rows: maxRows, Timeout: 30 * time.Second, Idempotent: true, Splittable: true},
	}
	if s.contract == contractSea {
		c.url = s.url(pathSeaCreate)
	}
	if mode == modeReplace {
		c.limits.Duplicates = connector.DuplicatesLastWins
	}
	c.encoders.New = func() any {
		enc := rows.NewEncoder(schema, nil)
		enc.OmitEmpty = true
		return enc
	}
	return c, c.bind()
}

// bodyPrefix is what all bodies begin with. strict_binding is sent only where it is asked for: the contracts that lack it
// may refuse a key that they do not know.
func bodyPrefix(s *settings, kind int) []byte {
	b := append([]byte(nil), `{"type":`...)
	b = strconv.AppendInt(b, int64(kind), 10)
	b = append(b, `,"tenant_id":`...)
	b = strconv.AppendInt(b, s.TenantID, 10)
	b = append(b, `,"app_key":`...)
	b = rows.AppendString(b, s.AppKey)
	if s.strictBinding && s.contract == contractNew {
		b = append(b, `,"strict_binding":true`...)
	}
	return append(b, `,"customers":[`...)
}

// bind finds the columns by which rows are known and refuses a schema that the vendor would not take.
func (c *codec) bind() error {
	found := false
	for i, name := range identifierColumns {
		c.columns[i] = -1
		at := c.schema.FieldIndices(name)
		if len(at) == 0 {
			continue
		}
		if c.schema.Field(at[0]).Type.ID() != arrow.STRING {
			return connector.Configf("Add `type: text` to the field in the mapping", "field %s is %s where the CRM takes text", name, c.schema.Field(at[0]).Type)
		}
		c.columns[i], found = at[0], true
	}
	if !found {
		return connector.Configf("Map at least one of phone, whatsapp or email", "the mapping gives rows nothing by which the CRM could know a person")
	}
	if at := c.schema.FieldIndices(colGender); len(at) > 0 && c.schema.Field(at[0]).Type.ID() != arrow.INT64 {
		return connector.Configf("Map it to male, female or unknown and leave the codes to the preset, or add `type: integer`",
			"field gender is %s where the CRM takes 1 (male) or 0 (female)", c.schema.Field(at[0]).Type)
	}
	return nil
}

func (c *codec) Limits() connector.Limits { return c.limits }

// AppendKeys hashes every identifier of the row. A number in whats_app_phone and the same in sms_phone give one key, and
// so do two spellings of an e-mail address that differ in case: the vendor may well take either for one person.
func (c *codec) AppendKeys(dst []uint64, rec arrow.Record, row int) []uint64 {
	start := len(dst)
	for i, name := range identifierColumns {
		value := c.identifier(rec, i, row)
		if value == "" {
			continue
		}
		key := hashText(value)
		if name != colEmail {
			key = hashPhone(value)
		}
		known := false
		for _, k := range dst[start:] {
			known = known || k == key
		}
		if !known {
			dst = append(dst, key)
		}
	}
	return dst
}

// identifier is the text of the i-th identifier column without blanks around it, "" where there is none.
func (c *codec) identifier(rec arrow.Record, i, row int) string {
	if c.columns[i] < 0 {
		return ""
	}
	col := rec.Column(c.columns[i]).(*array.String)
	if col.IsNull(row) {
		return ""
	}
	return strings.TrimSpace(col.Value(row))
}

// AppendRequest appends the body straight from the columns. A row without an identifier is refused even where a mapping
// lets it pass: the vendor would make a new contact of it each time it is sent.
func (c *codec) AppendRequest(req *connector.Request, rec arrow.Record) error {
	n := int(rec.NumRows())
	if n == 0 || n > maxRows {
		return connector.Internalf("", "nx: a request of %d rows, the vendor takes 1 to %d", n, maxRows)
	}
	if err := c.refuse(rec); err != nil {
		return err
	}
	enc := c.encoders.Get().(*rows.Encoder)
	defer c.encoders.Put(enc)
	enc.Bind(rec)
	body := append(req.Body, c.prefix...)
	for row := range n {
		if row > 0 {
			body = append(body, ',')
		}
		body = enc.AppendObject(body, row)
	}
	req.Body = append(body, "]}"...)
	req.Method, req.URL, req.Endpoint = http.MethodPost, c.url, endpointCreate
	if req.Header == nil {
		req.Header = make(http.Header, 8)
	}
	req.Header[headerType] = contentJSON
	return nil
}

// refuse lists the rows that must not be sent.
func (c *codec) refuse(rec arrow.Record) error {
	var refused []connector.RowResult
	base, from := rows.Base(rec)
	for row := range int(rec.NumRows()) {
		known := false
		for i := range identifierColumns {
			known = known || c.identifier(base, i, from+row) != ""
		}
		if !known {
			refused = append(refused, connector.RowResult{
				Row: row, Verdict: connector.VerdictRejected, Code: connector.CodeNoIdentifier,
				Message: "none of " + strings.Join(identifierColumns[:], ", ") + " has a value",
			})
		}
	}
	if refused != nil {
		return &connector.RowsError{Rows: refused}
	}
	return nil
}

// ParseResponse reads the answer; see outcome. Its verdict always speaks of the whole request.
func (c *codec) ParseResponse(resp *connector.Response, _ arrow.Record) (connector.Outcome, error) {
	o, err := outcome(resp)
	if err != nil {
		return o, fmt.Errorf("%s", c.mask(err.Error()))
	}
	o.Message = c.mask(o.Message)
	return o, nil
}

// Format keeps the secrets of the embedded signer out of every verb.
func (c *codec) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "nx codec") }

// Kinds of identifiers, so that their hashes never meet.
const (
	kindPhone = 'p'
	kindText  = 'e'
)

// hashPhone hashes the ASCII digits of a number, or the whole text where there are none.
func hashPhone(s string) uint64 {
	h, digits := connector.NewKeyHash(kindPhone), 0
	for i := range len(s) {
		if s[i] >= '0' && s[i] <= '9' {
			h = h.Byte(s[i])
			digits++
		}
	}
	if digits == 0 {
		return hashText(s)
	}
	return h.Sum()
}

// hashText hashes a text without regard to case.
func hashText(s string) uint64 {
	h := connector.NewKeyHash(kindText)
	for i := range len(s) {
		c := s[i]
		if c >= utf8.RuneSelf {
			return hashRunes(s)
		}
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		h = h.Byte(c)
	}
	return h.Sum()
}

// hashRunes is hashText for a text that is not ASCII.
func hashRunes(s string) uint64 {
	h := connector.NewKeyHash(kindText)
	for _, r := range s {
		r = unicode.ToLower(unicode.ToUpper(r)) // both ways: some letters have several of one case
		for ; r > 0; r >>= 8 {
			h = h.Byte(byte(r))
		}
	}
	return h.Sum()
}
