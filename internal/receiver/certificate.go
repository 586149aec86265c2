package receiver

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// reloadEvery is how often, at the most, the files of a certificate are looked at.
const reloadEvery = 10 * time.Second

// certificate is a pair of files that may be replaced while it is in use. Pairs that do not fit are passed over.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger
	clock             func() time.Time

	mu      sync.Mutex
	pair    *tls.Certificate
	stamp   [2]fileStamp
	checked time.Time
}

type fileStamp struct {
	at   time.Time
	size int64
}

// TLSFromFiles loads a certificate and its key, PEM both, and looks for new ones now and then while it is used. Errors
// are Config errors.
func TLSFromFiles(certFile, keyFile string, log *slog.Logger, clock func() time.Time) (*tls.Config, error) {
	if clock == nil {
		clock = time.Now
	}
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log, clock: clock}
	for _, name := range []string{certFile, keyFile} {
		if _, err := os.ReadFile(name); err != nil {
			return nil, connector.Configf("Check the path and its permissions", "the TLS file cannot be read: %w", err)
		}
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, connector.Configf("Use a PEM certificate, with its chain, and the PEM key that belongs to it", "the TLS files %s and %s do not fit: %w", certFile, keyFile, err)
	}
	c.pair, c.stamp, c.checked = &pair, c.stamps(), clock()
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"http/1.1"}}, nil
}

func (c *certificate) stamps() (s [2]fileStamp) {
	for i, name := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			s[i] = fileStamp{info.ModTime(), info.Size()}
		}
	}
	return s
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock()
	if now.Sub(c.checked) < reloadEvery {
		return c.pair, nil
	}
	c.checked = now
	stamp := c.stamps()
	if stamp == c.stamp {
		return c.pair, nil
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil { // half replaced, perhaps: looked at again
		c.log.Warn("the TLS files changed and do not fit; the certificate before is still in use", "error", err)
		return c.pair, nil
	}
	c.pair, c.stamp = &pair, stamp
	c.log.Info("a new TLS certificate is in use", "file", c.certFile)
	return c.pair, nil
}
