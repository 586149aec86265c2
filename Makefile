# make test   the whole test suite: no root, no network beyond the Go modules
# make check  everything that a change should pass before it is sent

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

GO          ?= go
PYTHON      ?= python3
FUZZTIME    ?= 20s
CHAOS_KILLS ?= 200
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

LDFLAGS  := -s -w -X github.com/sluicehq/sluice.Version=$(VERSION)
TOOL     := $(GO) tool -modfile=$(CURDIR)/tools/go.mod
# bench/benthos and the tools are modules of their own.
PACKAGES := ./...
VENV     := .cache/pyairbyte

.PHONY: help build gen check-gen fmt check-fmt vet staticcheck lint test e2e chaos fuzz bench demo check clean

help: ## say what there is
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build: ## build the programs into bin/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/sluice ./cmd/destination-sluice ./cmd/source-sluice

gen: ## write every generated file anew
	$(GO) generate $(PACKAGES)

check-gen: ## fail if a generated file is not what its generator writes
	@GO='$(GO)' tools/check-generated

fmt: ## format the Go code
	gofmt -w $$(git ls-files '*.go')

check-fmt:
	@out=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
	if [ -n "$$out" ]; then echo "not formatted (run make fmt):"; echo "$$out"; exit 1; fi

vet:
	$(GO) vet $(PACKAGES)
	$(GO) vet -tags e2e ./e2e/...
	$(GO) vet -tags chaos ./e2e/...

staticcheck:
	$(TOOL) staticcheck $(PACKAGES)
	$(TOOL) staticcheck -tags e2e,chaos ./e2e/...

lint: check-fmt vet staticcheck ## all linters, also golangci-lint (takes minutes to build the first time), and vet for the other systems
	GOOS=windows $(GO) vet $(PACKAGES)
	GOOS=darwin $(GO) vet $(PACKAGES)
	$(GO) build -C tools/golangci -o $(CURDIR)/.cache/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	.cache/golangci-lint run $(PACKAGES)

test: check-gen check-fmt vet staticcheck ## the whole test suite under the race detector
	$(GO) test -race -shuffle=on -timeout 10m $(PACKAGES)

$(VENV)/.installed: e2e/airbyte/requirements.txt e2e/airbyte/constraints.txt
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r e2e/airbyte/requirements.txt -c e2e/airbyte/constraints.txt
	touch $@

e2e: $(VENV)/.installed ## drive the built programs by real hosts, and the image by podman (installs PyAirbyte, buildah, podman)
	e2e/container/need
	$(GO) test -tags e2e -count=1 -timeout 15m -v ./e2e/airbyte ./e2e/container

chaos: ## kill the programs CHAOS_KILLS times each while they write, spoil 1,000 stores, play 20,000 deliveries, and count what is lost
	$(GO) test -tags chaos -count=1 -timeout 60m -v ./e2e/chaos -kills $(CHAOS_KILLS)
	$(GO) test -count=1 -timeout 10m -v -run '^TestDamage$$' ./internal/inbox -copies 1000
	$(GO) test -count=1 -timeout 30m -v -run '^Test(Late)?Model$$' ./internal/deliver -cases 20000

fuzz: ## run every fuzz test for FUZZTIME
	@GO='$(GO)' tools/fuzz $(FUZZTIME)

bench: $(VENV)/.installed ## measure beside a hand-written loop, Benthos and Airbyte's Python kit; writes docs/benchmarks.md
	$(GO) run ./bench -out docs/benchmarks.md

demo: ## a sandbox, a file of contacts, two CRMs
	$(GO) run ./cmd/sluice demo

check: lint test e2e chaos fuzz ## everything but the benchmark

clean:
	rm -rf bin .cache
