package outcall

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// The vendor's limits of one request.
const (
	maxRowsAsync = 200
	maxRowsSync  = 100
)

const contentJSON = "application/json"

// Columns of a row that are written as they are.
const (
	colPhone      = "phone"
	colAbroad     = "international" // has a value where phone came with a country code; never sent
	colSex        = "sex"
	colComponents = "components"
	colExtra      = "extra" // the row's key at its source
)

var textColumns = []string{"name", "email", "company"}

// idColumns are numbers at the vendor and names or numbers here.
var idColumns = []string{"source_id", "industry_id", "grade_id"}

var lateColumns = []string{colExtra, "control_select_robot"}

// codec is a connector.Codec, Signer, Poller and Namer for one configuration, mode and schema.
type codec struct {
	signer
	config Config
	mode   string
	url    string
	prefix []byte // the body up to the first row
	limits connector.Limits

	phone, abroad, sex, components, extra int // columns, -1 where the schema has none

	texts, late []member
	ids         []idMember
	single      []member // columns that are one component each; key is its id
}

// member is a text column and its key in the request, as JSON with comma and colon.
type member struct {
	column int
	key    string
}

type idMember struct {
	member
	known map[string]int64
}

func newCodec(cfg connector.Config, _, mode string, schema *arrow.Schema) (connector.Codec, error) {
	conf, err := configOf(cfg)
	if err != nil {
		return nil, err
	}
	if mode == "" {
		mode = conf.Mode
	}
	c := &codec{
		signer: signer{conf.Token}, config: *conf, mode: mode,
		limits: connector.Limits{Rows: maxRowsAsync, PollRows: searchRows, Timeout: 30 * time.Second, Splittable: true, Duplicates: connector.DuplicatesReject},
	}
	switch mode {
	case modeAsync:
		c.url = conf.taskURL() + "/async_number"
	case modeSync:
		c.url, c.limits.Rows = conf.taskURL()+"/number", maxRowsSync
	default:
		return nil, connector.Configf("Use one of async, sync", "mode is %q", mode)
	}
	if conf.Encryption {
		return nil, connector.Configf("Leave encryption out", "encryption is set, but the vendor does not publish its algorithm")
	}
	if conf.NumberAddSuffix {
		c.limits.Duplicates = connector.DuplicatesSeparate // then a task may hold a number several times
	}
	c.prefix = c.head()
	return c, c.bind(schema)
}

// head is what all bodies begin with.
func (c *codec) head() []byte {
	b := append([]byte(nil), `{"ignore_crm":`...)
	b = strconv.AppendBool(b, c.config.IgnoreCRM)
	b = append(b, `,"encryption":false`...)
	if c.config.SubUserID != "" {
		b = append(b, `,"sub_user_id":`...)
		b = rows.AppendString(b, c.config.SubUserID)
	}
	if c.config.NumberAddSuffix {
		b = append(b, `,"number_add_suffix":true`...)
	}
	if c.mode == modeSync {
		b = append(b, `,"skip_error":`...)
		b = strconv.AppendBool(b, c.config.SkipError)
	}
	return append(b, `,"data":[`...)
}

// bind finds the columns and refuses a schema that the vendor would not take.
func (c *codec) bind(schema *arrow.Schema) error {
	c.phone, c.abroad, c.sex, c.components, c.extra = -1, -1, -1, -1, -1
	known := map[string]map[string]int64{"source_id": c.config.Sources, "industry_id": c.config.Industries, "grade_id": c.config.Grades}
	for i, f := range schema.Fields() {
		want := arrow.STRING
		m := member{i, "," + string(rows.AppendString(nil, f.Name)) + ":"}
		switch {
		case f.Name == colPhone:
			c.phone = i
		case f.Name == colAbroad:
			c.abroad = i
		case f.Name == colSex:
			c.sex, want = i, arrow.INT64
		case f.Name == colComponents:
			c.components = i
		case slices.Contains(textColumns, f.Name):
			c.texts = append(c.texts, m)
		case slices.Contains(lateColumns, f.Name):
			if f.Name == colExtra {
				c.extra = i
			}
			c.late = append(c.late, m)
		case slices.Contains(idColumns, f.Name):
			c.ids = append(c.ids, idMember{m, known[f.Name]})
		case strings.HasPrefix(f.Name, columnPrefix) && c.config.Components[f.Name[len(columnPrefix):]] != "":
			c.single = append(c.single, member{i, c.config.Components[f.Name[len(columnPrefix):]]})
		case connector.IsReserved(f.Name):
			continue
		default:
			return connector.Configf("Leave it out of the mapping, or put it into `custom` with an entry in `components`", "field %s is none that the CRM takes", f.Name)
		}
		if f.Type.ID() != want {
			return connector.Configf("Give the field the type that the CRM takes with `type:` in the mapping", "field %s is %s where the CRM takes %s",
				f.Name, f.Type, map[bool]string{true: "text", false: "an integer"}[want == arrow.STRING])
		}
	}
	if c.phone < 0 {
		return connector.Configf("Map phone", "the mapping gives rows no phone")
	}
	return nil
}

func (c *codec) Limits() connector.Limits { return c.limits }

// AppendKeys hashes the number as it is sent, without a suffix: the vendor knows a row by nothing else.
func (c *codec) AppendKeys(dst []uint64, rec arrow.Record, row int) []uint64 {
	text := textAt(rec, c.phone, row)
	if text == "" {
		return dst
	}
	abroad := textAt(rec, c.abroad, row) != ""
	phone, bad := c.number(text, abroad)
	if bad != "" {
		if phone = text; abroad {
			phone = "+" + text // not the mainland number of these digits
		}
	}
	return append(dst, connector.NewKeyHash(0).Text(phone).Sum())
}

// Name is the row's key at its source, else its number.
func (c *codec) Name(rec arrow.Record, row int) string {
	if key := textAt(rec, c.extra, row); key != "" {
		return key
	}
	return textAt(rec, c.phone, row)
}

// AppendRequest writes the body from the columns. Rows whose number or components the vendor does not take are refused.
func (c *codec) AppendRequest(req *connector.Request, rec arrow.Record) error {
	n := int(rec.NumRows())
	if n == 0 || n > c.limits.Rows {
		return connector.Internalf("", "outcall: a request of %d rows, the vendor takes 1 to %d", n, c.limits.Rows)
	}
	var refused []connector.RowResult
	body := append(req.Body, c.prefix...)
	for row := range n {
		if row > 0 {
			body = append(body, ',')
		}
		var bad *connector.RowResult
		if body, bad = c.appendRow(body, rec, row); bad != nil {
			bad.Row, bad.Verdict = row, connector.VerdictRejected
			refused = append(refused, *bad)
		}
	}
	if refused != nil {
		return &connector.RowsError{Rows: refused}
	}
	req.Body = append(body, "]}"...)
	req.Method, req.URL, req.Endpoint = http.MethodPost, c.url, "task/"+c.config.TaskID
	if req.Header == nil {
		req.Header = make(http.Header, 4)
	}
	req.Header["Content-Type"] = []string{contentJSON}
	return nil
}

func (c *codec) appendRow(b []byte, rec arrow.Record, row int) ([]byte, *connector.RowResult) {
	text := textAt(rec, c.phone, row)
	if text == "" {
		return b, &connector.RowResult{Code: connector.CodeNoIdentifier, Field: colPhone, Message: "phone has no value"}
	}
	phone, bad := c.number(text, textAt(rec, c.abroad, row) != "")
	if bad != "" {
		return b, &connector.RowResult{Code: connector.CodeBadPhone, Field: colPhone, Message: bad}
	}
	b = append(b, `{"phone":`...)
	b = rows.AppendString(b, phone)
	b = append(b, `,"sort":0`...) // of no use to the vendor, yet demanded
	b = appendTexts(b, c.texts, rec, row)
	if c.sex >= 0 {
		if col := rec.Column(c.sex).(*array.Int64); !col.IsNull(row) {
			sex := col.Value(row)
			if sex < 0 || sex > 2 {
				return b, &connector.RowResult{Code: connector.CodeBadValue, Field: colSex, Message: fmt.Sprintf("sex is %d; the CRM takes 0 (unknown), 1 (male) and 2 (female)", sex)}
			}
			b = append(b, `,"sex":`...)
			b = strconv.AppendInt(b, sex, 10)
		}
	}
	for _, m := range c.ids {
		if id, ok := m.id(textAt(rec, m.column, row)); ok {
			b = append(b, m.key...)
			b = strconv.AppendInt(b, id, 10)
		}
	}
	b = appendTexts(b, c.late, rec, row)
	b, fault := c.appendComponents(b, rec, row)
	if fault != "" {
		return b, &connector.RowResult{Code: connector.CodeBadValue, Field: colComponents, Message: fault}
	}
	return append(b, '}'), nil
}

func appendTexts(b []byte, members []member, rec arrow.Record, row int) []byte {
	for _, m := range members {
		if s := textAt(rec, m.column, row); s != "" {
			b = append(b, m.key...)
			b = rows.AppendString(b, s)
		}
	}
	return b
}

// id finds the vendor's id of a name. What is neither listed nor a number has none.
func (m *idMember) id(name string) (int64, bool) {
	if id, ok := m.known[name]; ok {
		return id, true
	}
	id, err := strconv.ParseInt(name, 10, 64)
	return id, err == nil && id >= 0
}

// textAt is a text without blanks around it; "" where there is none.
func textAt(rec arrow.Record, column, row int) string {
	if column < 0 {
		return ""
	}
	col := rec.Column(column).(*array.String)
	if col.IsNull(row) {
		return ""
	}
	return strings.TrimSpace(col.Value(row))
}

// Format keeps the token out of every verb.
func (c *codec) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "outcall codec") }
