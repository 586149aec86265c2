package sandbox

import (
	"crypto/md5"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"mime"
	"strconv"
	"time"

	"github.com/sluicehq/sluice/internal/sandbox"
)

const (
	codeParameter = -1
	codeOK        = 200
	codeFailed    = 500
)

// serve answers one import.
func (s *Service) serve(c *sandbox.Call, to effect) sandbox.Reply {
	tenant, fault := s.authenticate(c)
	if fault != "" {
		return s.refuse(codeParameter, fault)
	}
	b, fault := s.parse(c.Body)
	switch {
	case fault != "":
	case !b.hasTenant:
		fault = "TenantId Is Null"
	case b.tenant != tenant:
		fault = "token error: tenantId is not the company of the token"
	case b.count == 0:
		fault = "Data Is Null"
	}
	if fault != "" {
		return s.refuse(codeParameter, fault)
	}
	if b.count > maxRows {
		r := s.answer(b, []failure{{code: codeTooMany, info: "MAX_LIMIT"}}, 0, b.count)
		r.Rows = b.count
		return r
	}
	return s.commit(c, b, tenant, to)
}

// authenticate checks the headers; fault is the message of the first that is wrong.
func (s *Service) authenticate(c *sandbox.Call) (tenant int64, fault string) {
	h := c.Header
	stamp, token := h.Get("timestamp"), h.Get("token")
	tenant, err := strconv.ParseInt(h.Get("tenant_id"), 10, 64)
	if err != nil {
		return 0, "TenantId Is Null"
	}
	if media, _, err := mime.ParseMediaType(h.Get("Content-Type")); err != nil || media != "application/json" {
		return 0, "parameter error: Content-Type must be application/json"
	}
	key, known := s.keys[tenant]
	ms, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || token == "" || !known {
		return 0, "token error"
	}
	if off := c.Now.Sub(time.UnixMilli(ms)); off > tolerance || off < -tolerance {
		return 0, "token error: timestamp expired"
	}
	sum := md5.Sum([]byte(h.Get("tenant_id") + stamp + key))
	if subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(token)) != 1 {
		return 0, "token error"
	}
	return tenant, ""
}

// failure is one element of errExcel.
type failure struct {
	phone, info string
	code        int
}

// commit judges and takes the rows.
func (s *Service) commit(c *sandbox.Call, b *batch, tenant int64, to effect) sandbox.Reply {
	var failed []failure
	keys := make([]string, len(b.rows))
	partial := c.Knob(string(sandbox.KindPartial))
	s.mu.Lock()
	if to.replaces {
		s.empty(b, tenant, to.store)
	}
	for i := range b.rows {
		r := &b.rows[i]
		agent, phone := r.text["agentAccount"], r.text["whatsApp"]
		keys[i] = agent + "/" + phone
		lock := lockKey{tenant, phone}
		code, info := r.code, r.info
		if taken, ok := s.locks[lock]; code == 0 && s.opts.Lock && ok && c.Now.Sub(taken) < lockFor {
			code, info = codeProcessing, "FRIEND_WHATS_ID_PROCESSING"
			s.totals.Locked++
		}
		if code == 0 && partial && c.Rand()%10 == 0 {
			code, info = codeAttachment, "ATTACHMENT_ERROR"
		}
		if code != 0 {
			failed = append(failed, failure{phone: phone, code: code, info: info})
			continue
		}
		s.locks[lock] = c.Now
		s.take(c.Now, recordKey{to.store, tenant, agent, phone}, r, to.cancels)
	}
	s.commits++
	commit := s.commits
	s.totals.Requests++
	s.totals.Rows += int64(len(b.rows))
	s.totals.Failed += int64(len(failed))
	s.totals.Taken += int64(len(b.rows) - len(failed))
	s.totals.Ignored += b.ignored
	s.mu.Unlock()

	r := s.answer(b, failed, len(b.rows)-len(failed), len(failed))
	r.Rows, r.Keys, r.Commit = len(b.rows), keys, commit
	return r
}

// refuse answers a whole request with a code.
func (s *Service) refuse(code int, message string) sandbox.Reply {
	return s.envelope(code, message, []byte("null"))
}

// answer reports on contacts, with the quirks asked for.
func (s *Service) answer(b *batch, failed []failure, successes, failures int) sandbox.Reply {
	q := s.opts.Quirks
	if q.TopLevel && successes == 0 && len(failed) > 0 {
		one := true
		for _, f := range failed {
			one = one && f.code == failed[0].code
		}
		if one {
			return s.refuse(failed[0].code, failed[0].info)
		}
	}
	if q.Collapsed && len(failed) > 1 {
		failed = failed[:1]
	}
	list := []byte{'['}
	for i, f := range failed {
		if i > 0 {
			list = append(list, ',')
		}
		if q.NoPhone || q.Collapsed {
			f.phone = ""
		}
		list = append(list, `{"errPhone":`+quote(f.phone)+`,"errInfo":`+quote(f.info)+`,"errCode":`+strconv.Itoa(f.code)+`}`...)
	}
	if q.TrailingComma && len(failed) > 0 {
		list = append(list, ',')
	}
	data := `{"successExcel":[],"errExcel":` + string(list) + `],"successCount":` + strconv.Itoa(successes) + `,"errCount":` + strconv.Itoa(failures) +
		`,"notFollowSuccessCount":"","notFollowSuccessExcels":[]}`
	if q.StringData {
		data = quote(data)
	}
	return s.envelope(codeOK, "Success", []byte(data))
}

func (s *Service) envelope(code int, message string, data []byte) sandbox.Reply {
	r := sandbox.Reply{Code: strconv.Itoa(code), Message: message}
	shown, name := r.Code, "message"
	if s.opts.Quirks.StringCode {
		shown = quote(shown)
	}
	if s.opts.Quirks.Msg {
		name = "msg"
	}
	r.Body = append([]byte(`{"code":`+shown+`,"`+name+`":`+quote(message)+`,"data":`), data...)
	r.Body = append(r.Body, '}')
	return r
}

// quote returns s as a JSON string.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always marshals
	}
	return string(b)
}
