package template

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/restapi"
)

// reply is the vendor's answer.
type reply struct {
	Code    *int   `json:"code"` // nil: this is not the vendor's answer
	Message string `json:"message"`
	ID      string `json:"id"`
	Failed  []struct {
		Index   int    `json:"index"`
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"failed"`
}

// readReply reads the answer. ok is false where it is not the vendor's: HTML, a cut body, JSON without a code.
func readReply(body []byte) (r reply, ok bool) {
	return r, json.Unmarshal(body, &r) == nil && r.Code != nil
}

// outcome reads the answer to a request of n rows. The vendor's code speaks first; the status speaks where there is none.
func outcome(resp *connector.Response, n int) (connector.Outcome, error) {
	r, ok := readReply(resp.Body)
	success := restapi.Succeeded(resp.Status)
	switch {
	case ok && success && *r.Code == codeOK:
		return delivered(r, n)
	case ok && *r.Code != codeOK:
		return byCode(r, resp), nil
	case !success:
		return restapi.ByStatus(resp), nil
	}
	return connector.Outcome{}, fmt.Errorf("template: answer is not the vendor's JSON: %s", restapi.Glimpse(resp.Status, resp.Body))
}

// delivered reads a success: all rows but those listed. A list that does not fit the request cannot be trusted, so nothing
// of the answer is.
func delivered(r reply, n int) (connector.Outcome, error) {
	o := connector.Outcome{Verdict: connector.VerdictDelivered, Code: strconv.Itoa(codeOK), Message: restapi.Clip(r.Message), RequestID: restapi.Clip(r.ID)}
	for i, f := range r.Failed {
		if f.Index >= n || f.Index < 0 || i > 0 && f.Index <= r.Failed[i-1].Index {
			return connector.Outcome{}, errors.New("template: the list of failed contacts does not fit the request")
		}
		o.Rows = append(o.Rows, connector.RowResult{
			Row: f.Index, Verdict: connector.VerdictRejected, Code: strconv.Itoa(f.Code), Message: restapi.Clip(f.Message),
		})
	}
	return o, nil
}

// byCode reads a refusal of the whole request.
func byCode(r reply, resp *connector.Response) connector.Outcome {
	o := connector.Outcome{Verdict: connector.VerdictSuspect, Code: strconv.Itoa(*r.Code), Message: restapi.Clip(r.Message), RequestID: restapi.Clip(r.ID)}
	switch {
	case *r.Code == codeKey || *r.Code == codeAccount:
		o.Verdict, o.Stop = connector.VerdictRetry, connector.KindConfig // nothing is wrong with the rows
	case *r.Code == codeBusy || resp.Status == http.StatusTooManyRequests:
		o.Verdict, o.Throttled, o.RetryAfter = connector.VerdictRetry, true, restapi.RetryAfter(resp.Header)
	case resp.Status >= http.StatusInternalServerError:
		o.Verdict, o.RetryAfter = connector.VerdictRetry, restapi.RetryAfter(resp.Header)
	}
	return o
}
