package socialepoch

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/restapi"
)

// report writes data; each failure is "phone code info".
func reportOf(successes, failures string, failed ...string) string {
	var list []string
	for _, f := range failed {
		parts := strings.SplitN(f, " ", 3)
		list = append(list, fmt.Sprintf(`{"errPhone":%q,"errInfo":%q,"errCode":%s}`, parts[0], parts[2], parts[1]))
	}
	return `{"successExcel":[],"errExcel":[` + strings.Join(list, ",") + `],"successCount":` + successes + `,"errCount":` + failures +
		`,"notFollowSuccessCount":"","notFollowSuccessExcels":[]}`
}

func success(data string) string { return `{"code":200,"message":"Success","data":` + data + `}` }

// shown writes an outcome: the verdict and code of the rows that are not named, then those that are.
func shown(o connector.Outcome) string {
	s := fmt.Sprintf("%v %s", o.Verdict, o.Code)
	if o.Stop != connector.KindNone {
		s += " stop " + o.Stop.String()
	}
	if o.Tries > 0 {
		s += fmt.Sprintf(" tries %d", o.Tries)
	}
	if o.Throttled {
		s += " throttled"
	}
	if o.RetryAfter > 0 {
		s += " after " + o.RetryAfter.String()
	}
	for _, r := range o.Rows {
		s += fmt.Sprintf("; %d %v %s", r.Row, r.Verdict, r.Code)
		if r.RetryAfter > 0 {
			s += " after " + r.RetryAfter.String()
		}
	}
	return s
}

// Every code of the vendor, alone at both places, and as the failure of one row among several.
func TestEveryCode(t *testing.T) {
	schema := schemaOf(colAgent, colWhatsApp)
	c := mustCodec(t, good(), "", schema)
	one := record(t, schema, []string{"a", "8611"})
	three := record(t, schema, []string{"a", "8611"}, []string{"a", "8622"}, []string{"a", "8633"})
	type want struct{ named, top, topAlone string }
	row := func(code string) want {
		return want{"delivered 200; 1 rejected " + code, "suspect " + code, "suspect " + code + "; 0 rejected " + code}
	}
	wants := map[string]want{
		"200": {"delivered 200; 1 suspect 200", "suspect partial", "suspect partial"},
		"500": {"delivered 200; 1 retry 500", "retry 500", "retry 500"},
		"-1":  {"delivered 200; 1 suspect -1", "retry -1 stop config", "retry -1 stop config"},
		"19":  {"delivered 200; 1 suspect 19", "suspect 19", "suspect 19; 0 suspect 19"},
		"56": {"delivered 200; 1 retry 56 after 1m0s", "retry 56; 0 retry 56 after 1m0s; 1 retry 56 after 1m0s; 2 retry 56 after 1m0s",
			"retry 56; 0 retry 56 after 1m0s"},
		"59": {"delivered 200 tries 2; 1 retry 59", "suspect 59", "suspect 59 tries 2; 0 retry 59"},
	}
	for _, code := range []string{"10", "14", "15", "16", "21", "22", "23", "24", "25", "26", "27", "28", "29", "51", "58", "60"} {
		wants[code] = row(code)
	}
	wants["4711"] = row("4711") // one that nobody told us of
	for code, want := range wants {
		if _, ok := SocialEpoch.Explain(code); !ok && code != "4711" {
			t.Errorf("code %s is not explained", code)
		}
		for _, quoted := range []string{code, `"` + code + `"`, `" ` + code + ` "`} {
			for _, tc := range []struct {
				body, want string
				alone      bool
			}{
				{success(reportOf("2", "1", "8622 "+quoted[:0]+code+" WHY")), want.named, false},
				{`{"code":` + quoted + `,"message":"WHY","data":null}`, want.top, false},
				{`{"code":` + quoted + `,"msg":"WHY","data":""}`, want.topAlone, true},
			} {
				rec := three
				if tc.alone {
					rec = one
				}
				o, err := c.ParseResponse(answer(200, tc.body), rec)
				if got := shown(o); err != nil || got != tc.want {
					t.Errorf("%s:\ngot  %s, %v\nwant %s", tc.body, got, err, tc.want)
				}
				for _, r := range o.Rows {
					if r.Message != "WHY" {
						t.Errorf("%s: message %q", tc.body, r.Message)
					}
				}
			}
		}
	}
	for _, e := range vendorErrors {
		if _, ok := wants[e.Code]; !ok && !strings.HasPrefix(e.Code, "http_") && e.Code != codePartial {
			t.Errorf("code %s is in the table and not in this test", e.Code)
		}
	}
}

// The forms of answers, by what becomes of the rows 8611, 8622 and 8633, and a second 8611 that another agent has.
func TestAnswers(t *testing.T) {
	schema := schemaOf(colAgent, colWhatsApp)
	c := mustCodec(t, good(), "", schema)
	rows := [][]string{{"a", "8611"}, {"a", "8622"}, {"a", "8633"}, {"b", "86-11"}}
	for _, tc := range []struct {
		name, body string
		rows       int
		want       string
	}{
		{"all good", success(reportOf("3", "0")), 3, "delivered 200"},
		{"string code", `{"code":" 200 ","msg":"Success","data":` + reportOf(`"3"`, `"0"`) + `}`, 3, "delivered 200"},
		{"data as text", success(fmt.Sprintf("%q", reportOf("2", "1", "8633 28 X"))), 3, "delivered 200; 2 rejected 28"},
		{"errExcel as text", success(`{"errExcel":"[{\"errPhone\":\"8611\",\"errCode\":\"28\"}]","successCount":2,"errCount":1}`), 3, "delivered 200; 0 rejected 28"},
		{"trailing comma", strings.Replace(success(reportOf("2", "1", "8611 28 a,]b\\\\")), "}]", "} , ]", 1), 3, "delivered 200; 0 rejected 28"},
		{"other spelling", success(reportOf("2", "1", "+86-22 10 X")), 3, "delivered 200; 1 rejected 10"},

		{"no counts", success("null"), 3, "suspect partial"},
		{"no counts, empty", success(`""`), 3, "suspect partial"},
		{"a text", success(`"see the file"`), 3, "suspect partial"},
		{"short", success(reportOf("2", "0")), 3, "suspect partial"},
		{"short beside a named one", success(reportOf("1", "1", "8611 28 X")), 3, "suspect partial; 0 rejected 28"},
		{"not followed", success(strings.Replace(reportOf("1", "1", "8611 28 X"), `Count":""`, `Count":1`, 1)), 3, "delivered 200; 0 rejected 28"},
		{"not followed, also counted", success(strings.Replace(reportOf("3", "0"), `Count":""`, `Count":"1"`, 1)), 3, "delivered 200"},

		{"no phone", success(reportOf("2", "1", " 28 X")), 3, "suspect 28"},
		{"no phone, alone", success(reportOf("0", "1", " 28 X")), 1, "suspect partial; 0 rejected 28"},
		{"no phone, all of one code", success(reportOf("0", "3", " 28 X", " 28 X", " 28 X")), 3, "suspect partial; 0 rejected 28; 1 rejected 28; 2 rejected 28"},
		{"no phone, all in order", success(reportOf("0", "3", " 28 X", "8622 10 Y", " 24 Z")), 3, "suspect partial; 0 rejected 28; 1 rejected 10; 2 rejected 24"},
		{"no phone, several codes", success(reportOf("1", "2", " 28 X", " 24 X")), 3, "suspect partial"},
		{"no phone beside a named one", success(reportOf("1", "2", "8622 10 X", " 28 X")), 3, "suspect 28; 1 rejected 10"},
		{"collapsed", success(reportOf("0", "2", " 28 X")), 2, "suspect 28"},
		{"collapsed, alone", success(reportOf("0", "2", " 28 X")), 1, "suspect partial; 0 rejected 28"},
		{"collapsed, named", success(reportOf("1", "2", "8611 28 X")), 3, "suspect partial; 0 rejected 28"},
		{"counted only", success(reportOf("2", "1")), 3, "suspect partial"},
		{"counted only, alone", success(reportOf("0", "1")), 1, "suspect partial"},
		{"a stranger", success(reportOf("2", "1", "4711 28 X")), 3, "suspect 28"},
		{"too many", success(reportOf("0", "3", " 19 X")), 3, "suspect 19"},

		{"one of two agents", success(reportOf("3", "1", "8611 28 X")), 4, "delivered 200; 0 suspect partial; 3 suspect partial"},
		{"both agents", success(reportOf("2", "2", "8611 28 X", "8611 10 Y")), 4, "delivered 200; 0 rejected 28; 3 rejected 10"},
		{"two faults of one", success(reportOf("2", "2", "8622 28 X", "8622 10 Y")), 3, "delivered 200; 1 rejected 28"},
		{"two faults of one, one more bad", success(reportOf("1", "2", "8622 28 X", "8622 10 Y")), 3, "suspect partial; 1 rejected 28"},

		{"lock and attachment", success(reportOf("1", "2", "8611 56 X", "8622 59 Y")), 3, "delivered 200; 0 retry 56 after 1m0s; 1 suspect 59"},
		{"no code", success(`{"errExcel":[{"errPhone":"8611"}],"successCount":2,"errCount":1}`), 3, "delivered 200; 0 rejected partial"},
		{"top code with a list", `{"code":28,"message":"X","data":` + reportOf("2", "1", "8611 28 X") + `}`, 3, "suspect 28; 0 rejected 28"},
		{"noise", success(`{"errExcel":[null,1,{"errCode":"x"}],"errCount":-1}`), 2, "suspect partial"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o, err := c.ParseResponse(answer(200, tc.body), record(t, schema, rows[:tc.rows]...))
			if got := shown(o); err != nil || got != tc.want {
				t.Errorf("%s\ngot  %s, %v\nwant %s", tc.body, got, err, tc.want)
			}
		})
	}
}

func TestStatusAndAuthentication(t *testing.T) {
	schema := schemaOf(colAgent, colWhatsApp)
	c := mustCodec(t, good(), "", schema)
	rec := record(t, schema, []string{"a", "8611"}, []string{"a", "8622"})
	for _, tc := range []struct {
		status       int
		body, header string // of Retry-After
		want         string
	}{
		{200, `{"code":-1,"message":"token error"}`, "", "retry -1 stop config"},
		{200, `{"code":"-1","msg":"Admin Cannot import data"}`, "", "retry -1 stop config"},
		{401, `{"code":-1,"message":"token error: timestamp expired"}`, "", "retry -1 tries 2"},
		{503, `{"code":500,"message":"busy"}`, "7", "retry 500 after 7s"},
		{200, `{"code":500,"message":"Request limit exceeded"}`, "", "retry 500 throttled"},
		{200, `{"code":"500","msg":"请求过于频繁"}`, "3", "retry 500 throttled after 3s"},
		{429, `{"code":77,"message":"busy"}`, "7", "retry 77 throttled after 7s"},
		{403, `{"code":77,"message":"no"}`, "", "retry 77 stop config"},
		{500, success(reportOf("2", "0")), "", "retry http_5xx"},
		{429, "", "x", "retry http_429 throttled"},
		{503, "", "Mon, 20 Jun 2022 07:41:55 GMT", "retry http_5xx throttled after 30s"},
		{408, "", "", "retry http_5xx"},
		{401, "", "", "retry http_auth stop config"},
		{404, "", "", "retry http_path stop config"},
		{301, "", "", "retry http_path stop config"},
		{413, "", "", "suspect http_413"},
		{400, "bad", "", "suspect http_4xx"},
	} {
		o, err := c.ParseResponse(answer(tc.status, tc.body, "Retry-After", tc.header, "Date", "Mon, 20 Jun 2022 07:41:25 GMT"), rec)
		if got := shown(o); err != nil || got != tc.want {
			t.Errorf("%d %s: got %s, %v, want %s", tc.status, tc.body, got, err, tc.want)
		}
		if wantsClock := strings.Contains(tc.body, "timestamp"); o.Clock.IsZero() == wantsClock {
			t.Errorf("%d %s: clock %v", tc.status, tc.body, o.Clock)
		}
	}
}

// An answer with a good status that cannot be read is a lost reply, never a success.
func TestUnreadableAnswers(t *testing.T) {
	c := mustCodec(t, good(), "", schemaOf(colAgent, colWhatsApp))
	for _, body := range []string{"", "<html>login</html>", "{", `{"code":200`, `{"code":200} x`, "[]", "null", "200", "{}", `{"code":null}`, `{"code":"ok"}`,
		`{"code":200.5}`, `{"code":[200]}`, `{"code":200,,}`, "\x00\xff", "<p>" + testKey + "</p>"} {
		o, err := c.ParseResponse(answer(200, body), nil)
		if err == nil {
			t.Errorf("%q was read as %+v", body, o)
		} else if strings.Contains(err.Error(), testKey) {
			t.Errorf("%v shows the key", err)
		}
	}
	o, err := c.ParseResponse(answer(200, `{"code":22,"message":"`+strings.Repeat("长", 100_000)+testKey+`"}`), nil)
	if err != nil || len(o.Message) > restapi.MaxMessage+8 {
		t.Errorf("a message of %d bytes, %v", len(o.Message), err)
	}
}

func TestTrailingCommas(t *testing.T) {
	for in, want := range map[string]string{
		`[1,]`: `[1]`, `{"a":[1 , ],}`: `{"a":[1  ]}`, `["a,]","\",]",]`: `["a,]","\",]"]`, `[1,2]`: `[1,2]`, `["\\",]`: `["\\"]`, `,`: `,`, `["\`: `["\`, `[,]`: `[]`, "[1,\n\t]": "[1\n\t]",
	} {
		if got := string(withoutTrailingCommas([]byte(in))); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestCheckAnswers(t *testing.T) {
	for _, tc := range []struct {
		status int
		body   string
		kind   connector.Kind
		want   string
	}{
		{200, `{"code":-1,"message":"Data Is Null"}`, connector.KindNone, ""},
		{200, `{"code":"-1","msg":"data is empty"}`, connector.KindNone, ""},
		{200, success("null"), connector.KindNone, ""},
		{200, `{"code":-1,"message":"token error"}`, connector.KindConfig, "tenant_id or api_key was refused: the vendor answered -1 token error"},
		{200, `{"code":-1,"message":"TenantId Is Null"}`, connector.KindConfig, "tenant_id"},
		{200, `{"code":-1,"message":"Admin Cannot import data"}`, connector.KindConfig, "Admin Cannot import data"},
		{200, `{"code":-1,"message":"timestamp expired"}`, connector.KindConfig, "this machine's clock"},
		{200, `{"code":4711,"message":"` + testKey + `"}`, connector.KindConfig, "4711 [REDACTED]"},
		{500, `{"code":-1,"message":"Data Is Null"}`, connector.KindConfig, "Data Is Null"},
		{200, `{"code":500,"message":"x"}`, connector.KindTransient, "cannot answer now"},
		{503, "", connector.KindTransient, "HTTP 503"},
		{429, "", connector.KindThrottled, "HTTP 429"},
		{403, "", connector.KindConfig, "api_key was refused"},
		{404, "", connector.KindConfig, "base_url"},
		{200, "<html>" + testKey, connector.KindConfig, "base_url"},
	} {
		check, err := newCheck(good())
		if err != nil {
			t.Fatal(err)
		}
		req := &connector.Request{}
		if err := check.AppendRequest(req); err != nil || string(req.Body) != `{"tenantId":82,"data":[]}` {
			t.Fatalf("%s, %v", req.Body, err)
		}
		err = check.ParseResponse(answer(tc.status, tc.body))
		if connector.KindOf(err) != tc.kind || err != nil && (!strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), testKey)) {
			t.Errorf("%d %s: got %v (%v), want %q", tc.status, tc.body, err, connector.KindOf(err), tc.want)
		}
	}
}

func FuzzParseResponse(f *testing.F) {
	schema := schemaOf(colAgent, colWhatsApp)
	c := mustCodec(f, good(), "", schema)
	rec := record(f, schema, []string{"a", "8611"}, []string{"a", "8622"})
	for _, body := range []string{success(reportOf("1", "1", "8611 28 X")), success(reportOf("0", "2", " 28 X")), `{"code":"56","data":"{}"}`, "<html>", "{"} {
		f.Add(200, body, "5")
		f.Add(503, body, "Mon, 20 Jun 2022 07:41:25 GMT")
	}
	f.Fuzz(func(t *testing.T, status int, body, after string) {
		o, err := c.ParseResponse(answer(status, body, "Retry-After", after, "Date", after), rec)
		last := -1
		for _, r := range o.Rows {
			if r.Row <= last || r.Row > 1 {
				t.Errorf("rows %+v", o.Rows)
			}
			last = r.Row
		}
		switch {
		case err != nil && (status < 200 || status > 299):
			t.Errorf("status %d gave no verdict: %v", status, err)
		case err == nil && o.Verdict == connector.VerdictDelivered && (o.Code != "200" || status < 200 || status > 299):
			t.Errorf("delivered on status %d, code %q", status, o.Code)
		case o.RetryAfter < 0:
			t.Errorf("wait %v", o.RetryAfter)
		}
	})
}
