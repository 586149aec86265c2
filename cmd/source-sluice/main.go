// Command source-sluice is the Airbyte source: what WhatsApp-CRMs tell by webhooks and answer to queries.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/sluicehq/sluice/cmd/internal/job"
	"github.com/sluicehq/sluice/connector/all"
	"github.com/sluicehq/sluice/internal/heap"
	"github.com/sluicehq/sluice/wire/airbyte"
)

func main() {
	heap.Tune()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := airbyte.MainSource(ctx, os.Args[1:], os.Stdout, os.Stderr, job.AirbyteSource(all.Vendors))
	stop()
	os.Exit(code)
}
