package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/sluicehq/sluice/cmd/internal/job"
	"github.com/sluicehq/sluice/connector"
)

// explained is what explain --json prints.
type explained struct {
	Stream   string           `json:"stream"`
	Verdict  string           `json:"verdict"` // sent, rejected, filtered or skipped
	By       string           `json:"filtered_by,omitempty"`
	Fields   []explainedField `json:"fields,omitempty"`
	Rejected []explainedFault `json:"rejected,omitempty"`
	Request  *explainedCall   `json:"request,omitempty"`
}

type explainedField struct {
	Field  string          `json:"field"`
	Part   int             `json:"part,omitempty"` // row that explode makes, from 1 on
	Preset bool            `json:"preset,omitempty"`
	Place  string          `json:"place,omitempty"`
	From   []explainedFrom `json:"from,omitempty"`
	Steps  []explainedStep `json:"steps,omitempty"`
	Value  json.RawMessage `json:"value,omitempty"` // absent: nothing came out
	Fault  *explainedFault `json:"rejected,omitempty"`
}

type explainedFrom struct {
	Name  string          `json:"name"`
	Value json.RawMessage `json:"value,omitempty"`
}

type explainedStep struct {
	Step  string          `json:"step"`
	Args  string          `json:"args,omitempty"`
	Value json.RawMessage `json:"value,omitempty"`
}

type explainedFault struct {
	Code    string `json:"code"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
	Fix     string `json:"fix,omitempty"`
}

type explainedCall struct {
	Method string          `json:"method"`
	URL    string          `json:"url"`
	Body   json.RawMessage `json:"body"`
}

// tellJSON prints the explanation for programs; a record that would be rejected is an error of the verb, as in tell.
func (a *app) tellJSON(v *connector.Vendor, told *job.Told) error {
	out := explained{Stream: told.Stream, Verdict: "sent"}
	switch {
	case told.Skipped:
		out.Verdict = "skipped"
	case told.Filtered:
		out.Verdict, out.By = "filtered", told.FilteredBy
	case len(told.Rejected) > 0 || told.Request == nil:
		out.Verdict = "rejected"
	}
	for i := range told.Fields {
		f := &told.Fields[i]
		field := explainedField{Field: f.Field, Part: f.Part, Preset: f.Preset, Value: raw(f.Value)}
		if f.File != "" && f.Line > 0 {
			field.Place = fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		for _, s := range f.From {
			field.From = append(field.From, explainedFrom{s.Name, raw(s.Value)})
		}
		for _, s := range f.Steps {
			field.Steps = append(field.Steps, explainedStep{s.Op, s.Args, raw(s.Value)})
		}
		if f.Rejected != nil {
			fault := faultOf(v, f.Rejected)
			field.Fault = &fault
		}
		out.Fields = append(out.Fields, field)
	}
	for i := range told.Rejected {
		out.Rejected = append(out.Rejected, faultOf(v, &told.Rejected[i]))
	}
	if out.Verdict == "sent" {
		out.Request = &explainedCall{told.Request.Method, told.Request.URL, raw(string(bytes.TrimSpace(told.Request.Body)))}
	}
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(out); err != nil {
		return fmt.Errorf("explain: %w", err)
	}
	if out.Verdict == "rejected" {
		return errSilent
	}
	return nil
}

func faultOf(v *connector.Vendor, r *connector.RowResult) explainedFault {
	fault := explainedFault{Code: r.Code, Field: r.Field, Message: r.Message}
	if info, ok := v.Explain(r.Code); ok {
		fault.Fix = info.Fix
	}
	return fault
}

// raw is a value as it stands, or as text where it is no JSON; nil where there is none.
func raw(s string) json.RawMessage {
	if s == "" {
		return nil
	}
	if json.Valid([]byte(s)) {
		return json.RawMessage(s)
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil
	}
	return text
}
