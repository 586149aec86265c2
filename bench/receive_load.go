package main

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	hookSenders = 4 // accounts; one can sign a thousand bodies a second
	hookTenant  = 82
	hookSecret  = "the-secret-of-the-vendor"
)

func hookPath(account int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "bench %d", account))
	return hex.EncodeToString(sum[:20])
}

// hooks makes signed webhooks, no two with the same event or signature.
type hooks struct {
	from    int64 // the first millisecond that is signed
	counter atomic.Int64
	pad     string
}

// newHooks begins in the older half of what the receiver takes for fresh.
func newHooks() *hooks {
	return &hooks{from: time.Now().Add(-4 * time.Minute).UnixMilli(), pad: strings.Repeat("x", ackBytes)}
}

// request appends a whole HTTP request to b.
func (h *hooks) request(b []byte, secret string) []byte {
	n := h.counter.Add(1)
	account := int(n % hookSenders)
	body := fmt.Sprintf(`{"data":[{"id":"bench-%d","type":1,"friendWhatsId":"8615601882491","field":"Name","fieldType":0,"targetValue":"`, n)
	tenant, stamp := strconv.Itoa(hookTenant+account), strconv.FormatInt(h.from+n/hookSenders, 10)
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(mac, tenant+stamp)
	b = fmt.Appendf(b, "POST /hooks/socialepoch/user_sync_portrait/%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\ntenant_id: %s\r\ntimestamp: %s\r\naccess_token: %x\r\nContent-Length: %d\r\n\r\n",
		hookPath(account), tenant, stamp, mac.Sum(nil), ackBytes)
	b = append(b, body...)
	return append(append(b, h.pad[:ackBytes-len(body)-4]...), `"}]}`...)
}

var acknowledged = []byte(`"code":200`)

// ask sends a request and reports whether it was acknowledged.
func ask(c net.Conn, in *bufio.Reader, request []byte) (bool, error) {
	if _, err := c.Write(request); err != nil {
		return false, err
	}
	line, err := in.ReadSlice('\n')
	good := bytes.HasPrefix(line, []byte("HTTP/1.1 200"))
	length := 0
	for err == nil && len(bytes.TrimSpace(line)) > 0 {
		if line, err = in.ReadSlice('\n'); err == nil && len(line) > 16 && bytes.EqualFold(line[:15], []byte("Content-Length:")) {
			length, err = strconv.Atoi(string(bytes.TrimSpace(line[15:])))
		}
	}
	if err != nil {
		return false, err
	}
	body, err := in.Peek(length)
	if err != nil {
		return false, err
	}
	good = good && bytes.Contains(body, acknowledged)
	_, err = in.Discard(length)
	return good, err
}

// measure runs each connection through one and gathers what they saw.
func measure(addr string, conns int, lasts time.Duration, one func(k int, send func(due time.Time) error) error, h *hooks) (acks, error) {
	took := make([][]time.Duration, conns)
	failed := make([]int, conns)
	faults := make([]error, conns)
	var work sync.WaitGroup
	start := time.Now()
	for k := range conns {
		work.Go(func() {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				faults[k] = err
				return
			}
			defer c.Close()
			in := bufio.NewReader(c)
			var buf []byte
			faults[k] = one(k, func(due time.Time) error {
				buf = h.request(buf[:0], hookSecret)
				if due.IsZero() {
					due = time.Now()
				}
				ok, err := ask(c, in, buf)
				if !ok {
					failed[k]++
				}
				took[k] = append(took[k], time.Since(due))
				return err
			})
		})
	}
	work.Wait()
	a := acks{}
	all := slices.Concat(took...)
	slices.Sort(all)
	for _, n := range failed {
		a.failed += n
	}
	if a.count = len(all) - a.failed; a.count <= 0 {
		return a, errors.Join(append(faults, errors.New("nothing was acknowledged"))...)
	}
	a.perSecond = float64(a.count) / max(lasts, time.Since(start)).Seconds()
	a.p50, a.p99, a.most = all[len(all)/2], all[len(all)*99/100], all[len(all)-1]
	return a, errors.Join(faults...)
}

// saturate sends as fast as answers come.
func (h *hooks) saturate(addr string, conns int, lasts time.Duration) (acks, error) {
	end := time.Now().Add(lasts)
	return measure(addr, conns, lasts, func(_ int, send func(time.Time) error) error {
		for time.Now().Before(end) {
			if err := send(time.Time{}); err != nil {
				return err
			}
		}
		return nil
	}, h)
}

// steady sends at a rate, whatever the answers take; what waits for a slow answer is late, and counted so.
func (h *hooks) steady(addr string, conns, perSecond int, lasts time.Duration) (acks, error) {
	start := time.Now()
	step := time.Second * time.Duration(conns) / time.Duration(perSecond)
	return measure(addr, conns, lasts, func(k int, send func(time.Time) error) error {
		for due := start.Add(step * time.Duration(k) / time.Duration(conns)); due.Sub(start) < lasts; due = due.Add(step) {
			time.Sleep(time.Until(due))
			if err := send(due); err != nil {
				return err
			}
		}
		return nil
	}, h)
}
