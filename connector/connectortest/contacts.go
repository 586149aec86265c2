package connectortest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
	"github.com/sluicehq/sluice/transforms"
)

// contact is a canonical contact; a nil value is an explicit null.
type contact map[string]any

// person returns the i-th person with every canonical column filled, as the vendor's sandbox takes it.
func (b *bench) person(i int) contact { return b.personOf(serial(i)) }

// serial is what tells the i-th person from the others, wherever it stands in the contact.
func serial(i int) string { return fmt.Sprintf("%06d", i) }

func (b *bench) personOf(serial string) contact {
	c := contact{
		"phone":       "8613700" + serial,
		"whatsapp":    "8613900" + serial,
		"full_name":   "Wei" + serial + " Zhang",
		"first_name":  "Wei" + serial,
		"last_name":   "Zhang",
		"email":       "wei.zhang." + serial + "@example.com",
		"gender":      "female",
		"birthday":    "1990-02-28",
		"address":     "1 Beijing Road, \"Guangzhou\" \\ 广州",
		"country":     "China",
		"company":     "Zhang & Sons <Ltd>",
		"profession":  "baker",
		"income":      "5000",
		"remark":      "likes tea\nand 🍵",
		"tags":        []string{"vip", "王"},
		"tags_remove": []string{"old"},
		"source":      "fair",
		"industry":    "food",
		"language":    "zh",
		"time_zone":   "GMT+8",
		"external_id": "ext-" + serial,
	}
	for name, value := range b.sandbox.Contact {
		if value == nil {
			delete(c, name)
			continue
		}
		c[name] = value
	}
	return c
}

// but returns the contact with some values changed; a nil value removes the column.
func (c contact) but(changes contact) contact {
	c = maps.Clone(c)
	for name, value := range changes {
		if value == nil {
			delete(c, name)
			continue
		}
		c[name] = value
	}
	return c
}

// only returns the contact with no other identifier than those named.
func (b *bench) only(c contact, identifiers ...string) contact {
	out := maps.Clone(c)
	for _, name := range b.vendor.MatchKeys {
		delete(out, name)
	}
	for _, name := range identifiers {
		if v, ok := c[name]; ok {
			out[name] = v
		}
	}
	return out
}

// people returns n different persons.
func (b *bench) people(n int) []contact {
	out := make([]contact, n)
	for i := range out {
		out[i] = b.person(i)
	}
	return out
}

// compile makes the mapping of canonical contacts by the preset alone.
func (b *bench) compile() *transforms.Mapping {
	if b.mapping != nil {
		return b.mapping
	}
	data, err := b.vendor.Preset(b.cfg)
	b.must(err, "preset")
	b.public("the preset", string(data))
	preset, err := transforms.Parse(b.vendor.Name+"/preset.yaml", data)
	b.must(err, "the preset cannot be parsed")
	b.mapping, err = transforms.Compile(nil, transforms.Options{Preset: preset, Identifiers: b.vendor.MatchKeys, Alloc: b.mem})
	b.must(err, "the preset cannot be compiled")
	return b.mapping
}

// crowd returns n different persons, as objects: what people gives, without the work of encoding each one's 20 columns.
func (b *bench) crowd(n int) [][]byte {
	const blank = "\ue000" // stands in no contact
	form := b.objects(b.personOf(blank))[0]
	out := make([][]byte, n)
	for i := range out {
		out[i] = bytes.ReplaceAll(form, []byte(blank), []byte(serial(i)))
	}
	return out
}

// objects encodes the contacts as JSON.
func (b *bench) objects(contacts ...contact) [][]byte {
	out := make([][]byte, len(contacts))
	for i, c := range contacts {
		object, err := json.Marshal(c)
		b.must(err, "contact")
		out[i] = object
	}
	return out
}

// canonical makes a record of the contacts as a reader without a schema would.
func (b *bench) canonical(objects [][]byte) arrow.Record {
	builder := rows.NewBuilder(b.mem, rows.RawSchema(b.compile().Fields(stream)))
	defer builder.Release()
	for _, object := range objects {
		if refusal := builder.Append(object); refusal != nil {
			b.fatalf("contact %s: %v", object, refusal)
		}
	}
	return builder.NewRecord()
}

// apply runs the preset's plan over the contacts.
func (b *bench) apply(contacts ...contact) connector.Applied {
	return b.applyTo(b.objects(contacts...))
}

func (b *bench) applyTo(objects [][]byte) connector.Applied {
	in := b.canonical(objects)
	defer in.Release()
	plans, err := b.compile().Plans(stream, in.Schema())
	b.must(err, "plan")
	if len(plans) != 1 {
		b.fatalf("the preset gives %d plans for one stream, want 1", len(plans))
	}
	applied, err := plans[0].Apply(context.Background(), in, nil)
	b.must(err, "apply")
	return applied
}

// record turns contacts that the vendor takes into a record of its columns.
func (b *bench) record(contacts ...contact) arrow.Record {
	b.report.Helper()
	return b.recordOf(b.objects(contacts...))
}

func (b *bench) recordOf(objects [][]byte) arrow.Record {
	b.report.Helper()
	applied := b.applyTo(objects)
	if len(applied.Rejected) > 0 || int(applied.Rows.NumRows()) != len(objects) {
		applied.Rows.Release()
		b.fatalf("the preset refuses good contacts, %d of %d are left: %+v", applied.Rows.NumRows(), len(objects), applied.Rejected)
	}
	return applied.Rows
}
