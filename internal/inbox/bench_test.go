package inbox

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// BenchmarkAppend measures durable appends, each of 1 KiB and one new key, beside a bare probe of the same run: a loop
// that does nothing but group commits of such rows. Compare acks/s.
func BenchmarkAppend(b *testing.B) {
	for _, clients := range []int{8, 64} {
		b.Run(fmt.Sprintf("inbox/%d", clients), func(b *testing.B) {
			i := open(b, Options{Dir: b.TempDir()})
			race(b, clients, func(body []byte, key string) error {
				_, err := i.Append(ctx, Request{Endpoint: profiles, Method: "POST", Body: body, Keys: []string{key}})
				return err
			})
		})
		b.Run(fmt.Sprintf("probe/%d", clients), func(b *testing.B) {
			p := newProbe(b)
			defer p.close(b)
			race(b, clients, p.append)
		})
	}
}

// race shares b.N appends among clients.
func race(b *testing.B, clients int, appendOne func(body []byte, key string) error) {
	var next atomic.Int64
	var work sync.WaitGroup
	b.ResetTimer()
	for range clients {
		work.Go(func() {
			body := make([]byte, 1024)
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				copy(body, fmt.Sprint(n))
				if err := appendOne(body, fmt.Sprint("event-", n)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "acks/s")
}

// probe is the least that keeps the promise: a channel, a transaction, two inserts a request.
type probe struct {
	db   *sql.DB
	in   chan probeRow
	done chan bool
}

type probeRow struct {
	body []byte
	key  [32]byte
	err  chan error
}

func newProbe(b *testing.B) *probe {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "probe.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		b.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE r (seq INTEGER PRIMARY KEY, body BLOB); CREATE TABLE k (key BLOB PRIMARY KEY, seq INTEGER) WITHOUT ROWID"); err != nil {
		b.Fatal(err)
	}
	p := &probe{db: db, in: make(chan probeRow, 1024), done: make(chan bool)}
	go func() {
		defer close(p.done)
		for first := range p.in {
			group := []probeRow{first}
			for more := true; more && len(group) < groupSize; {
				select {
				case r := <-p.in:
					group = append(group, r)
				default:
					more = false
				}
			}
			err := p.write(group)
			for _, r := range group {
				r.err <- err
			}
		}
	}()
	return p
}

func (p *probe) write(group []probeRow) error {
	tx, err := p.db.BeginTx(context.Background(), nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	record, err := tx.Prepare("INSERT INTO r (body) VALUES (?)")
	if err != nil {
		return err
	}
	key, err := tx.Prepare("INSERT INTO k VALUES (?, ?) ON CONFLICT DO NOTHING")
	if err != nil {
		return err
	}
	for _, r := range group {
		res, err := record.Exec(r.body)
		if err != nil {
			return err
		}
		seq, err := res.LastInsertId()
		if err != nil {
			return err
		}
		if _, err := key.Exec(r.key[:], seq); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (p *probe) append(body []byte, key string) error {
	r := probeRow{body: body, key: sha256.Sum256([]byte(key)), err: make(chan error, 1)}
	p.in <- r
	return <-r.err
}

func (p *probe) close(b *testing.B) {
	close(p.in)
	<-p.done
	if err := p.db.Close(); err != nil {
		b.Error(err)
	}
}
