package deliver

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// testProbe asks one address.
type testProbe struct {
	url    string
	signed *connector.Request
	err    error
}

func (p *testProbe) AppendRequest(req *connector.Request) error {
	req.Method, req.URL, req.Body = "POST", p.url, append(req.Body, "{}"...)
	return nil
}

func (p *testProbe) Sign(req *connector.Request, now time.Time) error {
	if now.IsZero() {
		return errors.New("no time")
	}
	req.Header.Set("X-Sign", "s")
	p.signed = req
	return nil
}

func (p *testProbe) ParseResponse(resp *connector.Response) error {
	if p.err != nil {
		return p.err
	}
	if !bytes.HasPrefix(resp.Body, []byte("{")) {
		return errors.New("not JSON")
	}
	return nil
}

func quiet(h http.HandlerFunc) *httptest.Server {
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	return s
}

func closedPort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// deaf accepts connections and does something else with them than HTTP.
func deaf(t *testing.T, f func(net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f(c)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

// TestProbeSays: every usual mistake has a sentence that names it and what to do.
func TestProbeSays(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	plain := quiet(answer(200, "{}"))
	plain.Start()
	defer plain.Close()
	page := quiet(answer(200, "<!DOCTYPE html><html>login</html>"))
	page.Start()
	defer page.Close()
	secure := quiet(answer(200, "{}"))
	secure.StartTLS()
	defer secure.Close()
	denied := quiet(answer(401, "{}"))
	denied.Start()
	defer denied.Close()
	moved := quiet(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://elsewhere.test/", http.StatusFound)
	})
	moved.Start()
	defer moved.Close()
	picky := quiet(answer(200, "{}"))
	// Under TLS 1.3 a client may write before it learns of the refusal, and then sees a broken pipe as often as the alert.
	picky.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12}
	picky.StartTLS()
	defer picky.Close()
	cuts := deaf(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 4)) })

	ca := writePEM(t, "CERTIFICATE", secure.Certificate().Raw)
	for _, c := range []struct {
		name, url string
		tls       TLSConfig
		err       error
		kind      connector.Kind
		says      []string
	}{
		{name: "fine", url: plain.URL},
		{name: "own authority", url: secure.URL, tls: TLSConfig{CAFile: ca}},
		{name: "closed port", url: "http://" + closedPort(t), kind: connector.KindTransient, says: []string{"nothing listens at 127.0.0.1:", "refused", "base_url"}},
		{name: "unknown authority", url: secure.URL, kind: connector.KindConfig, says: []string{"authority", "ca_file"}},
		{name: "other name", url: secure.URL, tls: TLSConfig{CAFile: ca, ServerName: "crm.test"}, kind: connector.KindConfig, says: []string{"another name", "server_name"}},
		{name: "TLS against plain", url: strings.Replace(plain.URL, "http:", "https:", 1), kind: connector.KindConfig, says: []string{"does not speak TLS", "http://"}},
		{name: "client certificate wanted", url: picky.URL, tls: TLSConfig{CAFile: ca}, kind: connector.KindConfig, says: []string{"TLS handshake", "cert_file"}},
		{name: "web page", url: page.URL, kind: connector.KindTransient, says: []string{"web page instead of JSON", "base_url"}},
		{name: "401", url: denied.URL, err: errors.New("unreadable"), kind: connector.KindConfig, says: []string{"refused the credentials"}},
		{name: "redirect", url: moved.URL, err: errors.New("unreadable"), kind: connector.KindConfig, says: []string{"redirects", "base_url"}},
		{name: "the vendor's own words", url: plain.URL, err: connector.Configf("Mend `access_secret`", "the signature is wrong (1003)"), kind: connector.KindConfig, says: []string{"1003"}},
		{name: "cut", url: "http://" + cuts, kind: connector.KindTransient, says: []string{"broke before the answer"}},
		{name: "no address", url: "http://[::1", kind: connector.KindConfig, says: []string{"base_url"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rt, err := NewTransport(c.tls, 1)
			if err != nil {
				t.Fatal(err)
			}
			defer rt.CloseIdleConnections()
			p := &testProbe{url: c.url, err: c.err}
			err = Probe(t.Context(), rt, p)
			want(t, "kind", connector.KindOf(err), c.kind)
			for _, s := range c.says {
				if err == nil || !strings.Contains(err.Error(), s) {
					t.Errorf("the message does not say %q: %v", s, err)
				}
			}
			if err != nil && strings.Contains(err.Error(), "geheim") {
				t.Errorf("the message shows the query: %v", err)
			}
			if p.signed == nil {
				t.Error("the probe was not signed")
			}
		})
	}
}

func TestProbeTimeout(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		hang := roundTrip(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		})
		err := Probe(t.Context(), hang, &testProbe{url: "https://crm.test/"})
		if err == nil || !strings.Contains(err.Error(), "no answer within 30s") {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := Probe(ctx, hang, &testProbe{url: "https://crm.test/"}); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	})
}

func TestClassify(t *testing.T) {
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	for _, c := range []struct {
		name string
		err  error
		sent bool
		kind connector.Kind
		says string
	}{
		{"dial timeout", dial(os.ErrDeadlineExceeded), false, connector.KindTransient, "in time"},
		{"no way", dial(errors.New("no route to host")), false, connector.KindTransient, "no connection"},
		{"proxy", &net.OpError{Op: "proxyconnect", Err: errors.New("refused")}, false, connector.KindTransient, "the proxy for"},
		{"unknown host", dial(&net.DNSError{Name: "crm.test", IsNotFound: true, Err: "no such host"}), false, connector.KindTransient, "no host is known by the name crm.test"},
		{"dns timeout", &net.DNSError{Name: "crm.test", IsTimeout: true, Err: "i/o timeout"}, false, connector.KindTransient, "looked up"},
		{"expired", x509.CertificateInvalidError{Reason: x509.Expired}, false, connector.KindConfig, "out of date"},
		{"invalid", x509.CertificateInvalidError{Reason: x509.NotAuthorizedToSign}, false, connector.KindConfig, "not valid"},
		{"certificate required", errors.New("remote error: tls: certificate required"), false, connector.KindConfig, "wants a client certificate"},
		{"alert", errors.New("remote error: tls: protocol version not supported"), false, connector.KindConfig, "TLS 1.2"},
		{"not HTTP", errors.New(`net/http: HTTP/1.x transport connection broken: malformed HTTP response "SSH"`), true, connector.KindTransient, "not HTTP"},
		{"handshake", errors.New("net/http: TLS handshake timeout"), false, connector.KindTransient, "handshake"},
		{"reset", &net.OpError{Op: "read", Err: errors.New("connection reset by peer")}, true, connector.KindTransient, "broke"},
	} {
		f := classify("https://crm.test/a?b=geheim", c.err, time.Second)
		want(t, c.name+": sent", f.sent, c.sent)
		want(t, c.name+": kind", connector.KindOf(f.err), c.kind)
		if !strings.Contains(f.err.Error(), c.says) || strings.Contains(f.err.Error(), "geheim") {
			t.Errorf("%s: %v", c.name, f.err)
		}
	}
}

// TestResponseCap: an endless answer is given up with a clear word.
func TestResponseCap(t *testing.T) {
	endless := roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(endlessly{})}, nil
	})
	var buf bytes.Buffer
	_, f := exchange(t.Context(), endless, &connector.Request{Method: "GET", URL: "http://crm.test"}, &loan{}, time.Minute, &buf)
	if f == nil || !f.sent || !strings.Contains(f.err.Error(), "larger than 32 MiB") {
		t.Errorf("got %+v", f)
	}
}

type endlessly struct{}

func (endlessly) Read(p []byte) (int, error) { return len(p), nil }

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		status      int
		value, date string
		want        time.Duration
	}{
		{429, "7", "", 7 * time.Second},
		{503, "0", "", 0},
		{503, "-5", "", 0},
		{429, "99999999999999", "", retryAfterMax},
		{429, "soon", "", 0},
		{200, "7", "", 0},
		{429, "Sun, 01 Mar 2026 12:00:30 GMT", "", 30 * time.Second},
		{429, "Sun, 01 Mar 2026 13:00:30 GMT", "Sun, 01 Mar 2026 13:00:00 GMT", 30 * time.Second},
		{429, "Sun, 01 Mar 2026 11:00:00 GMT", "", 0},
	} {
		h := http.Header{"Retry-After": {c.value}}
		if c.date != "" {
			h.Set("Date", c.date)
		}
		if got := retryAfter(&connector.Response{Status: c.status, Header: h}, now); got != c.want {
			t.Errorf("%d %q: got %s, want %s", c.status, c.value, got, c.want)
		}
	}
}

func TestNewTransport(t *testing.T) {
	cert, key := selfSigned(t)
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	rt, err := NewTransport(TLSConfig{CAFile: cert, CertFile: cert, KeyFile: key}, 17)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "idle connections", rt.MaxIdleConnsPerHost, 17)
	want(t, "oldest TLS", rt.TLSClientConfig.MinVersion, uint16(tls.VersionTLS12))
	want(t, "client certificates", len(rt.TLSClientConfig.Certificates), 1)
	for name, c := range map[string]TLSConfig{
		"ca_file":            {CAFile: "/no/such/file"},
		"no certificate":     {CAFile: text},
		"`key_file`":         {CertFile: cert},
		"client certificate": {CertFile: text, KeyFile: key},
		"Give a PEM":         {CertFile: cert, KeyFile: cert},
	} {
		_, err := NewTransport(c, 1)
		want(t, "kind", connector.KindOf(err), connector.KindConfig)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%+v: the message does not say %q: %v", c, name, err)
		}
	}
}

// TestClientCertificate goes through a real handshake.
func TestClientCertificate(t *testing.T) {
	cert, key := selfSigned(t)
	s := quiet(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) != 1 {
			t.Error("no client certificate came")
		}
		_, _ = io.WriteString(w, "{}")
	})
	s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	s.StartTLS()
	defer s.Close()
	rt, err := NewTransport(TLSConfig{CAFile: writePEM(t, "CERTIFICATE", s.Certificate().Raw), CertFile: cert, KeyFile: key}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer rt.CloseIdleConnections()
	if err := Probe(t.Context(), rt, &testProbe{url: s.URL}); err != nil {
		t.Error(err)
	}
}

func writePEM(t *testing.T, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func selfSigned(t *testing.T) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	der, err := x509.CreateCertificate(crand.Reader, tmpl, tmpl, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return writePEM(t, "CERTIFICATE", der), writePEM(t, "PRIVATE KEY", raw)
}
