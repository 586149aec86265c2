package socialepoch

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// hook is one webhook of one account.
type hook struct {
	webhook string
	tenant  string
	secrets []connector.Secret
	macs    []*sync.Pool // of HMAC-SHA256, one for each secret
	window  time.Duration
	strict  bool
	zone    *time.Location
	account bool // friendWhatsId names the account, not the contact
	hashed  bool // items have no id
}

func newPortraitHook(cfg connector.Config) (connector.Hook, error) { return newHook(cfg, hookPortrait) }

func newFollowHook(cfg connector.Config) (connector.Hook, error) {
	h, err := newHook(cfg, hookFollow)
	if err != nil {
		return nil, err
	}
	// Not even where an item has a member named id: it might be the contact's, and then all follow-ups of a contact would
	// count as one.
	h.hashed = true
	return h, nil
}

func newHook(cfg connector.Config, webhook string) (*hook, error) {
	c, err := sourceConfigOf(cfg)
	if err != nil {
		return nil, err
	}
	if len(c.WebhookSecrets) == 0 {
		return nil, connector.Configf("Set it to the secrets that the vendor signs with", "webhook_secrets is missing, and no webhook can be believed without one")
	}
	zone, err := zoneOf(c.TimeZone)
	if err != nil {
		return nil, err
	}
	h := &hook{
		webhook: webhook, tenant: tenantOf(c), secrets: c.WebhookSecrets,
		window: time.Duration(c.WindowSeconds) * time.Second, strict: c.Strict, zone: zone, account: c.FriendID == friendAccount,
	}
	for _, secret := range h.secrets {
		h.macs = append(h.macs, &sync.Pool{New: func() any { return &mac{Hash: hmac.New(sha256.New, []byte(secret.Reveal()))} }})
	}
	return h, nil
}

// Format keeps the secrets out of every verb.
func (h *hook) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "socialepoch "+h.webhook) }

// Names under which a webhook carries what authorises it, however written.
const (
	nameNone = iota
	nameToken
	nameTenant
	nameStamp
	nameShortToken // "token" alone: taken in a header only, where the full name is missing
)

// kindOfName reads access_token, Access-Token, accessToken and the like. The vendor's pages name the members of the body,
// and no header.
func kindOfName(name []byte) int {
	if len(name) > len("access-token") {
		return nameNone
	}
	var plain [len("access-token")]byte
	n := 0
	for _, c := range name {
		if c == '_' || c == '-' {
			continue
		}
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		plain[n] = c
		n++
	}
	switch string(plain[:n]) {
	case "accesstoken":
		return nameToken
	case "tenantid":
		return nameTenant
	case "timestamp":
		return nameStamp
	case "token":
		return nameShortToken
	}
	return nameNone
}

// credentials are what authorises a request, as text; "" is absent.
type credentials struct{ token, tenant, stamp string }

func inHeaders(header http.Header) (c credentials) {
	var short string
	var seen [5]bool
	for name, values := range header {
		kind := kindOfName([]byte(name))
		if kind == nameNone {
			continue
		}
		value := ""
		if len(values) == 1 && !seen[kind] { // several authorise nothing
			value = values[0]
		}
		seen[kind] = true
		switch kind {
		case nameToken:
			c.token = value
		case nameTenant:
			c.tenant = value
		case nameStamp:
			c.stamp = value
		case nameShortToken:
			short = value
		}
	}
	if !seen[nameToken] {
		c.token = short
	}
	return c
}

func inBody(body []byte) (c credentials) {
	f, _ := readFrame(body, nil) // of a broken body too: it is stored if it can be believed
	text := func(value []byte) string {
		var s string
		switch {
		case len(value) == 0:
		case value[0] == '"' && json.Unmarshal(value, &s) != nil:
			return ""
		case value[0] >= '0' && value[0] <= '9':
			return string(value)
		}
		return s
	}
	return credentials{token: text(f.token), tenant: text(f.tenant), stamp: text(f.stamp)}
}

// orFrom fills the company and the time, if absent, from other. The token proves them, wherever they stand.
func (c credentials) orFrom(other credentials) credentials {
	if c.tenant == "" {
		c.tenant = other.tenant
	}
	if c.stamp == "" {
		c.stamp = other.stamp
	}
	return c
}

// mac is an HMAC under one secret, with the memory that it works in.
type mac struct {
	hash.Hash
	text, sum []byte
}

// of returns the HMAC of company and time without a separator. It is good until the next call.
func (m *mac) of(c credentials) []byte {
	m.text = append(append(m.text[:0], c.tenant...), c.stamp...)
	m.Reset()
	_, _ = m.Write(m.text) // a hash takes everything
	m.sum = m.Sum(m.sum[:0])
	return m.sum
}

// Verify looks for a token in the headers and in the body: the vendor's pages describe both, and some requests have both.
func (h *hook) Verify(req *connector.Request, now time.Time) (connector.Ticket, error) {
	header := inHeaders(req.Header)
	if !h.strict && header.token != "" && header.tenant != "" && header.stamp != "" {
		// The body need not be taken apart where it could neither complete this token nor, since either will do, refuse it.
		if ticket, err := h.check(header, now); err == nil {
			return ticket, nil
		}
	}
	body := inBody(req.Body)
	var ticket connector.Ticket
	var refusals []error
	given := 0
	for _, c := range [2]credentials{header.orFrom(body), body.orFrom(header)} {
		if c.token == "" {
			continue
		}
		given++
		t, err := h.check(c, now)
		if err != nil {
			refusals = append(refusals, err)
		} else if ticket.Token == "" {
			ticket = t
		}
	}
	switch {
	case given == 0:
		return connector.Ticket{}, fmt.Errorf("socialepoch: %w: it has no token", connector.ErrForged)
	case ticket.Token != "" && (len(refusals) == 0 || !h.strict):
		return ticket, nil
	}
	for _, err := range refusals {
		if errors.Is(err, connector.ErrForged) {
			return connector.Ticket{}, err
		}
	}
	return connector.Ticket{}, refusals[0]
}

// check verifies one token: the hexadecimal HMAC-SHA256, under a secret, of company and time without a separator. All
// secrets are tried, also for another company, so that the time it takes tells nothing.
func (h *hook) check(c credentials, now time.Time) (connector.Ticket, error) {
	var digits [2 * sha256.Size]byte
	given, bad := hex.AppendDecode(digits[:0], []byte(c.token))
	good := false
	for _, pool := range h.macs {
		m := pool.Get().(*mac)
		good = hmac.Equal(m.of(c), given) || good
		pool.Put(m)
	}
	ms, isNumber := strconv.ParseInt(c.stamp, 10, 64)
	if !good || bad != nil || isNumber != nil || c.tenant != h.tenant {
		return connector.Ticket{}, fmt.Errorf("socialepoch: %w", connector.ErrForged)
	}
	signed := time.UnixMilli(ms)
	if off := now.Sub(signed); off > h.window || off < -h.window {
		return connector.Ticket{}, fmt.Errorf("socialepoch: %w: its time is %s, the clock here says %s", connector.ErrStale,
			signed.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return connector.Ticket{Tenant: c.tenant, Signed: signed, Expires: signed.Add(h.window), Token: strings.ToLower(c.token)}, nil
}

// Split gives each item of the list named data the key by which a repeat of it is known.
func (h *hook) Split(body []byte) ([]connector.Item, error) {
	f, err := readFrame(body, itemEnd)
	if err != nil {
		return nil, fmt.Errorf("socialepoch: %s: %w", h.webhook, err)
	}
	items := make([]connector.Item, len(f.items))
	var w rows.Walker
	for i, s := range f.items {
		text := body[s.from:s.to]
		items[i] = connector.Item{Key: h.key(&w, text), Bytes: text}
	}
	return items, nil
}

// key is the item's id where it has one, else a hash over the company and the item's bytes. The outer time and token have
// no part in it: they change when the vendor sends the request again.
func (h *hook) key(w *rows.Walker, item []byte) string {
	if !h.hashed {
		for ok := w.Open(item); ok && w.Next(); {
			if string(w.Key()) == "id" {
				return h.keyOf(w.Value(), item)
			}
		}
	}
	return h.keyOf(nil, item)
}

// keyOf is the key of an item whose id is written so; nil: it has none.
func (h *hook) keyOf(id, item []byte) string {
	var buf [2 * sha256.Size]byte
	return string(h.appendKey(buf[:0], id, item))
}

// appendKey appends the key of an item. Only a short id of plain text, or a number other than 0, names an event.
func (h *hook) appendKey(dst, id, item []byte) []byte {
	const most = 128
	if n := len(id); !h.hashed && n > 2 && n < most && id[0] == '"' && plainID(id[1:n-1]) {
		return append(dst, id[1:n-1]...)
	} else if !h.hashed && n > 0 && n < most && id[0] >= '1' && id[0] <= '9' {
		return append(dst, id...)
	}
	var sum [sha256.Size]byte
	mac := sha256.New()
	_, _ = io.WriteString(mac, h.tenant+"\x00")
	_, _ = mac.Write(item)
	return hex.AppendEncode(dst, mac.Sum(sum[:0]))
}

// plainID reports whether id is printable ASCII without a blank, a quote and a backslash. It looks at eight bytes in one
// step, as rows does.
func plainID(id []byte) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; len(id) >= 8; id = id[8:] {
		w := binary.LittleEndian.Uint64(id)
		quote, slash := w^(ones*'"'), w^(ones*'\\')
		if ((quote-ones)|(slash-ones)|(w-ones*'!')|(w+ones)|w)&highs != 0 {
			return false
		}
	}
	for _, c := range id {
		if c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// Reply has the vendor's shape. Its pages say that the code alone counts; a retry is asked for with the status of a
// success because a gateway might keep another one from the sender.
func (h *hook) Reply(err error) connector.Response {
	status, code, message := http.StatusOK, http.StatusOK, "Success"
	switch {
	case err == nil:
	case errors.Is(err, connector.ErrForged):
		status, code, message = http.StatusUnauthorized, http.StatusUnauthorized, "signature incorrect"
	case errors.Is(err, connector.ErrStale):
		status, code, message = http.StatusBadRequest, http.StatusBadRequest, "timestamp timeout"
	default:
		code, message = http.StatusInternalServerError, "not stored, send again"
	}
	return connector.Response{
		Status: status, Header: http.Header{headerType: {"application/json"}},
		Body: []byte(`{"code":` + strconv.Itoa(code) + `,"message":"` + message + `","data":""}`),
	}
}
