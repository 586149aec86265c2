package reject

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/pipeline"
)

// Entry is one dead letter, as it stands in a line.
type Entry struct {
	ID          string          `json:"id"`
	Run         string          `json:"run"`
	Time        time.Time       `json:"time"`
	Stream      string          `json:"stream"`
	Key         string          `json:"key"` // names the row for people; may be empty
	Code        string          `json:"code"`
	Field       string          `json:"field,omitempty"`
	Message     string          `json:"message"` // the vendor's text, verbatim, or ours
	Explanation *Explanation    `json:"explanation,omitempty"`
	Attempts    int             `json:"attempts"` // sends; 0: refused before anything was sent
	RequestID   string          `json:"request_id,omitempty"`
	Row         json.RawMessage `json:"row"` // see Original

	// Mark is the last of its marks, "" if none. It does not stand in the line.
	Mark Mark `json:"-"`
}

// Explanation is our own word on a code.
type Explanation struct {
	Meaning string `json:"meaning"`
	Cause   string `json:"cause,omitempty"`
	Fix     string `json:"fix,omitempty"`
}

// Original returns the row as it was read: a JSON object, or whatever text it was instead.
func (e *Entry) Original() []byte {
	if text := ""; len(e.Row) > 0 && e.Row[0] == '"' && json.Unmarshal(e.Row, &text) == nil {
		return []byte(text)
	}
	return e.Row
}

// originalRow puts a row into the form of Entry.Row.
func originalRow(row []byte) json.RawMessage {
	if trimmed := bytes.TrimSpace(row); len(trimmed) > 0 && trimmed[0] == '{' && json.Valid(trimmed) {
		return trimmed
	}
	text, _ := json.Marshal(strings.ToValidUTF8(string(row), "\uFFFD")) // a string always encodes
	return text
}

// appendLine encodes the reject as a line with its final break.
func (d *Dir) appendLine(dst *bytes.Buffer, id string, now time.Time, r pipeline.Reject) error {
	e := Entry{
		ID: id, Run: d.run, Time: now, Stream: r.Stream, Key: r.Key,
		Code: r.Result.Code, Field: r.Result.Field, Message: r.Result.Message,
		Attempts: r.Result.Attempts, RequestID: r.Result.RequestID, Row: originalRow(r.Row),
	}
	if d.explain != nil {
		if info, ok := d.explain(e.Code); ok {
			e.Explanation = &Explanation{Meaning: info.Meaning, Cause: info.Cause, Fix: info.Fix}
		}
	}
	enc := json.NewEncoder(dst)
	enc.SetEscapeHTML(false)
	return enc.Encode(e)
}

// parseLine decodes a line. The errors are for people who edited it.
func parseLine(line []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(line, &e); err != nil {
		return Entry{}, err
	}
	switch {
	case len(e.Row) == 0 || string(e.Row) == "null":
		return Entry{}, errors.New(`it has no "row"`)
	case e.Row[0] != '{' && e.Row[0] != '"':
		return Entry{}, errors.New(`its "row" is neither an object nor a string`)
	}
	return e, nil
}
