package receiver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// writePair writes a certificate for a name and its key.
func writePair(t *testing.T, dir, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), DNSNames: []string{name}}
	cert, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A certificate that is replaced is taken without a new start; one that does not fit its key is not.
func TestCertificateIsReplaced(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if _, err := TLSFromFiles(cert, key, slog.New(slog.DiscardHandler), nil); connector.KindOf(err) != connector.KindConfig {
		t.Error(err)
	}
	writePair(t, dir, "one.example")
	now := time.Now()
	cfg, err := TLSFromFiles(cert, key, slog.New(slog.DiscardHandler), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	name := func() string {
		t.Helper()
		pair, err := cfg.GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return pair.Leaf.Subject.CommonName
	}
	touch := func(at time.Time) {
		for _, f := range []string{cert, key} {
			if err := os.Chtimes(f, at, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	writePair(t, dir, "two.example")
	touch(now.Add(time.Minute))
	if got := name(); got != "one.example" {
		t.Errorf("looked at before it is time: %s", got)
	}
	now = now.Add(reloadEvery)
	if got := name(); got != "two.example" {
		t.Error(got)
	}
	old, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	writePair(t, dir, "three.example")
	if err := os.WriteFile(key, old, 0o600); err != nil { // half replaced
		t.Fatal(err)
	}
	touch(now.Add(2 * time.Minute))
	now = now.Add(reloadEvery)
	if got := name(); got != "two.example" {
		t.Error(got)
	}
	writePair(t, dir, "three.example")
	touch(now.Add(3 * time.Minute))
	now = now.Add(reloadEvery)
	if got := name(); got != "three.example" {
		t.Error(got)
	}
	if err := os.WriteFile(cert, []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := TLSFromFiles(cert, key, slog.New(slog.DiscardHandler), nil); connector.KindOf(err) != connector.KindConfig {
		t.Error(err)
	}
}
