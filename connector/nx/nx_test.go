package nx

import (
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
)

// The credentials of the vendor's own signing example.
const (
	testKey    = "fme2na3kdi3ki"
	testSecret = "abciiiko2k3"
)

func goodAccount() Account {
	a := defaultAccount()
	a.AccessKey, a.AccessSecret = connector.NewSecret(testKey), connector.NewSecret(testSecret)
	a.TenantID, a.AppKey = 144, "46oKF=os"
	return a
}

func goodLink() *LinkConfig { return &LinkConfig{Account: goodAccount()} }

func goodCloud(contract string) *CloudConfig {
	return &CloudConfig{Account: goodAccount(), Contract: contract}
}

func mustCodec(t testing.TB, cfg connector.Config, mode string, schema *arrow.Schema) connector.Codec {
	t.Helper()
	c, err := newCodec(cfg, "contacts", mode, schema)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// vendorSchema is the schema of the vendor columns that the wire fixture uses, in its order.
func vendorSchema() *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{
		text("first_name"), text("last_name"), text(colWhatsApp), text(colSMS), text(colEmail),
		{Name: colGender, Type: arrow.PrimitiveTypes.Int64, Nullable: true}, text("customize_field"),
	}, nil)
}

func text(name string) arrow.Field {
	return arrow.Field{Name: name, Type: arrow.BinaryTypes.String, Nullable: true}
}

// record makes a record of vendorSchema; nil is null.
func record(t testing.TB, mem memory.Allocator, lines ...[]any) arrow.Record {
	t.Helper()
	schema := vendorSchema()
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	for _, line := range lines {
		for i := range schema.Fields() {
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
	return b.NewRecord()
}

// wantContains fails unless text holds every part.
func wantContains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q lacks %q", text, part)
		}
	}
}
