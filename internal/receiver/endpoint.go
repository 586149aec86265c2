package receiver

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"math"
	"net/netip"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicehq/sluice/connector"
)

// Endpoint is one webhook of one account, at an address of its own.
type Endpoint struct {
	Name   string // for people and dedupe keys, unique
	Vendor string
	Type   string           // of the webhook
	Path   connector.Secret // the part of the address that nobody can guess
	Hook   connector.Hook
	// AllowFrom lists where requests may come from; empty: anywhere. To anybody else the address does not exist.
	AllowFrom []netip.Prefix

	good  connector.Response            // to what is stored: Hook.Reply(nil)
	count map[string]prometheus.Counter // of requests, by the outcomes that are common
}

// Address is the path of the endpoint's URL, with the secret part. It must not be logged.
func (e *Endpoint) Address() string { return e.prefix() + e.Path.Reveal() }

// Masked is the path for people: enough of it to tell two apart.
func (e *Endpoint) Masked() string {
	return e.prefix() + e.Path.Reveal()[:min(4, len(e.Path.Reveal()))] + "…"
}

func (e *Endpoint) prefix() string { return "/hooks/" + e.Vendor + "/" + e.Type + "/" }

// pathBits is what a path must be worth.
const pathBits = 128

// NewPath makes an unguessable path of 160 bits.
func NewPath() string {
	var b [20]byte
	_, _ = rand.Read(b[:]) // it never fails
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}

// CheckPath refuses a path that could be guessed, as far as its look tells.
func CheckPath(path string) error {
	const (
		digits = "0123456789"
		hex    = digits + "abcdef"
		lower  = digits + "abcdefghijklmnopqrstuvwxyz"
		all    = lower + "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_"
	)
	alphabet := 0
	for _, set := range []string{digits, hex, lower, all} {
		if strings.Trim(path, set) == "" {
			alphabet = len(set)
			break
		}
	}
	if alphabet == 0 || len(path) > 200 {
		return connector.Configf("Make one with `sluice receive --new-path`", "a path consists of letters, digits, - and _, 200 at the most")
	}
	different := map[rune]bool{}
	for _, c := range path {
		different[c] = true
	}
	if float64(len(path))*math.Log2(float64(min(alphabet, 64))) < pathBits || len(different) < 8 {
		return connector.Configf("Make one with `sluice receive --new-path`", "a path could be guessed: it must be random and worth %d bits, such as 32 hexadecimal digits", pathBits)
	}
	return nil
}

// endpoints finds an endpoint by its address. It compares hashes, so that the time it takes says nothing of how much of
// an address is right.
type endpoints map[[sha256.Size]byte]*Endpoint

func newEndpoints(list []Endpoint) (endpoints, error) {
	byPath, names := endpoints{}, map[string]bool{}
	segments := map[string]bool{}
	for i := range list {
		e := &list[i]
		if names[e.Name] || segments[e.Path.Reveal()] {
			return nil, connector.Configf("Give each webhook a path of its own", "two webhooks have the same name or path, one of them is %s", e.Name)
		}
		if err := CheckPath(e.Path.Reveal()); err != nil {
			return nil, connector.Configf("", "%s: %w", e.Name, err)
		}
		names[e.Name], segments[e.Path.Reveal()] = true, true
		e.good = e.Hook.Reply(nil)
		byPath[sha256.Sum256([]byte(e.Address()))] = e
	}
	return byPath, nil
}

func (m endpoints) find(path string) *Endpoint {
	var text [256]byte
	return m[sha256.Sum256(append(text[:0], path...))]
}
