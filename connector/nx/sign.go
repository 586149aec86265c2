package nx

import (
	"crypto/md5" //nolint:gosec // the vendor's protocol, not our choice
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// Fixed header values of the customer interface.
const (
	bizType = "2"
	action  = "mt"
)

// The vendor's header names in net/http's canonical form; to spell them so saves Header.Set from rewriting each. HTTP
// takes names in any case.
const (
	headerType      = "Content-Type"
	headerKey       = "Accesskey"
	headerTS        = "Ts"
	headerBiz       = "Biztype"
	headerAction    = "Action"
	headerSign      = "Sign"
	headerAlgorithm = "Algorithm"
)

// contentJSON is shared by all requests and never written to.
var contentJSON = []string{"application/json"}

// signer signs requests as the vendor demands: a plain hash (no HMAC) over the four signed headers in ASCII order, the
// raw body and the secret,
//
//	accessKey=K&action=mt&bizType=2&ts=MS[&body=BODY]&accessSecret=SECRET
//
// where the body part is left out when there is no body. Query parameters are not signed.
type signer struct {
	accessKey, accessSecret connector.Secret
	sha256                  bool
	bizType, action         string
}

func newSigner(a *Account) *signer {
	return &signer{accessKey: a.AccessKey, accessSecret: a.AccessSecret, sha256: a.Algorithm == algorithmSHA256, bizType: bizType, action: action}
}

// Sign sets the headers of the interface for the bytes that req.Body holds now.
func (s *signer) Sign(req *connector.Request, now time.Time) error {
	if req.Header == nil {
		req.Header = make(http.Header, 8)
	}
	ts := strconv.FormatInt(now.UnixMilli(), 10)
	values := []string{s.accessKey.Reveal(), ts, s.bizType, s.action, s.digest(ts, req.Body)}
	h := req.Header
	h[headerType] = contentJSON
	for i, name := range [...]string{headerKey, headerTS, headerBiz, headerAction, headerSign} {
		h[name] = values[i : i+1 : i+1]
	}
	if s.sha256 {
		h[headerAlgorithm] = []string{algorithmSHA256}
	} else {
		delete(h, headerAlgorithm)
	}
	return nil
}

// digest hashes piece by piece: the body is never copied.
func (s *signer) digest(ts string, body []byte) string {
	var h hash.Hash
	if s.sha256 {
		h = sha256.New()
	} else {
		h = md5.New() //nolint:gosec // the vendor's protocol
	}
	scratch := make([]byte, 0, 192)
	scratch = append(scratch, "accessKey="...)
	scratch = append(scratch, s.accessKey.Reveal()...)
	scratch = append(scratch, "&action="...)
	scratch = append(scratch, s.action...)
	scratch = append(scratch, "&bizType="...)
	scratch = append(scratch, s.bizType...)
	scratch = append(scratch, "&ts="...)
	scratch = append(scratch, ts...)
	if len(body) > 0 {
		scratch = append(scratch, "&body="...)
		h.Write(scratch)
		h.Write(body)
		scratch = scratch[:0]
	}
	scratch = append(scratch, "&accessSecret="...)
	scratch = append(scratch, s.accessSecret.Reveal()...)
	h.Write(scratch)

	var sum [sha256.Size]byte
	return hex.EncodeToString(h.Sum(sum[:0]))
}

// mask removes the credentials from a text of the vendor's, which may quote the headers that it was sent.
func (s *signer) mask(text string) string {
	if text == "" {
		return ""
	}
	for _, secret := range []connector.Secret{s.accessSecret, s.accessKey} {
		if !secret.IsZero() {
			text = strings.ReplaceAll(text, secret.Reveal(), secret.String())
		}
	}
	return text
}

// Format keeps the secrets out of every verb: fmt does not call Secret's methods through an unexported field.
func (s *signer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "nx signer") }
