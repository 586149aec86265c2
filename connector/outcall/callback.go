package outcall

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/restapi"
	"github.com/sluicehq/sluice/internal/rows"
)

// callback is what the vendor says of an import, by a webhook or when asked.
type callback struct {
	kind, mode, id, user, task string
	url                        string
	numbers                    []string
	listed                     bool // numbers is known, maybe empty
}

// readCallback reads {"mode","type","unique_id","user_id","task_id","data":{"url"|"number"|"numbers"}}.
func readCallback(body []byte) (callback, error) {
	var b struct {
		Type   json.RawMessage `json:"type"`
		Mode   json.RawMessage `json:"mode"`
		ID     json.RawMessage `json:"unique_id"`
		UserID json.RawMessage `json:"user_id"`
		TaskID json.RawMessage `json:"task_id"`
		Data   json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(body, &b); err != nil || bytes.HasPrefix(bytes.TrimSpace(body), []byte("null")) {
		return callback{}, errors.New("outcall: the callback is not a JSON object")
	}
	c := callback{kind: flexText(b.Type), mode: flexText(b.Mode), id: flexText(b.ID), user: flexText(b.UserID), task: flexText(b.TaskID)}
	var data struct {
		URL     json.RawMessage    `json:"url"`
		Number  json.RawMessage    `json:"number"`
		Numbers *[]json.RawMessage `json:"numbers"`
	}
	if json.Unmarshal(b.Data, &data) != nil {
		return c, nil
	}
	c.url = flexText(data.URL)
	switch number := flexText(data.Number); {
	case data.Numbers != nil:
		list, err := texts(*data.Numbers)
		if err != nil {
			return c, err
		}
		c.numbers, c.listed = list, true
	case number != "":
		c.numbers, c.listed = []string{number}, true
	}
	return c, nil
}

func texts(list []json.RawMessage) ([]string, error) {
	numbers := make([]string, len(list))
	for i, raw := range list {
		if numbers[i] = flexText(raw); numbers[i] == "" {
			return nil, fmt.Errorf("outcall: the list of numbers holds %s", restapi.Clip(string(raw)))
		}
	}
	return numbers, nil
}

// key names the event: the kind and id of the import, for one number of it also the number, and apart from them the same
// with its list. Without an id, "".
func (c callback) key() string {
	switch {
	case c.id == "":
		return ""
	case c.listed && c.url != "":
		return c.kind + "/" + c.id + "/numbers"
	case c.listed && len(c.numbers) == 1:
		return c.kind + "/" + c.id + "/" + c.numbers[0]
	}
	return c.kind + "/" + c.id
}

// importReader is what callbacks and asked imports share: where lists may be fetched, and what was submitted.
type importReader struct {
	token     connector.Secret
	codec     *codec // guards addresses
	submitted map[string][]string
}

func newImportReader(c *SourceConfig) importReader {
	r := importReader{token: c.Token, codec: &codec{signer: signer{c.Token}, config: *c.account()}, submitted: map[string][]string{}}
	for _, one := range c.Imports {
		if len(one.Numbers) > 0 {
			r.submitted[one.ID] = one.Numbers
		}
	}
	return r
}

// Sign sets the token, if there is one: a list needs its key alone.
func (r importReader) Sign(req *connector.Request, now time.Time) error {
	if r.token.IsZero() {
		return nil
	}
	return r.codec.Sign(req, now)
}

// AppendFetch asks for the list that a callback points to, if it has none in it.
func (r importReader) AppendFetch(req *connector.Request, body []byte) (bool, error) {
	c, err := readCallback(body)
	if err != nil || c.listed || c.url == "" {
		return false, nil // unreadable ones stay as they are
	}
	address, err := r.address(c.url)
	if err != nil {
		return false, err
	}
	get(req, "download-number", address)
	return true, nil
}

func (r importReader) address(url string) (string, error) {
	address, err := r.codec.guard(url)
	if err != nil {
		return "", connector.Configf("Set base_url to that host if it is the vendor's own", "the list of numbers lies on another host than base_url, or its address is none; it was not called, because it comes out of data")
	}
	return address, nil
}

func get(req *connector.Request, endpoint, address string) {
	req.Method, req.URL, req.Endpoint = http.MethodGet, address, endpoint
	if req.Header == nil {
		req.Header = make(http.Header, 4)
	}
	req.Header["Accept"] = []string{contentJSON}
}

// ParseFetch puts the list into the callback, as data.numbers.
func (r importReader) ParseFetch(dst []byte, resp *connector.Response, body []byte) ([]byte, connector.Outcome, error) {
	answer := r.codec.clean(resp.Body)
	o, err := asked(resp, answer)
	if o.Code == strconv.Itoa(codeMissing) || resp.Status == http.StatusNotFound {
		// The list is gone. The host and the account are right, or the vendor would not have named the address.
		o.Verdict, o.Stop, o.Code = connector.VerdictRejected, connector.KindNone, strconv.Itoa(codeMissing)
	}
	if err != nil || o.Verdict != connector.VerdictDelivered {
		return dst, o, err
	}
	var list importAnswer
	for range 2 { // as it is, or in the envelope
		if err = json.Unmarshal(answer, &list); err != nil || list.Numbers != nil {
			break
		}
		answer = list.Data
	}
	if err != nil || list.Numbers == nil {
		return dst, o, fmt.Errorf("outcall: the list of numbers cannot be read: %s", restapi.Glimpse(resp.Status, resp.Body))
	}
	if _, err := texts(*list.Numbers); err != nil {
		return dst, o, err
	}
	var members, data map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(body, &members), json.Unmarshal(members["data"], &data)); err != nil {
		return dst, o, fmt.Errorf("outcall: callback: %w", err)
	}
	if data["numbers"], err = marshal(*list.Numbers); err == nil {
		members["data"], err = marshal(data)
	}
	whole, err2 := marshal(members)
	if err = errors.Join(err, err2); err != nil {
		return dst, o, fmt.Errorf("outcall: callback: %w", err)
	}
	return append(dst, whole...), o, nil
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// asked reads the answer to a question, which may be repeated as often as one likes. Delivered: it is an answer.
func asked(resp *connector.Response, body []byte) (connector.Outcome, error) {
	r, enveloped := readReply(body)
	var o connector.Outcome
	switch {
	case enveloped && r.code != codeOK:
		o = byCode(r, resp)
	case !restapi.Succeeded(resp.Status):
		o = byStatus(resp, r, body)
	case enveloped && !r.success():
		return connector.Outcome{Verdict: connector.VerdictRejected, Code: codeNoSuccess, Message: r.message}, nil
	case !json.Valid(body):
		return o, unreadable(resp.Status, body)
	default:
		return connector.Outcome{Verdict: connector.VerdictDelivered, Code: "200"}, nil
	}
	switch o.Verdict {
	case connector.VerdictAmbiguous:
		o.Verdict = connector.VerdictRetry
	case connector.VerdictSuspect:
		o.Verdict = connector.VerdictRejected
	}
	return o, nil
}

// appendTo writes the columns of importColumns.
func (r importReader) appendTo(o *rows.Object, c callback, raw []byte) error {
	o.Text("type", c.kind)
	o.Text("mode", c.mode)
	o.Text("unique_id", c.id)
	o.Text("user_id", c.user)
	o.Text("task_id", c.task)
	if c.listed {
		list, err := marshal(c.numbers)
		if err != nil {
			return fmt.Errorf("outcall: numbers: %w", err)
		}
		o.Raw("numbers", list)
		if submitted, known := r.submitted[c.id]; known && c.kind != "del_number" {
			if list, err = marshal(r.missing(submitted, c.numbers)); err != nil {
				return fmt.Errorf("outcall: numbers: %w", err)
			}
			o.Raw("missing", list)
		}
	}
	o.Text("url", c.url)
	o.Raw("raw", raw)
	return nil
}

// missing lists, in the order submitted, what was submitted more often than it got in.
func (r importReader) missing(submitted, numbers []string) []string {
	in := make(map[string]int, len(numbers))
	for _, n := range numbers {
		in[bareNumber(r.codec.listed(n))]++
	}
	out := []string{}
	for _, n := range submitted {
		if plain := bareNumber(n); in[plain] > 0 {
			in[plain]--
			continue
		}
		out = append(out, n)
	}
	return out
}

// bareNumber is a number without ornaments and, if it is a mainland mobile number, without country code: the form in
// which numbers are compared.
func bareNumber(text string) string {
	n := restapi.Phone(text)
	if len(n) == 13 && n[:3] == "861" {
		return n[2:]
	}
	return n
}
