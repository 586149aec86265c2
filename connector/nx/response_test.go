package nx

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/restapi"
)

func answer(status int, body string, header ...string) *connector.Response {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &connector.Response{Status: status, Header: h, Body: []byte(body)}
}

func envelopeOf(code, message string) string {
	return `{"code":` + code + `,"message":"` + message + `","data":"","traceId":"56bf81643292cd6a89ecde64ae00db13"}`
}

func TestParseResponse(t *testing.T) {
	const (
		delivered = connector.VerdictDelivered
		retry     = connector.VerdictRetry
		suspect   = connector.VerdictSuspect
		trace     = "56bf81643292cd6a89ecde64ae00db13"
	)
	const date = "Mon, 20 Jun 2022 07:41:25 GMT"
	vendorTime := time.Date(2022, 6, 20, 7, 41, 25, 0, time.UTC)
	config := connector.KindConfig
	table := []struct {
		name string
		resp *connector.Response
		want connector.Outcome
	}{
		{"success", answer(200, envelopeOf("0", "")), connector.Outcome{Verdict: delivered, Code: "0", RequestID: trace}},
		{"code as text", answer(200, envelopeOf(`" 0 "`, "ok")), connector.Outcome{Verdict: delivered, Code: "0", Message: "ok", RequestID: trace}},
		{"success with data", answer(200, `{"code":0,"data":{"batch":7}}`), connector.Outcome{Verdict: delivered, Code: "0", Message: `data: {"batch":7}`}},
		{"success with failures", answer(200, `{"code":0,"data":{"successCount":1,"failList":[{"i":3}]}}`),
			connector.Outcome{Verdict: suspect, Code: codePartial, Message: `data: {"successCount":1,"failList":[{"i":3}]}`}},
		{"success with a count of failures", answer(200, `{"code":0,"message":"m","data":{"errorCount":"2"}}`),
			connector.Outcome{Verdict: suspect, Code: codePartial, Message: `m data: {"errorCount":"2"}`}},
		{"success with no failures", answer(200, `{"code":0,"data":{"failCount":0,"failList":[ ],"errors":{},"errorMsg":"","err":null}}`),
			connector.Outcome{Verdict: delivered, Code: "0", Message: `data: {"failCount":0,"failList":[ ],"errors":{},"errorMsg":"","err":null}`}},
		{"success with empty data", answer(200, `{"code":0,"data":[],"message":null,"traceId":null}`), connector.Outcome{Verdict: delivered, Code: "0"}},
		{"failed", answer(200, envelopeOf("-1", "Request failed")), connector.Outcome{Verdict: retry, Tries: 4, Code: "-1", Message: "Request failed", RequestID: trace}},
		{"1000", answer(200, envelopeOf("1000", "x")), connector.Outcome{Verdict: retry, Stop: config, Code: "1000", Message: "x", RequestID: trace}},
		{"1001", answer(200, envelopeOf("1001", "x")), connector.Outcome{Verdict: retry, Stop: config, Code: "1001", Message: "x", RequestID: trace}},
		{"1002", answer(200, `{"code":1002,"message":"customers[3].email","data":["row 3"],"traceId":"t"}`),
			connector.Outcome{Verdict: suspect, Code: "1002", Message: `customers[3].email data: ["row 3"]`, RequestID: "t"}},
		{"1003", answer(200, envelopeOf("1003", "x")), connector.Outcome{Verdict: retry, Stop: config, Code: "1003", Message: "x", RequestID: trace}},
		{"1004", answer(200, envelopeOf("1004", "x"), "Date", date), connector.Outcome{Verdict: retry, Tries: 2, Clock: vendorTime, Code: "1004", Message: "x", RequestID: trace}},
		{"1004 without a date", answer(200, envelopeOf("1004", "x")), connector.Outcome{Verdict: retry, Tries: 2, Code: "1004", Message: "x", RequestID: trace}},
		{"1005", answer(403, envelopeOf("1005", "x")), connector.Outcome{Verdict: retry, Stop: config, Code: "1005", Message: "x", RequestID: trace}},
		{"1006", answer(200, envelopeOf("1006", "x")), connector.Outcome{Verdict: retry, Stop: config, Code: "1006", Message: "x", RequestID: trace}},
		{"1007", answer(200, envelopeOf(`"1007"`, "x")), connector.Outcome{Verdict: retry, Stop: config, Code: "1007", Message: "x", RequestID: trace}},
		{"1008", answer(401, envelopeOf("1008", "x")), connector.Outcome{Verdict: retry, Stop: config, Code: "1008", Message: "x", RequestID: trace}},
		{"1010 is no authentication", answer(200, envelopeOf("1010", "x")), connector.Outcome{Verdict: suspect, Code: "1010", Message: "x", RequestID: trace}},
		{"999 is no authentication", answer(200, envelopeOf("999", "x")), connector.Outcome{Verdict: suspect, Code: "999", Message: "x", RequestID: trace}},
		{"1002 on a bad status", answer(400, envelopeOf("1002", "x")), connector.Outcome{Verdict: suspect, Code: "1002", Message: "x", RequestID: trace}},
		{"1003 on a bad status", answer(401, envelopeOf("1003", "x")), connector.Outcome{Verdict: retry, Stop: config, Code: "1003", Message: "x", RequestID: trace}},
		{"success, message null, no trace", answer(200, `{"code":0,"message":null,"data":null}`), connector.Outcome{Verdict: delivered, Code: "0"}},
		{"success, data an empty object", answer(200, `{"code":0,"message":"","data":{},"traceId":"t"}`), connector.Outcome{Verdict: delivered, Code: "0", RequestID: "t"}},
		{"success, data a text", answer(200, `{"code":0,"data":"ok"}`), connector.Outcome{Verdict: delivered, Code: "0", Message: `data: "ok"`}},
		{"success with failures in capitals", answer(200, `{"code":0,"data":{"FailCount":1}}`), connector.Outcome{Verdict: suspect, Code: codePartial, Message: `data: {"FailCount":1}`}},
		{"1009", answer(200, envelopeOf("1009", "x")), connector.Outcome{Verdict: retry, Stop: config, Code: "1009", Message: "x", RequestID: trace}},
		{"21058", answer(200, envelopeOf("21058", "x")), connector.Outcome{Verdict: retry, Stop: config, Code: "21058", Message: "x", RequestID: trace}},
		{"21059", answer(200, envelopeOf("21059", "x")), connector.Outcome{Verdict: retry, Stop: config, Code: "21059", Message: "x", RequestID: trace}},
		{"22020", answer(200, envelopeOf("22020", "x")), connector.Outcome{Verdict: retry, Stop: config, Code: "22020", Message: "x", RequestID: trace}},
		{"22124", answer(200, envelopeOf("22124", "x")), connector.Outcome{Verdict: retry, Stop: config, Code: "22124", Message: "x", RequestID: trace}},
		{"unknown", answer(200, `{"code":31337,"msg":"生日格式错误","traceId":12}`), connector.Outcome{Verdict: suspect, Code: "31337", Message: "生日格式错误", RequestID: "12"}},
		{"unknown on 500", answer(500, envelopeOf("31337", "x")), connector.Outcome{Verdict: retry, Code: "31337", Message: "x", RequestID: trace}},
		{"unknown on 403", answer(403, envelopeOf("31337", "x")), connector.Outcome{Verdict: retry, Stop: config, Code: "31337", Message: "x", RequestID: trace}},
		{"success claimed on 502", answer(502, envelopeOf("0", "")), connector.Outcome{Verdict: retry, Code: restapi.CodeServer, Message: "HTTP 502, " + envelopeOf("0", ""), RequestID: trace}},
		{"429", answer(429, "slow down", "Retry-After", "7"), connector.Outcome{Verdict: retry, Throttled: true, RetryAfter: 7 * time.Second, Code: restapi.CodeBusy, Message: "HTTP 429, slow down"}},
		{"429 with a date", answer(429, "", "Retry-After", "Mon, 20 Jun 2022 07:42:25 GMT", "Date", date),
			connector.Outcome{Verdict: retry, Throttled: true, RetryAfter: time.Minute, Code: restapi.CodeBusy, Message: "HTTP 429 with an empty body"}},
		{"429 with a date in the past", answer(429, "", "Retry-After", "Mon, 20 Jun 2022 07:40:25 GMT", "Date", date),
			connector.Outcome{Verdict: retry, Throttled: true, Code: restapi.CodeBusy, Message: "HTTP 429 with an empty body"}},
		{"429 with a code", answer(429, envelopeOf("31337", "slow"), "Retry-After", "3"),
			connector.Outcome{Verdict: retry, Throttled: true, RetryAfter: 3 * time.Second, Code: "31337", Message: "slow", RequestID: trace}},
		{"503", answer(503, "<html><h1>Busy</h1></html>", "Retry-After", "-5"), connector.Outcome{Verdict: retry, Code: restapi.CodeServer, Message: "HTTP 503, <html><h1>Busy</h1></html>"}},
		{"503 with a time", answer(503, "", "Retry-After", " 30 "), connector.Outcome{Verdict: retry, Throttled: true, RetryAfter: 30 * time.Second, Code: restapi.CodeServer, Message: "HTTP 503 with an empty body"}},
		{"408", answer(408, ""), connector.Outcome{Verdict: retry, Code: restapi.CodeServer, Message: "HTTP 408 with an empty body"}},
		{"401", answer(401, ""), connector.Outcome{Verdict: retry, Stop: config, Code: restapi.CodeAuth, Message: "HTTP 401 with an empty body"}},
		{"404", answer(404, "not\n here"), connector.Outcome{Verdict: retry, Stop: config, Code: restapi.CodePath, Message: "HTTP 404, not here"}},
		{"redirect", answer(302, ""), connector.Outcome{Verdict: retry, Stop: config, Code: restapi.CodePath, Message: "HTTP 302 with an empty body"}},
		{"413", answer(413, ""), connector.Outcome{Verdict: suspect, Code: restapi.CodeTooLarge, Message: "HTTP 413 with an empty body"}},
		{"400", answer(400, "bad"), connector.Outcome{Verdict: suspect, Code: restapi.CodeRefused, Message: "HTTP 400, bad"}},
	}
	met := map[string]bool{}
	for _, tc := range table {
		met[tc.want.Code] = true
	}
	for _, e := range vendorErrors {
		if !met[e.Code] {
			t.Errorf("code %s is in the table of errors and not in this test", e.Code)
		}
	}
	for _, tc := range table {
		t.Run(tc.name, func(t *testing.T) {
			codec := mustCodec(t, goodLink(), "", vendorSchema())
			got, err := codec.ParseResponse(tc.resp, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !got.Clock.Equal(tc.want.Clock) {
				t.Errorf("clock %v, want %v", got.Clock, tc.want.Clock)
			}
			got.Clock, tc.want.Clock = time.Time{}, time.Time{}
			if got.Rows != nil {
				t.Errorf("rows %v: the vendor never names one", got.Rows)
			}
			got.Rows = nil
			if !sameOutcome(got, tc.want) {
				t.Errorf("got  %+v\nwant %+v", got, tc.want)
			}
		})
	}
}

func sameOutcome(a, b connector.Outcome) bool {
	return a.Verdict == b.Verdict && a.RetryAfter == b.RetryAfter && a.Tries == b.Tries && a.Stop == b.Stop &&
		a.Throttled == b.Throttled && a.RequestID == b.RequestID && a.Token == b.Token && a.Code == b.Code && a.Message == b.Message
}

// An answer with a good status that cannot be read is a lost reply, never a success.
func TestUnreadableAnswers(t *testing.T) {
	codec := mustCodec(t, goodLink(), "", vendorSchema())
	for _, body := range []string{
		"", "<html>login</html>", "{", `{"code":0`, `{"code":0} x`, "[]", "null", "0", `""`, `{}`, `{"code":null}`, `{"code":""}`,
		`{"code":"zero"}`, `{"code":0.5}`, `{"code":[0]}`, `{"code":true}`, `{"status":0}`, `{"code":99999999999999999999}`, "\x00\xff",
	} {
		if o, err := codec.ParseResponse(answer(200, body), nil); err == nil {
			t.Errorf("%q was read as %+v", body, o)
		}
	}
}

func TestMessagesHideCredentialsAndAreBounded(t *testing.T) {
	codec := mustCodec(t, goodLink(), "", vendorSchema())
	o, err := codec.ParseResponse(answer(200, envelopeOf("1005", "unknown accessKey "+testKey)), nil)
	if err != nil || o.Message != "unknown accessKey [REDACTED]" {
		t.Errorf("message %q, %v", o.Message, err)
	}
	if _, err = codec.ParseResponse(answer(200, "<p>"+testSecret+"</p>"), nil); err == nil || strings.Contains(err.Error(), testSecret) {
		t.Errorf("error %v", err)
	}
	o, err = codec.ParseResponse(answer(200, envelopeOf("1002", strings.Repeat("长", 100_000))), nil)
	if err != nil || len(o.Message) > restapi.MaxMessage+8 {
		t.Errorf("a message of %d bytes, %v", len(o.Message), err)
	}
}

func TestEveryTreatedCodeIsExplained(t *testing.T) {
	vendor := NXLink
	for _, code := range []string{"0", "-1", "1000", "1001", "1002", "1003", "1004", "1005", "21058", "21059", "22020", "22124",
		restapi.CodeAuth, restapi.CodePath, restapi.CodeBusy, restapi.CodeServer, restapi.CodeTooLarge, restapi.CodeRefused, codePartial} {
		if _, ok := vendor.Explain(code); !ok {
			t.Errorf("code %s is not explained", code)
		}
	}
}

func FuzzParseResponse(f *testing.F) {
	for _, body := range []string{envelopeOf("0", ""), envelopeOf(`"1002"`, "x"), `{"code":-1,"data":{"a":[1]}}`, "<html>", "{", ""} {
		f.Add(200, body, "5")
		f.Add(503, body, "Mon, 20 Jun 2022 07:41:25 GMT")
	}
	codec := mustCodec(f, goodLink(), "", vendorSchema())
	f.Fuzz(func(t *testing.T, status int, body, after string) {
		o, err := codec.ParseResponse(answer(status, body, "Retry-After", after, "Date", after), nil)
		switch {
		case err != nil && (status < 200 || status > 299):
			t.Errorf("status %d gave no verdict: %v", status, err)
		case err == nil && o.Verdict == connector.VerdictDelivered && (o.Code != "0" || status < 200 || status > 299):
			t.Errorf("delivered on status %d, code %q", status, o.Code)
		case err == nil && o.RetryAfter < 0:
			t.Errorf("negative wait %v", o.RetryAfter)
		}
	})
}
