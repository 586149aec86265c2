package rows

import (
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
)

// contact is a typical record: twelve fields, about 300 bytes.
const contact = `{"id":1048577,"phone":"+8613800138000","whatsapp":"8613800138000","full_name":"王小明","email":"xiaoming.wang@example.com",` +
	`"gender":"male","birthday":"1990-01-31","company":"Example Trading Co., Ltd.","tags":["vip","2024"],"income":12000.50,` +
	`"active":true,"updated_at":"2025-11-20T08:15:30Z"}`

const contactSchema = `{"type":"object","properties":{"id":{"type":"integer"},"phone":{"type":["null","string"]},"whatsapp":{"type":"string"},
	"full_name":{"type":"string"},"email":{"type":"string"},"gender":{"type":"string"},"birthday":{"type":"string","format":"date"},
	"company":{"type":"string"},"tags":{"type":"array"},"income":{"type":"number"},"active":{"type":"boolean"},
	"updated_at":{"type":"string","format":"date-time"}}}`

func BenchmarkBuilder(b *testing.B) {
	typed, err := SchemaFromJSON([]byte(contactSchema))
	if err != nil {
		b.Fatal(err)
	}
	var names []string
	for _, f := range typed.Fields()[:typed.NumFields()-2] {
		names = append(names, f.Name)
	}
	object := []byte(contact)
	for name, schema := range map[string]*Builder{
		"typed": NewBuilder(memory.DefaultAllocator, typed),
		"raw":   NewBuilder(memory.DefaultAllocator, RawSchema(names)),
		"extra": NewBuilder(memory.DefaultAllocator, RawSchema(nil)),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(object)))
			b.ReportAllocs()
			for b.Loop() {
				if r := schema.Append(object); r != nil {
					b.Fatal(r)
				}
				if schema.Len() == 1000 {
					schema.NewRecord().Release()
				}
			}
		})
	}
}

func BenchmarkEncoder(b *testing.B) {
	typed, err := SchemaFromJSON([]byte(contactSchema))
	if err != nil {
		b.Fatal(err)
	}
	builder := NewBuilder(memory.DefaultAllocator, typed)
	for range 1000 {
		if r := builder.Append([]byte(contact)); r != nil {
			b.Fatal(r)
		}
	}
	rec := builder.NewRecord()
	defer rec.Release()
	enc := NewEncoder(typed, nil)
	enc.Bind(rec)
	dst := make([]byte, 0, 1024)
	b.SetBytes(int64(len(contact)))
	b.ReportAllocs()
	for row := 0; b.Loop(); row = (row + 1) % 1000 {
		dst = enc.AppendObject(dst[:0], row)
	}
	if string(dst) != contact {
		b.Fatalf("got %s", dst)
	}
}
