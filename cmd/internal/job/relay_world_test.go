package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/all"
	nxsandbox "github.com/sluicehq/sluice/connector/nx/sandbox"
	sesandbox "github.com/sluicehq/sluice/connector/socialepoch/sandbox"
	"github.com/sluicehq/sluice/internal/events"
	"github.com/sluicehq/sluice/internal/inbox"
	"github.com/sluicehq/sluice/internal/pipeline"
	"github.com/sluicehq/sluice/internal/reject"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// pair is two CRMs and a relay each way: SocialEpoch tells of changes by webhook, NXCloud is asked what it holds.
type pair struct {
	t     *testing.T
	dir   string
	se    *sesandbox.Service
	nx    *nxsandbox.Service
	rt    http.RoundTripper // to both
	clean http.RoundTripper // to both, without faults
	box   *inbox.Inbox
	hooks []events.Webhook

	forgetful bool // the relays run without their memory

	there, back *relay // SocialEpoch → NXCloud, NXCloud → SocialEpoch
}

// relay is one of the two.
type relay struct {
	*pair
	target  *Target
	input   *Input
	pos     connector.Position
	follow  bool
	rejects memoryRejects
	refuses bool        // rows may be rejected
	letters *reject.Dir // where rejects go; nil: rejects
	path    string
	total   pipeline.Report
	echoes  int64
}

const (
	relayPeople = 4
	retention   = 720 * time.Hour // of the inbox, when it is trimmed
)

func number(i int) string { return fmt.Sprintf("8613800000%03d", i) }

// relayed are the fields that both relays carry, by their name at each vendor.
var relayed = []struct{ canonical, se, nx string }{{"full_name", "friendName", "full_name"}, {"email", "email", "email"}, {"address", "address", "address"}, {"remark", "desc", "remark"}}

func newPair(t *testing.T, seed uint64, faults string, o sesandbox.Webhooks) *pair {
	t.Helper()
	p := &pair{t: t, dir: t.TempDir(), nx: nxsandbox.New(nxsandbox.Options{}).Cloud}
	o.Portrait, o.Imports, o.Seed = "http://hear.test/user_sync_portrait", true, seed
	o.Client = &http.Client{Transport: sandbox.Transport(http.HandlerFunc(p.receive))}
	p.se = sesandbox.New(sesandbox.Options{Webhooks: o})
	f, err := sandbox.ParseFaults(faults)
	if err != nil {
		t.Fatal(err)
	}
	p.rt = sandbox.Transport(sandbox.New(sandbox.Options{Seed: seed, Clock: time.Now, Faults: f}, p.se, p.nx))
	p.clean = sandbox.Transport(sandbox.New(sandbox.Options{Clock: time.Now}, p.se, p.nx))
	if p.box, err = inbox.Open(t.Context(), inbox.Options{Dir: filepath.Join(p.dir, "inbox"), Clock: time.Now, MaxAge: retention}); err != nil {
		t.Fatal(err)
	}
	p.there = p.relay("there.yaml", fmt.Sprintf(`
from:
  vendor:
    crm: {socialepoch: {tenant_id: %d, webhook_secrets: [%q]}}
    stream: profile_changes
    inbox: inbox
to:
  nxcloud: {access_key: %q, access_secret: %q, tenant_id: %d, app_key: %q}
`, sesandbox.TenantID, sesandbox.WebhookSecret, nxsandbox.AccessKey, nxsandbox.AccessSecret, nxsandbox.TenantID, nxsandbox.AppKey))
	p.back = p.relay("back.yaml", fmt.Sprintf(`
from:
  vendor:
    crm: {nxcloud: {access_key: %q, access_secret: %q, tenant_id: %d, app_key: %q}}
    stream: contacts
to:
  socialepoch: {tenant_id: %d, api_key: %q, default_owner: %q}
`, nxsandbox.AccessKey, nxsandbox.AccessSecret, nxsandbox.TenantID, nxsandbox.AppKey, sesandbox.TenantID, sesandbox.APIKey, sesandbox.Agent))
	p.hooks = p.there.input.Source.hooks
	return p
}

const relayMapping = `
transforms:
  streams:
    "*":
      fields: {whatsapp: whatsapp, full_name: full_name, email: email, address: address, remark: remark}
echo: memory
`

func (p *pair) relay(name, text string) *relay {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	writeFile(p.t, path, strings.TrimSpace(text)+relayMapping)
	r := &relay{pair: p, path: path}
	r.load()
	return r
}

// load reads the relay's file.
func (r *relay) load() {
	r.t.Helper()
	file, _, err := LoadPipeline(r.path, all.Vendors)
	if err != nil {
		r.t.Fatal(err)
	}
	s := Settings{Transport: r.rt, Log: slog.New(slog.DiscardHandler)}
	if r.target, err = file.Target(r.t.Context(), all.Vendors, s); err != nil {
		r.t.Fatal(err)
	}
	if r.input, err = file.Input(r.t.Context(), all.Vendors, s); err != nil {
		r.t.Fatal(err)
	}
}

var emailField = regexp.MustCompile(`email: (email|\{[^}]*\})`)

// emails has the relay's mapping reject rows with longer e-mail addresses.
func (r *relay) emails(atMost int) {
	r.t.Helper()
	text, err := os.ReadFile(r.path)
	if err != nil {
		r.t.Fatal(err)
	}
	writeFile(r.t, r.path, emailField.ReplaceAllString(string(text), fmt.Sprintf("email: {from: email, max_length: %d}", atMost)))
	r.load()
	r.refuses = true
}

func (p *pair) close() {
	if err := errors.Join(p.se.Close(), p.box.Close()); err != nil {
		p.t.Error(err)
	}
}

// receive is the least that a receiver does.
func (p *pair) receive(out http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	h := p.hooks[slices.IndexFunc(p.hooks, func(h events.Webhook) bool { return "/"+h.Name == r.URL.Path })]
	if err == nil {
		_, err = h.Hook.Verify(&connector.Request{Header: r.Header, Body: body}, time.Now())
	}
	if err == nil {
		var keys []string
		items, _ := h.Hook.Split(body)
		for _, it := range items {
			keys = append(keys, it.Key)
		}
		_, err = p.box.Append(context.WithoutCancel(r.Context()), inbox.Request{ReceivedAt: time.Now(), Method: "POST", Body: body, Keys: keys,
			Endpoint: inbox.Endpoint{Name: "se", Vendor: "socialepoch", Account: fmt.Sprint(sesandbox.TenantID), Type: h.Name}})
	}
	reply := h.Hook.Reply(err)
	out.WriteHeader(reply.Status)
	_, _ = out.Write(reply.Body)
}

// run runs the relay once, from where it was. A run that a stop cut short keeps what it settled; lose forgets that too, as
// a process does that is killed.
func (r *relay) run(ctx context.Context, lose bool) pipeline.Report {
	r.t.Helper()
	gate, err := r.input.Gate(r.t.Context(), r.target)
	if err != nil {
		r.t.Fatal(err)
	}
	if r.forgetful {
		if err := gate.Close(); err != nil {
			r.t.Error(err)
		}
		gate = nil
	}
	reader, err := r.input.Reader(r.target, r.follow)
	if err != nil {
		r.t.Fatal(err)
	}
	in := Run{Reader: reader, From: r.pos, Rejects: &r.rejects, Gate: gate}
	if r.letters != nil {
		in.Rejects = r.letters
	}
	report, _, err := r.target.Run(ctx, in)
	if err != nil && ctx.Err() == nil {
		r.t.Fatalf("%s: %v", r.target.Vendor.Name, err)
	}
	if report.Position != nil && !lose {
		r.pos = report.Position
	}
	r.total.Delivered += report.Delivered
	if gate == nil {
		return report
	}
	r.echoes += gate.Dropped()
	if err := errors.Join(report.Balanced(), gate.Close()); err != nil {
		r.t.Error(err)
	}
	if report.Filtered < gate.Dropped() || report.Rejected > 0 && !r.refuses {
		r.t.Errorf("%+v, %d echoes", report, gate.Dropped())
	}
	return report
}

// drain waits until every webhook has arrived.
func (p *pair) drain() {
	p.t.Helper()
	if err := p.se.Drain(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
}

// settle runs both relays until neither has anything to write, and returns how many rounds that took.
func (p *pair) settle() int {
	p.t.Helper()
	for round := range 12 {
		p.drain()
		n := p.there.run(p.t.Context(), false).Delivered
		time.Sleep(time.Second)
		p.drain()
		n += p.back.run(p.t.Context(), false).Delivered
		time.Sleep(time.Minute) // of the bubble's time: the interval of the queries
		if n == 0 {
			return round
		}
	}
	p.t.Fatalf("the relays write on and on: SocialEpoch %v, NXCloud %v", p.seHolds(), p.nxHolds())
	return 0
}

// seHolds is what SocialEpoch holds of the relayed fields, by number and canonical field.
func (p *pair) seHolds() map[string]string {
	all := map[string]string{}
	for _, c := range p.se.State().Contacts {
		for _, f := range relayed {
			if v := c.Fields[f.se]; v != "" {
				all[c.Number+" "+f.canonical] = v
			}
		}
	}
	return all
}

func (p *pair) nxHolds() map[string]string {
	all := map[string]string{}
	for _, scope := range p.nx.State().Scopes {
		for _, r := range scope.Records {
			for _, f := range relayed {
				if v := r.Fields[f.nx]; v != "" {
					all[r.Fields["whats_app_phone"]+" "+f.canonical] = v
				}
			}
		}
	}
	return all
}

// differs tells where the two sides do, "" if nowhere.
func (p *pair) differs() string {
	se, nx := p.seHolds(), p.nxHolds()
	if maps.Equal(se, nx) {
		return ""
	}
	return fmt.Sprintf("SocialEpoch holds\n%s\nNXCloud holds\n%s", lines(se), lines(nx))
}

func lines(m map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(&b, "%s = %s\n", k, m[k])
	}
	return b.String()
}

// inSE is an agent's change in SocialEpoch's client.
func (p *pair) inSE(who, field int, value string) {
	p.t.Helper()
	if err := p.se.Change(sesandbox.Change{Agent: sesandbox.Agent, Number: number(who), Field: relayed[field].se, Value: value}); err != nil {
		p.t.Fatal(err)
	}
}

// inNX is a change in NXCloud by somebody else. A write needs a name: without one, it is the one that is there.
func (p *pair) inNX(who int, fields string) {
	p.t.Helper()
	if !strings.Contains(fields, "full_name") {
		fields += fmt.Sprintf(`,"full_name":%q`, p.nxHolds()[number(who)+" full_name"])
	}
	req := &connector.Request{Method: http.MethodPost, URL: "https://api-hk.nxlink.ai/saas/cdp/openapi/customers/batch_create", Header: http.Header{},
		Body: fmt.Appendf(nil, `{"type":1,"tenant_id":%d,"app_key":%q,"customers":[{"whats_app_phone":%q%s}]}`, nxsandbox.TenantID, nxsandbox.AppKey, number(who), fields)}
	signer := p.back.input.Source.puller.(connector.Signer)
	if err := signer.Sign(req, time.Now()); err != nil {
		p.t.Fatal(err)
	}
	hr, err := http.NewRequestWithContext(p.t.Context(), req.Method, req.URL, strings.NewReader(string(req.Body)))
	if err != nil {
		p.t.Fatal(err)
	}
	hr.Header = req.Header
	resp, err := p.clean.RoundTrip(hr)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); !strings.Contains(string(body), `"code":0`) {
		p.t.Fatalf("%s", body)
	}
}
