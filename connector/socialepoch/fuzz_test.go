package socialepoch

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// FuzzWebhook: no body harms, Split and Decode speak of the same items, and each item is a row that holds it.
func FuzzWebhook(f *testing.F) {
	for _, seed := range []string{
		`{"accessToken":"x","tenantId":82,"timestamp":1667293135274,"data":[` + change("Gender", 0, 3, "MALE", "FEMALE") + `,{"id":"k","type":2,"targetValue":"{\"data\":{\"text\":\"a\""}]}`,
		`{"data":[{"friendWhatsId":"1","userId":1,"tenantId":2,"follow":"{\"data\":{\"text\":\"a } b\",\"url\":[\"x\"","username":"g"}]}`,
		`[{"id":"k","field":"\ud800"}]`, `{"data":[{]}`, `{"data":[1,2,"x",null]}`, `{"data":[]}`, "{\"data\":[{\"id\":\"\xff\"}]}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, webhook := range []string{hookPortrait, hookFollow} {
			h := hookFor(t, webhook, listening())
			if _, err := h.Verify(&connector.Request{Header: http.Header{}, Body: body}, arrival); err == nil {
				t.Fatalf("%q is believed", body)
			}
			items, splitErr := h.Split(body)
			out := &collector{}
			err := h.Decode(&connector.Received{Seq: 1, At: arrival, Tenant: "82", Body: body}, out)
			if (splitErr == nil) != (err == nil) || out.fault != "" || len(out.rows) != len(items) {
				t.Fatalf("%q: split %v, decode %v, %d items, %d rows, %s", body, splitErr, err, len(items), len(out.rows), out.fault)
			}
			for i, row := range out.rows {
				if row["event_id"] != items[i].Key || items[i].Key == "" || len(items[i].Bytes) == 0 {
					t.Fatalf("%q: item %d is %q, its row %v", body, i, items[i].Key, row["event_id"])
				}
				if _, isObject := row["raw"].(map[string]any); isObject != (items[i].Bytes[0] == '{' && readable(items[i].Bytes)) {
					t.Fatalf("%q: item %d stands as %v", body, i, row["raw"])
				}
			}
		}
	})
}

func readable(item []byte) bool {
	var w rows.Walker
	return whole(&w, item)
}

// ofStream fills records of one stream, as a source does.
type ofStream struct {
	stream string
	b      *rows.Builder
}

func (s ofStream) AppendEvent(stream string, item int, members []byte) error {
	if stream != s.stream {
		return nil
	}
	if r := s.b.Append(rows.AppendNumbered(nil, "seq", int64(item), members)); r != nil {
		return r
	}
	return nil
}

// flat is the stream's schema, with lists as JSON.
func flat(s connector.Stream) *arrow.Schema {
	fields := s.Schema().Fields()
	for i, f := range fields {
		if f.Type.ID() == arrow.LIST {
			fields[i] = connector.JSONField(f.Name)
		}
	}
	return arrow.NewSchema(fields, nil)
}

// The rows fit the tables of their streams.
func TestRowsFillRecords(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	for _, s := range source.Streams[:2] {
		b := rows.NewBuilder(mem, flat(s))
		defer b.Release()
		h := hookFor(t, hookPortrait, listening())
		if err := h.Decode(&connector.Received{Seq: 1, At: arrival, Tenant: "82", Body: benchBody(0, 50)}, ofStream{s.Name, b}); err != nil {
			t.Fatal(err)
		}
		rec := b.NewRecord()
		if want := map[string]int64{streamChanges: 40, streamFollows: 10}[s.Name]; rec.NumRows() != want {
			t.Errorf("%s: %d rows, want %d", s.Name, rec.NumRows(), want)
		}
		for i := range int(rec.NumRows()) {
			if line := rows.AppendJSON(nil, rec, i); !json.Valid(line) || !strings.Contains(string(line), `"raw":{"id":`) {
				t.Fatalf("%s", line)
			}
		}
		rec.Release()
	}
}

// benchBody is a request as the vendor sends it, with n items of the usual kinds.
func benchBody(seq, n int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `{"accessToken":"%s","tenantId":82,"timestamp":%d,"data":[`, strings.Repeat("a", 64), 1667293135274+seq)
	kinds := []string{
		`"type":1,"userName":"Zhang San","friendWhatsId":"8615601882491","field":"Address","fieldType":0,"fieldConfig":1,"sourceValue":"","targetValue":"12 Long Street, Shanghai"`,
		`"type":1,"userName":"Zhang San","friendWhatsId":"8615601882492","field":"Gender","fieldType":0,"fieldConfig":3,"sourceValue":"MALE","targetValue":"FEMALE"`,
		`"type":1,"userName":"李四","friendWhatsId":"8615601882493","field":"标签","fieldType":0,"fieldConfig":4,"sourceValue":"[Tag 1]","targetValue":"[Tag 1,Tag 2]"`,
		`"type":1,"userName":"Zhang San","friendWhatsId":"8615601882494","field":"ext-Level","fieldType":1,"fieldConfig":1,"sourceValue":"a","targetValue":"b"`,
		`"type":2,"userName":"Zhang San","friendWhatsId":"33758618170","field":"Follow up records","fieldType":0,"fieldConfig":1,"sourceValue":"","targetValue":"{\"data\":{\"text\":\"Hello\",\"url\":[]},\"dataTypeMap\":{\"writeFollow\":\"Write follow-up\"}}"`,
	}
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":"%032x",%s,"updateAt":"2022-10-02 20:34:58"}`, seq*n+i, kinds[i%len(kinds)])
	}
	b.WriteString("]}")
	return []byte(b.String())
}

type discard struct{ bytes int }

func (d *discard) AppendEvent(_ string, _ int, object []byte) error {
	d.bytes += len(object)
	return nil
}

// A request of 50 items costs a handful of allocations and few for each follow-up, none for each change.
func TestDecodeAllocations(t *testing.T) {
	h := hookFor(t, hookPortrait, listening())
	measure := func(body []byte) float64 {
		in := &connector.Received{Seq: 1, At: arrival, Tenant: "82", Body: body}
		return testing.AllocsPerRun(20, func() {
			if err := h.Decode(in, &discard{}); err != nil {
				t.Error(err)
			}
		})
	}
	changes := []byte(`{"data":[` + strings.Repeat(change("Gender", 0, 3, "MALE", "FEMALE")+",", 49) + change("Name", 0, 1, "a", "b") + `]}`)
	if n := measure(changes); n > 60 { // the key of an item is a string
		t.Errorf("50 changes: %.0f allocations", n)
	}
	if n := measure(benchBody(0, 50)); n > 250 {
		t.Errorf("50 mixed items: %.0f allocations", n)
	}
}

func BenchmarkDecode(b *testing.B) {
	h, body := hookFor(b, hookPortrait, listening()), benchBody(0, 50)
	in := &connector.Received{Seq: 1, At: arrival, Tenant: "82", Body: body}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := h.Decode(in, &discard{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*50/b.Elapsed().Seconds(), "items/s")
}

func BenchmarkSplit(b *testing.B) {
	h, body := hookFor(b, hookPortrait, listening()), benchBody(0, 50)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Split(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	h := hookFor(b, hookPortrait, listening())
	req := request(nil, strings.Replace(string(benchBody(0, 50)), strings.Repeat("a", 64), sign(testSecret, "82", "1667293135274"), 1))
	now := time.UnixMilli(1667293135274)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Verify(req, now); err != nil {
			b.Fatal(err)
		}
	}
}
