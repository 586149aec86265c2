package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/all"
	sesandbox "github.com/sluicehq/sluice/connector/socialepoch/sandbox"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// pools is a SocialEpoch sandbox with its journal, and a target whose mode replaces agents' pools.
type pools struct {
	world
	service *sesandbox.Service
}

func newPools(t *testing.T, seed uint64, faults string, o sesandbox.Options, settings string) *pools {
	t.Helper()
	p := &pools{service: sesandbox.New(o)}
	p.committed = map[string]int{}
	f, err := sandbox.ParseFaults(faults)
	if err != nil {
		t.Fatal(err)
	}
	p.server = sandbox.New(sandbox.Options{Clock: time.Now, Seed: seed, Faults: f, Journal: &p.world}, p.service)
	v, _ := all.Lookup("socialepoch")
	cfg := v.NewConfig()
	if err := json.Unmarshal(fmt.Appendf(nil, `{"tenant_id":%d,"api_key":%q,"mode":"pool_replace"%s}`, sesandbox.TenantID, sesandbox.APIKey, settings), cfg); err != nil {
		t.Fatal(err)
	}
	s := Settings{Transport: sandbox.Transport(p.server), Log: slog.New(slog.DiscardHandler)}
	if p.target, err = NewTarget(t.Context(), &v, cfg, s); err != nil {
		t.Fatal(err)
	}
	return p
}

// held returns the numbers in each agent's pool.
func (p *pools) held() map[string][]string {
	held := map[string][]string{}
	for _, c := range p.service.State().Contacts {
		held[c.Agent] = append(held[c.Agent], c.Number)
	}
	return held
}

func (p *pools) want(t *testing.T, want map[string][]string) {
	t.Helper()
	got := p.held()
	for agent := range want {
		slices.Sort(want[agent])
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the pools are %.600v\nwant %.600v", got, want)
	}
}

// poolRows makes shuffled rows of agents with so many contacts each, numbered from first, and the pools that they come to. Of each
// agent's rows, one comes twice and one has a number that no CRM takes.
func poolRows(rnd *rand.Rand, first int, sizes map[string]int) (lines [][]byte, want map[string][]string) {
	want = map[string][]string{}
	for agent, n := range sizes {
		for i := range n {
			number := fmt.Sprintf("86138%08d", first+i)
			want[agent] = append(want[agent], number)
			lines = append(lines, fmt.Appendf(nil, `{"owner":%q,"whatsapp":%q,"full_name":"N%d"}`, agent, number, i))
		}
		lines = append(lines, fmt.Appendf(nil, `{"owner":%q,"whatsapp":%q,"full_name":"again"}`, agent, want[agent][0]),
			fmt.Appendf(nil, `{"owner":%q,"whatsapp":"86-x","full_name":"bad"}`, agent))
	}
	rnd.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	return lines, want
}

// TestPoolsAreReplaced: three agents are three calls, though the window is smaller than one pool; who is not in the input is
// gone from the pools of its agents, and other agents keep theirs. The same under faults and locks, where calls are repeated.
func TestPoolsAreReplaced(t *testing.T) {
	for _, tc := range []struct {
		faults string
		lock   bool
	}{{"", false}, {"", true}, {"drop=10%,5xx=10%,5xx-after=10%,malformed=5%,429@1s=10%,truncate=5%", false}, {"drop=15%,5xx-after=10%,partial=10%", true}} {
		for seed := range uint64(4) {
			t.Run(fmt.Sprintf("%s/%t/%d", tc.faults, tc.lock, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
					defer mem.AssertSize(t, 0)
					rnd := rand.New(rand.NewPCG(seed, 3))
					p := newPools(t, seed, tc.faults, sesandbox.Options{Lock: tc.lock}, "")
					run := func(lines [][]byte, want map[string][]string) {
						t.Helper()
						rejects := &memoryRejects{}
						in := &list{mem: mem, lines: lines, batch: 1 + rnd.IntN(40), fields: p.target.Mapping.Fields("contacts")}
						acked := 0
						in.acked = func(before int) { acked = before }
						report, _, err := p.target.Run(t.Context(), Run{Reader: in, Rejects: rejects, window: 4 << 10, From: connector.Position("3")})
						if err != nil {
							t.Fatal(err)
						}
						if report.Read != int64(len(lines)) || report.Left != 0 || report.Codes[connector.CodeBadPhone] == 0 || !report.Complete || report.Position != nil {
							t.Errorf("%+v", report)
						}
						if acked != len(lines) {
							t.Errorf("%d of %d rows are acked", acked, len(lines))
						}
						without(want, rejects)
					}
					before, old := poolRows(rnd, 0, map[string]int{"ann": 90, "ben": 70, "cid": 80, "dora": 30})
					run(before, old)
					lines, want := poolRows(rnd, 50, map[string]int{"ann": 60, "ben": 100, "cid": 75})
					calls := p.calls()
					run(lines, want)
					want["dora"] = old["dora"]
					p.want(t, want)
					if n := p.calls() - calls; tc.faults == "" && !tc.lock && n != 3 {
						t.Errorf("%d calls for three agents", n)
					}
				})
			})
		}
	}
}

// without takes the contacts out whose attachments could not be fetched, which the fault "partial" is about.
func without(want map[string][]string, rejects *memoryRejects) {
	for _, r := range rejects.all {
		if r.Result.Code != "59" {
			continue
		}
		var row struct{ Owner, Whatsapp string }
		if err := json.Unmarshal(r.Row, &row); err != nil {
			panic(err) // it was JSON when it was read
		}
		want[row.Owner] = slices.DeleteFunc(want[row.Owner], func(number string) bool { return number == row.Whatsapp })
	}
}

// cutList is a list that breaks off or stops at its end.
type cutList struct {
	*list
	end  error
	stop context.CancelCauseFunc
}

func (c *cutList) Read(ctx context.Context) (connector.Batch, error) {
	b, err := c.list.Read(ctx)
	if err == io.EOF {
		if c.stop != nil {
			c.stop(errors.New("signal: terminated"))
			return b, ctx.Err()
		}
		return b, c.end
	}
	return b, err
}

// TestPoolsOfCutInput: input that breaks off, a signal, and a pool that no request can hold make no call. The rows count as
// left, nothing is acked, the pools stay as they were.
func TestPoolsOfCutInput(t *testing.T) {
	for _, tc := range []struct {
		name string
		size int
		end  error
		stop bool
		kind connector.Kind
		says string
	}{
		{"cut", 40, io.ErrUnexpectedEOF, false, connector.KindTransient, "nothing was sent"},
		{"broken", 40, connector.Transientf("Look at it", "the disk is gone"), false, connector.KindTransient, "the disk is gone"},
		{"signal", 40, nil, true, connector.KindInternal, "signal: terminated"}, // whoever cancels says what kind it is
		{"too many", 10_001, io.EOF, false, connector.KindConfig, "ann has 10001 contacts and one request takes 10000"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
			defer mem.AssertSize(t, 0)
			p := newPools(t, 1, "", sesandbox.Options{}, "")
			var lines [][]byte
			for i := range tc.size {
				lines = append(lines, fmt.Appendf(nil, `{"owner":"ann","whatsapp":"86138%08d"}`, i))
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			in := &cutList{list: &list{mem: mem, lines: lines, batch: 1000, fields: p.target.Mapping.Fields("contacts")}, end: tc.end}
			in.acked = func(before int) { t.Errorf("%d rows were acked", before) }
			if tc.stop {
				in.stop = cancel
			}
			report, stats, err := p.target.Run(ctx, Run{Reader: in, Rejects: &memoryRejects{}})
			if connector.KindOf(err) != tc.kind || !strings.Contains(fmt.Sprint(err), tc.says) {
				t.Errorf("got %v (%v), want %q", err, connector.KindOf(err), tc.says)
			}
			if report.Read != int64(tc.size) || report.Left != report.Read || report.Complete || report.Balanced() != nil {
				t.Errorf("%+v", report)
			}
			if stats.Requests != 0 || p.calls() != 0 || len(p.held()) != 0 {
				t.Errorf("%d requests, %d calls, pools %v", stats.Requests, p.calls(), p.held())
			}
		})
	}
}

// TestPoolsTakeNoPart: a limit and other ways to give a part of the input are refused before anything is read.
func TestPoolsTakeNoPart(t *testing.T) {
	p := newPools(t, 1, "", sesandbox.Options{}, "")
	in := &list{mem: memory.DefaultAllocator, lines: [][]byte{[]byte(`{}`)}, batch: 1}
	_, _, err := p.target.Run(t.Context(), Run{Reader: in, Limit: 1})
	if connector.KindOf(err) != connector.KindConfig || in.at != 0 {
		t.Errorf("with a limit: %v, read %d", err, in.at)
	}
	if err := p.target.CheckWhole(true, 0); connector.KindOf(err) != connector.KindConfig {
		t.Errorf("without an end: %v", err)
	}
	if err := newWorld(t, "", "", Delivery{}).target.CheckWhole(true, 1); err != nil {
		t.Errorf("another mode: %v", err)
	}
}

// TestPoolOfTooManyBytes: a pool that fits in rows but not in bytes is found before any call, also one behind others.
func TestPoolOfTooManyBytes(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	p := newPools(t, 1, "", sesandbox.Options{}, `,"max_request_bytes":65536`)
	lines := [][]byte{[]byte(`{"owner":"ben","whatsapp":"8613800000001"}`)}
	for i := range 800 {
		lines = append(lines, fmt.Appendf(nil, `{"owner":"ann","whatsapp":"86138%08d","remark":"a remark of some length that takes place"}`, i))
	}
	in := &list{mem: mem, lines: lines, batch: 100, fields: p.target.Mapping.Fields("contacts")}
	report, _, err := p.target.Run(t.Context(), Run{Reader: in, Rejects: &memoryRejects{}})
	if connector.KindOf(err) != connector.KindConfig || !strings.Contains(fmt.Sprint(err), "the 800 contacts of ann make one request of ") {
		t.Errorf("%v", err)
	}
	if report.Read != 801 || report.Left != 801 || report.Delivered != 0 || p.calls() != 0 {
		t.Errorf("%+v, %d calls", report, p.calls())
	}
}
