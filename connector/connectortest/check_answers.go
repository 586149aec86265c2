package connectortest

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
)

// world opens an empty sandbox without faults.
func (b *bench) world() *world { return b.newWorld("", nil) }

// checkAnswers: what the sandbox answers to bad credentials, to bad rows and under faults is never read as delivered, and
// is read as what it is.
func checkAnswers(b *bench) {
	rec := b.record(b.people(3)...)
	defer rec.Release()
	for name := range b.secrets {
		cfg, err := decode(b.vendor, b.with(name, "not-the-"+name))
		b.must(err, "a configuration with another %s", name)
		c, err := b.vendor.Codec(cfg, stream, b.vendor.Mode(cfg), rec.Schema())
		b.must(err, "codec")
		o, err := b.world().send(c, rec)
		if err != nil || o.Verdict == connector.VerdictDelivered || o.Stop != connector.KindConfig {
			b.errorf("with a wrong %s the answer is read as %v, stop %v, %v; want the run to stop as a config error", name, o.Verdict, o.Stop, err)
			continue
		}
		b.explained(o.Code, "a wrong "+name)
	}
	b.checkBadRow(rec)
	for _, tc := range []struct {
		fault string
		lost  bool // the answer must be unreadable, or at least Retry
		want  func(o connector.Outcome) bool
	}{
		{"429@2s", false, func(o connector.Outcome) bool {
			return o.Verdict == connector.VerdictRetry && o.Throttled && o.RetryAfter == 2*time.Second
		}},
		{"429@0s", false, func(o connector.Outcome) bool { return o.Verdict == connector.VerdictRetry && o.Throttled }},
		{"5xx@500", true, isRetry}, {"5xx@502", true, isRetry}, {"5xx@503", true, isRetry},
		{"html", true, isRetry}, {"malformed", true, isRetry},
	} {
		c := b.codec(rec.Schema())
		o, err := b.newWorld(tc.fault, nil).send(c, rec)
		switch {
		case err != nil && !tc.lost:
			b.errorf("fault %s: the answer cannot be read: %v", tc.fault, err)
		case err == nil && !tc.want(o) && !(tc.lost && !c.Limits().Idempotent && o.Verdict == connector.VerdictAmbiguous):
			b.errorf("fault %s is read as %v, throttled %v, retry after %v, code %s", tc.fault, o.Verdict, o.Throttled, o.RetryAfter, o.Code)
		case err == nil:
			b.explained(o.Code, "fault "+tc.fault)
		}
	}
}

func isRetry(o connector.Outcome) bool { return o.Verdict == connector.VerdictRetry }

// checkBadRow: a row that breaks the vendor's rules, let past the preset, is not counted as delivered.
func (b *bench) checkBadRow(rec arrow.Record) {
	bad := withLongText(b, rec, 1)
	defer bad.Release()
	c := b.codec(bad.Schema())
	w := b.world()
	o, err := w.send(c, bad)
	if re := asRowsError(err); re != nil {
		return // refused before it was sent
	}
	b.must(err, "a request with a bad row")
	o = w.follow(c, bad, o)
	o1 := verdictOf(o, 1)
	if o1 == connector.VerdictDelivered || o1 == connector.VerdictRetry || o.Stop != connector.KindNone {
		b.errorf("a row that the vendor refuses is read as %v, stop %v, code %s: %s", o1, o.Stop, o.Code, o.Message)
	}
	b.explained(codeOf(o, 1), "a bad row")
	delivered := 0
	for i := range 3 {
		if verdictOf(o, i) == connector.VerdictDelivered {
			delivered++
		}
	}
	if stored := len(w.service.Contents()); stored != delivered {
		b.errorf("of three rows, one of them bad, %d are read as delivered and %d are stored", delivered, stored)
	}
}

func verdictOf(o connector.Outcome, row int) connector.Verdict {
	for _, r := range o.Rows {
		if r.Row == row {
			return r.Verdict
		}
	}
	return o.Verdict
}

func codeOf(o connector.Outcome, row int) string {
	for _, r := range o.Rows {
		if r.Row == row {
			return r.Code
		}
	}
	return o.Code
}

// corpus is answers of every kind: good ones, refusals, cut ones, noise.
func corpus(w *world) []*connector.Response {
	b := w.b
	rec := b.record(b.people(2)...)
	defer rec.Release()
	bodies := []string{
		"", " ", "null", "true", "0", "-1", "\"\"", "[]", "{}", "{", "}", "[[[[", "{\"code\":}", "{\"code\":null}", "{\"code\":\"\"}",
		"<html><body>login</body></html>", "\xff\xfe\x00", "\ufeff{}", `{"code":0`, `{"code":200`, `{"data":[]}`, `{"error":"x"}`,
		`{"code":{},"message":[],"data":1,"traceId":{}}`, `{"code":1e999}`, `{"code":99999999999999999999999}`, `{"code":-1e-7}`,
		`{"status":"error"}`, strings.Repeat("[", 20_000), `{"message":"` + strings.Repeat("x", 1<<16) + `"}`,
	}
	for _, data := range []string{"null", "0", "true", "\"\"", "\"x\"", "[]", "[null]", "[1,\"a\",{}]", "{}", `{"errExcel":[null,1,{"errCode":"x"}],"errCount":-1}`,
		`{"fail":null,"errors":[]}`, `{"failList":[{"index":99999},{"index":-1},{"index":"x"}]}`, `{"numbers":[1,null]}`, `{"unique_id":null}`} {
		for _, code := range []string{"0", "200", "\"0\"", "\"200\"", "-1", "1002", "31337", "null"} {
			bodies = append(bodies, `{"code":`+code+`,"status":"success","message":"m","data":`+data+`,"traceId":"t"}`)
		}
	}
	good := &connector.Request{}
	c := b.codec(rec.Schema())
	b.must(c.AppendRequest(good, rec), "encode")
	w.sign(c, good)
	resp, err := w.post(good)
	b.must(err, "call")
	for cut := range len(resp.Body) {
		bodies = append(bodies, string(resp.Body[:cut]))
	}
	all := []*connector.Response{resp}
	headers := []http.Header{nil, {"Retry-After": {"-1"}}, {"Retry-After": {"soon"}, "Date": {"soon"}}, {"Retry-After": {"99999999999999999999"}}}
	statuses := []int{204, 301, 400, 401, 404, 413, 429, 500, 503, 599, 0, 999}
	for i, body := range bodies {
		for j, status := range []int{200, statuses[i%len(statuses)], statuses[(i/2+5)%len(statuses)]} {
			all = append(all, &connector.Response{Status: status, Header: headers[(i+j)%len(headers)], Body: []byte(body)})
		}
	}
	return all
}

// checkGarbage: every answer is read, without panic; only a success is a delivery; the reading keeps nothing of the
// buffer that the answer came in.
func checkGarbage(b *bench) {
	rec := b.record(b.people(2)...)
	defer rec.Release()
	c := b.codec(rec.Schema())
	reported := 0
	for _, resp := range corpus(b.world()) {
		body := bytes.Clone(resp.Body)
		o, panicked, err := parse(c, resp, rec)
		fault := ""
		switch {
		case panicked != nil:
			fault = fmt.Sprintf("panics: %v", panicked)
		case err == nil && o.Verdict == connector.VerdictDelivered && (resp.Status < 200 || resp.Status > 299):
			fault = "is read as delivered"
		case err == nil && o.Verdict == connector.VerdictDelivered && !looksLikeSuccess(body):
			fault = "is read as delivered"
		case !bytes.Equal(resp.Body, body):
			fault = "is changed by reading it"
		}
		if fault == "" && err == nil {
			b.inspectOutcome(o, nil)
			if slices.ContainsFunc(o.Rows, func(r connector.RowResult) bool { return r.Row < 0 || r.Row >= int(rec.NumRows()) }) {
				fault = fmt.Sprintf("names rows that were not sent: %+v", o.Rows)
			}
			before := fmt.Sprintf("%+v", o)
			for i := range resp.Body {
				resp.Body[i] = '#'
			}
			if fmt.Sprintf("%+v", o) != before {
				fault = "is kept by its reading; the buffer is used again"
			}
			copy(resp.Body, body)
		}
		if fault != "" && reported < 5 {
			reported++
			b.errorf("answer %d %q %s", resp.Status, body[:min(len(body), 120)], fault)
		}
	}
}

// looksLikeSuccess is generous: an answer that has neither a 0 nor a 200 in it claims no success.
func looksLikeSuccess(body []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) && bytes.HasSuffix(bytes.TrimSpace(body), []byte("}")) &&
		(bytes.Contains(body, []byte("0")) || bytes.Contains(body, []byte("success")))
}

// checkSigning: a request can be signed again for each attempt, over the bytes that are sent; a wrong clock is learned
// from the answer.
func checkSigning(b *bench) {
	rec := b.record(b.person(0))
	defer rec.Release()
	c := b.codec(rec.Schema())
	if _, ok := c.(connector.Signer); !ok {
		return
	}
	w := b.world()
	req := &connector.Request{}
	b.must(c.AppendRequest(req, rec), "encode")
	for range 3 {
		w.sign(c, req)
		resp, err := w.post(req)
		b.must(err, "call")
		o, err := c.ParseResponse(resp, rec)
		if err != nil || o.Verdict != connector.VerdictDelivered && o.Verdict != connector.VerdictPending {
			b.fatalf("a request signed again is read as %v, code %s, %v", o.Verdict, o.Code, err)
		}
		now := w.now.Add(time.Hour)
		if c.Limits().Duplicates == connector.DuplicatesReject {
			w = b.world() // it may refuse the row, which would say nothing of the signature
		}
		w.now = now
	}
	w.skew = 10 * time.Minute
	o, err := w.send(c, rec)
	b.must(err, "a call with a wrong clock")
	if o.Verdict == connector.VerdictDelivered || o.Verdict == connector.VerdictPending {
		return // the vendor does not look at the time
	}
	if o.Verdict != connector.VerdictRetry || o.Stop != connector.KindNone {
		b.errorf("a wrong clock is read as %v, stop %v, code %s; want it to be sent again", o.Verdict, o.Stop, o.Code)
	}
	if off := o.Clock.Sub(w.now); o.Clock.IsZero() || off > 2*time.Second || off < -2*time.Second {
		b.errorf("the vendor's clock says %v, the outcome %v", w.now, o.Clock)
		return
	}
	w.skew = o.Clock.Sub(w.now)
	w.deliver(c, rec)
}

// checkSecrets: no verb shows a secret of the configuration, the codec or the check; neither does what they read from
// an answer that echoes them.
func checkSecrets(b *bench) {
	rec := b.record(b.person(0))
	defer rec.Release()
	c := b.codec(rec.Schema())
	probe, err := b.vendor.Check(b.cfg)
	b.must(err, "check")
	for _, v := range []any{b.cfg, c, probe} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			shown := fmt.Sprintf(verb, v)
			for name, secret := range b.secrets {
				for _, form := range []string{secret, fmt.Sprintf("%x", secret), strings.Trim(fmt.Sprint([]byte(secret)), "[]")} {
					if strings.Contains(shown, form) {
						b.errorf("%s of %T shows the secret %s", verb, v, name)
					}
				}
			}
		}
	}
	for _, resp := range corpus(b.world()) {
		_, panicked, err := parse(c, resp, rec)
		if err != nil && panicked == nil {
			b.public("an error about an answer", err.Error())
		}
	}
	for name, secret := range b.secrets {
		for _, body := range []string{
			`{"code":31337,"status":"error","message":"bad credentials ` + secret + `","msg":"` + secret + `","data":"` + secret + `"}`,
			`{"code":0,"data":{"echo":"` + secret + `"}}`, "<p>" + secret + "</p>",
		} {
			for _, status := range []int{200, 403, 500} {
				resp := &connector.Response{Status: status, Header: http.Header{}, Body: []byte(body)}
				o, err := c.ParseResponse(resp, rec)
				b.inspectOutcome(o, err)
				if err := probe.ParseResponse(resp); err != nil && strings.Contains(err.Error(), secret) {
					b.errorf("the check's error shows the secret %s that an answer echoes", name)
				}
			}
		}
	}
}
