package ssrf

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// resolver answers each name with its lists in turn, the last one for ever.
type resolver struct {
	mu    sync.Mutex
	names map[string][][]string
}

func (r *resolver) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	lists, ok := r.names[host]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	if len(lists) > 1 {
		r.names[host] = lists[1:]
	}
	var out []netip.Addr
	for _, a := range lists[0] {
		out = append(out, netip.MustParseAddr(a))
	}
	return out, nil
}

var errDialled = errors.New("dialled")

// world is a guard whose connections go nowhere but into a list.
type world struct {
	guard   *Guard
	dialled []string
}

func newWorld(t *testing.T, p Policy, names map[string][][]string) *world {
	t.Helper()
	w := &world{}
	p.Resolver = &resolver{names: names}
	p.Dial = func(_ context.Context, _, address string) (net.Conn, error) {
		w.dialled = append(w.dialled, address)
		return nil, errDialled
	}
	var err error
	if w.guard, err = New(p, time.Second); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.guard.Close)
	return w
}

func (w *world) call(t *testing.T, url string) error {
	t.Helper()
	if _, err := w.guard.CheckURL(url); err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := w.guard.Do(req)
	if err == nil {
		_ = resp.Body.Close()
		t.Fatal("a connection out of nothing")
	}
	return err
}

// names that the corpus uses.
func corpusNames() map[string][][]string {
	one := func(list ...string) [][]string { return [][]string{list} }
	return map[string][][]string{
		"good.example": one("93.184.215.14"), "six.example": one("2606:2800:21f:cb07:6820:80da:af6b:8b2c"),
		"localhost": one("127.0.0.1"), "inside.example": one("10.1.2.3"), "meta.example": one("169.254.169.254"),
		"mixed.example": one("93.184.215.14", "192.168.0.9"), "mapped.example": one("::ffff:127.0.0.1"), "ula.example": one("fd00::1"),
		"nat64.example": one("64:ff9b::7f00:1"), "metadata.google.internal": one("169.254.169.254"), "empty.example": one(),
		"127.0.0.1.nip.example": one("127.0.0.1"), "cgnat.example": one("100.64.1.1"), "zero.example": one("0.0.0.0"),
	}
}

// blocked is the corpus: what none may reach, whatever way it is written. Where hosts are listed, most of it fails before;
// so it is tried without a list, which leaves only the address to judge.
var blocked = []string{
	// schemes and shapes
	"http://good.example/", "ftp://good.example/", "file:///etc/passwd", "gopher://good.example/", "//good.example/", "good.example", "", "https://",
	"https:good.example", "javascript:alert(1)", "https://good.example:22/", "https://good.example:0/", "https://good.example:99999/",
	// user names and confusing characters
	"https://good.example@127.0.0.1/", "https://user:pass@good.example/", "https://good.example%40127.0.0.1/", "https://good.example\\@127.0.0.1/",
	"https://127.0.0.1#@good.example/", "https://127.0.0.1?good.example", "https://good.example /", "https://good.example\r\nHost: x/", "https://good.example\t/",
	"https://①②⑦.⓪.⓪.①/", "https://good。example/", "https://%31%32%37.0.0.1/",
	// IPv4: private, link-local, shared, reserved
	"https://127.0.0.1/", "https://127.255.255.254/", "https://10.0.0.1/", "https://172.16.0.1/", "https://172.31.255.255/", "https://192.168.1.1/",
	"https://169.254.169.254/latest/meta-data/", "https://100.64.0.1/", "https://0.0.0.0/", "https://0.1.2.3/", "https://192.0.0.8/", "https://192.0.2.1/",
	"https://198.18.0.1/", "https://198.51.100.1/", "https://203.0.113.9/", "https://224.0.0.1/", "https://240.0.0.1/", "https://255.255.255.255/",
	// IPv4 otherwise: decimal, octal, hexadecimal, short
	"https://2130706433/", "https://017700000001/", "https://0x7f000001/", "https://0x7f.0.0.1/", "https://0177.0.0.1/", "https://127.1/", "https://127.0.1/", "https://0/",
	"https://3232235777/", "https://127.0.0.1./", "https://00000127.0.0.1/", "https://1.2.3.4.5/", "https://good.example.0x7f000001/",
	// IPv6: loopback, mapped, 6to4, NAT64, Teredo, local, zone, documentation
	"https://[::1]/", "https://[::]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[::127.0.0.1]/", "https://[0:0:0:0:0:ffff:a00:1]/",
	"https://[2002:7f00:1::]/", "https://[2002:a00:1::1]/", "https://[64:ff9b::7f00:1]/", "https://[64:ff9b:1::a00:1]/", "https://[2001:0:7f00:1::]/", "https://[fe80::1]/",
	"https://[fe80::1%25eth0]/", "https://[fd00::1]/", "https://[fc00::1]/", "https://[fec0::1]/", "https://[ff02::1]/", "https://[2001:db8::1]/", "https://[100::1]/",
	"https://[3fff::1]/", "https://[5f00::1]/", "https://[4000::1]/", "https://[::1", "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c%25lo]/",
	// names that lead there
	"https://localhost/", "https://LOCALHOST./", "https://inside.example/", "https://meta.example/", "https://mixed.example/", "https://mapped.example/",
	"https://ula.example/", "https://nat64.example/", "https://metadata.google.internal/", "https://127.0.0.1.nip.example/", "https://cgnat.example/", "https://zero.example/",
	"https://empty.example/", "https://good..example/", "https://.good.example/",
}

func TestCorpus(t *testing.T) {
	if len(blocked) < 60 {
		t.Fatalf("the corpus has %d addresses", len(blocked))
	}
	for _, url := range blocked {
		w := newWorld(t, Policy{}, corpusNames())
		if err := w.call(t, url); !errors.Is(err, ErrBlocked) || len(w.dialled) > 0 {
			t.Errorf("%q: %v, dialled %v", url, err, w.dialled)
		}
		// The list of hosts opens none of them: neither does an entry for the very host make a private address public.
		w = newWorld(t, Policy{Hosts: []string{"good.example", "127.0.0.1", "inside.example", "mixed.example", "localhost"}}, corpusNames())
		if err := w.call(t, url); !errors.Is(err, ErrBlocked) || len(w.dialled) > 0 {
			t.Errorf("%q with a list: %v, dialled %v", url, err, w.dialled)
		}
	}
}

func TestAllowed(t *testing.T) {
	for url, want := range map[string]string{
		"https://good.example/a?b=c":     "93.184.215.14:443",
		"https://GOOD.example./":         "93.184.215.14:443",
		"https://six.example/":           "[2606:2800:21f:cb07:6820:80da:af6b:8b2c]:443",
		"https://93.184.215.14/":         "93.184.215.14:443",
		"https://[2606:2800:21f::1]:443": "[2606:2800:21f::1]:443",
	} {
		w := newWorld(t, Policy{}, corpusNames())
		if err := w.call(t, url); !errors.Is(err, errDialled) || !slices.Equal(w.dialled, []string{want}) {
			t.Errorf("%s: %v, dialled %v, want %s", url, err, w.dialled, want)
		}
	}
	w := newWorld(t, Policy{Hosts: []string{"Good.example:8443"}}, corpusNames())
	if err := w.call(t, "https://good.example:8443/"); !errors.Is(err, errDialled) {
		t.Error(err)
	}
	for _, url := range []string{"https://good.example/", "https://six.example:8443/", "https://sub.good.example:8443/", "https://good.example.evil:8443/"} {
		if err := w.call(t, url); !errors.Is(err, ErrBlocked) {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// A name that is public when it is looked at and private when it is dialled: it is looked up once a connection.
func TestRebinding(t *testing.T) {
	w := newWorld(t, Policy{Hosts: []string{"turn.example"}}, map[string][][]string{"turn.example": {{"93.184.215.14"}, {"127.0.0.1"}}})
	if err := w.call(t, "https://turn.example/"); !errors.Is(err, errDialled) {
		t.Error(err)
	}
	if err := w.call(t, "https://turn.example/"); !errors.Is(err, ErrBlocked) {
		t.Error(err)
	}
	if want := []string{"93.184.215.14:443"}; !slices.Equal(w.dialled, want) {
		t.Errorf("dialled %v, want %v", w.dialled, want)
	}
}

// Whatever a resolver says: the kernel is not handed a private address either.
func TestControl(t *testing.T) {
	g, err := New(Policy{}, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"127.0.0.1:443", "[::1]:443", "[fe80::1%lo]:443", "nonsense"} {
		if err := g.control("tcp4", address, nil); !errors.Is(err, ErrBlocked) {
			t.Errorf("%s: %v", address, err)
		}
	}
	if err := g.control("udp4", "93.184.215.14:443", nil); !errors.Is(err, ErrBlocked) {
		t.Error(err)
	}
	if err := g.control("tcp4", "93.184.215.14:443", nil); err != nil {
		t.Error(err)
	}
}

// A redirect is an answer, not an order; a private address is called only where that is allowed.
func TestRedirectAndPrivate(t *testing.T) {
	hits := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits++
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}))
	defer srv.Close()
	closed, err := New(Policy{}, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	open, err := New(Policy{Private: true}, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	get := func(g *Guard) (*http.Response, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		return g.Do(req)
	}
	if resp, err := get(closed); !errors.Is(err, ErrBlocked) {
		t.Errorf("%v, %v", resp, err)
	}
	resp, err := get(open)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusTemporaryRedirect || hits != 1 {
		t.Errorf("status %d after %d calls", resp.StatusCode, hits)
	}
}

func TestCheckHost(t *testing.T) {
	for _, bad := range []string{"", "http://a.example", "a.example/x", "a b", "*.example", "127.1", "a.example:0", "a.example:x", "a.example:70000", "u@a.example"} {
		if _, _, err := CheckHost(bad); err == nil {
			t.Errorf("%q passed", bad)
		}
	}
	if h, p, err := CheckHost("[::1]:80"); h != "::1" || p != "80" || err != nil {
		t.Error(h, p, err)
	}
}

func FuzzCheckURL(f *testing.F) {
	for _, url := range blocked {
		f.Add(url)
	}
	f.Add("https://good.example/")
	g, err := New(Policy{}, time.Second)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := g.CheckURL(raw)
		if err != nil {
			return
		}
		if ip, err := netip.ParseAddr(u.Hostname()); u.Scheme != "https" || u.User != nil || err == nil && !Public(ip) {
			t.Errorf("%q passed", raw)
		}
	})
}
