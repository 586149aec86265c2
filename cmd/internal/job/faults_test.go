package job

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	nxsandbox "github.com/sluicehq/sluice/connector/nx/sandbox"
	"github.com/sluicehq/sluice/internal/pipeline"
	"github.com/sluicehq/sluice/internal/sandbox"
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
		line := fmt.Sprintf(`{"whatsapp":%q,"first_name":"F%d","last_name":"L","tags":["t%d"]`, id, i, i%7)
		if i%3 != 0 {
			line += fmt.Sprintf(`,"remark":"%d"`, i) // else an earlier row's stays
		}
		lines = append(lines, []byte(line+"}"))
	}
	return lines, ids, rejected
}

// faultMixes hold every kind of fault, each at one call in twenty; what refuses or loses a reply is a fifth of the calls in sum
// in each mix, and latency joins in. "stall" outlasts the time limit of a call.
var faultMixes = map[string]string{
	"refused and lost":   "latency@50ms..900ms=5%,429@0s=5%,5xx=5%,drop=5%,malformed=5%",
	"cut and shut":       "latency@50ms..900ms=5%,truncate=5%,drop-before=5%,5xx-after=5%,429@2s=5%",
	"late and misled":    "latency@5s..25s=5%,stall@40s=5%,truncate=5%,html=5%,drop=5%",
	"gateway in the way": "latency@1ms=5%,502=5%,504=5%,5xx-after@502=5%,malformed=5%",
}

// modelOf is what the CRM must hold in the end: the good rows merged by person in their order.
func modelOf(lines [][]byte, ids []string, bad map[int]bool) []string {
	people := map[string]map[string]string{}
	for i, line := range lines {
		if bad[i] {
			continue
		}
		var row struct {
			First  string   `json:"first_name"`
			Last   string   `json:"last_name"`
			Remark string   `json:"remark"`
			Tags   []string `json:"tags"`
		}
		if err := json.Unmarshal(line, &row); err != nil {
			panic(err)
		}
		p := people[ids[i]]
		if p == nil {
			p = map[string]string{"whats_app_phone": ids[i]}
			people[ids[i]] = p
		}
		for name, v := range map[string]string{"first_name": row.First, "last_name": row.Last, "remark": row.Remark, "tagStr": strings.Join(row.Tags, ",")} {
			if v != "" {
				p[name] = v
			}
		}
	}
	var out []string
	for _, p := range people {
		line, err := json.Marshal([]any{nxsandbox.TenantID, nxsandbox.AppKey, p, nil})
		if err != nil {
			panic(err)
		}
		out = append(out, string(line))
	}
	slices.Sort(out)
	return out
}

// TestFaults: whatever mix of faults strikes one call in five, each row ends delivered or rejected with its true reason, the
// CRM holds what the rows merged in their order leave, and no position is ever ahead of the CRM, by the sandbox's journal.
func TestFaults(t *testing.T) {
	const n = 4000
	lines, ids, bad := people(n, 5, 50)
	want := modelOf(lines, ids, bad)
	for name, faults := range faultMixes {
		for _, seed := range []uint64{7, 11, 23} {
			t.Run(fmt.Sprintf("%s/%d", name, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					faultyRun(t, seed, faults, lines, ids, bad, want)
				})
			})
		}
	}
}

func faultyRun(t *testing.T, seed uint64, faults string, lines [][]byte, ids []string, bad map[int]bool, want []string) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	w := newSeededWorld(t, seed, faults, "", Delivery{Concurrency: 6, RequestsPerSecond: 50})
	rejects := &memoryRejects{}
	checked, due := 0, map[string]int{} // rows of each person whose position has left
	in := &list{mem: mem, lines: lines, batch: 130, fields: w.target.Mapping.Fields("contacts"), acked: func(before int) {
		w.mu.Lock()
		defer w.mu.Unlock()
		for ; checked < before; checked++ {
			if bad[checked] {
				continue
			}
			id := ids[checked]
			if due[id]++; w.committed[id] < due[id] {
				t.Errorf("position %d left before row %d was taken: %d commits of %s, %d due", before, checked, w.committed[id], id, due[id])
			}
		}
	}}
	report, st, err := w.target.Run(t.Context(), Run{Reader: in, Rejects: rejects})
	if err != nil {
		t.Fatal(err)
	}
	n := len(lines)
	if report.Read != int64(n) || report.Delivered != int64(n-len(bad)) || report.Rejected != int64(len(bad)) || checked != n {
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
	if got := w.nx.Link.Contents(); !slices.Equal(got, want) {
		t.Errorf("the CRM holds %d contacts, the model %d, or they differ:\n%s\n%s", len(got), len(want), got[0], want[0])
	}
	struck := w.struck()
	for _, kind := range kindsOf(t, faults) {
		if struck[kind] == 0 {
			t.Errorf("no call was struck by %s: %v", kind, struck)
		}
	}
	t.Logf("%d calls, struck %v; %+v", w.calls(), struck, st)
}

// kindsOf lists the kinds of a mix.
func kindsOf(t *testing.T, faults string) (kinds []string) {
	parsed, err := sandbox.ParseFaults(faults)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range parsed {
		kinds = append(kinds, string(f.Kind))
	}
	return kinds
}

// TestFaultMixes: no kind of fault that the sandbox can do to a run is left out.
func TestFaultMixes(t *testing.T) {
	seen := map[string]bool{
		string(sandbox.KindPartial): true, // NXLink answers for whole requests only
		string(sandbox.KindRate):    true, // no chance but a limit: the governor's own tests
	}
	for _, faults := range faultMixes {
		for _, kind := range kindsOf(t, faults) {
			seen[kind] = true
		}
	}
	for _, kind := range sandbox.Kinds {
		if !seen[string(kind)] {
			t.Errorf("no mix has %s", kind)
		}
	}
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
