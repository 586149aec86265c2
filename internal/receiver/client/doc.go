// Package client reads the inbox of a running receiver over its API. A Client does what an inbox.Reader does on a folder,
// and what only the receiver may do: keep cursors of consumers, release and replay.
package client
