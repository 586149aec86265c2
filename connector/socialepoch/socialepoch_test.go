package socialepoch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
)

const testKey = "QOEAcPj6Tb8XRhwFvYih"

func good() *Config {
	c := SocialEpoch.NewConfig().(*Config)
	c.TenantID, c.APIKey = 82, connector.NewSecret(testKey)
	return c
}

func schemaOf(names ...string) *arrow.Schema {
	fields := make([]arrow.Field, len(names))
	for i, name := range names {
		fields[i] = arrow.Field{Name: name, Type: arrow.BinaryTypes.String, Nullable: true}
		if name == colCustom {
			fields[i] = connector.JSONField(name)
		}
	}
	return arrow.NewSchema(fields, nil)
}

// record makes a record of texts; "" is null.
func record(t testing.TB, schema *arrow.Schema, lines ...[]string) arrow.Record {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	for _, line := range lines {
		for i := range schema.Fields() {
			if i < len(line) && line[i] != "" {
				b.Field(i).(*array.StringBuilder).Append(line[i])
			} else {
				b.Field(i).AppendNull()
			}
		}
	}
	rec := b.NewRecord()
	t.Cleanup(func() {
		rec.Release()
		mem.AssertSize(t, 0)
	})
	return rec
}

func mustCodec(t testing.TB, cfg *Config, mode string, schema *arrow.Schema) connector.Codec {
	t.Helper()
	c, err := newCodec(cfg, "contacts", mode, schema)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func answer(status int, body string, header ...string) *connector.Response {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &connector.Response{Status: status, Header: h, Body: []byte(body)}
}

func TestToken(t *testing.T) {
	for _, tc := range []struct {
		tenant    int64
		ms        int64
		key, want string
	}{
		{1, 1710936559123, testKey, "e1aa29e0985905cfb15a84e71a2a6cc1"},
		{82, 1710936559123, testKey, "5487b56a4639953f4eb219348c1699a4"},
	} {
		s := newSigner(&Config{TenantID: tc.tenant, APIKey: connector.NewSecret(tc.key)})
		req := &connector.Request{Body: []byte("{}")}
		for range 2 {
			if err := s.Sign(req, time.UnixMilli(tc.ms)); err != nil {
				t.Fatal(err)
			}
		}
		h := req.Header
		if h.Get("token") != tc.want || h.Get("timestamp") != fmt.Sprint(tc.ms) || h.Get("tenant_id") != fmt.Sprint(tc.tenant) || len(h) != 4 {
			t.Errorf("got %v, want token %s", h, tc.want)
		}
	}
}

// A request of two contacts as it goes over the wire, and the answer to it.
func TestFixture(t *testing.T) {
	schema := schemaOf(colAgent, colWhatsApp, "friendName", "sex", "birthday", "tabName")
	rec := record(t, schema,
		[]string{"kubrick101", "8615266667780", "Feng", "male", "2020/03/08", "Soldier,Strategy"},
		[]string{"kubrick101", "86-abc", "Bad"})
	c := mustCodec(t, good(), "", schema)
	req := &connector.Request{}
	if err := c.AppendRequest(req, rec); err != nil {
		t.Fatal(err)
	}
	if err := c.(connector.Signer).Sign(req, time.UnixMilli(1710936559123)); err != nil {
		t.Fatal(err)
	}
	const body = `{"tenantId":82,"data":[{"agentAccount":"kubrick101","whatsApp":"8615266667780","friendName":"Feng","sex":"male","birthday":"2020/03/08","tabName":"Soldier,Strategy"},` +
		`{"agentAccount":"kubrick101","whatsApp":"86-abc","friendName":"Bad"}]}`
	if string(req.Body) != body || req.Method != "POST" || req.URL != "https://api.socialscrm.com/wscrm-bus-api/customer/api/batchImport" {
		t.Errorf("%s %s %s", req.Method, req.URL, req.Body)
	}
	if got := req.Header.Get("token"); got != "5487b56a4639953f4eb219348c1699a4" {
		t.Errorf("token %s", got)
	}
	o, err := c.ParseResponse(answer(200, `{"code":200,"message":"Success","data":{"successExcel":[],"errExcel":[{"errPhone":"86-abc","errInfo":"PHONE_ERROR","errCode":28}],"successCount":1,"errCount":1,"notFollowSuccessCount":"","notFollowSuccessExcels":[]}}`), rec)
	if err != nil || o.Verdict != connector.VerdictDelivered || len(o.Rows) != 1 || o.Rows[0].Row != 1 || o.Rows[0].Code != "28" ||
		o.Rows[0].Verdict != connector.VerdictRejected || o.Rows[0].Message != "PHONE_ERROR" {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestRequests(t *testing.T) {
	schema := schemaOf(colAgent, colWhatsApp, colPhone, "desc", colCancel, colCustom)
	typed := good()
	typed.DefaultOwner, typed.FieldTypes = "spare", map[string]string{"Signed on": typeDate, "Channel": typeSingle}
	plain := good()
	plain.FieldTypes, plain.SingleSelect = typed.FieldTypes, selectPlain
	for _, tc := range []struct {
		name string
		cfg  *Config
		mode string
		row  []string
		want string // the row as sent, or the code of its refusal and the field
	}{
		{"phone stands in", good(), modeImport, []string{"a", "", "123456"}, `{"agentAccount":"a","whatsApp":"123456"}`},
		{"whatsApp first", good(), modeImport, []string{"a", "7654321", "123456", "x"}, `{"agentAccount":"a","whatsApp":"7654321","desc":"x"}`},
		{"default owner", typed, modeImport, []string{" ", "123456"}, `{"agentAccount":"spare","whatsApp":"123456"}`},
		{"no owner", good(), modeImport, []string{"", "123456"}, "required agentAccount"},
		{"no number", good(), modeImport, []string{"a", " "}, "no_identifier whatsApp"},
		{"tags away", good(), modeImport, []string{"a", "123456", "", "", "old"}, `{"agentAccount":"a","whatsApp":"123456","cancelTabName":"old"}`},
		{"no tags away in the pool", good(), modePoolAppend, []string{"a", "123456", "", "", "old"}, `{"agentAccount":"a","whatsApp":"123456"}`},
		{"custom", typed, modeImport, []string{"a", "123456", "", "", "", `{"ha-hi":"é\"","n":12.50,"b":true,"x":null,"m":["A",null,"B",3],"Signed on":"2022-03-08","Channel":"Web"}`},
			`{"agentAccount":"a","whatsApp":"123456","ha-hi":"é\"","n":12.50,"b":true,"m":"A,B,3","Signed on":"2022/03/08","Channel":"Web"}`},
		{"single choice in the pool", typed, modePoolAppend, []string{"a", "123456", "", "x", "", `{"Channel":"We\"b"}`},
			`{"agentAccount":"a","whatsApp":"123456","desc":"x","Channel":"[\"We\\\"b\"]"}`},
		{"single choice as it is", typed, modePoolAppend, []string{"a", "123456", "", "", "", `{"Channel":"[\"Web\"]"}`},
			`{"agentAccount":"a","whatsApp":"123456","Channel":"[\"Web\"]"}`},
		{"single choice plain", plain, modePoolAppend, []string{"a", "123456", "", "", "", `{"Channel":["Web"]}`}, `{"agentAccount":"a","whatsApp":"123456","Channel":"Web"}`},
		{"empty custom", good(), modeImport, []string{"a", "123456", "", "", "", `{}`}, `{"agentAccount":"a","whatsApp":"123456"}`},
		{"taken name", good(), modeImport, []string{"a", "123456", "", "", "", `{"email":"x"}`}, "unknown_field email"},
		{"taken name behind an escape", good(), modeImport, []string{"a", "123456", "", "", "", `{"whats\u0041pp":"x"}`}, "unknown_field whatsApp"},
		{"twice", good(), modeImport, []string{"a", "123456", "", "", "", `{"x":1,"x":2}`}, "bad_value x"},
		{"object", good(), modeImport, []string{"a", "123456", "", "", "", `{"x":{}}`}, "bad_value x"},
		{"list of lists", good(), modeImport, []string{"a", "123456", "", "", "", `{"x":[[1]]}`}, "bad_value x"},
		{"comma", good(), modeImport, []string{"a", "123456", "", "", "", `{"x":["a,b"]}`}, "separator_in_tag x"},
		{"no object", good(), modeImport, []string{"a", "123456", "", "", "", `[1]`}, "bad_value custom"},
		{"broken", good(), modeImport, []string{"a", "123456", "", "", "", `{"x":`}, "bad_value custom"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			good := []string{"z", "99999", "", "behind"}
			rec := record(t, schema, good, tc.row, good)
			req := &connector.Request{Body: []byte("kept")}
			got := ""
			switch err := mustCodec(t, tc.cfg, tc.mode, schema).AppendRequest(req, rec).(type) {
			case nil:
				var body struct{ Data []json.RawMessage }
				if err := json.Unmarshal(bytes.TrimPrefix(req.Body, []byte("kept")), &body); err != nil || len(body.Data) != 3 {
					t.Fatalf("%s: %v", req.Body, err)
				}
				got = string(body.Data[1])
			case *connector.RowsError:
				if len(err.Rows) != 1 || err.Rows[0].Row != 1 || err.Rows[0].Verdict != connector.VerdictRejected || err.Rows[0].Message == "" || string(req.Body) != "kept" {
					t.Errorf("%+v", err.Rows)
				}
				got = err.Rows[0].Code + " " + err.Rows[0].Field
			default:
				t.Fatal(err)
			}
			if got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestSchemas(t *testing.T) {
	owned := good()
	owned.DefaultOwner = "a"
	number := arrow.NewSchema([]arrow.Field{{Name: colWhatsApp, Type: arrow.PrimitiveTypes.Int64}}, nil)
	object := arrow.NewSchema(append(schemaOf(colAgent, colPhone).Fields(), arrow.Field{Name: colCustom, Type: arrow.BinaryTypes.String}), nil)
	for _, tc := range []struct {
		cfg    *Config
		mode   string
		schema *arrow.Schema
		want   string
	}{
		{good(), "", schemaOf(colAgent), "no WhatsApp number"},
		{good(), "", schemaOf(colPhone), "no agent"},
		{owned, "", schemaOf(colPhone), ""},
		{owned, "", number, "whatsApp is int64"},
		{owned, "", object, "custom is utf8"},
		{owned, "pool_swap", schemaOf(colPhone), `mode is "pool_swap"`},
	} {
		_, err := newCodec(tc.cfg, "contacts", tc.mode, tc.schema)
		if tc.want == "" && err != nil || tc.want != "" && (connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("got %v, want %q", err, tc.want)
		}
	}
	c := mustCodec(t, owned, "", schemaOf(colPhone))
	for _, n := range []int{0, maxRows + 1} {
		rec := record(t, schemaOf(colPhone), make([][]string, n)...)
		if err := c.AppendRequest(&connector.Request{}, rec); connector.KindOf(err) != connector.KindInternal {
			t.Errorf("%d rows: %v", n, err)
		}
	}
	if l := c.Limits(); l.Rows != 10_000 || l.Bytes != 8<<20 || !l.Idempotent || !l.Splittable || l.SplitAfter <= time.Minute {
		t.Errorf("limits %+v", l)
	}
}

func TestKeys(t *testing.T) {
	schema := schemaOf(colAgent, colWhatsApp, colPhone)
	rec := record(t, schema, []string{"Ann", "8613800000001"}, []string{"ann", "", "+86 138-0000-0001"}, []string{"ben", "8613800000001"},
		[]string{"ann", "8613800000002"}, []string{"ann"}, []string{"ann8", "613800000001"})
	c := mustCodec(t, good(), "", schema)
	key := func(row int) uint64 { return append(c.AppendKeys(nil, rec, row), 0)[0] }
	if key(0) != key(1) || key(0) != key(2) {
		t.Error("one number has different keys, by its spelling or its agent")
	}
	for _, row := range []int{3, 4, 5} {
		if key(row) == key(0) {
			t.Errorf("row %d has the key of another contact", row)
		}
	}
	if len(c.AppendKeys(nil, rec, 4)) != 0 {
		t.Error("a row without number has a key")
	}
}

func TestValidate(t *testing.T) {
	for _, tc := range []struct {
		edit func(*Config)
		want string
	}{
		{func(*Config) {}, ""},
		{func(c *Config) { c.TenantID = 0 }, "tenant_id must be"},
		{func(c *Config) { c.APIKey = connector.Secret{} }, "api_key is missing"},
		{func(c *Config) { c.APIKey = connector.NewSecret("a b") }, "api_key holds a blank"},
		{func(c *Config) { c.Mode = "pool_swap" }, "import, pool_append, pool_replace"},
		{func(c *Config) { c.SingleSelect = "x" }, "auto, plain, list"},
		{func(c *Config) { c.MaxBytes = 1 }, "max_request_bytes is 1"},
		{func(c *Config) { c.MaxBytes = 1 << 40 }, "max_request_bytes is"},
		{func(c *Config) { c.BaseURL = "http://127.0.0.1:1" }, ""},
		{func(c *Config) { c.BaseURL = "http://[::1]:1/x" }, ""},
		{func(c *Config) { c.BaseURL = "http://localhost" }, ""},
		{func(c *Config) { c.BaseURL = "http://api.socialscrm.com" }, "unencrypted"},
		{func(c *Config) { c.BaseURL = "" }, "not an http or https URL"},
		{func(c *Config) { c.BaseURL = "https://u:p@host" }, "holds a user name"},
		{func(c *Config) { c.BaseURL = "https://host?x" }, "query or a fragment"},
		{func(c *Config) { c.BaseURL = "https://%zz" }, "cannot be read"},
		{func(c *Config) { c.CustomFields = map[string]string{"a": "Faction"} }, ""},
		{func(c *Config) { c.CustomFields = map[string]string{"a": ""} }, "mapped to nothing"},
		{func(c *Config) { c.CustomFields = map[string]string{"a": "stage"} }, "field of every contact"},
		{func(c *Config) { c.CustomFields = map[string]string{"a": "X", "b": "X"} }, "both mapped"},
		{func(c *Config) { c.FieldTypes = map[string]string{"X": "words"} }, `field_types: "X" is "words"`},
		{func(c *Config) { c.FieldTypes = map[string]string{"X": "text"} }, ""},
		{func(c *Config) { c.FieldTypes = map[string]string{"stage": "text"} }, `field_types: "stage" is a field of every contact`},
	} {
		cfg := good()
		tc.edit(cfg)
		err := cfg.Validate()
		if tc.want == "" && err != nil || tc.want != "" && (connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("got %v, want %q", err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), "u:p") {
			t.Errorf("%v shows the password", err)
		}
	}
}

type foreign struct{}

func (foreign) Validate() error { return nil }

func TestForeignConfig(t *testing.T) {
	_, noCodec := newCodec(foreign{}, "", "", schemaOf(colPhone))
	_, noPreset := newPreset(foreign{})
	_, noCheck := newCheck(foreign{})
	if noCodec == nil || noPreset == nil || noCheck == nil || modeOf(foreign{}) != modeImport {
		t.Error("another vendor's configuration is taken")
	}
}
