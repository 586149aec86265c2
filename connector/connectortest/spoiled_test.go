package connectortest_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/nx"
)

// spoiled is a good codec with some methods replaced.
type spoiled struct {
	connector.Codec
	limits func(l connector.Limits) connector.Limits
	keys   func(dst []uint64, rec arrow.Record, row int) []uint64
	encode func(req *connector.Request, rec arrow.Record) error
	parse  func(resp *connector.Response, rec arrow.Record) (connector.Outcome, error)
	sign   func(req *connector.Request, now time.Time) error
	// leak is printed by %+v.
	leak string
}

func (s *spoiled) Limits() connector.Limits {
	if s.limits != nil {
		return s.limits(s.Codec.Limits())
	}
	return s.Codec.Limits()
}

func (s *spoiled) AppendKeys(dst []uint64, rec arrow.Record, row int) []uint64 {
	if s.keys != nil {
		return s.keys(dst, rec, row)
	}
	return s.Codec.AppendKeys(dst, rec, row)
}

func (s *spoiled) AppendRequest(req *connector.Request, rec arrow.Record) error {
	if s.encode != nil {
		return s.encode(req, rec)
	}
	return s.Codec.AppendRequest(req, rec)
}

func (s *spoiled) ParseResponse(resp *connector.Response, rec arrow.Record) (connector.Outcome, error) {
	if s.parse != nil {
		return s.parse(resp, rec)
	}
	return s.Codec.ParseResponse(resp, rec)
}

func (s *spoiled) Sign(req *connector.Request, now time.Time) error {
	if s.sign != nil {
		return s.sign(req, now)
	}
	return s.Codec.(connector.Signer).Sign(req, now)
}

// codec plants a defect in every codec that the vendor makes.
func codec(spoil func(s *spoiled)) func(v *connector.Vendor) {
	return func(v *connector.Vendor) {
		open := v.Codec
		v.Codec = func(cfg connector.Config, stream, mode string, schema *arrow.Schema) (connector.Codec, error) {
			good, err := open(cfg, stream, mode, schema)
			if err != nil {
				return nil, err
			}
			s := &spoiled{Codec: good}
			spoil(s)
			return s, nil
		}
	}
}

// limits plants other limits.
func limits(change func(l *connector.Limits)) func(v *connector.Vendor) {
	return codec(func(s *spoiled) {
		s.limits = func(l connector.Limits) connector.Limits {
			change(&l)
			return l
		}
	})
}

// everyMode makes all modes of a vendor ones that replace whole groups.
func everyMode(v *connector.Vendor) {
	v.Modes = slices.Clone(v.Modes)
	for i := range v.Modes {
		v.Modes[i].Whole = true
	}
}

// grouped is a codec that takes the remark for the name of a group.
type grouped struct{ *spoiled }

func (grouped) AppendGroup(dst []byte, rec arrow.Record, row int) []byte {
	col := rec.Column(rec.Schema().FieldIndices("remark")[0]).(*array.String)
	if col.IsNull(row) {
		return dst
	}
	return append(dst, col.Value(row)...)
}

// grouping makes all modes whole, of groups by remark.
func grouping(v *connector.Vendor, splittable bool) {
	limits(func(l *connector.Limits) { l.Splittable = splittable })(v)
	everyMode(v)
	open := v.Codec
	v.Codec = func(cfg connector.Config, stream, mode string, schema *arrow.Schema) (connector.Codec, error) {
		c, err := open(cfg, stream, mode, schema)
		if err != nil {
			return nil, err
		}
		return grouped{c.(*spoiled)}, nil
	}
}

// body plants a change of the body's text.
func body(change func(body string, rec arrow.Record) string) func(v *connector.Vendor) {
	return codec(func(s *spoiled) {
		s.encode = func(req *connector.Request, rec arrow.Record) error {
			if err := s.Codec.AppendRequest(req, rec); err != nil {
				return err
			}
			req.Body = []byte(change(string(req.Body), rec))
			return nil
		}
	})
}

// answer plants a change of the reading of an answer.
func answer(change func(o connector.Outcome, resp *connector.Response, err error) (connector.Outcome, error)) func(v *connector.Vendor) {
	return codec(func(s *spoiled) {
		s.parse = func(resp *connector.Response, rec arrow.Record) (connector.Outcome, error) {
			o, err := s.Codec.ParseResponse(resp, rec)
			return change(o, resp, err)
		}
	})
}

// easy is a check that never fails.
type easy struct {
	connector.Probe
	connector.Signer
}

func (easy) ParseResponse(*connector.Response) error { return nil }

// lax is a configuration without rules.
type lax struct{ nx.LinkConfig }

func (*lax) Validate() error { return nil }

// preset plants a change of the preset's text.
func preset(from, to string) func(v *connector.Vendor) {
	return func(v *connector.Vendor) {
		good := v.Preset
		v.Preset = func(cfg connector.Config) ([]byte, error) {
			data, err := good(cfg)
			if err == nil && !bytes.Contains(data, []byte(from)) {
				return nil, fmt.Errorf("the preset does not hold %q: the defect must be planted elsewhere", from)
			}
			return bytes.Replace(data, []byte(from), []byte(to), 1), err
		}
	}
}

// cutMember removes a member from every object of a JSON text.
func cutMember(text, name string) string {
	var out strings.Builder
	for {
		head, tail, found := strings.Cut(text, `,"`+name+`":"`)
		out.WriteString(head)
		if !found {
			return out.String()
		}
		end := 0
		for tail[end] != '"' {
			if tail[end] == '\\' {
				end++
			}
			end++
		}
		text = tail[end+1:]
	}
}

// encodeInParts gets around the good codec's own bound.
func encodeInParts(c connector.Codec, req *connector.Request, rec arrow.Record) error {
	var customers []string
	for at := int64(0); at < rec.NumRows(); at += 100 {
		part := rec.NewSlice(at, min(at+100, rec.NumRows()))
		one := &connector.Request{}
		err := c.AppendRequest(one, part)
		part.Release()
		if err != nil {
			return err
		}
		head, list, _ := strings.Cut(string(one.Body), `"customers":[`)
		customers = append(customers, strings.TrimSuffix(list, "]}"))
		body := req.Body
		*req = *one
		req.Body = append(body, head+`"customers":[`...)
		if at+100 < rec.NumRows() {
			req.Body = body
		}
	}
	req.Body = append(req.Body, strings.Join(customers, ",")+"]}"...)
	return nil
}

// sum is a plain hash of a text.
func sum(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}
