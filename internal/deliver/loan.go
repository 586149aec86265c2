package deliver

import (
	"context"
	"net/http/httptrace"
	"sync/atomic"
)

// loan knows whether a transport still reads a request, its body or its header: RoundTrip can return while another
// goroutine goes on sending, and only afterwards may their memory be used again. The transport itself says when it begins
// and when it has written. A body of our own type, whose Close would tell as well, costs more: to net/http it is a stream, whose header
// leaves in a packet of its own and whose bytes are copied in pieces.
//
// Where it is not known to be over, it is not: what a transport without these traces was given stays lent.
type loan struct {
	given        bool
	tries, wrote atomic.Int32
}

// watch begins a loan; the request is to be made with the context that it returns. Its trace is used once: a dial that lost
// against a connection that came free reads it later.
func (l *loan) watch(ctx context.Context) context.Context {
	l.given = true
	l.tries.Store(0)
	l.wrote.Store(0)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:      func(httptrace.GotConnInfo) { l.tries.Add(1) },
		WroteRequest: func(httptrace.WroteRequestInfo) { l.wrote.Add(1) },
	})
}

// over reports, once RoundTrip has returned an answer, that nobody reads any more.
func (l *loan) over() bool {
	n := l.wrote.Load()
	return !l.given || n > 0 && n == l.tries.Load()
}
