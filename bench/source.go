package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/inbox"
)

const (
	portraitHook   = "user_sync_portrait"
	webhookSecret  = "bench"
	portraitTenant = 82
	comparedRows   = 200 // of the programs' rows
)

// source compares how fast the Airbyte source reads webhooks with a loop that only reads the requests and with a source
// written with Airbyte's Python kit.
func (b *bench) source(doc *bytes.Buffer) error {
	program, err := b.build("source-sluice", "./cmd/source-sluice", "")
	if err != nil {
		return err
	}
	fmt.Fprintf(doc, "\n## The source: webhooks out of the inbox\n\n%d events of about 270 bytes, from the inbox to RECORD messages of about 700 bytes, the start of the program included; beside a loop that\n"+
		"only reads the requests, checks their sums and looks at nothing in them, and a source with the same rows by Airbyte's Python kit. Written to\n"+
		"/dev/null, as the loop's bytes go nowhere, and into a pipe, whose reader takes its share of the cores. Medians of %d rounds, one for the kit.\n\n"+
		"Target: at least 0.3 of the loop, at least 5 times the kit.\n\n| | Sluice's events/s over the loop's | into a pipe | over the kit's, both into a pipe | Sluice events/s | into a pipe | loop events/s | kit events/s | peak RSS MiB |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n", b.events, b.rounds)
	for _, each := range []int{50, 1} {
		dir := filepath.Join(b.dir, fmt.Sprintf("inbox-%d", each))
		if err := fillInbox(dir, b.events/each, each); err != nil {
			return err
		}
		var ours, piped, loop []cost
		for range b.rounds {
			c, err := b.readSource(dir, b.events, nil, program)
			if err != nil {
				return err
			}
			ours = append(ours, c)
			if c, err = b.readSource(dir, b.events, &records{}, program); err != nil {
				return err
			}
			piped = append(piped, c)
			wall, err := readRaw(dir, b.events/each)
			if err != nil {
				return err
			}
			loop = append(loop, cost{wall: wall})
		}
		rate := func(c cost) float64 { return float64(b.events) / c.wall.Seconds() }
		mine, through, bare := median(ours), median(piped), median(loop)
		kit, kitRate := "not run", "not run"
		if !b.skipPeer {
			c, err := b.readKit(dir, program)
			if err != nil {
				return err
			}
			kitRate = fmt.Sprintf("%.0f", float64(b.kitEvents)/c.wall.Seconds())
			kit = fmt.Sprintf("%.1f", rate(through)/(float64(b.kitEvents)/c.wall.Seconds()))
		}
		fmt.Fprintf(doc, "| %d requests of %d | %s | %s | %s | %.0f | %.0f | %.0f | %s | %d |\n", b.events/each, each, ratios(ours, loop, rate), ratios(piped, loop, rate), kit,
			rate(mine), rate(through), rate(bare), kitRate, mine.rss>>10)
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}

// fillInbox stores requests of that many items each.
func fillInbox(dir string, requests, each int) (err error) {
	box, err := inbox.Open(context.Background(), inbox.Options{Dir: dir, QueueAge: time.Hour, QueueBytes: 1 << 30})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	const writers = 256
	var work sync.WaitGroup
	failed := make(chan error, writers)
	for w := range writers {
		work.Go(func() {
			for r := w; r < requests; r += writers {
				body, keys := portrait(r*each, each)
				_, err := box.Append(context.Background(), inbox.Request{
					Endpoint: inbox.Endpoint{Name: "bench/" + portraitHook, Vendor: "socialepoch", Account: fmt.Sprint(portraitTenant), Type: portraitHook}, Method: "POST", Body: body, Keys: keys,
				})
				if err != nil {
					failed <- err
					return
				}
			}
		})
	}
	work.Wait()
	close(failed)
	return <-failed
}

// portrait is a webhook of n changes, as the vendor writes them.
func portrait(first, n int) (body []byte, keys []string) {
	body = fmt.Appendf(nil, `{"accessToken":"","callBackUrl":"","tenantId":%d,"timestamp":1790000000000,"data":[`, portraitTenant)
	for i := first; i < first+n; i++ {
		if i > first {
			body = append(body, ',')
		}
		id := fmt.Sprintf("%032x", i)
		keys = append(keys, "k"+id)
		body = fmt.Appendf(body, `{"id":"%s","type":1,"userName":"kubrick101","friendWhatsId":"8615%09d","field":"Description","fieldType":0,"fieldConfig":2,"sourceValue":"called, no answer","targetValue":"wants an offer for %d pieces, 下周再联系","updateAt":"2026-09-21 10:%02d:%02d"}`,
			id, i%1_000_000_000, i, i/60%60, i%60)
	}
	return append(body, `]}`...), keys
}

// readRaw reads all requests and nothing else.
func readRaw(dir string, requests int) (time.Duration, error) {
	start := time.Now()
	r, err := inbox.OpenReader(dir)
	if err != nil {
		return 0, err
	}
	got, bytes := 0, 0
	for q := (inbox.Query{}); ; {
		page, err := r.Read(context.Background(), q)
		if err != nil {
			return 0, errors.Join(err, r.Close())
		}
		for i := range page.Records {
			got++
			bytes += len(page.Records[i].Body)
		}
		if q.After = page.Last; !page.More {
			break
		}
	}
	wall := time.Since(start)
	if got != requests || bytes == 0 {
		return 0, fmt.Errorf("the loop read %d of %d requests", got, requests)
	}
	return wall, r.Close()
}

// sink counts the records on a program's standard output, and keeps the first.
type records struct {
	n     int
	first [][]byte
	rest  []byte // of an unfinished line, while lines are kept
}

var recordMark = []byte(`{"type":"RECORD"`)

func (r *records) Write(p []byte) (int, error) {
	r.n += bytes.Count(p, []byte{'\n'})
	if len(r.first) < comparedRows {
		r.rest = append(r.rest, p...)
		for {
			line, rest, whole := bytes.Cut(r.rest, []byte{'\n'})
			if !whole {
				break
			}
			if bytes.HasPrefix(bytes.ReplaceAll(line[:min(len(line), 32)], []byte(" "), nil), recordMark) {
				r.first = append(r.first, bytes.Clone(line))
			}
			r.rest = rest
		}
	}
	return len(p), nil
}

// readSource runs a source over the inbox and counts its lines, of which there must be as many as rows; without into they
// go to /dev/null.
func (b *bench) readSource(dir string, rows int, into *records, name string, args ...string) (cost, error) {
	config := fmt.Sprintf(`{"crm":{"vendor":"socialepoch","tenant_id":%d,"webhook_secrets":[%q]},"inbox":{"at":"folder","path":%q},"limit":%d}`, portraitTenant, webhookSecret, dir, rows)
	catalog := `{"streams":[{"stream":{"name":"profile_changes","json_schema":{},"supported_sync_modes":["full_refresh","incremental"]},"sync_mode":"full_refresh","destination_sync_mode":"append"}]}`
	if into == nil || len(args) == 0 {
		config = config[:len(config)-len(fmt.Sprintf(`,"limit":%d}`, rows))] + "}"
	}
	files := [2]string{filepath.Join(b.dir, "source.json"), filepath.Join(b.dir, "catalog.json")}
	if err := errors.Join(os.WriteFile(files[0], []byte(config), 0o600), os.WriteFile(files[1], []byte(catalog), 0o600)); err != nil {
		return cost{}, err
	}
	var errs bytes.Buffer
	cmd := exec.Command(name, append(slices.Clone(args), "read", "--config", files[0], "--catalog", files[1])...)
	if cmd.Stderr = &errs; into != nil {
		cmd.Stdout = into
	}
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return cost{}, fmt.Errorf("%s: %w\n%s", name, err, &errs)
	}
	c := costOf(cmd, time.Since(start))
	if into != nil && into.n < rows {
		return cost{}, fmt.Errorf("%s: %d lines for %d events", name, into.n, rows)
	}
	return c, nil
}

// readKit runs the source by Airbyte's kit over the first events, and makes sure that it says the same.
func (b *bench) readKit(dir, program string) (cost, error) {
	var theirs, ours records
	c, err := b.readSource(dir, b.kitEvents, &theirs, b.python, "bench/cdk/source.py")
	if err != nil {
		return c, err
	}
	if _, err := b.readSource(dir, b.kitEvents, &ours, program); err != nil {
		return c, err
	}
	if len(ours.first) < comparedRows {
		return c, fmt.Errorf("only %d rows to compare", len(ours.first))
	}
	for i := range comparedRows {
		var x, y struct{ Record struct{ Data map[string]any } }
		if err := errors.Join(json.Unmarshal(ours.first[i], &x), json.Unmarshal(theirs.first[i], &y)); err != nil {
			return c, err
		}
		if fmt.Sprint(x.Record.Data) != fmt.Sprint(y.Record.Data) {
			return c, fmt.Errorf("the sources differ in row %d:\n%s\n%s", i, ours.first[i], theirs.first[i])
		}
	}
	return c, nil
}
