package transforms

import (
	"context"
	"fmt"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
)

// TestValueAllocations: dates, genders, tags, telephone numbers and names as users have them cost no allocation a row,
// refused ones and numbers that the library has to read aside.
func TestValueAllocations(t *testing.T) {
	for steps, values := range map[string][]string{
		`date: auto`: {`"1976-04-12"`, `"1976年4月12日"`, `"１９７６－０４－１２"`, `"12 Apr 1976"`, `"2024-02-29T20:00:00Z"`, `"2024-01-01 00:00:00 Asia/Shanghai"`},
		`date: {in: [excel, chinese, "%d.%m.%y"], past: true, out: "%Y/%m/%d"}`: {`27862.5`, `"一九七六年四月十二日 下午3点半"`, `"1.2.76"`},
		`date: {in: unix_ms, tz: Asia/Shanghai, out_tz: UTC, out: unix}`:        {`1709164800000`},
		`gender: {map: {1: male, Herr: male}, to: {male: 1, female: 0}}`:        {`"M"`, `"Ｆ"`, `1`, `"herr"`, `" 女士 "`, `"UNKOWNN"`},
		`tags: true`:                            {`"a, b ，a"`, `["x","y"]`, `"[vip,new]"`},
		`tags: {join: ","}`:                     {`"a, b ，a"`, `["x","y"]`, `["x\u00e4",7]`},
		`phone: {region: CN, format: e164}`:     {`"+86 138-1234-5678"`, `13812345678`, `"+4915112345678"`, `"008613812345678"`, `"１３８１２３４５６７８"`},
		`phone: {region: CN, format: national}`: {`"+86 (138) 1234 5678"`, `"8613812345678@c.us"`},
	} {
		m, err := Compile(mustParse(t, "m", "streams: {contacts: {fields: {r: {from: r, "+steps+"}}}}"), Options{Alloc: memory.NewGoAllocator()})
		if err != nil {
			t.Fatal(err)
		}
		per := func(rows int) float64 {
			var objects []string
			for i := range rows {
				objects = append(objects, fmt.Sprintf(`{"r":%s}`, values[i%len(values)]))
			}
			rec := rawRecord(t, memory.NewGoAllocator(), []string{"r"}, objects...)
			defer rec.Release()
			plans, err := m.Plans("contacts", rec.Schema())
			if err != nil {
				t.Fatal(err)
			}
			return testing.AllocsPerRun(3, func() {
				out, err := plans[0].Apply(context.Background(), rec, nil)
				if err != nil || len(out.Rejected) > 0 {
					t.Fatal(steps, err, out.Rejected)
				}
				out.Rows.Release()
			})
		}
		few, many := per(60), per(1260)
		if grown := (many - few) / 1200; grown > 0.05 {
			t.Errorf("%s: %.0f allocations for 60 rows and %.0f for 1260: %.2f a row", steps, few, many, grown)
		}
	}
}
