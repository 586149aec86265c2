package outcall_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/connectortest"
	"github.com/sluicehq/sluice/connector/outcall"
	crm "github.com/sluicehq/sluice/connector/outcall/sandbox"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/sandbox"
)

var source = outcall.Vendor.Source

func TestStreams(t *testing.T) { connectortest.Streams(t, source) }

// office is a sandbox whose clock the test moves.
type office struct {
	t       testing.TB
	service *crm.Service
	rt      http.RoundTripper
	now     time.Time
}

func newOffice(t testing.TB) *office {
	o := &office{t: t, service: crm.New(crm.Options{}), now: time.Date(2026, 1, 6, 12, 0, 0, 0, time.UTC)}
	o.rt = sandbox.Transport(sandbox.New(sandbox.Options{Clock: func() time.Time { return o.now }, Seed: 5}, o.service))
	return o
}

// submit sends numbers and gives the id of their import, which is done after crm.ImportDelay.
func (o *office) submit(members string, numbers ...string) string {
	o.t.Helper()
	data := make([]string, len(numbers))
	for i, n := range numbers {
		data[i] = fmt.Sprintf(`{"phone":%q,"sort":0,"name":"N %s","sex":2,"extra":"x%d"}`, n, n, i)
	}
	req := &connector.Request{
		Method: http.MethodPost, URL: "https://ai.api.longlonglong.cn/agent-api/user/" + crm.UserID + "/task/" + crm.TaskID + "/async_number",
		Header: http.Header{"Authorization": {"Bearer " + crm.Token}, "Content-Type": {"application/json"}},
		Body:   fmt.Appendf(nil, `{%s"data":[%s]}`, members, strings.Join(data, ",")),
	}
	var answer struct {
		Data struct {
			ID string `json:"unique_id"`
		} `json:"data"`
	}
	resp := connectortest.Send(o.t, nil, o.rt, o.now, req)
	if err := json.Unmarshal(resp.Body, &answer); err != nil || answer.Data.ID == "" {
		o.t.Fatalf("%s", resp.Body)
	}
	return answer.Data.ID
}

func sourceConfig(t testing.TB, settings map[string]any) connector.Config {
	t.Helper()
	values := map[string]any{"user_id": crm.UserID, "token": crm.Token}
	for name, v := range settings {
		values[name] = v
	}
	data, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	cfg := source.NewConfig()
	if err := config.Decode("test", data, source.Fields, cfg); err != nil {
		t.Fatal(err)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func puller(t testing.TB, stream string, settings map[string]any) connector.Puller {
	t.Helper()
	p, err := source.Puller(sourceConfig(t, settings), stream)
	if err != nil || p == nil {
		t.Fatal(p, err)
	}
	return p
}

// walk reads from a position to the end; before is called ahead of each page.
func (o *office) walk(p connector.Puller, stream string, from connector.Position, before func()) (rows []connectortest.Row, pages []connector.Position) {
	o.t.Helper()
	sink := connectortest.NewSink(o.t, source)
	for range 1000 {
		before()
		page, out, err := connectortest.Ask(o.t, p, o.rt, o.now, from, sink)
		if err != nil || out.Verdict != connector.VerdictDelivered {
			o.t.Fatalf("%+v %v", out, err)
		}
		pages = append(pages, page.Next)
		if from = page.Next; !page.More {
			sink.Close()
			return sink.Rows[stream], pages
		}
	}
	o.t.Fatal("the walk does not end")
	return nil, nil
}

func nothing() {}

func TestSourceRefusesSettings(t *testing.T) {
	for want, settings := range map[string]map[string]any{
		"user_id is missing":                        {"user_id": ""},
		"token holds a blank":                       {"token": "Bearer x"},
		"sub_user_id \"7\" is not an id":            {"sub_user_id": "7"},
		"base_url \"http://crm.test\"":              {"base_url": "http://crm.test"},
		"callback_secrets[0] is too short":          {"callback_secrets": []string{"short"}},
		"callback_secrets[1] holds a blank":         {"callback_secrets": []string{"0123456789abcdef", "0123456789 abcdef"}},
		"imports[0]: unique_id \"../x\"":            {"imports": []any{map[string]any{"unique_id": "../x"}}},
		"imports[1]: unique_id \"a\" is repeated":   {"imports": []any{map[string]any{"unique_id": "a"}, map[string]any{"unique_id": "a"}}},
		"imports cannot be asked about":             {"token": "", "imports": []any{map[string]any{"unique_id": "a"}}},
		"components cannot be looked up":            {"token": "", "lookup_components": true},
		"page_size is 1001":                         {"page_size": 1001},
		"time_zone \"Moon\"":                        {"time_zone": "Moon"},
		"components: \"age\" is mapped to \"grey\"": {"components": map[string]string{"age": "grey"}},
	} {
		values := map[string]any{"user_id": crm.UserID, "token": crm.Token}
		for name, v := range settings {
			values[name] = v
		}
		data, err := json.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		cfg := source.NewConfig()
		if err := json.Unmarshal(data, cfg); err != nil {
			t.Fatal(err)
		}
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "task_id") || connector.KindOf(err) != connector.KindConfig {
			t.Errorf("%v: %v, want %q", settings, err, want)
		}
	}
}

// TestWithoutToken: a source that only hears callbacks asks nothing.
func TestWithoutToken(t *testing.T) {
	cfg := sourceConfig(t, map[string]any{"token": ""})
	for _, stream := range []string{"contacts", "imports", "import_results"} {
		if p, err := source.Puller(cfg, stream); p != nil || err != nil {
			t.Errorf("%s: %v %v", stream, p, err)
		}
	}
	if p, err := source.Check(cfg); p != nil || err != nil {
		t.Errorf("check: %v %v", p, err)
	}
	if p, err := source.Lookup(cfg); p != nil || err != nil {
		t.Errorf("look-up: %v %v", p, err)
	}
	if _, err := source.Puller(cfg, "deals"); connector.KindOf(err) != connector.KindConfig {
		t.Errorf("another stream: %v", err)
	}
	for _, err := range []error{
		second(source.Puller(outcall.Vendor.NewConfig(), "contacts")), second(source.Check(outcall.Vendor.NewConfig())), second(source.Lookup(outcall.Vendor.NewConfig())),
		second(source.Webhooks[0].Hook(outcall.Vendor.NewConfig())),
	} {
		if connector.KindOf(err) != connector.KindInternal {
			t.Errorf("an import's configuration: %v", err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestSourceCheck(t *testing.T) {
	o := newOffice(t)
	for token, kind := range map[string]connector.Kind{crm.Token: connector.KindNone, "another-token": connector.KindConfig} {
		p, err := source.Check(sourceConfig(t, map[string]any{"token": token}))
		if err != nil {
			t.Fatal(err)
		}
		var req connector.Request
		if err := p.AppendRequest(&req); err != nil {
			t.Fatal(err)
		}
		if err := p.ParseResponse(connectortest.Send(t, p, o.rt, o.now, &req)); connector.KindOf(err) != kind {
			t.Errorf("%s: %v", token, err)
		}
	}
}
