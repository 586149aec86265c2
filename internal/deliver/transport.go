package deliver

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// TLSConfig is what a private network may need beyond the system's own trust. The zero value is the usual internet.
type TLSConfig struct {
	CAFile            string // PEM certificates trusted beside the system's
	CertFile, KeyFile string // PEM client certificate and key; both or neither
	ServerName        string // the name the server's certificate must carry; empty: the host of the address
}

// NewTransport makes the client side of the wire: kept-alive connections for as many calls as may be in flight, TLS 1.2
// or newer, proxies from the usual environment variables. Errors are Config errors that name the setting.
func NewTransport(c TLSConfig, concurrency int) (*http.Transport, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	if c.CAFile != "" {
		pool, err := authorities(c.CAFile)
		if err != nil {
			return nil, err
		}
		conf.RootCAs = pool
	}
	if c.CertFile != "" || c.KeyFile != "" {
		if c.CertFile == "" || c.KeyFile == "" {
			return nil, connector.Configf("Set both `cert_file` and `key_file`, or neither",
				"a client certificate needs its certificate and its key, and only one of them is set")
		}
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, connector.Configf("Give a PEM certificate and the unencrypted PEM key that belongs to it",
				"the client certificate (`cert_file`, `key_file`) cannot be used: %w", err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        conf,
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    max(concurrency, 1),
		IdleConnTimeout:        90 * time.Second,
		WriteBufferSize:        writeBuffer,
		MaxResponseHeaderBytes: 1 << 20,
		ExpectContinueTimeout:  time.Second,
	}, nil
}

// writeBuffer takes a request of a hundred rows whole, so that it leaves in one system call.
const writeBuffer = 64 << 10

// authorities is the system's pool with the file's certificates added; where the system has none, the file's alone.
func authorities(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, connector.Configf("Point `ca_file` at a readable file of PEM certificates",
			"the file of certificate authorities cannot be read: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, connector.Configf("Convert it to PEM (it begins with -----BEGIN CERTIFICATE-----)",
			"`ca_file` %s holds no certificate that can be read", path)
	}
	return pool, nil
}
