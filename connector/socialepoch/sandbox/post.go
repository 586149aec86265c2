package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// post makes one attempt, signed anew. Only HTTP 200 with the code 200, within 3 s, is a success.
func (s *sender) post(ctx context.Context, o Webhooks, p parcel) error {
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	c := s.credentials(o.Secret)
	address := o.Portrait
	if p.flow {
		address = o.WriteFlow
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(p.body(o.Placement, c)))
	if err != nil {
		return fmt.Errorf("sandbox: webhook: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if o.Placement != PlaceBody {
		req.Header["tenant_id"] = []string{c.tenant} // as the vendor's own calls are spelled; not in Go's canonical form
		req.Header["timestamp"] = []string{c.stamp}
		req.Header["access_token"] = []string{c.token}
	}
	client := *s.client
	if o.Client != nil {
		client = *o.Client
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("sandbox: webhook: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return fmt.Errorf("sandbox: webhook: %w", err)
	}
	var answer struct {
		Code          *int
		Message, Data *string
	}
	if json.Unmarshal(text, &answer) != nil || answer.Code == nil || answer.Message == nil || answer.Data == nil ||
		*answer.Code != codeOK || resp.StatusCode != http.StatusOK {
		return errAnswer
	}
	return nil
}

// body is the request's body. The vendor's table demands the company and the time in it in any case.
func (p *parcel) body(placement string, c credentials) []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	if placement != PlaceHeader {
		fmt.Fprintf(&b, `"accessToken":"%s",`, c.token)
	}
	if p.flow {
		b.WriteString(`"callBackUrl":"",`)
	}
	fmt.Fprintf(&b, `"tenantId":%s,"timestamp":%s,"data":[`, c.tenant, c.stamp)
	for i, item := range p.items {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(item)
	}
	b.WriteString("]}")
	return b.Bytes()
}
