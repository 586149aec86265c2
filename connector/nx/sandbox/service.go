package sandbox

import (
	"net"
	"strings"
	"sync"

	"github.com/sluicehq/sluice/internal/sandbox"
)

// Options of a Sandbox. The zero value has DefaultAccount and is strict.
type Options struct {
	Accounts []Account // nil: DefaultAccount alone
	// Contract is what nxcloud's batch_create follows, "new" (the default) or "old", where neither the path nor the host
	// says: a path that starts with /new or /old decides, else the vendor's own hosts do (api.nxcloud.com is old, the
	// nxlink.ai ones are new).
	Contract string
	// Lenient takes requests without app_key and ignores names that no table lists.
	Lenient bool
	// CustomFields are listed by customers/fields; nil: DefaultCustomFields.
	CustomFields []CustomField
	// StrictCustom refuses members of customize_field that CustomFields does not list.
	StrictCustom bool
}

// Account may sign requests, and owns tenants.
type Account struct {
	AccessKey, AccessSecret string
	Tenants                 []Tenant
}

// Tenant is one customer of the vendor with its applications.
type Tenant struct {
	ID      int64
	AppKeys []string
}

// What DefaultAccount signs with and where its customers go. The "=" is there because the vendor's own keys hold one,
// which must be escaped in a URL.
const (
	AccessKey    = "sandbox-key"
	AccessSecret = "sandbox-secret"
	TenantID     = 144
	AppKey       = "sandbox=app"
)

// DefaultAccount is what demo and tests sign with.
var DefaultAccount = Account{
	AccessKey: AccessKey, AccessSecret: AccessSecret,
	Tenants: []Tenant{{ID: TenantID, AppKeys: []string{AppKey}}},
}

// Sandbox is both services of the vendor.
type Sandbox struct{ Link, Cloud *Service }

// New returns the two services nxlink and nxcloud with one set of accounts and separate stores.
func New(o Options) *Sandbox {
	if o.Accounts == nil {
		o.Accounts = []Account{DefaultAccount}
	}
	if o.CustomFields == nil {
		o.CustomFields = DefaultCustomFields
	}
	return &Sandbox{Link: newService("nxlink", o), Cloud: newService("nxcloud", o)}
}

// Name returns "nx".
func (s *Sandbox) Name() string { return "nx" }

// Members returns nxlink and nxcloud, which sandbox.New serves in the group's place.
func (s *Sandbox) Members() []sandbox.Service { return []sandbox.Service{s.Link, s.Cloud} }

// Register registers both services.
func (s *Sandbox) Register(mux *sandbox.Mux) {
	s.Link.Register(mux)
	s.Cloud.Register(mux)
}

// Dump returns what both services hold, by name.
func (s *Sandbox) Dump() any {
	return map[string]any{s.Link.name: s.Link.Dump(), s.Cloud.name: s.Cloud.Dump()}
}

// Reset empties both services.
func (s *Sandbox) Reset() {
	s.Link.Reset()
	s.Cloud.Reset()
}

// Service is nxlink or nxcloud.
type Service struct {
	name     string
	opts     Options
	accounts map[string]*account
	custom   map[string]bool // nil: any
	parsers  sync.Pool

	mu      sync.Mutex // guards what follows
	stores  map[scopeKey]*store
	commits int64
	totals  Totals
}

// account is an Account made ready for look-ups.
type account struct {
	secret  string
	tenants map[int64][]string
}

// Totals counts what a service took since its start or reset.
type Totals struct {
	Requests int64 `json:"requests"` // batch_create calls that took effect
	Rows     int64 `json:"rows"`     // in these
	Failed   int64 `json:"failed"`   // of these, left out by the fault "partial"
	History
	Records int `json:"records"` // stored now
}

func newService(name string, o Options) *Service {
	s := &Service{name: name, opts: o, accounts: map[string]*account{}, stores: map[scopeKey]*store{}}
	for _, a := range o.Accounts {
		acct := &account{secret: a.AccessSecret, tenants: map[int64][]string{}}
		for _, t := range a.Tenants {
			acct.tenants[t.ID] = t.AppKeys
		}
		s.accounts[a.AccessKey] = acct
	}
	if o.StrictCustom {
		s.custom = map[string]bool{}
		for _, c := range o.CustomFields {
			s.custom[c.Name] = true
		}
	}
	return s
}

// Name returns the service's name, "nxlink" or "nxcloud".
func (s *Service) Name() string { return s.name }

// Register registers the service's routes.
func (s *Service) Register(mux *sandbox.Mux) {
	mux.Keep("ts", "bizType", "action", "algorithm")
	mux.Mask("accessKey", "sign")
	if s.name == "nxlink" {
		mux.Handle("POST /saas/sea/cdp/openapi/customers/batch_create", "batch_create", s.batchCreate)
		return
	}
	for _, prefix := range []string{"", "/old", "/new"} {
		mux.Handle("POST "+prefix+"/saas/cdp/openapi/customers/batch_create", "batch_create", s.batchCreate)
		mux.Handle("GET "+prefix+"/saas/cdp/openapi/customers/fields", "fields", s.fields)
		mux.Handle("POST "+prefix+"/saas/cdp/openapi/customers/query", "query", s.query)
	}
}

// Reset empties the service.
func (s *Service) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stores, s.commits, s.totals = map[scopeKey]*store{}, 0, Totals{}
}

// contract finds the contract of a request to batch_create.
func (s *Service) contract(c *sandbox.Call) *contract {
	if s.name == "nxlink" {
		return contractSea
	}
	byName := map[string]*contract{"old": contractOld, "new": contractNew}
	prefix, _, _ := strings.Cut(strings.TrimPrefix(c.URL.Path, "/"), "/")
	if k := byName[prefix]; k != nil {
		return k
	}
	host := c.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	switch {
	case host == "api.nxcloud.com":
		return contractOld
	case strings.HasSuffix(host, ".nxlink.ai"):
		return contractNew
	case s.opts.Contract == "old":
		return contractOld
	}
	return contractNew
}

// store returns the store of a scope, made if it is not there yet. The caller holds mu.
func (s *Service) store(key scopeKey) *store {
	st := s.stores[key]
	if st == nil {
		st = newStore()
		s.stores[key] = st
	}
	return st
}
