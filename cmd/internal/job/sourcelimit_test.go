package job

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/all"
	"github.com/sluicehq/sluice/connector/connectortest"
	"github.com/sluicehq/sluice/connector/nx"
	nxsandbox "github.com/sluicehq/sluice/connector/nx/sandbox"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// A query that the CRM throttles tells the host until when it waits, each time once, and that it goes on. Waits for other
// reasons are not told.
func TestSourceTellsOfThrottles(t *testing.T) {
	for _, tc := range []struct{ faults, want string }{
		{"", "STARTED RUNNING 18 COMPLETE"},
		{"429@7s=x1", "STARTED limited@7s RUNNING 18 COMPLETE"},
		{"429@7s=x2", "STARTED limited@7s limited@7s RUNNING 18 COMPLETE"},
		{"429@90s=every2", "STARTED RUNNING 7 limited@1m30s RUNNING 7 limited@1m30s RUNNING 4 limited@1m30s RUNNING COMPLETE"}, // the last page is empty
		{"503=x6", "STARTED RUNNING 18 COMPLETE"},
		{"drop-before=x6", "STARTED RUNNING 18 COMPLETE"},
	} {
		t.Run(tc.faults, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, err := sandbox.ParseFaults(tc.faults)
				if err != nil {
					t.Fatal(err)
				}
				crm := nxsandbox.New(nxsandbox.Options{}).Cloud
				config := fillCloud(t, crm, 18)
				server := sandbox.New(sandbox.Options{Clock: time.Now, Faults: f}, crm)
				code, lines := source(t, airbyteSource(all.Vendors, sandbox.Transport(server)), "read", config, catalogOf("contacts"), "")
				if got := courseOf(t, lines); code != 0 || got != tc.want {
					t.Errorf("exit code %d\ngot  %s\nwant %s", code, got, tc.want)
				}
			})
		})
	}
}

// fillCloud puts n customers into the CRM and returns a configuration that reads them by sevens.
func fillCloud(t *testing.T, crm sandbox.Service, n int) string {
	t.Helper()
	account := fmt.Sprintf(`"access_key":%q,"access_secret":%q,"tenant_id":%d,"app_key":%q,"page_size":7`,
		nxsandbox.AccessKey, nxsandbox.AccessSecret, nxsandbox.TenantID, nxsandbox.AppKey)
	cfg := nx.NXCloud.Source.NewConfig()
	if err := json.Unmarshal([]byte("{"+account+"}"), cfg); err != nil {
		t.Fatal(err)
	}
	signer, err := nx.NXCloud.Source.Puller(cfg, "contacts")
	if err != nil {
		t.Fatal(err)
	}
	customers := make([]string, n)
	for i := range customers {
		customers[i] = fmt.Sprintf(`{"full_name":"P %d","whats_app_phone":"86%09d"}`, i, i)
	}
	req := &connector.Request{Method: http.MethodPost, URL: "https://api-hk.nxlink.ai/saas/cdp/openapi/customers/batch_create", Header: http.Header{},
		Body: fmt.Appendf(nil, `{"type":1,"tenant_id":%d,"app_key":%q,"customers":[%s]}`, nxsandbox.TenantID, nxsandbox.AppKey, strings.Join(customers, ","))}
	if resp := connectortest.Send(t, signer, sandbox.Transport(sandbox.New(sandbox.Options{Clock: time.Now}, crm)), time.Now(), req); resp.Status != http.StatusOK {
		t.Fatalf("%d %s", resp.Status, resp.Body)
	}
	return `{"crm":{"vendor":"nxcloud",` + account + `},"delivery":{"requests_per_second":100000}}`
}

// courseOf is a read of one stream in short: its statuses, a wait for the CRM's limit with its length, and how many records
// came in between.
func courseOf(t *testing.T, lines []string) string {
	t.Helper()
	var words []string
	records := 0
	for _, l := range lines {
		var m struct {
			Type  string
			Trace struct {
				Emitted int64 `json:"emitted_at"`
				Status  struct {
					Status  string
					Reasons []struct {
						Type    string
						Limited struct {
							Reset int64 `json:"quota_reset"`
						} `json:"rate_limited"`
					}
				} `json:"stream_status"`
			}
		}
		if err := json.Unmarshal([]byte(l), &m); err != nil {
			t.Fatalf("%v: %s", err, l)
		}
		if m.Type == "RECORD" {
			records++
		}
		if m.Type != "TRACE" {
			continue
		}
		if records > 0 {
			words, records = append(words, fmt.Sprint(records)), 0
		}
		word := m.Trace.Status.Status
		if r := m.Trace.Status.Reasons; len(r) == 1 && r[0].Type == "RATE_LIMITED" && word == "RUNNING" {
			word = fmt.Sprintf("limited@%v", time.Duration(r[0].Limited.Reset-m.Trace.Emitted)*time.Millisecond)
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}
