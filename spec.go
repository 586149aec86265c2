// Package sluice holds what the whole program shares: its version, the connector specification that hosts read, and the
// sample contacts of the demo.
package sluice

//go:generate go run ./cmd/internal/gen/spec spec.json
//go:generate go run ./cmd/internal/gen/docs docs/vendors docs/transforms.md

import _ "embed"

// Version is the release; the build overrides it with -ldflags "-X github.com/sluicehq/sluice.Version=…".
var Version = "0.1.0-dev"

// Spec is spec.json: {"destination": ConnectorSpecification, "source": ConnectorSpecification}. It is generated from the configuration tables by
// internal/gen/spec.
//
//go:embed spec.json
var Spec []byte
