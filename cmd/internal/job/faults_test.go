package job

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/pipeline"
)

// people makes n contacts; every hot-th row is about one of ten people again, every bad-th has a phone no CRM takes.
func people(n, hot, bad int) (lines [][]byte, ids []string, rejected map[int]bool) {
	rejected = map[int]bool{}
	for i := range n {
		id := fmt.Sprintf("8613%09d", i)
		switch {
		case bad > 0 && i%bad == bad-1:
			id, rejected[i] = fmt.Sprintf("86-x%d", i), true
		case hot > 0 && i%hot == 0:
			id = fmt.Sprintf("8619%09d", i/hot%10)
		}
		ids = append(ids, id)
		lines = append(lines, fmt.Appendf(nil, `{"whatsapp":%q,"first_name":"F%d","last_name":"L","remark":"%d","tags":["t%d"]}`, id, i, i, i%7))
	}
	return lines, ids, rejected
}

// TestFaults: with every kind of fault striking one call in twenty, each row ends delivered or rejected with its true
// reason, the CRM holds what a run without faults leaves, and no position is ever ahead of the CRM.
func TestFaults(t *testing.T) {
	const n = 6000
	lines, ids, bad := people(n, 5, 50)
	contents := func(faults string) (got []string, stats string) {
		synctest.Test(t, func(t *testing.T) {
			mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
			defer mem.AssertSize(t, 0)
			w := newWorld(t, faults, "", Delivery{Concurrency: 6, RequestsPerSecond: 50})
			rejects := &memoryRejects{}
			checked := 0
			in := &list{mem: mem, lines: lines, batch: 130, fields: w.target.Mapping.Fields("contacts"), acked: func(before int) {
				w.mu.Lock()
				defer w.mu.Unlock()
				for ; checked < before; checked++ {
					if !bad[checked] && w.committed[ids[checked]] == 0 {
						t.Errorf("position %d left before row %d was taken", before, checked)
					}
				}
			}}
			report, st, err := w.target.Run(t.Context(), Run{Reader: in, Rejects: rejects})
			if err != nil {
				t.Fatal(err)
			}
			if report.Read != n || report.Delivered != int64(n-len(bad)) || report.Rejected != int64(len(bad)) || checked != n {
				t.Errorf("%+v, acked %d", report, checked)
			}
			if want := map[string]int64{connector.CodeBadPhone: int64(len(bad))}; !maps.Equal(report.Codes, want) {
				t.Errorf("codes %v, want %v", report.Codes, want)
			}
			for _, r := range rejects.all {
				if !strings.HasPrefix(r.Key, "86-x") {
					t.Errorf("a good row was rejected: %q %+v", r.Key, r.Result)
				}
			}
			got, stats = w.nx.Link.Contents(), fmt.Sprintf("%+v", st)
		})
		return got, stats
	}
	want, _ := contents("")
	got, stats := contents("429@0s=5%,5xx=5%,drop=5%,malformed=5%")
	if !slices.Equal(got, want) {
		t.Errorf("with faults the CRM holds %d contacts, without %d, or they differ", len(got), len(want))
	}
	t.Log(stats)
}

// long lifts the limit on remarks, so that the CRM and not the preset refuses long ones.
const long = `streams: {"*": {fields: {remark: {from: remark}}}}`

// TestPoison: one row among 10,000 that only the CRM knows to be bad is found with few calls and rejected alone.
func TestPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, poison = 10_000, 4_321
		lines, _, _ := people(n, 0, 0)
		lines[poison] = fmt.Appendf(nil, `{"whatsapp":"8618600000000","first_name":"A","last_name":"B","remark":%q}`, strings.Repeat("x", 101))
		w := newWorld(t, "", long, Delivery{Concurrency: 4, RequestsPerSecond: 1000})
		rejects := &memoryRejects{}
		in := &list{mem: memory.DefaultAllocator, lines: lines, batch: 1000, fields: w.target.Mapping.Fields("contacts")}
		report, _, err := w.target.Run(t.Context(), Run{Reader: in, Rejects: rejects})
		if err != nil {
			t.Fatal(err)
		}
		if report.Delivered != n-1 || rejects.len() != 1 {
			t.Fatalf("%+v", report)
		}
		r := rejects.all[0]
		if r.Key != "8618600000000" || r.Result.Code != "1002" || !strings.Contains(r.Result.Message, "remark") || r.Result.RequestID == "" {
			t.Errorf("the reject does not say what is wrong: %+v", r)
		}
		const size = 128 // of a request, rounded up to a power of two
		extra, bound := w.calls()-n/100, int(2*math.Log2(size))+2
		if extra > bound {
			t.Errorf("%d extra calls, at most %d are needed", extra, bound)
		}
		t.Logf("%d calls for %d rows, %d of them to find the poison (bound %d)", w.calls(), n, extra, bound)
	})
}

// TestAllPoison: where every row is refused with one code, the run stops after a few requests and blames the configuration.
func TestAllPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines [][]byte
		for i := range 10_000 {
			lines = append(lines, fmt.Appendf(nil, `{"whatsapp":"8613%09d","first_name":"A","last_name":"B","remark":%q}`, i, strings.Repeat("x", 101)))
		}
		w := newWorld(t, "", long, Delivery{Concurrency: 2, RequestsPerSecond: 1000})
		in := &list{mem: memory.DefaultAllocator, lines: lines, batch: 1000, fields: w.target.Mapping.Fields("contacts")}
		report, _, err := w.target.Run(t.Context(), Run{Reader: in, Rejects: &memoryRejects{}})
		if connector.KindOf(err) != connector.KindConfig || !strings.Contains(fmt.Sprint(err), "1002") {
			t.Fatalf("want a Config error that names the code, got %v", err)
		}
		if report.Delivered != 0 || report.Balanced() != nil {
			t.Errorf("%+v", report)
		}
		if calls := w.calls(); calls > 1000 {
			t.Errorf("%d calls before the run stopped", calls)
		}
		t.Logf("%d calls: %v", w.calls(), err)
	})
}

var _ pipeline.Rejects = (*memoryRejects)(nil)
