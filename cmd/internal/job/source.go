package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"

	"github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/deliver"
	"github.com/sluicehq/sluice/internal/events"
	"github.com/sluicehq/sluice/internal/inbox"
	"github.com/sluicehq/sluice/internal/receiver/client"
	"github.com/sluicehq/sluice/wire/airbyte"
)

// SourceSettings is the configuration of the Airbyte source: one account at one CRM.
type SourceSettings struct {
	CRM       config.Choice `json:"crm"`
	Inbox     config.Choice `json:"inbox"`
	Endpoints []string      `json:"endpoints"`
	OnLoss    string        `json:"on_loss"`
	Delivery  Delivery      `json:"delivery"`
}

// What on_loss may be.
const (
	lossWarn = "warn"
	lossFail = "fail"
)

// InboxFolder is `inbox` as a folder of this machine.
type InboxFolder struct {
	Path string `json:"path"`
}

// InboxReceiver is `inbox` as a receiver that is asked.
type InboxReceiver struct {
	URL      string           `json:"url"`
	Token    connector.Secret `json:"token"`
	Consumer string           `json:"consumer"`
	CAFile   string           `json:"ca_file"`
}

const (
	inboxFolder   = "folder"
	inboxReceiver = "receiver"
)

var (
	inboxFolderFields = []connector.Field{
		{Name: "path", Type: connector.TypeString, Title: "Folder", Doc: "The receiver's folder. It is only read; the receiver may be running.", Required: true, Examples: []any{"/local/sluice/inbox"}},
	}
	inboxReceiverFields = []connector.Field{
		{Name: "url", Type: connector.TypeString, Title: "Address", Doc: "The admin address of the receiver.", Required: true, Examples: []any{"https://receiver:9465"}},
		{Name: "token", Type: connector.TypeString, Title: "Token", Doc: "The admin token of the receiver.", Required: true, Secret: true},
		{Name: "consumer", Type: connector.TypeString, Title: "Consumer", Doc: "A name of this connection's own. With it the receiver keeps every webhook until a later sync begins behind it; without it webhooks go when they are old, read or not.",
			Pattern: consumerPattern, Examples: []any{"airbyte-warehouse"}},
		{Name: "ca_file", Type: connector.TypeString, Title: "CA file", Doc: "PEM file of an authority that vouches for the receiver, besides the system's.", Advanced: true},
	}
)

// SourceFields is the table of SourceSettings for these vendors; spec.json is made from it.
func SourceFields(vendors []connector.Vendor) []connector.Field {
	return []connector.Field{
		{Name: "crm", Type: connector.TypeObject, Title: "CRM", Doc: "The CRM and the account that are read.", Required: true, Discriminator: "vendor", OneOf: relayVariants(vendors)},
		{Name: "inbox", Type: connector.TypeObject, Title: "Inbox", Doc: "Where `sluice receive` keeps webhooks. Without it only streams that are queried can be read.", Discriminator: "at",
			OneOf: []connector.Variant{
				{Name: inboxReceiver, Title: "Receiver", Doc: "A running receiver is asked over its API: for sources that run in a container.", Fields: inboxReceiverFields},
				{Name: inboxFolder, Title: "Folder", Doc: "The receiver's folder is read: for sources on the same machine.", Fields: inboxFolderFields},
			}},
		{Name: "endpoints", Type: connector.TypeArray, Title: "Endpoints", Items: &connector.Field{Type: connector.TypeString},
			Examples: []any{[]any{"main"}, []any{"main/user_sync_portrait"}}, Doc: endpointsDoc, Advanced: true},
		{Name: "on_loss", Type: connector.TypeString, Title: "Lost webhooks", Default: lossWarn, Enum: []string{lossWarn, lossFail},
			Doc: "What to do where the inbox cannot give webhooks any more, because its disk was damaged or they were removed by age before they were read: warn and go on, or fail.", Advanced: true},
		{Name: "delivery", Type: connector.TypeObject, Title: "Calls", Doc: "How to call the CRM for queries.", Fields: DeliveryFields, Advanced: true},
	}
}

// account is one account at a CRM, configured to be read.
type account struct {
	SourceSettings
	vendor *connector.Vendor
	config connector.Config
	hooks  []events.Webhook // none where there is no inbox
}

func decodeAccount(ctx context.Context, data []byte, vendors []connector.Vendor) (*account, error) {
	a := &account{}
	if err := config.DecodeWith(config.Options{Literal: true, HostKeys: true}, "config", data, SourceFields(vendors), &a.SourceSettings); err != nil {
		return nil, err
	}
	var err error
	if a.vendor, a.config, err = readAccount(vendors, &a.CRM); err != nil {
		return nil, err
	}
	if onShared() {
		if err := a.checkPublic(ctx); err != nil {
			return nil, err
		}
	}
	if a.Inbox.Name == "" {
		return a, nil
	}
	if a.hooks, err = readHooks(a.vendor, a.config, ""); err != nil {
		return nil, err
	}
	if len(a.hooks) == 0 {
		return nil, connector.Configf("Leave it out", "inbox: %s sends no webhooks", a.vendor.Title)
	}
	return a, nil
}

// checkPublic refuses addresses that a shared platform must not call.
func (a *account) checkPublic(ctx context.Context) error {
	if err := checkPublicCRM(ctx, a.config); err != nil || a.Inbox.Name != inboxReceiver {
		return err
	}
	var at InboxReceiver
	if err := a.Inbox.Decode(&at); err != nil {
		return err
	}
	return checkPublic(ctx, "inbox.url", at.URL)
}

// streams lists what this account can give.
func (a *account) streams() ([]connector.Stream, error) {
	var list []connector.Stream
	for _, st := range a.vendor.Source.Streams {
		p, err := a.puller(st.Name)
		if err != nil {
			return nil, err
		}
		if p != nil || a.fed(st.Name) {
			list = append(list, st)
		}
	}
	if len(a.hooks) > 0 {
		list = append(list, events.Raw())
	}
	if len(list) == 0 {
		return nil, connector.Configf("Set inbox to where `sluice receive` keeps webhooks, or complete the account under crm so that it can be queried; docs/vendors says what each stream needs",
			"this configuration of %s has neither an inbox nor anything to query", a.vendor.Title)
	}
	return list, nil
}

// fed reports whether webhooks of the inbox feed a stream.
func (a *account) fed(stream string) bool {
	return stream == connector.StreamRawEvents || slices.ContainsFunc(a.hooks, func(w events.Webhook) bool { return slices.Contains(w.Streams, stream) })
}

// puller is the query of a stream, nil if it has none.
func (a *account) puller(stream string) (connector.Puller, error) {
	if a.vendor.Source.Puller == nil || stream == connector.StreamRawEvents {
		return nil, nil
	}
	return a.vendor.Source.Puller(a.config, stream)
}

// openInbox opens the inbox; consumer is the name that it keeps webhooks for, "": none.
func (a *account) openInbox() (log InboxStore, consumer string, err error) {
	if a.Inbox.Name == inboxFolder {
		var at InboxFolder
		if err := a.Inbox.Decode(&at); err != nil {
			return nil, "", err
		}
		r, err := inbox.OpenReader(at.Path)
		if err != nil {
			return nil, "", fmt.Errorf("inbox.path: %w", err)
		}
		return r, "", nil
	}
	var at InboxReceiver
	if err := a.Inbox.Decode(&at); err != nil {
		return nil, "", err
	}
	c, err := client.New(client.Config{URL: at.URL, Token: at.Token, CAFile: at.CAFile})
	if err != nil {
		return nil, "", fmt.Errorf("inbox: %w", err)
	}
	return c, at.Consumer, nil
}

// AirbyteSource is the source behind cmd/source-sluice, for these vendors.
func AirbyteSource(vendors []connector.Vendor) airbyte.Source {
	return airbyteSource(vendors, nil)
}

// airbyteSource takes the transport of queries, nil: that of the configuration.
func airbyteSource(vendors []connector.Vendor, transport http.RoundTripper) airbyte.Source {
	return airbyte.Source{
		Spec: spec("source"),
		Check: func(ctx context.Context, data []byte, log *slog.Logger) error {
			a, err := decodeAccount(ctx, data, vendors)
			if err != nil {
				return err
			}
			return a.check(ctx, transport, log)
		},
		Streams: func(ctx context.Context, data []byte) ([]connector.Stream, error) {
			a, err := decodeAccount(ctx, data, vendors)
			if err != nil {
				return nil, err
			}
			return a.streams()
		},
		Open: func(ctx context.Context, data []byte, from map[string]connector.Position, log *slog.Logger) (airbyte.Sync, error) {
			a, err := decodeAccount(ctx, data, vendors)
			if err != nil {
				return nil, err
			}
			s := &sourceSync{account: a, transport: transport, log: log}
			if err := s.open(ctx, from); err != nil {
				return nil, errors.Join(err, s.Close())
			}
			return s, nil
		},
	}
}

// spec is one half of spec.json.
func spec(half string) []byte {
	var halves map[string]json.RawMessage
	if err := json.Unmarshal(sluice.Spec, &halves); err != nil || halves[half] == nil {
		panic(fmt.Sprintf("spec.json: no %s: %v", half, err)) // generated and tested
	}
	return halves[half]
}

// check finds out whether the inbox can be read and whether queries are answered.
func (a *account) check(ctx context.Context, transport http.RoundTripper, log *slog.Logger) error {
	streams, err := a.streams()
	if err != nil {
		return err
	}
	var faults []error
	if len(a.hooks) > 0 {
		faults = append(faults, a.checkInbox(ctx, log))
	}
	for _, st := range streams {
		p, err := a.puller(st.Name)
		if err == nil && p == nil {
			continue
		}
		s := &sourceSync{account: a, transport: transport, log: slog.New(slog.DiscardHandler)}
		if err == nil {
			err = s.openCalls(ctx, a.vendor.Source.Check)
		}
		faults = append(faults, err, s.Close())
		break // one call tells for all
	}
	return errors.Join(faults...)
}

func (a *account) checkInbox(ctx context.Context, log *slog.Logger) error {
	box, _, err := a.openInbox()
	if err != nil {
		return err
	}
	if _, err = box.Head(ctx); err != nil {
		return errors.Join(fmt.Errorf("inbox: %w", err), box.Close())
	}
	note, _, err := a.endpoints(log).compare(ctx, box)
	if note != "" {
		log.Warn(note)
	}
	return errors.Join(err, box.Close())
}

func (a *account) endpoints(log *slog.Logger) *endpoints {
	return endpointsOf(a.vendor, a.config, a.Endpoints, log)
}

// transportOf makes the transport of queries.
func (a *account) transportOf(given http.RoundTripper) (http.RoundTripper, Delivery, error) {
	d := a.Delivery.orPace(a.vendor.Pace)
	if given != nil {
		return given, d, nil
	}
	t, err := deliver.NewTransport(d.tls(), d.Concurrency)
	if err != nil {
		return nil, d, err
	}
	if onShared() {
		onlyPublic(t)
	}
	return t, d, nil
}
