package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/deliver"
	"github.com/sluicehq/sluice/internal/events"
	"github.com/sluicehq/sluice/internal/inbox"
	"github.com/sluicehq/sluice/internal/pull"
	"github.com/sluicehq/sluice/internal/receiver/client"
	"github.com/sluicehq/sluice/internal/rows"
)

// defaultEvery is the time between two walks of a query.
const defaultEvery = 5 * time.Minute

// FromVendor is `from: {vendor: …}`: a stream of a CRM.
type FromVendor struct {
	CRM       config.Choice    `json:"crm"`
	Stream    string           `json:"stream"`
	Every     Duration         `json:"every"`
	Inbox     string           `json:"inbox"`
	Receiver  string           `json:"receiver"`
	Token     connector.Secret `json:"receiver_token"`
	CAFile    string           `json:"receiver_ca_file"`
	Consumer  string           `json:"consumer"`
	OnLoss    string           `json:"on_loss"`
	Endpoints []string         `json:"endpoints"`
	Delivery  Delivery         `json:"delivery"`
}

func fromVendorFields(vendors []connector.Vendor) []connector.Field {
	return []connector.Field{
		{Name: "crm", Type: connector.TypeObject, Title: "CRM", Doc: "The CRM and the account that are read.", Required: true, Discriminator: "vendor", OneOf: relayVariants(vendors)},
		{Name: "stream", Type: connector.TypeString, Title: "Stream", Doc: "What is read: a stream of that CRM, such as contacts or profile_changes.", Required: true, Examples: []any{"contacts", "profile_changes"}},
		{Name: "every", Type: connector.TypeString, Title: "Interval", Doc: "With --follow, how long a query rests from its end to its next begin.", Pattern: durationPattern, Default: "5m"},
		{Name: "inbox", Type: connector.TypeString, Title: "Inbox", Doc: "For streams of webhooks: the receiver's folder, if this machine has it. A relative path starts at the pipeline file's folder."},
		{Name: "receiver", Type: connector.TypeString, Title: "Receiver", Doc: "For streams of webhooks: the admin address of the receiver, if its folder is on another machine.", Examples: []any{"https://receiver:9465"}},
		{Name: "receiver_token", Type: connector.TypeString, Title: "Receiver's token", Doc: "The admin token of the receiver.", Secret: true},
		{Name: "receiver_ca_file", Type: connector.TypeString, Title: "Receiver's CA file", Doc: "PEM file of an authority that vouches for the receiver, besides the system's.", Advanced: true},
		{Name: "consumer", Type: connector.TypeString, Title: "Consumer", Pattern: consumerPattern, Examples: []any{"relay-crm"}, Advanced: true,
			Doc: "The name under which the receiver keeps webhooks until this pipeline has settled them. Without it: one made of what the pipeline reads and writes. `sluice inbox forget` ends that."},
		{Name: "on_loss", Type: connector.TypeString, Title: "Lost webhooks", Default: lossFail, Enum: []string{lossFail, lossWarn}, Advanced: true,
			Doc: "What to do where the inbox cannot give webhooks any more, because they were removed by age or size before they were read or its disk was damaged: fail, or warn and go on."},
		{Name: "endpoints", Type: connector.TypeArray, Title: "Endpoints", Items: &connector.Field{Type: connector.TypeString},
			Examples: []any{[]any{"main"}, []any{"main/user_sync_portrait"}}, Advanced: true, Doc: endpointsDoc},
		{Name: "delivery", Type: connector.TypeObject, Title: "Calls", Doc: "How to call the CRM for queries.", Fields: DeliveryFields, Advanced: true},
	}
}

// relayVariants lists the vendors that give something back.
func relayVariants(vendors []connector.Vendor) []connector.Variant {
	var out []connector.Variant
	for _, v := range vendors {
		if v.Source != nil {
			out = append(out, connector.Variant{Name: v.Name, Title: v.Title, Doc: v.Doc, Fields: v.Source.Fields})
		}
	}
	return out
}

// Source is one stream of one configured account.
type Source struct {
	Vendor *connector.Vendor
	Config connector.Config
	Stream connector.Stream

	from      *FromVendor
	puller    connector.Puller // nil: the stream comes from webhooks
	hooks     []events.Webhook
	delivery  Delivery
	transport http.RoundTripper
	inbox     InboxStore // given by a test; nil: what the configuration names
	log       *slog.Logger
}

// newSource checks the settings, and asks the CRM for what they leave to it unless s.Offline.
func (f *FromVendor) newSource(ctx context.Context, vendors []connector.Vendor, s Settings) (*Source, error) {
	src := &Source{from: f, log: s.Log, transport: s.Transport}
	if src.log == nil {
		src.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if src.Vendor, src.Config, err = readAccount(vendors, &f.CRM); err != nil {
		return nil, err
	}
	src.delivery = f.Delivery.orPace(src.Vendor.Pace)
	if src.transport == nil {
		t, err := deliver.NewTransport(src.delivery.tls(), src.delivery.Concurrency)
		if err != nil {
			return nil, err
		}
		src.transport = t
	}
	if src.log.Enabled(ctx, slog.LevelDebug) {
		src.transport = traced{src.transport, src.log}
	}
	if err := src.choose(f.Stream); err != nil {
		return nil, err
	}
	if s.Offline || src.puller == nil || src.Vendor.Source.Lookup == nil {
		return src, nil
	}
	if err := src.probe(ctx, src.Vendor.Source.Lookup); err != nil {
		return nil, err
	}
	return src, src.choose(f.Stream) // the look-up may have completed what the query knows
}

// choose finds the stream and what gives it.
func (s *Source) choose(name string) error {
	source, names := s.Vendor.Source, []string{}
	for _, st := range source.Streams {
		names = append(names, st.Name)
		if st.Name == name {
			s.Stream = st
		}
	}
	if s.Stream.Name == "" {
		return connector.Configf("Use one of "+strings.Join(names, ", "), "%s has no stream %q", s.Vendor.Title, name)
	}
	var err error
	if source.Puller != nil {
		if s.puller, err = source.Puller(s.Config, name); err != nil {
			return err
		}
	}
	if s.hooks, err = readHooks(s.Vendor, s.Config, name); err != nil {
		return err
	}
	switch named := s.from.Inbox != "" || s.from.Receiver != "" || s.inbox != nil; {
	case s.puller != nil && named:
		return connector.Configf("Leave `inbox` and `receiver` out", "the stream %s of %s comes from a query, not from webhooks", name, s.Vendor.Title)
	case s.puller != nil:
	case len(s.hooks) == 0:
		return connector.Configf("Complete the account's settings under `crm:`; `docs/vendors` says which the stream needs", "the settings of %s have nothing to ask for the stream %s with", s.Vendor.Title, name)
	case !named:
		return connector.Configf("Set `inbox` to the folder of `sluice receive`, or `receiver` and `receiver_token` to its address and token", "the stream %s of %s comes from webhooks", name, s.Vendor.Title)
	case s.from.Consumer != "" && s.from.Receiver == "":
		return connector.Configf("Leave it out, or set `receiver` in place of `inbox`", "`consumer` is set, and the owner of a folder hears nothing of its readers")
	case s.from.Inbox != "" && s.from.Receiver != "":
		return connector.Configf("Keep one of them", "`inbox` and `receiver` are both set")
	}
	return nil
}

// Events reports whether the rows are changes that the CRM told, rather than states that it was asked for.
func (s *Source) Events() bool { return s.puller == nil }

// side names what is asked for rows.
func (s *Source) side() string {
	switch {
	case s.puller != nil:
		return s.Vendor.Title
	case s.from.Receiver != "":
		return "the receiver " + s.from.Receiver
	}
	return "the inbox " + s.from.Inbox
}

// Check makes the vendor's harmless call, or looks whether the inbox can be read.
func (s *Source) Check(ctx context.Context) error {
	if s.puller != nil {
		if s.Vendor.Source.Check == nil {
			return nil
		}
		return s.probe(ctx, s.Vendor.Source.Check)
	}
	log, err := s.openInbox()
	if err != nil {
		return err
	}
	_, err = log.Head(ctx)
	return errors.Join(err, log.Close())
}

// checkEndpoints says what of `endpoints` the inbox does not have, "" if nothing.
func (s *Source) checkEndpoints(ctx context.Context) (note string, err error) {
	if s.puller != nil {
		return "", nil
	}
	log, err := s.openInbox()
	if err != nil {
		return "", err
	}
	note, _, err = s.endpoints().compare(ctx, log)
	return note, errors.Join(err, log.Close())
}

func (s *Source) endpoints() *endpoints {
	return endpointsOf(s.Vendor, s.Config, s.from.Endpoints, s.log)
}

func (s *Source) probe(ctx context.Context, of func(connector.Config) (connector.Probe, error)) error {
	p, err := of(s.Config)
	if p == nil || err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return deliver.Probe(ctx, s.transport, p)
}

func (s *Source) openInbox() (InboxStore, error) {
	switch {
	case s.inbox != nil:
		return s.inbox, nil
	case s.from.Receiver != "":
		return client.New(client.Config{URL: s.from.Receiver, Token: s.from.Token, CAFile: s.from.CAFile})
	}
	return inbox.OpenReader(s.from.Inbox)
}

// reader makes the reader of the stream: fields are the columns that a mapping of states reads.
func (s *Source) reader(fields []string, follow bool) (connector.Reader, error) {
	if s.puller != nil {
		c := pull.Config{Vendor: s.Vendor.Name, Stream: s.Stream, Puller: s.puller, Schema: rows.RawSchema(fields), Log: s.log, Alloc: memory.DefaultAllocator}
		c.Caller = deliver.NewCaller(deliver.Config{
			Transport: s.transport, Concurrency: s.delivery.Concurrency, RequestsPerSecond: s.delivery.RequestsPerSecond,
			Timeout: s.delivery.Timeout.D(), OutageLimit: s.delivery.OutageLimit.D(), Log: s.log,
		})
		if follow {
			c.Follow = max(s.from.Every.D(), time.Second)
		}
		return pull.New(c), nil
	}
	log, err := s.openInbox()
	if err != nil {
		return nil, err
	}
	e := s.endpoints()
	return inboxReader{events.New(events.Config{
		Log: log, Stream: s.Stream, Vendor: s.Vendor.Name, Webhooks: s.hooks, Endpoint: e.choose(), Await: e.await(log), Follow: follow,
		Strict: s.from.OnLoss == lossFail, Logger: s.log, Alloc: memory.DefaultAllocator,
	}), log}, nil
}

// inboxReader closes the inbox with the reader.
type inboxReader struct {
	*events.Reader
	log inbox.Log
}

func (r inboxReader) Close() error { return errors.Join(r.Reader.Close(), r.log.Close()) }

// Close frees idle connections.
func (s *Source) Close() {
	if c, ok := s.transport.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// identity names the stream and the account by the settings that are no secret.
func (s *Source) identity() (string, error) {
	account, err := settingsOf(s.Config, s.Vendor.Source.Fields)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("stream %s of %s%s", s.Stream.Name, s.Vendor.Name, account), nil
}

// settingsOf lists the settings that tell accounts apart.
func settingsOf(cfg connector.Config, fields []connector.Field) (string, error) {
	settings, err := settingsMap(cfg)
	if err != nil {
		return "", err
	}
	id := ""
	for _, field := range fields {
		if v := settings[field.Name]; !field.Secret && (field.Required || field.Name == "base_url") && v != "" {
			id += fmt.Sprintf(" %s=%v", field.Name, v)
		}
	}
	return id, nil
}

func settingsMap(cfg connector.Config) (map[string]any, error) {
	text, err := json.Marshal(cfg)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	var settings map[string]any
	if err := json.Unmarshal(text, &settings); err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	return settings, nil
}

// accountOf names an account alike whether it is read or written: by the settings that both ways demand.
func accountOf(v *connector.Vendor, cfg connector.Config) (string, error) {
	settings, err := settingsMap(cfg)
	if err != nil {
		return "", err
	}
	id := v.Name
	for _, f := range v.Fields {
		both := v.Source != nil && slices.ContainsFunc(v.Source.Fields, func(s connector.Field) bool { return s.Name == f.Name && s.Required })
		if f.Required && !f.Secret && (both || v.Source == nil) {
			id += fmt.Sprintf(" %s=%v", f.Name, settings[f.Name])
		}
	}
	return id, nil
}
