package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// postURL posts a text and wants it taken: `posturl URL BODY`.
func postURL(ts *testscript.TestScript, _ bool, args []string) {
	req, err := http.NewRequest(http.MethodPost, args[0], strings.NewReader(args[1]))
	ts.Check(err)
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	ts.Check(err)
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	ts.Check(resp.Body.Close())
	if resp.StatusCode != http.StatusOK {
		ts.Fatalf("answered with %d %s", resp.StatusCode, body)
	}
}

// waitHeld waits until the sandbox of a vendor holds a text: `waitheld VENDOR TEXT`.
func waitHeld(ts *testscript.TestScript, _ bool, args []string) {
	for {
		text, err := json.Marshal(worldOf(ts).server.State()[args[0]])
		ts.Check(err)
		if bytes.Contains(text, []byte(args[1])) {
			return
		}
		<-time.After(20 * time.Millisecond)
	}
}
