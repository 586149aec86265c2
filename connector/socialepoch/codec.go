package socialepoch

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

const (
	maxRows = 10_000 // the vendor's limit
	timeout = 2 * time.Minute

	// A contact that was just imported is locked for a minute, so what is sent again waits a little longer.
	lockFor    = time.Minute
	splitAfter = lockFor + time.Second
)

// Columns that the codec reads itself.
const (
	colAgent    = "agentAccount"
	colWhatsApp = "whatsApp"
	colPhone    = "phone" // stands in for colWhatsApp; never sent by its own name
	colCancel   = "cancelTabName"
	colCustom   = "custom" // a JSON object: extension fields by display name
)

// builtIn are the names that a row has beside its extension fields.
var builtIn = map[string]bool{
	colAgent: true, colWhatsApp: true, "friendName": true, "sex": true, "birthday": true, "address": true, "email": true, "profession": true,
	"income": true, "desc": true, "tabName": true, colCancel: true, "stage": true, "source": true, "languageTag": true, "welcome": true,
}

// codec is a connector.Codec and Signer for one mode and schema.
type codec struct {
	*signer
	*endpoint
	url    string
	prefix []byte // the body up to the first row
	owner  string // of rows that name none
	custom extension
	limits connector.Limits

	agentAt, whatsAppAt, phoneAt, customAt int // columns; -1: not in the schema

	encoders sync.Pool // of *rows.Encoder for the other columns; empty texts are left out
}

func newCodec(cfg connector.Config, _, mode string, schema *arrow.Schema) (connector.Codec, error) {
	conf, err := configOf(cfg)
	if err != nil {
		return nil, err
	}
	if mode == "" {
		mode = modeOf(cfg)
	}
	to := endpointOf(mode)
	if to == nil {
		return nil, connector.OneOf("mode", mode, modeNames()...)
	}
	c := &codec{
		signer: newSigner(conf), endpoint: to, url: conf.url(to.path), prefix: bodyPrefix(conf.TenantID), owner: conf.DefaultOwner,
		custom: extension{types: conf.FieldTypes, selectList: conf.SingleSelect == selectList || conf.SingleSelect == selectAuto && to.selectList},
		limits: connector.Limits{
			Rows: maxRows, Bytes: int(conf.MaxBytes), Timeout: timeout, SplitAfter: splitAfter, Idempotent: true, Splittable: true,
		},
	}
	if c.limits.Bytes <= 0 {
		c.limits.Bytes = defaultBytes
	}
	if to.mode.Whole {
		c.limits.Splittable, c.limits.SplitAfter, c.limits.Duplicates = false, 0, connector.DuplicatesLastWins
	}
	if err := c.bind(schema); err != nil {
		return nil, err
	}
	skip := func(name string) bool {
		switch name {
		case colAgent, colWhatsApp, colPhone, colCustom:
			return true
		case colCancel:
			return !to.cancelTags
		}
		return false
	}
	c.encoders.New = func() any {
		enc := rows.NewEncoder(schema, skip)
		enc.OmitEmpty = true
		return enc
	}
	return c, nil
}

func bodyPrefix(tenant int64) []byte {
	return append(strconv.AppendInt([]byte(`{"tenantId":`), tenant, 10), `,"data":[`...)
}

// bind finds the columns that the codec reads itself and refuses a schema that the vendor would not take.
func (c *codec) bind(schema *arrow.Schema) error {
	for name, at := range map[string]*int{colAgent: &c.agentAt, colWhatsApp: &c.whatsAppAt, colPhone: &c.phoneAt, colCustom: &c.customAt} {
		*at = -1
		found := schema.FieldIndices(name)
		if len(found) == 0 {
			continue
		}
		f := schema.Field(found[0])
		switch {
		case name == colCustom && !connector.IsJSON(f):
			return connector.Configf("Map it to an object, or leave it out", "field custom is %s where an object is wanted", f.Type)
		case name != colCustom && f.Type.ID() != arrow.STRING:
			return connector.Configf("Add `type: text` to the field in the mapping", "field %s is %s where the CRM takes text", name, f.Type)
		}
		*at = found[0]
	}
	if c.whatsAppAt < 0 && c.phoneAt < 0 {
		return connector.Configf("Map whatsapp or phone", "the mapping gives rows no WhatsApp number")
	}
	if c.agentAt < 0 && c.owner == "" {
		return connector.Configf("Map owner, or set default_owner", "the mapping gives rows no agent")
	}
	return nil
}

func (c *codec) Limits() connector.Limits { return c.limits }

// AppendKeys hashes the number, though the same number at another agent is another contact: an answer names failed contacts
// by number alone, and a number that was just taken is locked for every agent. So such rows go one after the other, in
// requests of their own, and each answer can be read.
func (c *codec) AppendKeys(dst []uint64, rec arrow.Record, row int) []uint64 {
	base, from := rows.Base(rec)
	number := c.number(base, from+row)
	if number == "" {
		return dst
	}
	if c.mode.Whole {
		// The earlier of two rows of a key is dropped, so only what is surely one contact shares a key.
		return append(dst, connector.NewKeyHash(0).Text(c.agent(base, from+row)).Byte(0xff).Text(number).Sum())
	}
	return append(dst, connector.NewKeyHash(0).Text(digits(number)).Sum())
}

// AppendGroup names the agent whose pool a request of a whole mode replaces. Spellings that differ in the case of letters
// are one group: whether the vendor tells them apart is not documented, and a call for each would be one too many if not.
func (c *codec) AppendGroup(dst []byte, rec arrow.Record, row int) []byte {
	base, from := rows.Base(rec)
	if c.number(base, from+row) == "" {
		return dst
	}
	return append(dst, strings.ToLower(c.agent(base, from+row))...)
}

// agent is who owns the row, "" if nobody does.
func (c *codec) agent(rec arrow.Record, row int) string {
	if agent := textOf(rec, c.agentAt, row); agent != "" {
		return agent
	}
	return c.owner
}

// number is the row's WhatsApp number, "" if it has none.
func (c *codec) number(rec arrow.Record, row int) string {
	if number := textOf(rec, c.whatsAppAt, row); number != "" {
		return number
	}
	return textOf(rec, c.phoneAt, row)
}

// textOf is a text without blanks around it, "" where there is none.
func textOf(rec arrow.Record, column, row int) string {
	if column < 0 {
		return ""
	}
	col := rec.Column(column).(*array.String)
	if col.IsNull(row) {
		return ""
	}
	return strings.TrimSpace(col.Value(row))
}

// AppendRequest appends the body straight from the columns. Rows without agent or number are refused even where a mapping
// lets them pass, and so are rows whose extension fields cannot be written.
func (c *codec) AppendRequest(req *connector.Request, rec arrow.Record) error {
	n := int(rec.NumRows())
	if n == 0 || n > maxRows {
		return connector.Internalf("", "socialepoch: a request of %d rows, the vendor takes 1 to %d", n, maxRows)
	}
	enc := c.encoders.Get().(*rows.Encoder)
	defer c.encoders.Put(enc)
	enc.Bind(rec)
	base, from := rows.Base(rec)
	body := append(req.Body, c.prefix...)
	var refused []connector.RowResult
	for row := range n {
		if row > 0 {
			body = append(body, ',')
		}
		var no *connector.RowResult
		if body, no = c.appendRow(body, enc, base, from+row, row); no != nil {
			no.Row, no.Verdict = row, connector.VerdictRejected
			refused = append(refused, *no)
		}
	}
	if refused != nil {
		return &connector.RowsError{Rows: refused}
	}
	req.Body = append(body, "]}"...)
	req.Method, req.URL, req.Endpoint = http.MethodPost, c.url, c.endpoint.name
	if req.Header == nil {
		req.Header = make(http.Header, 4)
	}
	req.Header[headerType] = contentJSON
	return nil
}

// appendRow appends the row at of base, which the encoder knows as row.
func (c *codec) appendRow(body []byte, enc *rows.Encoder, base arrow.Record, at, row int) ([]byte, *connector.RowResult) {
	agent, number := c.agent(base, at), c.number(base, at)
	switch {
	case number == "":
		return body, &connector.RowResult{Code: connector.CodeNoIdentifier, Field: colWhatsApp, Message: "neither whatsApp nor phone has a value"}
	case agent == "":
		return body, &connector.RowResult{Code: connector.CodeRequired, Field: colAgent, Message: "no agent owns the contact: map owner, or set default_owner"}
	}
	body = rows.AppendString(append(body, `{"agentAccount":`...), agent)
	body = rows.AppendString(append(body, `,"whatsApp":`...), number)
	rest := len(body)
	body = enc.AppendObject(body, row)
	if body[rest] = ','; len(body) == rest+len("{}") {
		body = body[:rest] // there is nothing else
	} else {
		body = body[:len(body)-1] // its closing brace
	}
	if c.customAt >= 0 {
		if col := base.Column(c.customAt).(*array.String); !col.IsNull(at) {
			var no *connector.RowResult
			if body, no = c.custom.appendMembers(body, col.Value(at)); no != nil {
				return body, no
			}
		}
	}
	return append(body, '}'), nil
}

// ParseResponse reads the answer; see outcome.
func (c *codec) ParseResponse(resp *connector.Response, rec arrow.Record) (connector.Outcome, error) {
	o, err := outcome(resp, &batch{codec: c, rec: rec})
	if err != nil {
		return o, fmt.Errorf("%s", c.mask(err.Error()))
	}
	o.Message = c.mask(o.Message)
	for i := range o.Rows {
		o.Rows[i].Message = c.mask(o.Rows[i].Message)
	}
	return o, nil
}

// Format keeps the key of the embedded signer out of every verb.
func (c *codec) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "socialepoch codec") }

// digits is what a number is known by: its ASCII digits, or the whole text where it has none.
func digits(s string) string {
	plain := true
	for i := range len(s) {
		plain = plain && s[i] >= '0' && s[i] <= '9'
	}
	if plain {
		return s
	}
	kept := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
	if kept == "" {
		return strings.TrimSpace(s)
	}
	return kept
}
