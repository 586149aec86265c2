package outcall

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/restapi"
)

const (
	// pageSize is how many numbers of the task are asked for at once; the vendor may give fewer.
	pageSize = 1000
	// searchRows is how many rows are searched for together: a walk over the pages costs the same for one row as for all.
	searchRows = 20_000
	// fewNumbers is how many numbers are asked for one by one without a look at how many pages there are.
	fewNumbers = 3
)

// entry is a number of the task as the vendor shows it.
type entry struct {
	Phone  json.RawMessage `json:"phone"`
	Number json.RawMessage `json:"number"`
	Extra  json.RawMessage `json:"extra"`
}

func (e *entry) number() string {
	if number := flexText(e.Phone); number != "" {
		return number
	}
	return flexText(e.Number)
}

// byPage reads a page of the task's numbers. What is on none of the pages is not in the task. Where more pages are left
// than rows, the rows are asked for one by one instead.
func (c *codec) byPage(s step, body []byte, rec arrow.Record) (connector.Outcome, error) {
	var a struct {
		Data []entry `json:"data"`
		Meta struct {
			Current json.RawMessage `json:"current_page"`
			Last    json.RawMessage `json:"last_page"`
		} `json:"meta"`
	}
	err := json.Unmarshal(body, &a)
	current, ok := restapi.Int(a.Meta.Current)
	last, ok2 := restapi.Int(a.Meta.Last)
	if err != nil || !ok || !ok2 || current != s.page || a.Data == nil {
		return connector.Outcome{}, fmt.Errorf("outcall: page %d of the task's numbers cannot be read: %s", s.page, restapi.Clip(string(body)))
	}
	there := make(map[string][]string, len(a.Data)) // the keys of each number
	for i := range a.Data {
		number := a.Data[i].number()
		if number == "" {
			return connector.Outcome{}, errors.New("outcall: a page of the task's numbers holds an entry without a number")
		}
		number = c.listed(number)
		there[number] = append(there[number], flexText(a.Data[i].Extra))
	}
	o := search(rec, func(row int) (connector.RowResult, bool) { return c.found(s, rec, row, there[c.sent(rec, row)]) })
	next := firstPending(&o, rec)
	switch {
	case next < 0:
	case current >= last:
		conclude(s, &o, rec)
	case !c.config.NumberAddSuffix && last-current > rec.NumRows()-int64(len(o.Rows)):
		o.Token = s.token(tokenNumber, c.sent(rec, next))
	default:
		o.Token = s.token(tokenPage, strconv.FormatInt(current+1, 10))
	}
	return o, nil
}

// byDetail reads the answer about one number.
func (c *codec) byDetail(s step, data json.RawMessage, rec arrow.Record) (connector.Outcome, error) {
	var list []entry
	if json.Unmarshal(data, &list) != nil {
		var members map[string]json.RawMessage
		var one entry
		if json.Unmarshal(data, &members) != nil || json.Unmarshal(data, &one) != nil {
			return connector.Outcome{}, fmt.Errorf("outcall: the answer about a number cannot be read: %s", restapi.Clip(string(data)))
		}
		if len(members) > 0 {
			list = append(list, one)
		}
	}
	for i := range list {
		if number := list[i].number(); number != s.text && number != "" {
			return connector.Outcome{}, errors.New("outcall: the answer about a number is about another")
		}
	}
	return c.byNumber(s, list, true, rec)
}

// byNumber settles the rows of one number, by the entries that the task has of it, and goes on to the number of the row
// behind. What is not there stays open until the last number was asked for, so that the rows stay together. sure is
// false where nobody can tell whether the vendor's answer is about the number or about the address.
func (c *codec) byNumber(s step, list []entry, sure bool, rec arrow.Record) (connector.Outcome, error) {
	keys := make([]string, len(list))
	for i := range list {
		keys[i] = flexText(list[i].Extra)
	}
	asked := -1
	o := search(rec, func(row int) (connector.RowResult, bool) {
		if c.sent(rec, row) != s.text {
			return connector.RowResult{}, false
		}
		asked = row
		if !sure && !s.left {
			return connector.RowResult{Row: row, Verdict: connector.VerdictAmbiguous, Code: connector.CodeAmbiguous,
				Message: "the CRM's answer does not tell whether the task holds the number"}, true
		}
		return c.found(s, rec, row, keys)
	})
	if asked < 0 {
		return o, connector.Internalf("", "outcall: an answer about a number that is not in the poll")
	}
	if next := asked + 1; next < int(rec.NumRows()) {
		o.Token = s.token(tokenNumber, c.sent(rec, next))
	} else {
		conclude(s, &o, rec)
	}
	return o, nil
}

// search gives each row what find says of it; the others are pending.
func search(rec arrow.Record, find func(row int) (connector.RowResult, bool)) connector.Outcome {
	o := connector.Outcome{Verdict: connector.VerdictPending}
	for row := range int(rec.NumRows()) {
		if r, ok := find(row); ok {
			o.Rows = append(o.Rows, r)
		}
	}
	return o
}

// firstPending is the first row that the outcome does not list, -1 if it lists all.
func firstPending(o *connector.Outcome, rec arrow.Record) int {
	for i := range int(rec.NumRows()) {
		if i >= len(o.Rows) || o.Rows[i].Row != i {
			return i
		}
	}
	return -1
}

// conclude ends a search: what it has not found is not in the task.
func conclude(s step, o *connector.Outcome, rec arrow.Record) {
	if !s.left {
		o.Verdict, o.Message = connector.VerdictRetry, "the number is not in the task"
		return
	}
	listed, all := o.Rows, make([]connector.RowResult, 0, rec.NumRows())
	for row := range int(rec.NumRows()) {
		if len(listed) > 0 && listed[0].Row == row {
			all, listed = append(all, listed[0]), listed[1:]
			continue
		}
		all = append(all, notImported(row, "; the task does not hold it"))
	}
	o.Verdict, o.Rows = connector.VerdictDelivered, all
}

// found tells what it means for a row that the task holds its number under these keys; "" is no key. False: nothing.
//
// An entry with the row's own key is the row. One with another key is another row, which came first. Without keys a
// number is the row, if nobody knows what became of the row, and another, if the vendor has said that it did not import
// it. With suffixes, other rows say nothing, and an entry without a key may be of an earlier request.
func (c *codec) found(s step, rec arrow.Record, row int, keys []string) (connector.RowResult, bool) {
	own := textAt(rec, c.extra, row)
	other, keyless := "", false
	for _, key := range keys {
		if key != "" && key == own {
			return connector.RowResult{Row: row, Verdict: connector.VerdictDelivered}, true
		}
		other, keyless = key, keyless || key == "" || own == ""
	}
	switch {
	case c.config.NumberAddSuffix && keyless:
		return connector.RowResult{Row: row, Verdict: connector.VerdictAmbiguous, Code: connector.CodeAmbiguous,
			Message: "the task holds the number, but with number_add_suffix it may be of an earlier request"}, true
	case len(keys) == 0 || c.config.NumberAddSuffix:
		return connector.RowResult{}, false
	case keyless && !s.left:
		return connector.RowResult{Row: row, Verdict: connector.VerdictDelivered}, true
	}
	r := connector.RowResult{Row: row, Verdict: connector.VerdictRejected, Code: codeInTask, Field: colPhone,
		Message: "the task holds the number already, and a task holds a number once"}
	if other != "" {
		r.Message = fmt.Sprintf("the task holds the number already, as row %q", restapi.Clip(other))
	}
	return r, true
}

func notImported(row int, more string) connector.RowResult {
	return connector.RowResult{Row: row, Verdict: connector.VerdictRejected, Code: codeNotImported, Field: colPhone,
		Message: "the CRM did not import the number, and gives no reason" + more}
}
