# The Airbyte destination and source: one static program each on a base that has a shell, because the platform starts
# connectors through sh (it needs sh, sleep, kill, mv and touch). `make e2e` builds this file and runs the images.
#
#   docker build -t destination-sluice .
#   docker build -t source-sluice --target source .

FROM docker.io/library/golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X github.com/sluicehq/sluice.Version=${VERSION}" -o /out/ ./cmd/destination-sluice ./cmd/source-sluice

FROM docker.io/library/busybox:1.36 AS source
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/source-sluice /airbyte/source-sluice
USER 1000:1000
WORKDIR /tmp
ENV AIRBYTE_ENTRYPOINT="/airbyte/source-sluice"
ENTRYPOINT ["/airbyte/source-sluice"]
ARG VERSION=dev
LABEL io.airbyte.version=${VERSION}
LABEL io.airbyte.name=sluicehq/source-sluice

FROM docker.io/library/busybox:1.36
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/destination-sluice /airbyte/destination-sluice
# By number: the platform runs connectors as 1000, and no name is needed. What the program writes goes under /tmp.
USER 1000:1000
WORKDIR /tmp
ENV AIRBYTE_ENTRYPOINT="/airbyte/destination-sluice"
ENTRYPOINT ["/airbyte/destination-sluice"]
ARG VERSION=dev
LABEL io.airbyte.version=${VERSION}
LABEL io.airbyte.name=sluicehq/destination-sluice
