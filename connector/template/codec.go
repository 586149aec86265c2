package template

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

const (
	maxRows     = 500
	columnPhone = "phone"
	contentJSON = "application/json"
	headerType  = "Content-Type"
)

// codec is a connector.Codec and, by its signer, a connector.Signer, for one schema.
type codec struct {
	signer
	url      string
	prefix   []byte // the body up to the first contact
	phone    int    // column
	encoders sync.Pool
}

func newCodec(cfg connector.Config, _, mode string, schema *arrow.Schema) (connector.Codec, error) {
	conf, err := configOf(cfg)
	if err != nil {
		return nil, err
	}
	if err := connector.OneOf("mode", mode, modeUpsert); err != nil {
		return nil, err
	}
	at := schema.FieldIndices(columnPhone)
	if len(at) == 0 || schema.Field(at[0]).Type.ID() != arrow.STRING {
		return nil, connector.Configf("Map phone to a text", "the mapping gives rows no phone")
	}
	c := &codec{signer: signer{conf.APIKey}, url: conf.url("/v1/contacts"), phone: at[0]}
	c.prefix = append(rows.AppendString([]byte(`{"account":`), conf.Account), `,"contacts":[`...)
	c.encoders.New = func() any {
		enc := rows.NewEncoder(schema, nil)
		enc.OmitEmpty = true
		return enc
	}
	return c, nil
}

// Limits: to send a contact again changes nothing.
func (c *codec) Limits() connector.Limits {
	return connector.Limits{Rows: maxRows, Idempotent: true, Splittable: true}
}

// AppendKeys hashes the phone: the vendor knows a contact by nothing else, and the preset leaves digits only.
func (c *codec) AppendKeys(dst []uint64, rec arrow.Record, row int) []uint64 {
	if number := c.number(rec, row); number != "" {
		dst = append(dst, connector.NewKeyHash(0).Text(number).Sum())
	}
	return dst
}

// number is the row's phone, "" if it has none.
func (c *codec) number(rec arrow.Record, row int) string {
	col := rec.Column(c.phone).(*array.String)
	if col.IsNull(row) {
		return ""
	}
	return strings.TrimSpace(col.Value(row))
}

// AppendRequest appends the body straight from the columns. A row without a phone is refused even where a mapping lets it
// pass.
func (c *codec) AppendRequest(req *connector.Request, rec arrow.Record) error {
	var refused []connector.RowResult
	for row := range int(rec.NumRows()) {
		if c.number(rec, row) == "" {
			refused = append(refused, connector.RowResult{
				Row: row, Verdict: connector.VerdictRejected, Code: connector.CodeNoIdentifier, Field: columnPhone, Message: "phone has no value",
			})
		}
	}
	if refused != nil {
		return &connector.RowsError{Rows: refused}
	}
	enc := c.encoders.Get().(*rows.Encoder)
	defer c.encoders.Put(enc)
	enc.Bind(rec)
	body := append(req.Body, c.prefix...)
	for row := range int(rec.NumRows()) {
		if row > 0 {
			body = append(body, ',')
		}
		body = enc.AppendObject(body, row)
	}
	req.Body = append(body, "]}"...)
	req.Method, req.URL, req.Endpoint = http.MethodPost, c.url, "contacts"
	if req.Header == nil {
		req.Header = make(http.Header, 2)
	}
	req.Header[headerType] = []string{contentJSON}
	return nil
}

// ParseResponse reads the answer; see outcome.
func (c *codec) ParseResponse(resp *connector.Response, rec arrow.Record) (connector.Outcome, error) {
	o, err := outcome(resp, int(rec.NumRows()))
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
func (c *codec) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "template codec") }
