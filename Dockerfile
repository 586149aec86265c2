# The Airbyte destination. The base image has a shell and coreutils on purpose: the platform starts connectors through sh.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X github.com/sluicehq/sluice.Version=${VERSION}" -o /out/destination-sluice ./cmd/destination-sluice

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 1000 --create-home airbyte \
 && mkdir -p /airbyte && chown airbyte:airbyte /airbyte
COPY --from=build /out/destination-sluice /airbyte/destination-sluice
USER airbyte
WORKDIR /airbyte
ENV AIRBYTE_ENTRYPOINT="/airbyte/destination-sluice"
ENTRYPOINT ["/airbyte/destination-sluice"]
ARG VERSION=dev
LABEL io.airbyte.version=${VERSION}
LABEL io.airbyte.name=sluicehq/destination-sluice
