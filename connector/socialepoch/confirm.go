package socialepoch

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/restapi"
)

// confirmation is what the vendor's older pages describe: apart from the answer, and not out of the handler, the receiver
// tells which items it took. That page has no example, so the spelling of the members is assumed.
type confirmation struct {
	TenantID    int64    `json:"tenantId"`
	Timestamp   int64    `json:"timestamp"`
	AccessToken string   `json:"accessToken"`
	SuccessData []string `json:"successData"`
	FailData    []string `json:"failData"`
}

// codeDatabase is the one refusal of a confirmation that passes by itself.
const codeDatabase = 509

// AppendConfirm tells the address in callBackUrl, which is mostly empty, that all items were taken.
func (h *hook) AppendConfirm(req *connector.Request, body []byte, now time.Time) (bool, error) {
	if f, err := readFrame(body, nil); err == nil && !f.callback {
		return false, nil // as mostly: to decode all of each body would cost a tenth of what the receiver does
	}
	var outer struct {
		URL  string `json:"callBackUrl"`
		Data []struct {
			ID json.RawMessage `json:"id"`
		} `json:"data"`
	}
	if json.Unmarshal(body, &outer) != nil || outer.URL == "" {
		return false, nil // what cannot be read asks for nothing
	}
	tenant, err := strconv.ParseInt(h.tenant, 10, 64)
	if err != nil {
		return false, fmt.Errorf("socialepoch: company %q: %w", h.tenant, err)
	}
	c := confirmation{TenantID: tenant, Timestamp: now.UnixMilli(), SuccessData: []string{}, FailData: []string{}}
	for _, item := range outer.Data {
		var id string
		if json.Unmarshal(item.ID, &id) == nil && id != "" {
			c.SuccessData = append(c.SuccessData, id)
		}
	}
	mac := hmac.New(sha256.New, []byte(h.secrets[0].Reveal()))
	_, _ = io.WriteString(mac, h.tenant+strconv.FormatInt(c.Timestamp, 10))
	c.AccessToken = hex.EncodeToString(mac.Sum(nil))
	text, err := json.Marshal(c)
	if err != nil {
		return false, fmt.Errorf("socialepoch: confirmation: %w", err)
	}
	req.Method, req.URL, req.Endpoint, req.Body = http.MethodPost, outer.URL, "confirm", text
	req.Header = http.Header{headerType: {"application/json"}}
	return true, nil
}

// ParseConfirm reads the code of the answer, whatever its status.
func (h *hook) ParseConfirm(resp *connector.Response) (connector.Outcome, error) {
	var answer struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(resp.Body, &answer); err != nil {
		if resp.Status >= http.StatusInternalServerError {
			return connector.Outcome{Verdict: connector.VerdictRetry, Code: strconv.Itoa(resp.Status)}, nil
		}
		return connector.Outcome{}, fmt.Errorf("socialepoch: the answer to the confirmation cannot be read: %s", restapi.Glimpse(resp.Status, resp.Body))
	}
	o := connector.Outcome{Verdict: connector.VerdictRejected, Code: strconv.Itoa(answer.Code), Message: restapi.Clip(answer.Message)}
	switch answer.Code {
	case http.StatusOK:
		o.Verdict = connector.VerdictDelivered
	case codeDatabase, http.StatusInternalServerError:
		o.Verdict = connector.VerdictRetry
	}
	return o, nil
}
