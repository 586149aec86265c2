package connectortest_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/nx"
)

// defect is a fault planted in a good vendor, and the check that is there to catch it.
type defect struct {
	name   string
	caught string
	says   string // a part of the finding
	plant  func(v *connector.Vendor)
}

const secret = "sandbox-secret"

var defects = []defect{
	{"drops the last row", "accepted", "leave", func(v *connector.Vendor) {
		codec(func(s *spoiled) {
			s.encode = func(req *connector.Request, rec arrow.Record) error {
				if rec.NumRows() > 1 {
					rec = rec.NewSlice(0, rec.NumRows()-1)
					defer rec.Release()
				}
				return s.Codec.AppendRequest(req, rec)
			}
		})(v)
	}},
	{"omits gender 0", "fields", "gender", body(func(text string, _ arrow.Record) string {
		return strings.ReplaceAll(text, `,"gender":0`, "")
	})},
	{"drops a column", "fields", "remark", body(func(text string, _ arrow.Record) string {
		return cutMember(text, "remark")
	})},
	{"signs other bytes", "accepted", "1003", codec(func(s *spoiled) {
		s.sign = func(req *connector.Request, now time.Time) error {
			other := *req
			other.Body = bytes.Replace(req.Body, []byte(`,"customers"`), []byte(`, "customers"`), 1)
			return s.Codec.(connector.Signer).Sign(&other, now)
		}
	})},
	{"signs once only", "signing", "signed again", codec(func(s *spoiled) {
		var first atomic.Int64
		s.sign = func(req *connector.Request, now time.Time) error {
			first.CompareAndSwap(0, now.UnixMilli())
			return s.Codec.(connector.Signer).Sign(req, time.UnixMilli(first.Load()))
		}
	})},
	{"signing changes the body", "signing", "Sign changed", codec(func(s *spoiled) {
		s.sign = func(req *connector.Request, now time.Time) error {
			req.Body = append(req.Body, '\n')
			return s.Codec.(connector.Signer).Sign(req, now)
		}
	})},
	{"leaks the secret in an error", "secrets", "access_secret", answer(func(o connector.Outcome, _ *connector.Response, err error) (connector.Outcome, error) {
		if err != nil {
			err = fmt.Errorf("cannot read the answer to a request signed with %s: %w", secret, err)
		}
		return o, err
	})},
	{"shows the secret in %+v", "secrets", "%+v", codec(func(s *spoiled) { s.leak = secret })},
	{"keeps an echoed secret", "secrets", "access_key", answer(func(o connector.Outcome, resp *connector.Response, err error) (connector.Outcome, error) {
		if err == nil && o.Code == "31337" {
			o.Message = string(resp.Body)
		}
		return o, err
	})},
	{"puts the key into the URL", "accepted", "URL", codec(func(s *spoiled) {
		s.encode = func(req *connector.Request, rec arrow.Record) error {
			err := s.Codec.AppendRequest(req, rec)
			req.URL += "?key=" + secret
			return err
		}
	})},
	{"another body each time", "purity", "another one", func(v *connector.Vendor) {
		var n atomic.Int64
		body(func(text string, _ arrow.Record) string {
			return text[:len(text)-1] + strings.Repeat(" ", int(n.Add(1)%2)) + "}"
		})(v)
	}},
	{"overwrites the buffer", "purity", "appended", codec(func(s *spoiled) {
		s.encode = func(req *connector.Request, rec arrow.Record) error {
			req.Body = req.Body[:0]
			return s.Codec.AppendRequest(req, rec)
		}
	})},
	{"forgets the e-mail as a key", "keys", "no key", codec(func(s *spoiled) {
		s.keys = func(dst []uint64, rec arrow.Record, row int) []uint64 {
			for _, name := range []string{"whats_app_phone", "sms_phone"} {
				col := rec.Column(rec.Schema().FieldIndices(name)[0]).(*array.String)
				if col.IsValid(row) {
					dst = append(dst, sum(col.Value(row)))
				}
			}
			return dst
		}
	})},
	{"only the first identifier is a key", "keys", "share no key", codec(func(s *spoiled) {
		s.keys = func(dst []uint64, rec arrow.Record, row int) []uint64 {
			n := len(dst)
			if dst = s.Codec.AppendKeys(dst, rec, row); len(dst) > n {
				dst = dst[:n+1]
			}
			return dst
		}
	})},
	{"e-mail keys keep their case", "keys", "share no key", codec(func(s *spoiled) {
		s.keys = func(dst []uint64, rec arrow.Record, row int) []uint64 {
			for _, name := range []string{"whats_app_phone", "sms_phone", "email"} {
				col := rec.Column(rec.Schema().FieldIndices(name)[0]).(*array.String)
				if col.IsValid(row) {
					dst = append(dst, sum(col.Value(row)))
				}
			}
			return dst
		}
	})},
	{"keys depend on the place of the row", "keys", "differ", codec(func(s *spoiled) {
		s.keys = func(dst []uint64, rec arrow.Record, row int) []uint64 {
			return append(s.Codec.AppendKeys(dst, rec, row), uint64(row)<<32|1)
		}
	})},
	{"one key for all", "keys", "different persons", codec(func(s *spoiled) {
		s.keys = func(dst []uint64, rec arrow.Record, row int) []uint64 { return append(dst, 7) }
	})},
	{"says delivered on an error code", "answers", "read as", answer(func(o connector.Outcome, _ *connector.Response, err error) (connector.Outcome, error) {
		if err == nil && o.Verdict == connector.VerdictSuspect {
			o.Verdict = connector.VerdictDelivered
		}
		return o, err
	})},
	{"says delivered on 503", "answers", "5xx", answer(func(o connector.Outcome, resp *connector.Response, err error) (connector.Outcome, error) {
		if resp.Status == http.StatusServiceUnavailable {
			return connector.Outcome{Code: "0"}, nil
		}
		return o, err
	})},
	{"takes HTML for success", "garbage", "delivered", answer(func(o connector.Outcome, resp *connector.Response, err error) (connector.Outcome, error) {
		if err != nil && resp.Status == 200 {
			return connector.Outcome{Code: "0"}, nil
		}
		return o, err
	})},
	{"blames the rows for a wrong secret", "answers", "stop", answer(func(o connector.Outcome, _ *connector.Response, err error) (connector.Outcome, error) {
		if o.Stop == connector.KindConfig {
			o.Stop, o.Verdict = connector.KindNone, connector.VerdictSuspect
		}
		return o, err
	})},
	{"does not notice a throttle", "answers", "429", answer(func(o connector.Outcome, _ *connector.Response, err error) (connector.Outcome, error) {
		o.Throttled = false
		return o, err
	})},
	{"forgets the vendor's clock", "signing", "clock", answer(func(o connector.Outcome, _ *connector.Response, err error) (connector.Outcome, error) {
		o.Clock = time.Time{}
		return o, err
	})},
	{"panics on a short answer", "garbage", "panics", answer(func(o connector.Outcome, resp *connector.Response, err error) (connector.Outcome, error) {
		_ = resp.Body[3]
		return o, err
	})},
	{"names a row that was not sent", "garbage", "not sent", answer(func(o connector.Outcome, _ *connector.Response, err error) (connector.Outcome, error) {
		if err == nil && o.Verdict == connector.VerdictSuspect {
			o.Rows = []connector.RowResult{{Row: 2, Verdict: connector.VerdictRejected, Code: o.Code}}
		}
		return o, err
	})},
	{"exceeds the row limit", "limits", "250", codec(func(s *spoiled) {
		s.limits = func(l connector.Limits) connector.Limits { l.Rows = 250; return l }
		s.encode = func(req *connector.Request, rec arrow.Record) error {
			return encodeInParts(s.Codec, req, rec)
		}
	})},
	{"promises that the last row wins under merge", "nature", "traces", codec(func(s *spoiled) {
		s.limits = func(l connector.Limits) connector.Limits { l.Duplicates = connector.DuplicatesLastWins; return l }
	})},
	{"mutates rows", "purity", "changed the rows", codec(func(s *spoiled) {
		s.encode = func(req *connector.Request, rec arrow.Record) error {
			err := s.Codec.AppendRequest(req, rec)
			for i, f := range rec.Schema().Fields() {
				if f.Name == "gender" {
					values := rec.Column(i).(*array.Int64).Int64Values()
					values[0] = 1 - values[0]
				}
			}
			return err
		}
	})},
	{"keeps a record", "purity", "not released", codec(func(s *spoiled) {
		s.encode = func(req *connector.Request, rec arrow.Record) error {
			rec.Retain()
			return s.Codec.AppendRequest(req, rec)
		}
	})},
	{"refuses the whole request for one row", "refusals", "refuses", codec(func(s *spoiled) {
		s.encode = func(req *connector.Request, rec arrow.Record) error {
			err := s.Codec.AppendRequest(req, rec)
			var refused *connector.RowsError
			if errors.As(err, &refused) {
				one := refused.Rows[0]
				refused.Rows = nil
				for i := range int(rec.NumRows()) {
					one.Row = i
					refused.Rows = append(refused.Rows, one)
				}
			}
			return err
		}
	})},
	{"a check that always passes", "probe", "access_secret", func(v *connector.Vendor) {
		check := v.Check
		v.Check = func(cfg connector.Config) (connector.Probe, error) {
			p, err := check(cfg)
			return easy{p, p.(connector.Signer)}, err
		}
	}},
	{"a code without its fix", "texts", "1002", func(v *connector.Vendor) {
		v.Errors = slices.Clone(v.Errors)
		for i := range v.Errors {
			if v.Errors[i].Code == "1002" {
				v.Errors[i].Fix = ""
			}
		}
	}},
	{"a code that nobody explains", "answers", "not explained", func(v *connector.Vendor) {
		v.Errors = slices.DeleteFunc(slices.Clone(v.Errors), func(e connector.ErrorInfo) bool { return e.Code == "1003" })
	}},
	{"a secret that is not marked", "table", "access_secret", func(v *connector.Vendor) {
		v.Fields = slices.Clone(v.Fields)
		for i := range v.Fields {
			if v.Fields[i].Name == "access_secret" {
				v.Fields[i].Secret = false
			}
		}
	}},
	{"a field that the struct lacks", "table", "region", func(v *connector.Vendor) {
		v.Fields = append(slices.Clone(v.Fields), connector.Field{Name: "region", Type: connector.TypeString, Title: "Region", Doc: "Where."})
	}},
	{"a configuration that is never refused", "validate", "want a config error", func(v *connector.Vendor) {
		fresh := v.NewConfig
		v.NewConfig = func() connector.Config { return &lax{*fresh().(*nx.LinkConfig)} }
	}},
	{"a preset that takes bare numbers for genders", "preset", "bare number", preset(`{to: {male: 1`, `{map: {1: male, 2: female}, to: {male: 1`)},
	{"a preset that forgets the identifiers", "preset", "identifier", preset("identifiers:", "x_identifiers:")},
	{"must not be cut and does not say why", "whole", "must not be cut", limits(func(l *connector.Limits) { l.Splittable = false })},
	{"replaces groups and names none", "whole", "does not name them", func(v *connector.Vendor) {
		limits(func(l *connector.Limits) { l.Splittable = false })(v)
		everyMode(v)
	}},
	{"calls itself whole and is cut", "whole", "cut in parts", func(v *connector.Vendor) { grouping(v, true) }},
	{"calls itself whole and only adds", "whole", "another state", func(v *connector.Vendor) { grouping(v, false) }},
	{"sends rows of one person out of order", "delivery", "another state", codec(func(s *spoiled) {
		// Each row alone is its own person: the chain may send them side by side.
		var n atomic.Uint64
		s.keys = func(dst []uint64, _ arrow.Record, _ int) []uint64 { return append(dst, n.Add(1)) }
	})},
	{"takes a lost reply for a success", "delivery", "another state", answer(func(o connector.Outcome, resp *connector.Response, err error) (connector.Outcome, error) {
		if err == nil && o.Verdict == connector.VerdictRetry && !o.Throttled {
			return connector.Outcome{Code: "0"}, nil
		}
		return o, err
	})},
}
