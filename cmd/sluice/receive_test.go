package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var receiverAddress = regexp.MustCompile(`(?m)^(listening|admin) on (http://\S+)`)

// receiverUp waits until a receiver has said, in a file, where it is: `receiverup FILE` sets $PUBLIC and $ADMIN.
func receiverUp(ts *testscript.TestScript, _ bool, args []string) {
	waitText(ts, false, []string{args[0], "inbox in "})
	text, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	for _, m := range receiverAddress.FindAllStringSubmatch(string(text), -1) {
		ts.Setenv(map[string]string{"listening": "PUBLIC", "admin": "ADMIN"}[m[1]], m[2])
	}
}

// stamps gives every request a time of its own: a time signed twice is suspicious.
var stamps = func() func() string {
	next := make(chan int64, 1)
	next <- 0
	return func() string {
		last := <-next
		now := max(last+1, time.Now().UnixMilli())
		next <- now
		return strconv.FormatInt(now, 10)
	}
}()

// sendWebhook sends a webhook of company 82 as the vendor does and checks the answer:
// `webhook PATH SECRET BODY STATUS [TEXT]`. A SECRET of the form again:STAMP:SECRET signs a time of its own.
func sendWebhook(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 4 {
		ts.Fatalf("usage: webhook PATH SECRET BODY STATUS [TEXT]")
	}
	key, stamp := args[1], stamps()
	if rest, again := strings.CutPrefix(key, "again:"); again {
		name, secret, _ := strings.Cut(rest, ":")
		key = secret
		if kept := ts.Getenv("STAMP_" + name); kept != "" {
			stamp = kept
		}
		ts.Setenv("STAMP_"+name, stamp)
	}
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = io.WriteString(mac, "82"+stamp)
	req, err := http.NewRequest(http.MethodPost, ts.Getenv("PUBLIC")+args[0], bytes.NewReader([]byte(args[2])))
	ts.Check(err)
	req.Header = http.Header{"tenant_id": {"82"}, "timestamp": {stamp}, "access_token": {hex.EncodeToString(mac.Sum(nil))}}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	ts.Check(err)
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	ts.Check(resp.Body.Close())
	if strconv.Itoa(resp.StatusCode) != args[3] || len(args) > 4 && !strings.Contains(string(body), args[4]) {
		ts.Fatalf("answered with %d %s", resp.StatusCode, body)
	}
}

// fetchURL gets an address and checks the answer: `geturl URL STATUS [TEXT]`.
func fetchURL(ts *testscript.TestScript, _ bool, args []string) {
	req, err := http.NewRequest(http.MethodGet, args[0], nil)
	ts.Check(err)
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	ts.Check(err)
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	ts.Check(resp.Body.Close())
	if strconv.Itoa(resp.StatusCode) != args[1] || len(args) > 2 && !strings.Contains(string(body), args[2]) {
		ts.Fatalf("answered with %d %s", resp.StatusCode, body)
	}
}

// flipByte spoils one byte of a file behind a text in it, in all places: `flip FILE TEXT`.
func flipByte(ts *testscript.TestScript, _ bool, args []string) {
	b, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	if !bytes.Contains(b, []byte(args[1])) {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	spoilt := []byte(args[1])
	spoilt[0] ^= 1
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), bytes.ReplaceAll(b, []byte(args[1]), spoilt), 0o600))
}
