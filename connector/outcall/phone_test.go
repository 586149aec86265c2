package outcall

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
	"github.com/sluicehq/sluice/transforms"
)

// TestNumbersOfOtherCountries: a number that says its country is never called in another one, though its digits are those
// of a number there. "" is refused.
func TestNumbersOfOtherCountries(t *testing.T) {
	for _, tc := range []struct{ in, cn11, digits string }{
		{`"13125550112"`, "13125550112", "13125550112"}, {`13125550112`, "13125550112", "13125550112"}, {`" 131-2555-0112"`, "13125550112", "13125550112"},
		{`"+8613125550112"`, "13125550112", "8613125550112"}, {`"+86 131 2555 0112"`, "13125550112", "8613125550112"},
		{`"(+86) 13125550112"`, "13125550112", "8613125550112"}, {`"008613125550112"`, "13125550112", "8613125550112"},
		{`"8613125550112"`, "13125550112", "8613125550112"}, {`"8613125550112@c.us"`, "13125550112", "8613125550112"},
		{`"+1 312 555 0112"`, "", "13125550112"}, {`"+13125550112"`, "", "13125550112"}, {`"＋１３１２５５５０１１２"`, "", "13125550112"},
		{`"0013125550112"`, "", "13125550112"}, {`"００13125550112"`, "", "13125550112"}, {`"(+1) 312-555-0112"`, "", "13125550112"},
		{`"13125550112@c.us"`, "", "13125550112"}, {`"13125550112@s.whatsapp.net "`, "", "13125550112"}, {`"+44 7700 900123"`, "", "447700900123"},
	} {
		for format, want := range map[string]string{phoneCN11: tc.cn11, phoneDigits: tc.digits} {
			if got := numberOf(t, format, tc.in); got != want {
				t.Errorf("%s %s: got %q, want %q", format, tc.in, got, want)
			}
		}
	}
}

// numberOf is the number that goes out for a phone, "" where it is refused, by the dialect and the codec.
func numberOf(t *testing.T, format, phone string) string {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	cfg := goodConfig(func(c *Config) { c.PhoneFormat = format })
	text, err := newPreset(cfg)
	if err != nil {
		t.Fatal(err)
	}
	dialect, err := transforms.Parse("outcall", text)
	if err != nil {
		t.Fatal(err)
	}
	m, err := transforms.Compile(nil, transforms.Options{Preset: dialect, Identifiers: Vendor.MatchKeys, Alloc: mem})
	if err != nil {
		t.Fatal(err)
	}
	schema := rows.RawSchema(m.Fields("contacts"))
	b := rows.NewBuilder(mem, schema)
	defer b.Release()
	if r := b.Append([]byte(`{"phone":` + phone + `}`)); r != nil {
		t.Fatal(r)
	}
	in := b.NewRecord()
	defer in.Release()
	plans, err := m.Plans("contacts", schema)
	if err != nil {
		t.Fatal(err)
	}
	out, err := plans[0].Apply(t.Context(), in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Rows.Release()
	c, err := newCodec(cfg, "contacts", modeAsync, out.Rows.Schema())
	if err != nil {
		t.Fatal(err)
	}
	var (
		req  connector.Request
		bad  *connector.RowsError
		body struct{ Data []struct{ Phone string } }
	)
	if err := c.AppendRequest(&req, out.Rows); errors.As(err, &bad) && bad.Rows[0].Code == connector.CodeBadPhone {
		return ""
	} else if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(req.Body, &body); err != nil {
		t.Fatal(err)
	}
	return body.Data[0].Phone
}

// TestKeysOfOtherCountries: a refused number is not the same person as the mainland number of its digits.
func TestKeysOfOtherCountries(t *testing.T) {
	text := arrow.BinaryTypes.String
	schema := arrow.NewSchema([]arrow.Field{{Name: colPhone, Type: text}, {Name: colAbroad, Type: text, Nullable: true}}, nil)
	c, err := newCodec(goodConfig(), "contacts", modeAsync, schema)
	if err != nil {
		t.Fatal(err)
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for _, row := range [][2]string{{"13125550112", ""}, {"13125550112", "+"}, {"8613125550112", "+"}} {
		b.Field(0).(*array.StringBuilder).Append(row[0])
		b.Field(1).(*array.StringBuilder).Append(row[1])
	}
	rec := b.NewRecord()
	defer rec.Release()
	home, abroad, same := c.AppendKeys(nil, rec, 0)[0], c.AppendKeys(nil, rec, 1)[0], c.AppendKeys(nil, rec, 2)[0]
	if home == abroad || home != same {
		t.Errorf("keys %x, %x, %x; want the first to be the third and not the second", home, abroad, same)
	}
}
