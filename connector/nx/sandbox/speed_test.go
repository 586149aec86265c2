package sandbox_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	nx "github.com/sluicehq/sluice/connector/nx/sandbox"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// hundred is a request of 100 usual customers.
func hundred(first int) string {
	rows := make([]string, 100)
	for i := range rows {
		n := first + i
		rows[i] = fmt.Sprintf(`{"full_name":"Zhang San %d","first_name":"Zhang","last_name":"San","whats_app_phone":"86186%07d","email":"user%d@example.com","gender":1,"birthday":"1976-04-12","country":"China","address":"12 Example Road","remark":"met at the fair","tagStr":"vip,2026","customize_field":"{\"customize_1_14\":\"gold\"}"}`, n, n, n)
	}
	return batch(1, rows...)
}

// One core must take 50,000 rows a second; see rows/s.
func BenchmarkBatchCreate(b *testing.B) {
	w := newWorld(&testing.T{}, nx.Options{})
	calls := make([]call, 50)
	for i := range calls {
		calls[i] = call{path: platPath, body: hundred(i * 100)}
	}
	for i := 0; b.Loop(); i++ {
		resp, err := sandbox.Transport(w.server).RoundTrip(w.request(calls[i%len(calls)]))
		if err != nil {
			b.Fatal(err)
		}
		if resp.StatusCode != 200 {
			b.Fatal(resp.Status)
		}
		resp.Body.Close()
	}
	b.ReportMetric(float64(b.N)*100/b.Elapsed().Seconds(), "rows/s")
}

func TestAllocationsPerRow(t *testing.T) {
	w := newWorld(t, nx.Options{})
	c := call{path: platPath, body: hundred(0)}
	w.do(c)
	perRequest := testing.AllocsPerRun(20, func() { w.do(c) })
	if perRow := perRequest / 100; perRow > 25 {
		t.Errorf("got %.1f allocations a row, want at most 25", perRow)
	}
}

// FuzzBody sends any body, rightly signed: the answer is always an envelope with a known code, and what is refused
// leaves no trace.
func FuzzBody(f *testing.F) {
	for _, body := range []string{
		batch(1, newRow), batch(0, `{"full_name":"a","email":"\ud800"}`), batch(2, `{"full_name":"a","email":"x","customize_field":"{\"a\":{\"b\":[1,null]}}"}`),
		`{"type":1,"tenant_id":144,"app_key":"sandbox=app","customers":[null]}`, `{"customers":[{"gender":1e0}],"type":-0}`, "\x00", strings.Repeat("[", 2000),
	} {
		f.Add(body)
	}
	known := map[int]bool{0: true, 1002: true, 21058: true, 21059: true, 22020: true, 22124: true}
	f.Fuzz(func(t *testing.T, body string) {
		for _, path := range []string{seaPath, platPath, queryPath} {
			w := newWorld(t, nx.Options{})
			e := w.do(call{path: path, body: body})
			total := w.nx.Link.State().Records + w.nx.Cloud.State().Records
			if !known[e.Code] || e.Code != 0 && total != 0 {
				t.Fatalf("got code %d %q and %d records", e.Code, e.Message, total)
			}
			if e.Code == 0 && (!json.Valid([]byte(body)) || !utf8.ValidString(body)) {
				t.Fatalf("took what is not JSON: %q", body)
			}
			for _, line := range append(w.nx.Link.Contents(), w.nx.Cloud.Contents()...) {
				if !json.Valid([]byte(line)) {
					t.Fatalf("stored what is not JSON: %q", line)
				}
			}
		}
	})
}
