package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	slowConns   = 1000 // each dribbles a byte a second, half of them in the header, half in the body
	forgedRate  = 300  // requests a second, well made but for the signature
	garbageRate = 100  // connections a second that send what is no HTTP, or announce a body beyond the limit
)

// attacker sends what must not be taken, from addresses of its own.
type attacker struct {
	addr    string
	hooks   *hooks
	slow    atomic.Int64 // connections that dribble now
	forged  atomic.Int64 // refused
	garbage atomic.Int64
	taken   atomic.Int64 // acknowledged: none may be
	work    sync.WaitGroup
}

// attack begins one and returns when all slow connections stand, which send in one instant or spread over the second. end
// stops it.
func (h *hooks) attack(addr string, inStep bool) (end func() error, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	a := &attacker{addr: addr, hooks: h}
	for i := range slowConns {
		phase := time.Duration(i) * time.Second / slowConns
		if inStep {
			phase = 0
		}
		a.work.Go(func() { a.dribble(ctx, i, phase) })
	}
	for range 4 {
		a.work.Go(func() { a.paced(ctx, forgedRate/4, a.forge) })
		a.work.Go(func() { a.paced(ctx, garbageRate/4, a.spew) })
	}
	for wait := time.Now(); a.slow.Load() < slowConns*9/10; time.Sleep(10 * time.Millisecond) {
		if time.Since(wait) > 20*time.Second {
			cancel()
			a.work.Wait()
			return nil, fmt.Errorf("only %d of %d slow connections stand", a.slow.Load(), slowConns)
		}
	}
	return func() error {
		standing := a.slow.Load()
		cancel()
		a.work.Wait()
		switch {
		case a.taken.Load() > 0:
			return fmt.Errorf("%d requests of the attack were acknowledged", a.taken.Load())
		case standing < slowConns/2 || a.forged.Load() == 0 || a.garbage.Load() == 0:
			return fmt.Errorf("it was no attack: %d slow connections at its end, %d forged, %d garbage", standing, a.forged.Load(), a.garbage.Load())
		}
		return nil
	}, nil
}

// dial connects from one of this machine's other addresses.
func (a *attacker) dial(ctx context.Context, last byte) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, last)}}
	return d.DialContext(ctx, "tcp", a.addr)
}

// dribble keeps one slow connection standing, from a moment of the second on; the receiver closes it, and it comes again.
func (a *attacker) dribble(ctx context.Context, i int, phase time.Duration) {
	head := "POST /hooks/socialepoch/user_sync_portrait/" + hookPath(0) + " HTTP/1.1\r\nHost: x\r\nX-A: "
	if i%2 == 0 {
		head += "b\r\nContent-Length: 100000\r\n\r\n{"
	}
	select {
	case <-ctx.Done():
	case <-time.After(phase):
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for ctx.Err() == nil {
		c, err := a.dial(ctx, byte(2+i%2))
		if err == nil {
			_, err = io.WriteString(c, head)
			a.slow.Add(1)
			for err == nil && ctx.Err() == nil {
				select {
				case <-ctx.Done():
				case <-tick.C:
					_, err = c.Write([]byte("x"))
				}
			}
			a.slow.Add(-1)
			_ = c.Close()
			continue
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// paced calls one so often a second until ctx ends.
func (a *attacker) paced(ctx context.Context, perSecond int, one func(context.Context, int)) {
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			one(ctx, n)
		}
	}
}

// forge sends a good request with a wrong signature, over a connection of its own.
func (a *attacker) forge(ctx context.Context, _ int) {
	c, err := a.dial(ctx, 4)
	if err != nil {
		return
	}
	defer c.Close()
	good, err := ask(c, bufio.NewReader(c), a.hooks.request(nil, "a guess"))
	a.count(&a.forged, good, err)
}

// count counts an attempt that was answered.
func (a *attacker) count(kind *atomic.Int64, good bool, err error) {
	switch {
	case good:
		a.taken.Add(1)
	case err == nil:
		kind.Add(1)
	}
}

// spew sends what is no request, or one of two megabytes.
func (a *attacker) spew(ctx context.Context, n int) {
	c, err := a.dial(ctx, 5)
	if err != nil {
		return
	}
	defer c.Close()
	texts := []string{
		"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\r\n\r\n",
		"POST /hooks/socialepoch/user_sync_portrait/" + hookPath(1) + " HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n" + strings.Repeat("z", 4096),
		"POST / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("y", 30<<10) + "\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
	}
	good, err := ask(c, bufio.NewReader(c), []byte(texts[n%len(texts)]))
	if err != nil {
		a.garbage.Add(1) // cut off
		return
	}
	a.count(&a.garbage, good, nil)
}
