package job

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/receiver"
)

// Listeners opens both addresses of the receiver. Errors are Config errors.
func (r *Receive) Listeners(ctx context.Context, log *slog.Logger) (l receiver.Listeners, err error) {
	if l.PublicTLS, err = r.tls(&r.Listener, log); err != nil {
		return l, err
	}
	if l.AdminTLS, err = r.tls(&r.Admin.Listener, log); err != nil {
		return l, err
	}
	if l.Public, err = listen(ctx, "listen", r.Listen); err != nil {
		return l, err
	}
	if l.Admin, err = listen(ctx, "admin.listen", r.Admin.Listen); err != nil {
		return l, errors.Join(err, l.Public.Close())
	}
	return l, nil
}

func (r *Receive) tls(l *Listener, log *slog.Logger) (*tls.Config, error) {
	if l.CertFile == "" {
		return nil, nil
	}
	return receiver.TLSFromFiles(r.resolve(l.CertFile), r.resolve(l.KeyFile), log, nil)
}

func listen(ctx context.Context, field, address string) (net.Listener, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, connector.Configf("Stop what listens there, or set `"+field+"` to a free address of this machine", "cannot listen on %s: %w", address, err)
	}
	return ln, nil
}

// CheckTLS loads the certificates without listening.
func (r *Receive) CheckTLS(log *slog.Logger) error {
	_, err := r.tls(&r.Listener, log)
	_, err2 := r.tls(&r.Admin.Listener, log)
	return errors.Join(err, err2)
}
