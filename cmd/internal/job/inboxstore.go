package job

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/inbox"
	"github.com/sluicehq/sluice/internal/receiver/client"
)

// TokenVariable holds the token for a receiver's API: secrets are never taken as flags.
const TokenVariable = "SLUICE_INBOX_TOKEN"

// InboxStore is an inbox for people: a folder, or a running receiver.
type InboxStore interface {
	inbox.Log
	InboxLists
}

// InboxLists are what people look at besides the log.
type InboxLists interface {
	Get(ctx context.Context, seq int64) (inbox.Record, error)
	Endpoints(ctx context.Context) ([]inbox.Endpoint, error)
	Consumers(ctx context.Context) ([]inbox.Consumer, error)
	Quarantined(ctx context.Context, after int64, n int) ([]inbox.Quarantined, error)
}

// InboxOwner is who may write: the receiver, or whoever has the folder while no receiver runs.
type InboxOwner interface {
	Release(ctx context.Context, seq int64) (inbox.Receipt, error)
	Replay(ctx context.Context, seq int64) (inbox.Receipt, error)
	DropConsumer(ctx context.Context, consumer string) error
	Close() error
}

// IsReceiverURL tells the address of a receiver from a folder.
func IsReceiverURL(at string) bool {
	return strings.HasPrefix(at, "http://") || strings.HasPrefix(at, "https://")
}

func dialInbox(url, caFile string) (*client.Client, error) {
	token := os.Getenv(TokenVariable)
	if token == "" {
		return nil, connector.Configf("Set it to the admin.token of that receiver", "the variable %s is not set", TokenVariable)
	}
	return client.New(client.Config{URL: url, Token: connector.NewSecret(token), CAFile: caFile})
}

// OpenInbox opens a folder or a receiver for reading.
func OpenInbox(at, caFile string) (InboxStore, error) {
	if IsReceiverURL(at) {
		return dialInbox(at, caFile)
	}
	return inbox.OpenReader(at)
}

// OwnInbox opens a folder or a receiver for release and replay. A folder must hold an inbox, and no receiver may use it;
// what is done there is logged here, as the receiver logs what is done over its API.
func OwnInbox(ctx context.Context, at, caFile string, log *slog.Logger) (InboxOwner, error) {
	if IsReceiverURL(at) {
		return dialInbox(at, caFile)
	}
	if _, err := os.Stat(filepath.Join(at, "inbox.db")); err != nil { // the owner would make one; a reader says what is wrong
		r, err := inbox.OpenReader(at)
		if err == nil {
			err = r.Close()
		}
		return nil, err
	}
	box, err := inbox.Open(ctx, inbox.Options{Dir: at, Log: log})
	var told *connector.Error
	if errors.As(err, &told) && strings.Contains(told.What, "in use") {
		return nil, connector.Configf("Give the admin address of the receiver that runs on it, such as http://127.0.0.1:9465, in place of the folder", "%s", told.What)
	}
	if err != nil {
		return nil, err
	}
	return box, nil
}
