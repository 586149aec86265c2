package restapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sluicehq/sluice/connector"
)

func TestCheckBaseURL(t *testing.T) {
	for base, want := range map[string]string{
		"https://api.example.com":           "",
		"https://api.example.com:8443/v2/":  "",
		"http://127.0.0.1:80/nx":            "",
		"http://127.9.9.9":                  "",
		"http://[::1]:80":                   "",
		"http://localhost:1":                "",
		"http://crm.localhost":              "",
		"":                                  `base_url "" is not an http or https URL. Write it like https://api.test`,
		"api.example.com":                   "is not an http or https URL",
		"https://":                          "is not an http or https URL",
		"https://:443":                      "is not an http or https URL",
		"ftp://api.example.com":             "is not an http or https URL",
		"https://api.example.com/%zz":       "cannot be read as a URL",
		"https://user:pw@api.example.com":   "base_url holds a user name. Leave user and password out; the other settings authorise requests",
		"https://api.example.com?a=b":       "base_url holds a query or a fragment",
		"https://api.example.com/?":         "base_url holds a query or a fragment",
		"https://api.example.com/#x":        "base_url holds a query or a fragment",
		"http://api.example.com":            "would send contacts unencrypted. Use https://",
		"http://10.0.0.1":                   "would send contacts unencrypted",
		"http://localhost.example.com":      "would send contacts unencrypted",
		"http://127.0.0.1.example.com/path": "would send contacts unencrypted",
	} {
		err := CheckBaseURL(base, "https://api.test")
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", base, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || connector.KindOf(err) != connector.KindConfig):
			t.Errorf("%s: %v, want %q", base, err, want)
		case err != nil && strings.Contains(err.Error(), "pw"):
			t.Errorf("%s: the password is told: %v", base, err)
		}
	}
}

func TestCheckCredential(t *testing.T) {
	for secret, bad := range map[string]bool{"": false, "a+/=é": false, "a b": true, "a\n": true, "\ta": true, "a\x7f": true} {
		if err := CheckCredential("api_key", connector.NewSecret(secret)); (err != nil) != bad {
			t.Errorf("%q: %v", secret, err)
		}
	}
}

func TestCheckTargets(t *testing.T) {
	err := CheckTargets("custom_fields", map[string]string{"b": "x", "a": "x", "c": "bad", "d": "y"}, func(name, to string) error {
		if to == "bad" {
			return errors.New(name + " is bad")
		}
		return nil
	})
	if want := "custom_fields: \"a\" and \"b\" are both mapped to \"x\". Give each its own\nc is bad"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := CheckTargets("x", nil, nil); err != nil {
		t.Error(err)
	}
}

func TestByStatus(t *testing.T) {
	const wait = 9 * time.Second
	for status, want := range map[int]connector.Outcome{
		302: {Code: CodePath, Stop: connector.KindConfig}, 404: {Code: CodePath, Stop: connector.KindConfig}, 405: {Code: CodePath, Stop: connector.KindConfig},
		401: {Code: CodeAuth, Stop: connector.KindConfig}, 403: {Code: CodeAuth, Stop: connector.KindConfig}, 407: {Code: CodeAuth, Stop: connector.KindConfig},
		429: {Code: CodeBusy, Throttled: true, RetryAfter: wait}, 503: {Code: CodeServer, Throttled: true, RetryAfter: wait},
		408: {Code: CodeServer, RetryAfter: wait}, 425: {Code: CodeServer, RetryAfter: wait}, 500: {Code: CodeServer, RetryAfter: wait}, 599: {Code: CodeServer, RetryAfter: wait},
		413: {Code: CodeTooLarge, Verdict: connector.VerdictSuspect}, 400: {Code: CodeRefused, Verdict: connector.VerdictSuspect}, 422: {Code: CodeRefused, Verdict: connector.VerdictSuspect},
	} {
		got := ByStatus(&connector.Response{Status: status, Header: http.Header{"Retry-After": {"9"}}})
		if want.Verdict == connector.VerdictDelivered {
			want.Verdict = connector.VerdictRetry
		}
		if got.Message == "" || got.Verdict != want.Verdict || got.Code != want.Code || got.Stop != want.Stop || got.Throttled != want.Throttled || got.RetryAfter != want.RetryAfter {
			t.Errorf("HTTP %d: %+v, want %+v", status, got, want)
		}
		if Succeeded(status) {
			t.Errorf("HTTP %d is taken for a success", status)
		}
	}
	// Every code that a status may give stands in the table, with a cause and a fix of its own.
	table := StatusErrors("api_key", "send less")
	for status := 300; status < 600; status++ {
		code := ByStatus(&connector.Response{Status: status}).Code
		if Remedy(table, code, "") == "" && code != CodeTooLarge && code != CodeRefused {
			t.Errorf("HTTP %d gives %s, which has no remedy", status, code)
		}
	}
	for _, e := range table {
		if e.Meaning == "" || e.Cause == "" || e.Fix == "" || e.Class == "" {
			t.Errorf("%+v is not whole", e)
		}
	}
	if got := Remedy(table, CodeAuth, ""); got != "Check api_key, base_url and whether the vendor must allow this machine's address" {
		t.Error(got)
	}
	if got := Remedy(table, CodeTooLarge, "Ask"); got != "Ask" {
		t.Error(got)
	}
}

func TestRetryAfter(t *testing.T) {
	const date = "Mon, 02 Nov 2026 10:00:00 GMT"
	for _, c := range []struct {
		after, date string
		want        time.Duration
	}{
		{"", "", 0}, {" 30 ", "", 30 * time.Second}, {"-5", "", 0}, {"99999999999999999999", "", 0}, {"soon", date, 0},
		{"Mon, 02 Nov 2026 10:01:00 GMT", date, time.Minute}, {"Mon, 02 Nov 2026 09:00:00 GMT", date, 0}, {"Mon, 02 Nov 2026 10:01:00 GMT", "", 0},
	} {
		h := http.Header{}
		h.Set("Retry-After", c.after)
		h.Set("Date", c.date)
		if got := RetryAfter(h); got != c.want {
			t.Errorf("%q at %q: %v, want %v", c.after, c.date, got, c.want)
		}
	}
}

func TestIntAndText(t *testing.T) {
	for raw, want := range map[string]struct {
		n    int64
		ok   bool
		text string
	}{
		`7`: {7, true, "7"}, `"-7"`: {-7, true, "-7"}, `" 7 "`: {7, true, " 7 "}, `7.5`: {0, false, "7.5"}, `"x"`: {0, false, "x"}, `null`: {0, false, ""}, ``: {0, false, ""},
		`{}`: {0, false, "{}"}, `"\u4f60"`: {0, false, "你"}, `true`: {0, false, "true"}, `99999999999999999999`: {0, false, "99999999999999999999"}, `"`: {0, false, `"`},
	} {
		n, ok := Int(json.RawMessage(raw))
		if ok != want.ok || ok && n != want.n {
			t.Errorf("%s: %d, %v", raw, n, ok)
		}
		if got := Text(json.RawMessage(raw)); got != want.text {
			t.Errorf("%s: text %q, want %q", raw, got, want.text)
		}
	}
}

func TestWhatPeopleReadIsBounded(t *testing.T) {
	long := strings.Repeat("é", MaxMessage)
	for _, got := range []string{Clip(long), Clip("\xff"), Glimpse(200, []byte(long)), Glimpse(502, []byte("\xff \n x"))} {
		if len(got) > MaxMessage+8 || !utf8.ValidString(got) {
			t.Errorf("%d bytes, %.40q", len(got), got)
		}
	}
	if got := Glimpse(502, []byte(" <h1>\n\n Bad </h1> ")); got != "HTTP 502, <h1> Bad </h1>" {
		t.Error(got)
	}
	if got := Glimpse(204, []byte(" \n")); got != "HTTP 204 with an empty body" {
		t.Error(got)
	}
}
