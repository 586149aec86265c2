package outcall_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/outcall"
	crm "github.com/sluicehq/sluice/connector/outcall/sandbox"
	"github.com/sluicehq/sluice/internal/deliver"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// way is how requests reach the sandbox. It loses a share of the replies to calls that write, and once it has carried so
// many calls it is cut, in the middle of one that may have taken effect: to the CRM the same as a process that is killed.
type way struct {
	to    http.RoundTripper
	share float64 // of replies lost

	mu   sync.Mutex
	rnd  *rand.Rand
	left int // calls; at 0 it is cut
	kill func()
	lost int // replies to requests that took effect
	sent int // requests that took effect
}

func (w *way) RoundTrip(req *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.left--
	last, cut := w.left == 0, w.left < 0
	w.mu.Unlock()
	if cut {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	resp, err := w.to.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	took := req.Method == http.MethodPost && resp.StatusCode == http.StatusOK
	if took {
		w.sent++
	}
	if !last && !(took && w.rnd.Float64() < w.share) {
		return resp, nil
	}
	if took {
		w.lost++
	}
	if last {
		w.kill()
	}
	_ = resp.Body.Close()
	return nil, io.ErrUnexpectedEOF
}

// narrow is a codec that puts fewer rows into a request than the vendor takes.
type narrow struct {
	connector.Codec
	connector.Signer
	connector.Poller
	rows int
}

func (n narrow) Limits() connector.Limits {
	l := n.Codec.Limits()
	l.Rows = n.rows
	return l
}

// trials are runs over the same rows, each of which but the last is killed. What is settled is not read again.
type trials struct {
	*trip
	server *sandbox.Server
	way    *way
	rows   []arrow.Record // batches
	conf   deliver.Config

	perRequest int // rows; 0: as many as the vendor takes

	rnd     *rand.Rand
	pause   time.Duration // between batches
	at      int           // batches settled
	kills   int
	results map[string]int // rows by what became of them

	verdicts []string // of each row settled: the code of its reject, "" for delivered

	why error // the last run ended
}

// run delivers from the last position on. after is the number of calls that the run lives; 0: it is not killed.
func (tr *trials) run(after int) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	conf := tr.conf
	conf.Codec = func(stream string, schema *arrow.Schema) (connector.Codec, error) {
		c, err := outcall.Vendor.Codec(tr.cfg, stream, outcall.Vendor.Mode(tr.cfg), schema)
		if err != nil || tr.perRequest == 0 {
			return c, err
		}
		return narrow{c, c.(connector.Signer), c.(connector.Poller), tr.perRequest}, nil
	}
	conf.Alloc, conf.Transport, conf.LookupFirst = tr.mem, tr.way, 0
	if tr.kills > 0 {
		conf.LookupFirst = 20_000
	}
	tr.way.mu.Lock()
	tr.way.left, tr.way.kill = 1<<40, cancel
	if after > 0 {
		tr.kills++
		tr.way.left = after
	}
	tr.way.mu.Unlock()
	out := deliver.New(conf)
	if err := out.Open(ctx); err != nil {
		return err
	}
	answers := make([]chan []string, len(tr.rows))
	var failure error
	for i := tr.at; i < len(tr.rows) && ctx.Err() == nil; i++ {
		rec, answer := tr.rows[i], make(chan []string, 1)
		answers[i] = answer
		rec.Retain()
		err := out.Write(ctx, connector.Batch{Stream: "contacts", Rows: rec}, func(rejected []connector.RowResult, err error) {
			if err != nil {
				tr.why = err
				answer <- nil
				return
			}
			codes := make([]string, rec.NumRows())
			for _, r := range rejected {
				codes[r.Row] = r.Code
			}
			answer <- codes
		})
		if err != nil {
			failure, answers[i] = err, nil
			break
		}
		time.Sleep(tr.pause) // of the bubble's time
	}
	if err := out.Close(); err != nil {
		return err
	}
	for tr.at < len(tr.rows) && answers[tr.at] != nil { // a position leaves only behind all that is before it
		codes := <-answers[tr.at]
		if codes == nil {
			break
		}
		for _, code := range codes {
			tr.results[code]++
		}
		tr.verdicts = append(tr.verdicts, codes...)
		tr.at++
	}
	if tr.at < len(tr.rows) && failure == nil {
		failure = tr.why
	}
	return failure
}

func newTrials(t *testing.T, settings map[string]any, faults string, seed uint64, rows []string, perBatch int) *trials {
	t.Helper()
	fs, err := sandbox.ParseFaults(faults)
	if err != nil {
		t.Fatal(err)
	}
	tr := &trials{trip: newTrip(t, crm.Options{}, settings), rnd: rand.New(rand.NewPCG(seed, 3)), results: map[string]int{}}
	tr.server = sandbox.New(sandbox.Options{Seed: seed, Faults: fs, JournalEntries: 1 << 20}, tr.service)
	tr.way = &way{to: sandbox.Transport(tr.server), rnd: tr.rnd}
	tr.conf = deliver.Config{RequestsPerSecond: 5, Concurrency: 2, MaxAttempts: 200}
	for at := 0; at < len(rows); at += perBatch {
		tr.rows = append(tr.rows, tr.apply(rows[at:min(at+perBatch, len(rows))]...).Rows)
	}
	return tr
}

// TestThousandLostReplies: of requests that took effect, a thousand replies are lost, and runs are killed on the way.
// No row is in the task twice, though most of the tasks would take it, and every row is accounted for.
func TestThousandLostReplies(t *testing.T) {
	const rows, rounds = 26, 50
	lost, sent, kills, twice, calls := 0, 0, 0, int64(0), int64(0)
	for round := range uint64(rounds) {
		settings := map[string]any{"number_add_suffix": round%2 == 0}
		if round%3 == 0 {
			settings["mode"] = "sync"
		}
		synctest.Test(t, func(t *testing.T) {
			tr := newTrials(t, settings, "latency@5ms..400ms=50%", round, contacts(0, rows), 10)
			tr.way.share, tr.perRequest = 0.8, 1
			for range 3 {
				if err := tr.run(1 + tr.rnd.IntN(40)); err == nil {
					break
				}
			}
			if err := tr.run(0); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * crm.ImportDelay) // of the bubble's time
			d := tr.service.State()
			if d.Twice+d.RowsTwice != 0 || int(d.Imported) != rows || fmt.Sprint(tr.results) != fmt.Sprint(map[string]int{"": rows}) {
				t.Errorf("%v, round %d: %d of %d rows are in the task, results %v, %+v", settings, round, d.Imported, rows, tr.results, d.Totals)
			}
			_, n := tr.server.Journal()
			lost, sent, kills, twice, calls = lost+tr.way.lost, sent+tr.way.sent, kills+tr.kills, twice+d.Twice+d.RowsTwice, calls+n
		})
	}
	t.Logf("%d rows in %d requests, %d replies lost, %d runs killed, %d calls: %d numbers twice", rows*rounds, sent, lost, kills, calls, twice)
	if lost < 1000 || kills < rounds {
		t.Errorf("only %d replies were lost, in %d killed runs", lost, kills)
	}
}
