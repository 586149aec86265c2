package job

import (
	"bytes"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/all"
	sesandbox "github.com/sluicehq/sluice/connector/socialepoch/sandbox"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// spoilt are the vendors with queries of which two rows do not fit their stream: the tags of one are no list, and the other
// is no JSON.
func spoilt() []connector.Vendor {
	list := append([]connector.Vendor(nil), all.Vendors...)
	for i := range list {
		if list[i].Source == nil || list[i].Source.Puller == nil {
			continue
		}
		source := *list[i].Source
		source.Puller = func(cfg connector.Config, stream string) (connector.Puller, error) {
			p, err := all.Vendors[i].Source.Puller(cfg, stream)
			if p == nil || err != nil {
				return nil, err
			}
			return &spoiler{p}, nil
		}
		list[i].Source = &source
	}
	return list
}

type spoiler struct{ connector.Puller }

func (s *spoiler) Sign(req *connector.Request, now time.Time) error {
	return s.Puller.(connector.Signer).Sign(req, now)
}

func (s *spoiler) ParsePage(resp *connector.Response, from connector.Position, out connector.Rows) (connector.Page, connector.Outcome, error) {
	return s.Puller.ParsePage(resp, from, spoiling{out})
}

type spoiling struct{ connector.Rows }

func (s spoiling) AppendJSON(stream string, object []byte) error {
	if bytes.Contains(object, []byte("Person 1")) {
		object = append(bytes.TrimSuffix(bytes.Clone(object), []byte("}")), `,"tags":"vip"}`...)
	}
	if bytes.Contains(object, []byte("Person 2")) {
		object = object[:len(object)-1]
	}
	return s.Rows.AppendJSON(stream, object)
}

// The Airbyte source leaves out no row of a query: one that does not fit its stream is a record that says so.
func TestSourceUnfitQueryRows(t *testing.T) {
	w := newTold(t)
	for i := range 5 {
		w.send(fmt.Sprintf(`{"agentAccount":%q,"whatsApp":"86152666677%02d","friendName":"Person %d"}`, sesandbox.Agent, i, i))
	}
	config := fmt.Sprintf(`{"crm":{"vendor":"socialepoch","tenant_id":%d,"api_key":%q,"whatsapp_accounts":[%q],"base_url":"http://127.0.0.1:1"},"delivery":{"requests_per_second":1000}}`,
		sesandbox.TenantID, sesandbox.APIKey, sesandbox.DefaultWhatsApp.Number)
	read := func(vendors []connector.Vendor) string {
		src := airbyteSource(vendors, sandbox.Transport(sandbox.New(sandbox.Options{Clock: time.Now}, w.crm)))
		code, lines := source(t, src, "read", config, catalogOf("contacts"), "")
		if code != 0 {
			t.Errorf("exit code %d: %s", code, lines)
		}
		return strings.Join(lines, "\n")
	}
	if text := read(all.Vendors); strings.Contains(text, `"meta":`) || strings.Contains(text, "did not fit") {
		t.Errorf("rows of a sandbox do not fit: %s", text)
	}
	text := read(spoilt())
	for _, want := range []string{
		`"changes":[{"field":"tags","change":"NULLED","reason":"SOURCE_SERIALIZATION_ERROR"}]`, `"contact_id":"unreadable-`, `Person 1`, `Person 2`, "did not fit stream=contacts rows=2",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing says %s in %s", want, text)
		}
	}
	if strings.Count(text, `"type":"RECORD"`) < 5 || strings.Contains(text, `"tags":"vip"`) {
		t.Errorf("got %s", text)
	}
}

// A relay rejects a row that it cannot read, as it came. One whose fields are of other types is the mapping's matter.
func TestRelayUnfitQueryRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, 1, "", sesandbox.Webhooks{})
		defer p.close()
		p.begin()
		path := filepath.Join(p.dir, "back.yaml")
		file, _, err := LoadPipeline(path, all.Vendors)
		if err != nil {
			t.Fatal(err)
		}
		r := p.back
		if r.input, err = file.Input(t.Context(), spoilt(), Settings{Transport: p.clean, Log: slog.New(slog.DiscardHandler)}); err != nil {
			t.Fatal(err)
		}
		reader, err := r.input.Reader(r.target, false)
		if err != nil {
			t.Fatal(err)
		}
		report, _, err := r.target.Run(t.Context(), Run{Reader: reader, Rejects: &r.rejects})
		if err != nil || report.Balanced() != nil || report.Read != relayPeople || report.Rejected != 1 || report.Delivered != relayPeople-1 {
			t.Errorf("%+v, %v", report, err)
		}
		if all := r.rejects.all; len(all) != 1 || all[0].Result.Code != connector.CodeBadJSON || !all[0].Raw || !strings.Contains(string(all[0].Row), "Person 2") {
			t.Errorf("%+v", all)
		}
	})
}
