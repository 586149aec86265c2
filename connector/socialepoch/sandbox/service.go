package sandbox

import (
	"slices"
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/sandbox"
)

// Options of a Service. The zero value has DefaultAccount, no locks and no quirks.
type Options struct {
	Accounts []Account // nil: DefaultAccount alone
	// Required are the fields that the company's settings demand besides agentAccount and whatsApp (22).
	Required []string
	// Extensions are the company's extension fields; nil: DefaultExtensions.
	Extensions []Extension
	// Stages, Sources, Languages and Countries are the names that are set up; nil: the defaults.
	Stages, Sources, Languages, Countries []string
	// Lock refuses a number for a minute after it was taken (56).
	Lock bool
	// Rate limits the calls of each import interface.
	Rate   Rate
	Quirks Quirks
	// Query and Webhooks are the way back.
	Query    Query
	Webhooks Webhooks
}

// Quirks are ways in which the vendor's page shows or describes answers; they change no verdict.
type Quirks struct {
	NoPhone       bool // errPhone is "" throughout
	Collapsed     bool // errExcel lists the first failure only and without its number; errCount counts all
	StringCode    bool // code is "200"
	TrailingComma bool // behind the last entry of errExcel
	StringData    bool // data is the JSON as a text
	Msg           bool // msg in place of message
	TopLevel      bool // where every contact failed with one code, it is the answer's own code and data is null
}

// Account may call for one company.
type Account struct {
	TenantID int64
	APIKey   string
}

// What DefaultAccount calls with.
const (
	TenantID = 82
	APIKey   = "sandbox-api-key"
	Agent    = "kubrick101" // any other agent does as well
)

// DefaultAccount is what demo and tests call with.
var DefaultAccount = Account{TenantID: TenantID, APIKey: APIKey}

// The names that are set up by default.
var (
	DefaultStages    = []string{"New customer", "Requirement match", "Won"}
	DefaultSources   = []string{"System assignment", "Default", "Self-developed"}
	DefaultLanguages = []string{"Auto", "Simplified Chinese (ZH)", "Chinese Simplified (EN)", "English (EN)"}
	DefaultCountries = []string{"China", "Germany", "Indonesia"}
)

// limits of the interface and of the sandbox.
const (
	maxRows    = 10_000
	maxText    = 500 // characters of an extension field
	tolerance  = 5 * time.Minute
	lockFor    = time.Minute
	storeOwned = "customers"
	storePool  = "pool"
)

// Service is SocialEpoch's import interfaces.
type Service struct {
	opts       Options
	keys       map[int64]string
	extensions map[string]*Extension

	mu      sync.Mutex // guards what follows
	records map[recordKey]*record
	locks   map[lockKey]time.Time  // when the number was last taken
	calls   map[string][]time.Time // by interface and company, within the last Rate.Per
	commits int64
	totals  Totals
	back
}

// Totals counts what the service took since its start or reset.
type Totals struct {
	Requests int64 `json:"requests"` // imports that took effect
	Rows     int64 `json:"rows"`     // in these
	Taken    int64 `json:"taken"`    // of these, contacts added or updated
	Failed   int64 `json:"failed"`   // of these, contacts refused
	Locked   int64 `json:"locked"`   // of the refused, those of code 56
	Ignored  int64 `json:"ignored"`  // values under names that nobody knows
	Records  int   `json:"records"`  // stored now
}

// effect is what an interface does with good contacts.
type effect struct {
	store    string
	cancels  bool // it reads cancelTabName
	replaces bool // of every agent in the request, what was there before is gone
}

// New returns an empty service.
func New(o Options) *Service {
	if o.Accounts == nil {
		o.Accounts = []Account{DefaultAccount}
	}
	if o.Extensions == nil {
		o.Extensions = DefaultExtensions
	}
	for list, names := range map[*[]string][]string{
		&o.Stages: DefaultStages, &o.Sources: DefaultSources, &o.Languages: DefaultLanguages, &o.Countries: DefaultCountries,
	} {
		if *list == nil {
			*list = names
		}
	}
	s := &Service{opts: o, keys: map[int64]string{}, extensions: map[string]*Extension{}}
	for _, a := range o.Accounts {
		s.keys[a.TenantID] = a.APIKey
	}
	for i := range o.Extensions {
		s.extensions[o.Extensions[i].Name] = &o.Extensions[i]
	}
	s.openBack()
	s.Reset()
	return s
}

// Name returns "socialepoch".
func (s *Service) Name() string { return "socialepoch" }

// Register registers the routes.
func (s *Service) Register(mux *sandbox.Mux) {
	mux.Keep("tenant_id", "timestamp")
	mux.Mask("token")
	s.registerSource(mux)
	for path, to := range map[string]effect{
		"batchImport":             {store: storeOwned, cancels: true},
		"batchImportAppendV2":     {store: storePool},
		"batchImportWhatsContact": {store: storePool, cancels: true, replaces: true},
	} {
		mux.Handle("POST /wscrm-bus-api/customer/api/"+path, path, s.limited(path, func(c *sandbox.Call) sandbox.Reply { return s.serve(c, to) }))
	}
}

// Reset empties the service.
func (s *Service) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records, s.locks, s.commits, s.totals = map[recordKey]*record{}, map[lockKey]time.Time{}, 0, Totals{}
	s.calls = map[string][]time.Time{}
	s.resetBack()
}

func (s *Service) required(name string) bool {
	return name == "agentAccount" || slices.Contains(s.opts.Required, name)
}
