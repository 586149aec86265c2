// Command destination-sluice is the Airbyte destination: contacts into WhatsApp-CRMs.
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
	code := airbyte.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, job.Airbyte(all.Vendors))
	stop()
	os.Exit(code)
}
