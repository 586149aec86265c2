package pull

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/connectortest"
	"github.com/sluicehq/sluice/connector/nx"
	nxsandbox "github.com/sluicehq/sluice/connector/nx/sandbox"
	"github.com/sluicehq/sluice/connector/outcall"
	ocsandbox "github.com/sluicehq/sluice/connector/outcall/sandbox"
	"github.com/sluicehq/sluice/connector/socialepoch"
	sesandbox "github.com/sluicehq/sluice/connector/socialepoch/sandbox"
	"github.com/sluicehq/sluice/internal/deliver"
	"github.com/sluicehq/sluice/internal/rows"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// crm is a vendor's sandbox with customers in it, and a stream of them.
type crm struct {
	vendor  *connector.Vendor
	stream  connector.Stream
	puller  connector.Puller
	service sandbox.Service
	key     string // column that tells the rows apart
	rows    int    // of one walk
}

// vendors are the streams that a query gives. Each has more than one page.
var vendors = map[string]func(t *testing.T) *crm{"nxcloud": cloud, "socialepoch": epoch, "outcall pool": pool, "outcall imports": imports}

func newCRM(t *testing.T, v *connector.Vendor, service sandbox.Service, stream, settings string) *crm {
	t.Helper()
	cfg := v.Source.NewConfig()
	if err := json.Unmarshal([]byte(settings), cfg); err != nil {
		t.Fatal(err)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	c := &crm{vendor: v, service: service}
	for _, s := range v.Source.Streams {
		if s.Name == stream {
			c.stream = s
		}
	}
	var err error
	if c.puller, err = v.Source.Puller(cfg, stream); err != nil || c.puller == nil {
		t.Fatal(c.puller, err)
	}
	return c
}

// fill sends a request to the sandbox, without faults.
func (c *crm) fill(t *testing.T, asker any, url, body string, header http.Header) string {
	t.Helper()
	req := &connector.Request{Method: http.MethodPost, URL: url, Header: header, Body: []byte(body)}
	resp := connectortest.Send(t, asker, sandbox.Transport(sandbox.New(sandbox.Options{Clock: time.Now, Seed: uint64(len(body))}, c.service)), time.Now(), req)
	if resp.Status != http.StatusOK {
		t.Fatalf("%d %s", resp.Status, resp.Body)
	}
	return string(resp.Body)
}

func list(n int, item func(i int) string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = item(i)
	}
	return strings.Join(all, ",")
}

func cloud(t *testing.T) *crm {
	c := newCRM(t, &nx.NXCloud, nxsandbox.New(nxsandbox.Options{}).Cloud, "contacts", fmt.Sprintf(`{"access_key":%q,"access_secret":%q,"tenant_id":%d,"app_key":%q,"page_size":7}`,
		nxsandbox.AccessKey, nxsandbox.AccessSecret, nxsandbox.TenantID, nxsandbox.AppKey))
	c.key, c.rows = "id", 45
	c.fillCloud(t, 0, c.rows-1)
	time.Sleep(time.Hour) // of the bubble's time
	c.fillCloud(t, c.rows-1, 1)
	return c
}

func (c *crm) fillCloud(t *testing.T, from, n int) {
	c.fill(t, c.puller, "https://api-hk.nxlink.ai/saas/cdp/openapi/customers/batch_create", fmt.Sprintf(`{"type":1,"tenant_id":%d,"app_key":%q,"customers":[%s]}`,
		nxsandbox.TenantID, nxsandbox.AppKey, list(n, func(i int) string {
			return fmt.Sprintf(`{"full_name":"P %d","whats_app_phone":"86%09d"}`, from+i, from+i)
		})), http.Header{})
}

func epoch(t *testing.T) *crm {
	own := []sesandbox.WhatsApp{{Tenant: sesandbox.TenantID, Number: "8613800000001", Agent: "a"},
		{Tenant: sesandbox.TenantID, Number: "8613800000002", Agent: "b"}, {Tenant: sesandbox.TenantID, Number: "8613800000003", Agent: "c"}}
	service := sesandbox.New(sesandbox.Options{Query: sesandbox.Query{Accounts: own, ContactNumber: true}})
	c := newCRM(t, &socialepoch.SocialEpoch, service, "contacts", fmt.Sprintf(`{"tenant_id":%d,"api_key":%q,"whatsapp_accounts":["8613800000001","8613800000002","8613800000003"]}`,
		sesandbox.TenantID, sesandbox.APIKey))
	c.key, c.rows = "contact_id", 40
	c.fill(t, c.puller, "https://api.socialepoch.com/wscrm-bus-api/customer/api/batchImport", fmt.Sprintf(`{"tenantId":%d,"data":[%s]}`, sesandbox.TenantID,
		list(c.rows, func(i int) string {
			return fmt.Sprintf(`{"agentAccount":%q,"whatsApp":"86139%08d","friendName":"F"}`, own[i%2].Agent, i) // the third has none
		})), http.Header{"Content-Type": {"application/json"}})
	return c
}

const ocURL = "https://ai.api.longlonglong.cn/agent-api/user/" + ocsandbox.UserID + "/task/" + ocsandbox.TaskID + "/async_number"

var ocHeader = http.Header{"Authorization": {"Bearer " + ocsandbox.Token}, "Content-Type": {"application/json"}}

func submit(t *testing.T, c *crm, from, n int) string {
	var answer struct {
		Data struct {
			ID string `json:"unique_id"`
		} `json:"data"`
	}
	body := c.fill(t, nil, ocURL, `{"data":[`+list(n, func(i int) string {
		return fmt.Sprintf(`{"phone":"130%08d","sort":0,"name":"N","sex":2}`, from+i)
	})+`]}`, ocHeader.Clone())
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Data.ID
}

func pool(t *testing.T) *crm {
	c := newCRM(t, &outcall.Vendor, ocsandbox.New(ocsandbox.Options{}), "contacts", fmt.Sprintf(`{"user_id":%q,"token":%q,"page_size":6}`, ocsandbox.UserID, ocsandbox.Token))
	c.key, c.rows = "phone", 40
	submit(t, c, 0, c.rows)
	time.Sleep(ocsandbox.ImportDelay) // of the bubble's time
	return c
}

func imports(t *testing.T) *crm {
	service := ocsandbox.New(ocsandbox.Options{})
	c := &crm{service: service}
	first, second := submit(t, c, 0, 3), submit(t, c, 3, 4)
	time.Sleep(2 * ocsandbox.ImportDelay)
	c = newCRM(t, &outcall.Vendor, service, "imports", fmt.Sprintf(`{"user_id":%q,"token":%q,"imports":[{"unique_id":%q},{"unique_id":"nobody"},{"unique_id":%q}]}`,
		ocsandbox.UserID, ocsandbox.Token, first, second))
	c.key, c.rows = "unique_id", 3
	return c
}

// reader reads the stream through faults.
func (c *crm) reader(t *testing.T, mem memory.Allocator, faults string, o Config) (*Reader, *sandbox.Server) {
	t.Helper()
	f, err := sandbox.ParseFaults(faults)
	if err != nil {
		t.Fatal(err)
	}
	server := sandbox.New(sandbox.Options{Seed: 3, Clock: time.Now, Faults: f}, c.service)
	o.Vendor, o.Stream, o.Puller, o.Alloc = c.vendor.Name, c.stream, c.puller, mem
	if o.Caller == nil {
		o.Caller = deliver.NewCaller(deliver.Config{Transport: sandbox.Transport(server), Timeout: 30 * time.Second})
	}
	return New(o), server
}

// told is what a reader gave.
type told struct {
	keys      []string
	positions []connector.Position
	behind    []int // rows read when the position came
}

// read reads until the reader ends or stop says so.
func (c *crm) read(ctx context.Context, r *Reader, stop func(told) bool) (got told, err error) {
	for {
		b, err := r.Read(ctx)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return got, err
		}
		for i := range b.NumRows() {
			var row map[string]any
			if err := json.Unmarshal(rows.AppendJSON(nil, b.Rows, i), &row); err != nil {
				return got, err
			}
			got.keys = append(got.keys, fmt.Sprint(row[c.key]))
		}
		if b.Rows != nil {
			b.Rows.Release()
		}
		if b.Pos != nil {
			got.positions, got.behind = append(got.positions, b.Pos), append(got.behind, len(got.keys))
		}
		if err := r.Ack(ctx, connector.Settled{Pos: b.Pos, Rows: b.NumRows()}); err != nil {
			return got, err
		}
		if stop != nil && stop(got) {
			return got, nil
		}
	}
}
