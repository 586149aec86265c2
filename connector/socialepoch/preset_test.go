package socialepoch_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/socialepoch"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/rows"
	"github.com/sluicehq/sluice/transforms"
)

// wire maps a canonical contact with the preset of one configuration and returns the row as it is sent, or the code of its
// refusal with the field.
func wire(t *testing.T, settings map[string]any, contact string) string {
	t.Helper()
	v := socialepoch.SocialEpoch
	data, err := json.Marshal(account(settings))
	if err != nil {
		t.Fatal(err)
	}
	cfg := v.NewConfig()
	if err := config.Decode("test", data, v.Fields, cfg); err != nil {
		t.Fatal(err)
	}
	text, err := v.Preset(cfg)
	if err != nil {
		t.Fatal(err)
	}
	preset, err := transforms.Parse("preset.yaml", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	mapping, err := transforms.Compile(nil, transforms.Options{Preset: preset, Identifiers: v.MatchKeys, Alloc: mem})
	if err != nil {
		t.Fatal(err)
	}
	b := rows.NewBuilder(mem, rows.RawSchema(mapping.Fields("contacts")))
	defer b.Release()
	if refusal := b.Append([]byte(contact)); refusal != nil {
		t.Fatal(refusal)
	}
	in := b.NewRecord()
	defer in.Release()
	plans, err := mapping.Plans("contacts", in.Schema())
	if err != nil {
		t.Fatal(err)
	}
	out, err := plans[0].Apply(context.Background(), in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Rows.Release()
	if len(out.Rejected) > 0 {
		return strings.TrimSpace(out.Rejected[0].Code + " " + out.Rejected[0].Field)
	}
	codec, err := v.Codec(cfg, "contacts", v.Mode(cfg), out.Rows.Schema())
	if err != nil {
		t.Fatal(err)
	}
	req := &connector.Request{}
	switch err := codec.AppendRequest(req, out.Rows).(type) {
	case nil:
	case *connector.RowsError:
		return strings.TrimSpace(err.Rows[0].Code + " " + err.Rows[0].Field)
	default:
		t.Fatal(err)
	}
	return strings.TrimSuffix(strings.TrimPrefix(string(req.Body), `{"tenantId":82,"data":[`), "]}")
}

func TestPresetWholeContact(t *testing.T) {
	const contact = `{"phone":"+86 181-6372-5558","whatsapp":"+86 186 6772 8886","first_name":"Feng","last_name":"Zhang","email":" a@example.com ","gender":"Male",
		"birthday":"1976/4/12","address":"Chang'an","country":"China","company":"X","profession":"Governor","income":100,"remark":"vip","tags":["Soldier","Strategy"],
		"tags_remove":["old","older"],"stage":"Won","source":"fair","industry":"food","language":"Auto","owner":"kubrick101","welcome":"Hello","custom":{"faction":"Guanlong","Points":12.50}}`
	const head = `{"agentAccount":"kubrick101","whatsApp":"8618667728886","friendName":"Feng Zhang","sex":"male","birthday":"1976/04/12","address":"Chang'an",` +
		`"email":"a@example.com","profession":"Governor","income":"100","desc":"vip","tabName":"Soldier,Strategy",`
	const tail = `"stage":"Won","source":"fair","languageTag":"Auto","welcome":"Hello","Faction":"Guanlong","Points":12.50}`
	named := map[string]any{"faction": "Faction"}
	for mode, want := range map[string]string{
		"import":      head + `"cancelTabName":"old,older",` + tail,
		"pool_append": head + tail,
	} {
		if got := wire(t, map[string]any{"mode": mode, "custom_fields": named}, contact); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", mode, got, want)
		}
	}
}

func TestPresetValues(t *testing.T) {
	spare := map[string]any{"default_owner": "spare"}
	for _, tc := range []struct {
		settings      map[string]any
		contact, want string
	}{
		{nil, `{"whatsapp":"12345678"}`, "required agentAccount"},
		{nil, `{"whatsapp":"12345678","owner":" "}`, "required agentAccount"},
		{spare, `{"whatsapp":"12345678","owner":" "}`, `{"agentAccount":"spare","whatsApp":"12345678"}`},
		{spare, `{"whatsapp":"12345678","owner":"a"}`, `{"agentAccount":"a","whatsApp":"12345678"}`},
		{spare, `{"phone":"12345678"}`, `{"agentAccount":"spare","whatsApp":"12345678"}`},
		{spare, `{"phone":"12345678","whatsapp":" "}`, `{"agentAccount":"spare","whatsApp":"12345678"}`},
		{spare, `{"phone":"n/a","whatsapp":"12345678"}`, `{"agentAccount":"spare","whatsApp":"12345678"}`},
		{spare, `{"phone":"n/a"}`, "no_identifier"},
		{spare, `{"email":"a@b.cn"}`, "no_identifier"},
		{spare, `{"whatsapp":"86-abc"}`, "bad_phone whatsApp"},
		{spare, `{"whatsapp":"12345678","full_name":"张三","gender":"女"}`, `{"agentAccount":"spare","whatsApp":"12345678","friendName":"张三","sex":"female"}`},
		{spare, `{"whatsapp":"12345678","gender":"UNKOWNN"}`, `{"agentAccount":"spare","whatsApp":"12345678","sex":"unknown"}`},
		{spare, `{"whatsapp":"12345678","gender":""}`, `{"agentAccount":"spare","whatsApp":"12345678"}`},
		{spare, `{"whatsapp":"12345678","gender":2}`, "unmapped_value sex"},
		{spare, `{"whatsapp":"12345678","birthday":"1976-04-12T00:00:00.000-05:00"}`, `{"agentAccount":"spare","whatsApp":"12345678","birthday":"1976/04/12"}`},
		{spare, `{"whatsapp":"12345678","birthday":"04/12/1976"}`, "bad_date birthday"},
		{spare, `{"whatsapp":"12345678","tags":"a，b, a"}`, `{"agentAccount":"spare","whatsApp":"12345678","tabName":"a,b"}`},
		{spare, `{"whatsapp":"12345678","tags":["a,b"]}`, "separator_in_tag tabName"},
		{spare, `{"whatsapp":"12345678","custom":"{\"x y\":null,\"<\":\"1\"}"}`, `{"agentAccount":"spare","whatsApp":"12345678","<":"1"}`},
		{spare, `{"whatsapp":"12345678","custom":{"sex":"male"}}`, "unknown_field sex"},
	} {
		if got := wire(t, tc.settings, tc.contact); got != tc.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tc.contact, got, tc.want)
		}
	}
}
