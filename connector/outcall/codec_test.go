package outcall

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
)

// The bytes, address and headers of a request.
func TestRequest(t *testing.T) {
	c := mustCodec(t, goodConfig())
	rec := record(t, []any{"13012121211", "联系人1", 0, nil, "row-1"}, []any{"8613012121211", nil, nil, nil, "row-2"})
	req := &connector.Request{}
	if err := c.AppendRequest(req, rec); err != nil {
		t.Fatal(err)
	}
	if err := c.Sign(req, time.Time{}); err != nil {
		t.Fatal(err)
	}
	const want = `{"ignore_crm":false,"encryption":false,"data":[{"phone":"13012121211","sort":0,"name":"联系人1","sex":0,"extra":"row-1"},{"phone":"13012121211","sort":0,"extra":"row-2"}]}`
	if string(req.Body) != want {
		t.Errorf("body\n%s\nwant\n%s", req.Body, want)
	}
	if got, want := req.Method+" "+req.URL, "POST https://ai.api.longlonglong.cn/agent-api/user/"+testUser+"/task/"+testTask+"/async_number"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := req.Header.Get("Authorization") + ", " + req.Header.Get("Content-Type"); got != "Bearer sandbox-token, application/json" {
		t.Errorf("headers %s", got)
	}
	if !strings.Contains(req.Endpoint, testTask) {
		t.Errorf("endpoint %q is not the task's own: a task that runs would hold up the others", req.Endpoint)
	}
	if a, b := c.AppendKeys(nil, rec, 0), c.AppendKeys(nil, rec, 1); len(a) != 1 || len(b) != 1 || a[0] != b[0] {
		t.Errorf("one number in two spellings has the keys %x and %x", a, b)
	}
}

func TestRequestSettings(t *testing.T) {
	c := mustCodec(t, goodConfig(func(c *Config) {
		c.Mode, c.SkipError, c.Settle, c.NumberAddSuffix, c.SubUserID = modeSync, true, settleAccepted, true, testUser
		c.Sources = map[string]int64{"fair": 7}
	}))
	rec := record(t,
		[]any{"13012121211", nil, 2, "fair", nil, `{"` + testUser + `":"a\"b","` + testTask + `":17.50,"x":null,"y":"","z":true}`},
		[]any{"13012121212", "", nil, "3"}, []any{"13012121213", nil, nil, "unheard of"})
	req := &connector.Request{}
	if err := c.AppendRequest(req, rec); err != nil {
		t.Fatal(err)
	}
	want := `{"ignore_crm":false,"encryption":false,"sub_user_id":"` + testUser + `","number_add_suffix":true,"skip_error":true,"data":[` +
		`{"phone":"13012121211","sort":0,"sex":2,"source_id":7,"components":[{"id":"` + testUser + `","value":"a\"b"},{"id":"` + testTask + `","value":"17.50"},{"id":"z","value":"true"}]},` +
		`{"phone":"13012121212","sort":0,"source_id":3},{"phone":"13012121213","sort":0}]}`
	if string(req.Body) != want {
		t.Errorf("body\n%s\nwant\n%s", req.Body, want)
	}
	if !strings.HasSuffix(req.URL, testTask+"/number") {
		t.Errorf("URL %s", req.URL)
	}
}

func TestLimits(t *testing.T) {
	for _, tc := range []struct {
		change func(*Config)
		want   connector.Limits
	}{
		{func(*Config) {}, connector.Limits{Rows: 200, PollRows: 20_000, Timeout: 30 * time.Second, Splittable: true, Duplicates: connector.DuplicatesReject}},
		{func(c *Config) { c.Mode = modeSync }, connector.Limits{Rows: 100, PollRows: 20_000, Timeout: 30 * time.Second, Splittable: true, Duplicates: connector.DuplicatesReject}},
		{func(c *Config) { c.NumberAddSuffix = true }, connector.Limits{Rows: 200, PollRows: 20_000, Timeout: 30 * time.Second, Splittable: true, Duplicates: connector.DuplicatesSeparate}},
	} {
		if got := mustCodec(t, goodConfig(tc.change)).Limits(); got != tc.want {
			t.Errorf("%+v, want %+v", got, tc.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, tc := range []struct{ format, in, want string }{
		{phoneCN11, "13012121211", "13012121211"}, {phoneCN11, "8613012121211", "13012121211"},
		{phoneCN11, "12012121211", ""}, {phoneCN11, "8612012121211", ""}, {phoneCN11, "013012121211", ""}, {phoneCN11, "15551234", ""},
		{phoneCN11, "+8613012121211", ""}, {phoneCN11, "8613012121211x", ""}, {phoneCN11, strings.Repeat("x", 6000), ""}, {phoneCN11, "１３012121211", ""},
		{phoneDigits, "8613012121211", "8613012121211"}, {phoneDigits, "493012345", "493012345"}, {phoneDigits, "1234", ""},
		{phoneDigits, "123456789012345678901", ""}, {phoneDigits, "13012121211_ab", ""},
		{phoneAny, "13012121211_ab", "13012121211_ab"}, {phoneAny, "+1 (555) 0100", "+1 (555) 0100"}, {phoneAny, "a\nb", ""}, {phoneAny, strings.Repeat("x", 65), ""},
	} {
		c := mustCodec(t, goodConfig(func(c *Config) { c.PhoneFormat = tc.format }))
		if got, bad := c.number(tc.in, false); got != tc.want || (bad == "") != (tc.want != "") || len(bad) > 250 {
			t.Errorf("%s %.30q: %q, %q; want %q", tc.format, tc.in, got, bad, tc.want)
		}
	}
	for in, want := range map[string]string{
		"13012121211_a1b2": "13012121211", "13012121211": "13012121211", "13012121211_": "13012121211_", "13012121211_A": "13012121211_A",
		"a_b_c": "a_b", "": "", "_x": "",
	} {
		if got := bare(in); got != want {
			t.Errorf("bare(%q) = %q, want %q", in, got, want)
		}
	}
}

// Rows that the vendor would not take are refused one by one, with a code and the field.
func TestRefusals(t *testing.T) {
	c := mustCodec(t, goodConfig())
	rec := record(t, []any{"13012121211"}, []any{nil}, []any{"call me"}, []any{"13012121211", nil, 3},
		[]any{"13012121211", nil, nil, nil, nil, `{"a":[1]}`}, []any{"13012121211", nil, nil, nil, nil, `[]`}, []any{"13012121211", nil, nil, nil, nil, `{"a":`},
		[]any{"13012121211", nil, nil, nil, nil, `{"a":1,"a":2}`}, []any{"13012121212", nil, nil, nil, nil, `null`})
	err := c.AppendRequest(&connector.Request{}, rec)
	var refused *connector.RowsError
	if !errors.As(err, &refused) {
		t.Fatal(err)
	}
	want := []struct {
		row         int
		code, field string
	}{{1, connector.CodeNoIdentifier, colPhone}, {2, connector.CodeBadPhone, colPhone}, {3, connector.CodeBadValue, colSex}, {4, connector.CodeBadValue, colComponents},
		{5, connector.CodeBadValue, colComponents}, {6, connector.CodeBadValue, colComponents}, {7, connector.CodeBadValue, colComponents}}
	if len(refused.Rows) != len(want) {
		t.Fatalf("%+v", refused.Rows)
	}
	for i, w := range want {
		if r := refused.Rows[i]; r.Row != w.row || r.Code != w.code || r.Field != w.field || r.Message == "" || r.Verdict != connector.VerdictRejected {
			t.Errorf("%+v, want %+v", r, w)
		}
	}
	for _, n := range []int{0, 201} {
		if err := c.AppendRequest(&connector.Request{}, phones(t, make([]string, n)...)); connector.KindOf(err) != connector.KindInternal {
			t.Errorf("a request of %d rows: %v", n, err)
		}
	}
}

func TestSchemas(t *testing.T) {
	text := arrow.BinaryTypes.String
	for _, tc := range []struct {
		fields []arrow.Field
		want   string // in the error; "": none
	}{
		{[]arrow.Field{{Name: "phone", Type: text}, {Name: connector.ColumnExtra, Type: text}, {Name: connector.ColumnNull, Type: arrow.BinaryTypes.Binary}}, ""},
		{[]arrow.Field{{Name: "name", Type: text}}, "no phone"},
		{[]arrow.Field{{Name: "phone", Type: arrow.PrimitiveTypes.Int64}}, "field phone is int64"},
		{[]arrow.Field{{Name: "phone", Type: text}, {Name: "sex", Type: text}}, "field sex is utf8"},
		{[]arrow.Field{{Name: "phone", Type: text}, {Name: "wechat", Type: text}}, "field wechat is none"},
		{[]arrow.Field{{Name: "phone", Type: text}, {Name: "component_birthday", Type: text}}, "component_birthday"},
	} {
		_, err := newCodec(goodConfig(), "contacts", modeAsync, arrow.NewSchema(tc.fields, nil))
		if (err == nil) != (tc.want == "") || err != nil && (connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%v: %v, want %q", tc.fields, err, tc.want)
		}
	}
}

func TestConfig(t *testing.T) {
	for _, tc := range []struct {
		change func(*Config)
		want   string
	}{
		{func(*Config) {}, ""},
		{func(c *Config) { c.Encryption = true }, "encryption is set, but the vendor does not publish its algorithm"},
		{func(c *Config) { c.Token = connector.NewSecret("a b") }, "token holds a blank"},
		{func(c *Config) { c.UserID = "../x" }, "user_id"},
		{func(c *Config) { c.TaskID = "" }, "task_id is missing"},
		{func(c *Config) { c.SubUserID = "x" }, "sub_user_id"},
		{func(c *Config) { c.SkipError = true }, "skip_error is not part of mode async"},
		{func(c *Config) { c.SkipError, c.Mode = true, modeSync }, "settle cannot be imported"},
		{func(c *Config) { c.IgnoreCRM, c.Components = true, map[string]string{"a": testTask} }, "the vendor drops them"},
		{func(c *Config) { c.Components = map[string]string{"a": testTask, "b": testTask, "c": "x"} }, `"a" and "b" are both`},
		{func(c *Config) { c.BaseURL = "http://example.com" }, "unencrypted"},
		{func(c *Config) { c.BaseURL = "http://127.0.0.1:1" }, ""}, {func(c *Config) { c.BaseURL = "http://api.localhost" }, ""},
		{func(c *Config) { c.BaseURL = "" }, "base_url"}, {func(c *Config) { c.BaseURL = "https://u:p@h" }, "user name"},
		{func(c *Config) { c.BaseURL = "https://h?x" }, "query"}, {func(c *Config) { c.BaseURL = "http://\x00" }, "base_url"},
	} {
		err := goodConfig(tc.change).Validate()
		if (err == nil) != (tc.want == "") || err != nil && (connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%v, want %q", err, tc.want)
		}
	}
}
