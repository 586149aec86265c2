package nx_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/connectortest"
	"github.com/sluicehq/sluice/connector/nx"
	crm "github.com/sluicehq/sluice/connector/nx/sandbox"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/sandbox"
)

var source = nx.NXCloud.Source

func TestStreams(t *testing.T) { connectortest.Streams(t, source) }

func TestLinkGivesNothingBack(t *testing.T) {
	if nx.NXLink.Source != nil {
		t.Error("the vendor documents no query on the sea path")
	}
}

// readWorld is a sandbox whose clock the test moves, with a configuration that reads it.
type readWorld struct {
	t       testing.TB
	service *crm.Service
	rt      http.RoundTripper
	server  *sandbox.Server
	now     time.Time
	cfg     connector.Config
	puller  connector.Puller
}

func newReadWorld(t testing.TB, settings map[string]any) *readWorld {
	t.Helper()
	w := &readWorld{t: t, service: crm.New(crm.Options{}).Cloud, now: time.Date(2026, 1, 6, 12, 0, 0, 0, time.UTC)}
	w.server = sandbox.New(sandbox.Options{Clock: func() time.Time { return w.now }, Seed: 5}, w.service)
	w.rt = sandbox.Transport(w.server)
	w.configure(settings)
	return w
}

func (w *readWorld) configure(settings map[string]any) {
	w.t.Helper()
	w.cfg = sourceConfig(w.t, settings)
	p, err := source.Puller(w.cfg, "contacts")
	if err != nil {
		w.t.Fatal(err)
	}
	w.puller = p
}

func sourceConfig(t testing.TB, settings map[string]any) connector.Config {
	t.Helper()
	data, err := json.Marshal(account(settings))
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

// send merges customers into the sandbox, each a JSON object.
func (w *readWorld) send(customers ...string) {
	w.t.Helper()
	req := &connector.Request{
		Method: http.MethodPost, URL: "https://api-hk.nxlink.ai/saas/cdp/openapi/customers/batch_create", Header: http.Header{},
		Body: fmt.Appendf(nil, `{"type":1,"tenant_id":144,"app_key":"sandbox=app","customers":[%s]}`, strings.Join(customers, ",")),
	}
	if resp := connectortest.Send(w.t, w.puller, w.rt, w.now, req); !strings.Contains(string(resp.Body), `"code":0`) {
		w.t.Fatalf("%s", resp.Body)
	}
}

func contactOf(i int, more string) string {
	return fmt.Sprintf(`{"full_name":"P %d","whats_app_phone":"86%09d"%s}`, i, i, more)
}

// ask reads the page at from and wants it.
func (w *readWorld) ask(from connector.Position, out connector.Rows) connector.Page {
	w.t.Helper()
	page, o, err := connectortest.Ask(w.t, w.puller, w.rt, w.now, from, out)
	if err != nil || o.Verdict != connector.VerdictDelivered || o.Message != "" {
		w.t.Fatalf("%+v %v", o, err)
	}
	return page
}

// walk reads from a position to the end; before is called ahead of each page.
func (w *readWorld) walk(from connector.Position, before func()) (rows []connectortest.Row, pages []connector.Position) {
	w.t.Helper()
	sink := connectortest.NewSink(w.t, source)
	pages = w.walkInto(from, sink, before)
	sink.Close()
	return sink.Rows["contacts"], pages
}

func (w *readWorld) walkInto(from connector.Position, out connector.Rows, before func()) (pages []connector.Position) {
	w.t.Helper()
	for range 10_000 {
		before()
		page := w.ask(from, out)
		pages = append(pages, page.Next)
		from = page.Next
		if !page.More {
			return pages
		}
	}
	w.t.Fatal("the walk does not end")
	return nil
}

func nothing() {}

func ids(rows []connectortest.Row) string {
	var all []string
	for _, r := range rows {
		all = append(all, r.Text("id"))
	}
	return strings.Join(all, " ")
}

// TestSourceRefusesSettings: each setting that would read wrongly or not at all is refused with what to do.
func TestSourceRefusesSettings(t *testing.T) {
	for want, settings := range map[string]map[string]any{
		`contract is "newest"`:         {"contract": "newest"},
		"start_time \"yesterday\"":     {"start_time": "yesterday"},
		"overlap_minutes is 0":         {"overlap_minutes": 0},
		"page_size is 51":              {"page_size": 51},
		"time_zone \"Moon\"":           {"time_zone": "Moon"},
		"tenant_id must be":            {"tenant_id": 0},
		`"vip" is mapped to "VIP"`:     {"custom_fields": map[string]string{"vip": "VIP"}},
		"base_url \"http://api.test\"": {"base_url": "http://api.test"},
		`name_order is "western"`:      {"name_order": "western"},
		"access_secret holds a blank":  {"access_secret": "a b"},
		"overlap_minutes is 12000":     {"overlap_minutes": 12000},
	} {
		data, err := json.Marshal(account(settings))
		if err != nil {
			t.Fatal(err)
		}
		cfg := source.NewConfig()
		if err = json.Unmarshal(data, cfg); err != nil {
			t.Fatal(err)
		}
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) || connector.KindOf(err) != connector.KindConfig {
			t.Errorf("%v: %v, want %q", settings, err, want)
		}
	}
	if _, err := source.Puller(sourceConfig(t, nil), "deals"); connector.KindOf(err) != connector.KindConfig {
		t.Errorf("another stream: %v", err)
	}
	for _, make := range []func() error{
		func() error { _, err := source.Puller(nx.NXLink.NewConfig(), "contacts"); return err },
		func() error { _, err := source.Check(nx.NXLink.NewConfig()); return err },
		func() error { _, err := source.Lookup(nx.NXLink.NewConfig()); return err },
	} {
		if err := make(); connector.KindOf(err) != connector.KindInternal {
			t.Errorf("another vendor's configuration: %v", err)
		}
	}
}

func TestSourceCheck(t *testing.T) {
	for _, tc := range []struct {
		settings map[string]any
		faults   string
		kind     connector.Kind
		want     string
	}{
		{nil, "", connector.KindNone, ""},
		{map[string]any{"contract": "old", "algorithm": "sha256"}, "", connector.KindNone, ""},
		{map[string]any{"access_secret": "wrong-secret"}, "", connector.KindConfig, "the signature was refused"},
		{map[string]any{"access_key": "wrong-key"}, "", connector.KindConfig, "access_key was refused"},
		{map[string]any{"app_key": "nobody"}, "", connector.KindConfig, "app_key was refused"},
		{map[string]any{"tenant_id": 9}, "", connector.KindConfig, "tenant_id was refused"},
		{nil, "429", connector.KindThrottled, "cannot answer now"},
		{nil, "503", connector.KindTransient, "cannot answer now"},
	} {
		w := newReadWorld(t, tc.settings)
		p, err := source.Check(w.cfg)
		if err != nil {
			t.Fatal(err)
		}
		var req connector.Request
		if err := p.AppendRequest(&req); err != nil {
			t.Fatal(err)
		}
		if tc.faults != "" {
			req.Header.Set(sandbox.FaultHeader, tc.faults)
		}
		err = p.ParseResponse(connectortest.Send(t, p, w.rt, w.now, &req))
		if connector.KindOf(err) != tc.kind || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v %s: %v", tc.settings, tc.faults, err)
		}
		if len(w.service.State().Scopes) > 0 && w.service.State().Records > 0 {
			t.Error("the check changed something")
		}
	}
}

// TestDisplayNames: custom fields go by the configured name, else by what the CRM calls them, else by its own name.
func TestDisplayNames(t *testing.T) {
	w := newReadWorld(t, map[string]any{"lookup_custom_fields": true, "custom_fields": map[string]string{"vip": "customize_3_17"}})
	w.send(contactOf(1, `,"customize_field":"{\"customize_1_14\":\"aa\",\"customize_3_17\":\"Web\",\"customize_9_99\":12345678901234567890.10,\"customize_2_16\":null}"`))
	lookup, err := source.Lookup(w.cfg)
	if err != nil || lookup == nil {
		t.Fatal(lookup, err)
	}
	var req connector.Request
	if err := lookup.AppendRequest(&req); err != nil {
		t.Fatal(err)
	}
	if err := lookup.ParseResponse(connectortest.Send(t, lookup, w.rt, w.now, &req)); err != nil {
		t.Fatal(err)
	}
	if w.puller, err = source.Puller(w.cfg, "contacts"); err != nil {
		t.Fatal(err)
	}
	rows, _ := w.walk(nil, nothing)
	if want := `{"会员等级":"aa","vip":"Web","customize_9_99":12345678901234567890.10}`; len(rows) != 1 || string(rows[0]["custom"]) != want {
		t.Errorf("got %s, want %s", rows[0]["custom"], want)
	}

	// Two fields of one label keep their own names; the answers that say nothing are refused.
	answer := func(body string) error {
		return lookup.ParseResponse(&connector.Response{Status: 200, Body: []byte(body)})
	}
	if err := answer(`{"code":0,"data":[{"name":"customize_1_14","display_name":"X"},{"name":"customize_9_99","display_name":"X"},{"name":"email","display_name":"Mail"}]}`); err != nil {
		t.Fatal(err)
	}
	if w.puller, err = source.Puller(w.cfg, "contacts"); err != nil {
		t.Fatal(err)
	}
	if rows, _ = w.walk(nil, nothing); string(rows[0]["custom"]) != `{"customize_1_14":"aa","vip":"Web","customize_9_99":12345678901234567890.10}` {
		t.Errorf("got %s", rows[0]["custom"])
	}
	for _, bad := range []string{`{"code":1005,"message":"no"}`, `{"code":0,"data":{"a":1}}`, `<html>`} {
		if err := answer(bad); connector.KindOf(err) != connector.KindConfig {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if p, err := source.Lookup(sourceConfig(t, nil)); p != nil || err != nil {
		t.Errorf("a look-up that nobody asked for: %v %v", p, err)
	}
}
