package main

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

const (
	ackRounds = 9
	ackFor    = 4 * time.Second // one measurement, after a second of warming up
	ackBytes  = 1024            // of a body

	attackRounds = 9
	attackFor    = 5 * time.Second
	honestConns  = 8
	honestRate   = 400 // requests a second of all of them
)

// acks is what one measurement of acknowledgements saw.
type acks struct {
	perSecond      float64
	p50, p99, most time.Duration
	count, failed  int
	cpu            time.Duration // of the server for one acknowledgement
}

// ackServer is a process that acknowledges webhooks: the receiver or the probe.
type ackServer struct {
	name  string
	start func(b *bench) (addr string, stop stopper, err error)
}

// stopper ends a server and tells what CPU time it took.
type stopper func() (cpu time.Duration, err error)

var ackServers = [2]ackServer{{"Sluice", (*bench).receiver}, {"bare probe", (*bench).ackProbe}}

// receives measures durable acknowledgements of the receiver beside the probe, then under attack.
func (b *bench) receives(doc *bytes.Buffer) error {
	for name, pkg := range map[string]string{"sluice": "./cmd/sluice", "ackprobe": "./bench/cmd/ackprobe"} {
		if _, err := b.build(name, pkg, ""); err != nil {
			return err
		}
	}
	fmt.Fprintf(doc, "\n## Durable acknowledgements\n\nWebhooks of %d bytes, each signed, each with one new event, acknowledged when they are synced to the disk; the client runs on the same\n"+
		"machine. The bare probe is an HTTP handler and a group commit of record and dedupe key into SQLite, and nothing else: no signature, no\n"+
		"replay defence, no limits, no checksum. Both start on an empty folder each time, one after the other,\nand a ratio is of two that were neighbours. Medians of %d rounds of %s, and of the ratios also the range.\n\nTarget: at least 0.85 of the probe's acks/s, a p99 of at most 1.3 times its.\n\n"+
		"| connections | | acks/s over the probe's | p99 over the probe's | acks/s | p50 ms | p99 ms | server's CPU µs per ack |\n|---:|---|---:|---:|---:|---:|---:|---:|\n", ackBytes, ackRounds, ackFor)
	for _, conns := range []int{8, 64} {
		all := [2][]acks{}
		for n := range ackRounds {
			for _, i := range [][]int{{0, 1}, {1, 0}}[n%2] { // neither always comes second
				a, err := b.ackRound(ackServers[i], conns)
				if err != nil {
					return fmt.Errorf("%s, %d connections: %w", ackServers[i].name, conns, err)
				}
				all[i] = append(all[i], a)
			}
		}
		rate := ratios(all[0], all[1], func(a acks) float64 { return a.perSecond })
		late := ratios(all[0], all[1], func(a acks) float64 { return a.p99.Seconds() })
		for i, s := range ackServers {
			m := medianAcks(all[i])
			fmt.Fprintf(doc, "| %d | %s | %v | %v | %.0f | %.1f | %.1f | %.0f |\n", conns, s.name, []any{rate, 1}[i], []any{late, 1}[i],
				m.perSecond, ms(m.p50), ms(m.p99), ms(m.cpu)*1000)
		}
	}
	return b.attacked(doc)
}

func ms(d time.Duration) float64 { return d.Seconds() * 1000 }

// medianAcks takes the median of each figure.
func medianAcks(list []acks) acks {
	mid := func(less func(a, b acks) int) acks {
		s := slices.Clone(list)
		slices.SortFunc(s, less)
		return s[len(s)/2]
	}
	return acks{
		perSecond: mid(func(a, b acks) int { return cmp.Compare(a.perSecond, b.perSecond) }).perSecond,
		p50:       mid(func(a, b acks) int { return cmp.Compare(a.p50, b.p50) }).p50,
		p99:       mid(func(a, b acks) int { return cmp.Compare(a.p99, b.p99) }).p99,
		cpu:       mid(func(a, b acks) int { return cmp.Compare(a.cpu, b.cpu) }).cpu,
	}
}

func (b *bench) ackRound(s ackServer, conns int) (acks, error) {
	addr, stop, err := s.start(b)
	if err != nil {
		return acks{}, err
	}
	hooks := newHooks()
	warm, err := hooks.saturate(addr, conns, time.Second)
	if err != nil {
		return acks{}, err
	}
	a, err := hooks.saturate(addr, conns, ackFor)
	if err == nil && a.failed > 0 {
		err = fmt.Errorf("%d requests were not acknowledged", a.failed)
	}
	cpu, stopped := stop()
	a.cpu = cpu / time.Duration(warm.count+a.count)
	return a, errors.Join(err, stopped)
}

// attacked compares the latency of a steady honest load without an attack and during each kind of one.
func (b *bench) attacked(doc *bytes.Buffer) error {
	kinds := []string{"spread over the second", "all in one instant"}
	var calm []acks
	under := make([][]acks, len(kinds))
	for range attackRounds {
		addr, stop, err := b.receiver()
		if err != nil {
			return err
		}
		hooks := newHooks()
		if _, err := hooks.steady(addr, honestConns, honestRate, time.Second); err != nil {
			return err
		}
		c, err := hooks.steady(addr, honestConns, honestRate, attackFor)
		if err == nil && c.failed > 0 {
			err = fmt.Errorf("%d honest requests were not acknowledged", c.failed)
		}
		if err != nil {
			return err
		}
		calm = append(calm, c)
		for k := range kinds {
			u, err := hooks.besieged(addr, k == 1)
			if err != nil {
				return err
			}
			under[k] = append(under[k], u)
		}
		if _, err := stop(); err != nil {
			return err
		}
	}
	fmt.Fprintf(doc, "\n### During an attack\n\n%d honest requests a second over %d connections, timed from when each was due. The attack comes from other addresses of the same\nmachine: "+
		"%d connections that dribble a byte a second, %d forged requests a second, %d connections a second with garbage or a body\nbeyond the limit; what it takes to send all that "+
		"comes out of the same %d cores. All honest requests were acknowledged. Medians of\n%d rounds of %s; a ratio is of one server, before the attack and during it.\n\nTarget: a p99 within 2 times of that without the attack.\n\n"+
		"| the bytes of the slow connections come | p99 over that without | p50 ms | p99 ms |\n|---|---:|---:|---:|\n",
		honestRate, honestConns, slowConns, forgedRate, garbageRate, runtime.NumCPU(), attackRounds, attackFor)
	c := medianAcks(calm)
	fmt.Fprintf(doc, "| no attack | 1 | %.1f | %.1f |\n", ms(c.p50), ms(c.p99))
	for k, kind := range kinds {
		u := medianAcks(under[k])
		fmt.Fprintf(doc, "| %s | %s | %.1f | %.1f |\n", kind, ratios(under[k], calm, func(a acks) float64 { return a.p99.Seconds() }), ms(u.p50), ms(u.p99))
	}
	return nil
}

// besieged measures the honest load during an attack.
func (h *hooks) besieged(addr string, inStep bool) (acks, error) {
	end, err := h.attack(addr, inStep)
	if err != nil {
		return acks{}, err
	}
	u, err := h.steady(addr, honestConns, honestRate, attackFor)
	if err = errors.Join(err, end()); err == nil && u.failed > 0 {
		err = fmt.Errorf("%d honest requests were not acknowledged", u.failed)
	}
	return u, err
}

// receiver starts `sluice receive` on an empty folder. Its limits are the defaults, but for the one of requests per source:
// the client has one address.
func (b *bench) receiver() (addr string, stop stopper, err error) {
	dir, err := os.MkdirTemp(b.dir, "receive-")
	if err != nil {
		return "", nil, err
	}
	var text strings.Builder
	text.WriteString("listen: 127.0.0.1:0\nadmin: {listen: \"127.0.0.1:0\"}\nlimits: {requests_per_second_per_source: -1}\naccounts:\n")
	for i := range hookSenders {
		fmt.Fprintf(&text, "  - name: sender%d\n    crm: {socialepoch: {tenant_id: %d, webhook_secrets: [%q]}}\n    webhooks: {user_sync_portrait: %q}\n",
			i, hookTenant+i, hookSecret, hookPath(i))
	}
	path := filepath.Join(dir, "receive.yaml")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		return "", nil, err
	}
	return serveIn(dir, filepath.Join(b.dir, "sluice"), "receive", "-c", path)
}

func (b *bench) ackProbe() (addr string, stop stopper, err error) {
	dir, err := os.MkdirTemp(b.dir, "probe-")
	if err != nil {
		return "", nil, err
	}
	return serveIn(dir, filepath.Join(b.dir, "ackprobe"), dir)
}

// serveIn runs a server until stop, which removes its folder.
func serveIn(dir, bin string, args ...string) (addr string, stop stopper, err error) {
	cmd := exec.Command(bin, args...)
	var log bytes.Buffer
	cmd.Stderr = &log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	lines := bufio.NewReader(stdout)
	line, _ := lines.ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on http://")
	if !ok {
		_, _ = cmd.Process.Kill(), cmd.Wait()
		return "", nil, fmt.Errorf("%s does not start: %s", bin, log.String())
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, lines)
	}()
	return addr, func() (time.Duration, error) {
		_ = cmd.Process.Kill()
		<-drained
		_ = cmd.Wait() // it was killed
		return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), os.RemoveAll(dir)
	}, nil
}
