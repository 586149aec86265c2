package outcall

import (
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
)

const (
	testToken = "sandbox-token"
	testUser  = "4d99d91c-f5d9-49da-88da-758977cc58a9"
	testTask  = "b15b7392-a83f-4e0e-9570-31dd2ec8f85c"
)

func goodConfig(change ...func(*Config)) *Config {
	c := Vendor.NewConfig().(*Config)
	c.Token, c.UserID, c.TaskID = connector.NewSecret(testToken), testUser, testTask
	for _, f := range change {
		f(c)
	}
	return c
}

// schema has the columns of the wire fixture, and components.
func schema() *arrow.Schema {
	text := func(name string) arrow.Field {
		return arrow.Field{Name: name, Type: arrow.BinaryTypes.String, Nullable: true}
	}
	return arrow.NewSchema([]arrow.Field{
		text(colPhone), text("name"), {Name: colSex, Type: arrow.PrimitiveTypes.Int64, Nullable: true}, text("source_id"), text("extra"),
		connector.JSONField(colComponents),
	}, nil)
}

func mustCodec(t testing.TB, cfg *Config) *codec {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	c, err := newCodec(cfg, "contacts", cfg.Mode, schema())
	if err != nil {
		t.Fatal(err)
	}
	return c.(*codec)
}

// record makes a record of the schema, which the test's end releases; nil and what is missing are null.
func record(t testing.TB, lines ...[]any) arrow.Record {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	b := array.NewRecordBuilder(mem, schema())
	defer b.Release()
	for _, line := range lines {
		for i := range b.Fields() {
			var v any
			if i < len(line) {
				v = line[i]
			}
			switch v := v.(type) {
			case string:
				b.Field(i).(*array.StringBuilder).Append(v)
			case int:
				b.Field(i).(*array.Int64Builder).Append(int64(v))
			default:
				b.Field(i).AppendNull()
			}
		}
	}
	rec := b.NewRecord()
	t.Cleanup(func() {
		rec.Release()
		mem.AssertSize(t, 0)
	})
	return rec
}

// phones makes a record of numbers alone.
func phones(t testing.TB, numbers ...string) arrow.Record {
	t.Helper()
	lines := make([][]any, len(numbers))
	for i, n := range numbers {
		lines[i] = []any{n}
	}
	return record(t, lines...)
}

func respond(status int, body string, header ...string) *connector.Response {
	r := &connector.Response{Status: status, Header: map[string][]string{}, Body: []byte(body)}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}
