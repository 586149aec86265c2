package transforms

import (
	"context"
	"fmt"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// twelve is a mapping of twelve fields with the steps that a mapping usually has.
const twelve = `
streams:
  contacts:
    fields:
      whatsapp: {from: [mobile, phone], phone: {format: digits}}
      full_name: name
      email: {from: email, trim: true, case: lower}
      company: firma
      gender: {from: sex, map: {F: female, M: male, "1": male, "2": female}, default: unknown}
      birthday: {from: birth, date: {in: ["%Y-%m-%d", "%d.%m.%Y"], tz: Asia/Shanghai}}
      tags: {from: tags, split: ",", each: [trim], unique: true}
      remark: {from: notes, truncate: 100}
      country: country
      address: {from: address, trim: true}
      source: {value: erp}
      language: lang
`

const benchPreset = `
streams:
  "*":
    fields:
      full_name: {name: {part: full}, max_length: 255, required: true}
      whats_app_phone: {from: [whatsapp, whats_app_phone], phone: {format: digits}, max_length: 30}
      sms_phone: {from: [phone, sms_phone], phone: {format: digits}, max_length: 30}
      email: {from: email, trim: true, max_length: 50}
      gender: {from: gender, map: {male: 1, female: 0, unknown: null}, type: integer}
      birthday: {from: birthday, date: {in: "%Y-%m-%d", out: "%Y-%m-%d"}}
      country: {from: country, trim: true, max_length: 50}
      address: {from: address, trim: true, max_length: 100}
      remark: {from: remark, trim: true, max_length: 2000}
      tagStr: {from: [tags, tagStr], split: ",", each: [trim], unique: true, join: ","}
    identifiers: [whats_app_phone, sms_phone, email]
`

func benchRecord(t testing.TB, m *Mapping, rows int) arrow.Record {
	objects := make([]string, rows)
	for i := range objects {
		objects[i] = fmt.Sprintf(`{"mobile":"+86 138-1234-%04d","name":"Zhang San %d","email":"User%d@Example.com","firma":"ACME","sex":"F",
			"birth":"1976-04-%02d","tags":"vip, new,vip","notes":"called twice","country":"China","address":"1 Long Road, Guizhou","lang":"zh"}`,
			i%10000, i, i, i%28+1)
	}
	return rawRecord(t, memory.DefaultAllocator, m.Fields("contacts"), objects...)
}

func benchMapping(t testing.TB, preset string) *Mapping {
	t.Helper()
	o := Options{}
	if preset != "" {
		o.Preset = mustParse(t, "preset", preset)
	}
	m, err := Compile(mustParse(t, "user.yaml", twelve), o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func BenchmarkTwelveFields(b *testing.B) {
	for _, c := range []struct{ name, preset string }{{"canonical", ""}, {"with preset", benchPreset}} {
		b.Run(c.name, func(b *testing.B) {
			m := benchMapping(b, c.preset)
			const rows = 1000
			rec := benchRecord(b, m, rows)
			defer rec.Release()
			plans, err := m.Plans("contacts", rec.Schema())
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				out, err := plans[0].Apply(context.Background(), rec, nil)
				if err != nil || len(out.Rejected) > 0 {
					b.Fatal(err, out.Rejected)
				}
				out.Rows.Release()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/record")
		})
	}
}
