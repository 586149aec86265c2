package socialepoch

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/connectortest"
	"github.com/sluicehq/sluice/internal/rows"
)

// collector keeps the rows of all streams, and holds each to the stream's table.
type collector struct {
	request int64 // their sequence; 0: that of decodeItems
	rows    []map[string]any
	streams []string
	fault   string
}

func (c *collector) AppendEvent(stream string, item int, members []byte) error {
	if fault := connectortest.Unsound(members, "seq"); fault != "" {
		c.fault = fault + ": " + string(members)
	}
	in := connector.Received{Seq: cmp.Or(c.request, 7)}
	object := rows.AppendNumbered(nil, "seq", in.ItemSeq(item), members)
	var row map[string]any
	if err := json.Unmarshal(object, &row); err != nil {
		return fmt.Errorf("%s: %w", object, err)
	}
	c.rows, c.streams = append(c.rows, row), append(c.streams, stream)
	i := slices.IndexFunc(source.Streams, func(s connector.Stream) bool { return s.Name == stream })
	if i < 0 {
		c.fault = "no stream " + stream
		return nil
	}
	for name, v := range row {
		at := slices.IndexFunc(source.Streams[i].Columns, func(c connector.StreamColumn) bool { return c.Name == name })
		if at < 0 || !fits(source.Streams[i].Columns[at].Type, v) {
			c.fault = fmt.Sprintf("%s: column %s does not exist or cannot hold %v", stream, name, v)
		}
	}
	for _, name := range append(slices.Clone(source.Streams[i].Key), "raw") {
		if _, ok := row[name]; !ok {
			c.fault = stream + ": a row without " + name
		}
	}
	return nil
}

func fits(t connector.ColumnType, v any) bool {
	switch v := v.(type) {
	case string:
		if t == connector.ColumnTimestamp {
			_, err := time.Parse(time.RFC3339, v)
			return err == nil
		}
		return t == connector.ColumnText || t == connector.ColumnJSON
	case float64:
		return t == connector.ColumnInteger || t == connector.ColumnJSON
	case bool:
		return t == connector.ColumnBoolean || t == connector.ColumnJSON
	case []any:
		return t == connector.ColumnTexts || t == connector.ColumnJSON
	}
	return t == connector.ColumnJSON
}

var arrival = time.Date(2026, 1, 6, 12, 0, 0, 5e6, time.UTC)

// decodeItems decodes a list of items as the webhook would.
func decodeItems(t testing.TB, webhook string, c *SourceConfig, items string) *collector {
	t.Helper()
	out := &collector{}
	in := &connector.Received{Seq: 7, At: arrival, Tenant: "82", Body: []byte(`{"tenantId":99,"data":[` + items + `]}`)}
	if err := hookFor(t, webhook, c).Decode(in, out); err != nil {
		t.Fatal(err)
	}
	if out.fault != "" {
		t.Error(out.fault)
	}
	return out
}

// without is the row without the columns that every row has.
func without(row map[string]any, more ...string) map[string]any {
	row = maps.Clone(row)
	for _, name := range append([]string{"event_id", "seq", "received_at", "vendor", "tenant_id", "raw"}, more...) {
		delete(row, name)
	}
	return row
}

// The vendor's own example of USER_SYNC_PORTRAIT.
func TestDecodePortraitExample(t *testing.T) {
	const items = `{ "id": "a0cb1ad15ed24e618b4b12d9cdff1ad4", "type": 1, "userName": "Zhang San", "friendWhatsId": "8615601882491", "field": "Address", "fieldType": 0, "fieldConfig": 1, "sourceValue": "", "targetValue": "123123", "updateAt": "2022-09-29 20:34:58" },
{ "id": "81c968134be648e19187db83efa60152", "type": 1, "userName": "Zhang San", "friendWhatsId": "8615601882491", "field": "Gender", "fieldType": 0, "fieldConfig": 3, "sourceValue": "MALE", "targetValue": "FEMALE", "updateAt": "2022-10-02 20:34:58" },
{ "id": "4d8ac8a3a5164ab2b066dcf8fac5bd45", "type": 2, "userName": "Zhang San", "friendWhatsId": "33758618170", "field": "Follow up records", "fieldType": 0, "fieldConfig": 1, "sourceValue": "", "targetValue": "{\"data\":{\"text\":\"Hello\",\"url\":[]},\"dataTypeMap\":{\"writeFollow\":\"Write follow-up\"}}", "updateAt": "2022-10-31 17:44:06" }`
	out := decodeItems(t, hookPortrait, listening(), items)
	want := []map[string]any{
		{"event_id": "a0cb1ad15ed24e618b4b12d9cdff1ad4", "seq": float64(7 << 16), "received_at": "2026-01-06T12:00:00.005Z", "occurred_at": "2022-09-29T12:34:58.000Z", "vendor": "socialepoch", "tenant_id": "82",
			"change_type": 1.0, "agent": "Zhang San", "whatsapp": "8615601882491", "field": "address", "field_type": "basic", "value_type": "text", "new_value": "123123", "address": "123123"},
		{"event_id": "81c968134be648e19187db83efa60152", "seq": float64(7<<16 + 1), "received_at": "2026-01-06T12:00:00.005Z", "occurred_at": "2022-10-02T12:34:58.000Z", "vendor": "socialepoch", "tenant_id": "82",
			"change_type": 1.0, "agent": "Zhang San", "whatsapp": "8615601882491", "field": "gender", "field_type": "basic", "value_type": "single", "old_value": "male", "new_value": "female", "gender": "female"},
		{"event_id": "4d8ac8a3a5164ab2b066dcf8fac5bd45", "seq": float64(7<<16 + 2), "received_at": "2026-01-06T12:00:00.005Z", "occurred_at": "2022-10-31T09:44:06.000Z", "vendor": "socialepoch", "tenant_id": "82",
			"webhook": hookPortrait, "agent": "Zhang San", "whatsapp": "33758618170", "text": "Hello", "repaired": false,
			"content": map[string]any{"data": map[string]any{"text": "Hello", "url": []any{}}, "dataTypeMap": map[string]any{"writeFollow": "Write follow-up"}}},
	}
	var raws []map[string]any
	if err := json.Unmarshal([]byte("["+items+"]"), &raws); err != nil {
		t.Fatal(err)
	}
	for i, row := range out.rows {
		if !reflect.DeepEqual(row["raw"], any(raws[i])) {
			t.Errorf("row %d: raw is %v", i, row["raw"])
		}
		delete(row, "raw")
		delete(row, "content_id")
		if !reflect.DeepEqual(row, want[i]) {
			t.Errorf("row %d: got %v\nwant %v", i, row, want[i])
		}
	}
	if !slices.Equal(out.streams, []string{streamChanges, streamChanges, streamFollows}) {
		t.Errorf("streams %v", out.streams)
	}
}

// The vendor's own example of USER_WRITE_FLOW, whose JSON is cut.
func TestDecodeFollowExample(t *testing.T) {
	const items = `{"friendWhatsId": "8617633819542","userId": 1221,"tenantId": 22,"follow": "{\"data\":{\"text\":\"Beautiful China\",\"url\":[]}","username": "gavin"},
{"friendWhatsId": "8617633819542","userId": "1221","tenantId": 222,"follow": "{\"data\":{\"text\":\"Beautiful China\",\"url\":[]}","username": 17}`
	out := decodeItems(t, hookFollow, listening(), items)
	if len(out.rows) != 2 || !slices.Equal(out.streams, []string{streamFollows, streamFollows}) {
		t.Fatalf("rows %v of %v", out.rows, out.streams)
	}
	content := map[string]any{"data": map[string]any{"text": "Beautiful China", "url": []any{}}}
	want := map[string]any{"webhook": hookFollow, "agent": "gavin", "agent_id": "1221", "item_tenant_id": "22", "whatsapp": "8617633819542", "text": "Beautiful China", "repaired": true, "content": content}
	if got := without(out.rows[0], "content_id"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	want["agent"], want["item_tenant_id"] = "17", "222"
	if got := without(out.rows[1], "content_id"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	a, b := out.rows[0], out.rows[1]
	if a["event_id"] == b["event_id"] || a["content_id"] != b["content_id"] || a["content_id"] == nil {
		t.Errorf("two events of one content have %v, %v and %v, %v", a["event_id"], b["event_id"], a["content_id"], b["content_id"])
	}
	// The same follow-up by the other webhook.
	portrait := decodeItems(t, hookPortrait, listening(), `{"id":"p","type":2,"friendWhatsId":"8617633819542","targetValue":"{\"data\":{\"text\":\"Beautiful China\",\"url\":[]},\"dataTypeMap\":{}}"}`)
	if got := portrait.rows[0]; got["content_id"] != a["content_id"] || got["event_id"] != "p" {
		t.Errorf("by the other webhook: %v", got)
	}
	another := decodeItems(t, hookFollow, listening(), strings.Replace(items, "Beautiful", "beautiful", 1))
	if another.rows[0]["content_id"] == a["content_id"] {
		t.Error("another text has the same content_id")
	}
}

func change(label string, fieldType, config any, before, after string) string {
	text, err := json.Marshal(map[string]any{"id": "i", "type": 1, "friendWhatsId": "1", "field": label, "fieldType": fieldType, "fieldConfig": config, "sourceValue": before, "targetValue": after})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// Every label in both languages, in any case, and as the vendor's table writes two of them at once.
func TestLabels(t *testing.T) {
	values := map[string][2]any{"gender": {"FEMALE", "female"}, "birthday": {"2022-12-02", "2022-12-02"}, "tags": {"[a,b]", []any{"a", "b"}}}
	n := 0
	for label, f := range labels {
		for _, written := range []string{label, strings.ToUpper(label), " " + label + "\t", label + "(whatever)", "whatever（" + label + "）", "Label (" + label + ")"} {
			value, ok := values[f.column]
			if !ok {
				value = [2]any{"x\ny", "x\ny"}
			}
			out := decodeItems(t, hookPortrait, listening(), change(written, 0, 1, "", value[0].(string)))
			row := out.rows[0]
			if n++; f.column == "" {
				if out.streams[0] != streamFollows || row["text"] != "x\ny" {
					t.Errorf("%q: %s %v", written, out.streams[0], row)
				}
				continue
			}
			if row["field"] != f.column || !reflect.DeepEqual(row[f.column], value[1]) {
				t.Errorf("%q: field %v, %s is %v, want %v", written, row["field"], f.column, row[f.column], value[1])
			}
			for _, c := range connector.Contact {
				if _, filled := row[c.Name]; filled && c.Name != f.column && c.Name != "whatsapp" {
					t.Errorf("%q fills %s too", written, c.Name)
				}
			}
			// An extension field of that name is another field.
			row = decodeItems(t, hookPortrait, listening(), change(written, 1, 1, "", value[0].(string))).rows[0]
			if row["field"] != written || row[f.column] != nil || !reflect.DeepEqual(row["custom"], map[string]any{written: value[0]}) {
				t.Errorf("extension %q: %v", written, row)
			}
		}
	}
	if len(labels) < 30 || n < 180 {
		t.Errorf("%d labels", len(labels))
	}
	for _, label := range []string{"Geschlecht", "", "()", "(", "名字x", strings.Repeat("n", 100), "name)"} {
		row := decodeItems(t, hookPortrait, listening(), change(label, 0, 1, "a", "b")).rows[0]
		if label != "" && row["field"] != label || row["new_value"] != "b" || row["old_value"] != "a" || row["custom"] != nil {
			t.Errorf("label %q: %v", label, row)
		}
	}
}

func TestValues(t *testing.T) {
	for _, tt := range []struct {
		label         string
		fieldType     any
		config        any
		before, after string
		old, new      any // nil: absent
		column        string
		want          any
	}{
		{"Gender", 0, 3, "UNKOWNN", "MALE", "unknown", "male", "gender", "male"},
		{"Gender", 0, 3, "男", " 女 ", "male", "female", "gender", "female"},
		{"性别", "0", "3", "m", "未知", "male", "unknown", "gender", "unknown"},
		{"Gender", 0, 3, "f", "1", "female", "1", "gender", nil},
		{"Gender", 0, 3, "MALE", "UNKNOWN", "male", "unknown", "gender", "unknown"},
		{"Gender", 0, 3, "MALE", "", "male", nil, "gender", nil},
		{"DOB", 0, 6, "2022-12-01", "2022-12-02", "2022-12-01", "2022-12-02", "birthday", "2022-12-02"},
		{"生日", 0, 6, "2022/2/3", "20240229", "2022-02-03", "2024-02-29", "birthday", "2024-02-29"},
		{"DOB", 0, 6, "2022.12.01", "2022-12-02 00:00:00", "2022-12-01", "2022-12-02", "birthday", "2022-12-02"},
		{"DOB", 0, 6, "1900-02-29", "2023-02-29", "1900-02-29", "2023-02-29", "birthday", nil},
		{"DOB", 0, 6, "", "02/03/2022", nil, "02/03/2022", "birthday", nil},
		{"DOB", 0, 6, "", "2022-13-01", nil, "2022-13-01", "birthday", nil},
		{"Tags", 0, 4, "[Tag 1]", "[Tag 1,Tag 2]", `["Tag 1"]`, `["Tag 1","Tag 2"]`, "tags", []any{"Tag 1", "Tag 2"}},
		{"Tags", 0, 4, "", `["a,b","c\"d"]`, nil, `["a,b","c\"d"]`, "tags", []any{"a,b", `c"d`}},
		{"标签", 0, 4, "a", " 甲，乙 , ,丙", `["a"]`, `["甲","乙","丙"]`, "tags", []any{"甲", "乙", "丙"}},
		{"Tags", 0, 4, "[a]", "[]", `["a"]`, `[]`, "tags", []any{}},
		{"Tags", 0, 4, "[a]", "", `["a"]`, nil, "tags", nil},
		{"Tags", 0, 4, "[1,2]", "[a", `["1","2"]`, `["[a"]`, "tags", []any{"[a"}},
		{"Description", 0, 2, "1\n2", "1\n2\n3", "1\n2", "1\n2\n3", "remark", "1\n2\n3"},
		{"Language", 0, 3, "auto", "am", "auto", "am", "language", "am"},
		{"Hobbies", 1, 4, "[a]", "[a,b]", `["a"]`, `["a","b"]`, "custom", map[string]any{"Hobbies": []any{"a", "b"}}},
		{"Signed on", 1, 6, "2024/7/8", "2024-07-09", "2024-07-08", "2024-07-09", "custom", map[string]any{"Signed on": "2024-07-09"}},
		{"Signed on", 1, 6, "", "soon", nil, "soon", "custom", map[string]any{"Signed on": "soon"}},
		{"Call at", 1, 7, "17:26:59", "17:27:35", "17:26:59", "17:27:35", "custom", map[string]any{"Call at": "17:27:35"}},
		{"ext-Attachment", 1, 8, "", "http://123.img,http://456.img", nil, "http://123.img,http://456.img", "custom", map[string]any{"ext-Attachment": "http://123.img,http://456.img"}},
		{`a"b`, 1, 1, "", "x", nil, "x", "custom", map[string]any{`a"b`: "x"}},
		{"Points", 1, 5, "1", "", "1", nil, "custom", nil},
		{"Name", nil, 1, "a", "b", "a", "b", "full_name", nil}, // nobody says that it is a basic field
	} {
		row := decodeItems(t, hookPortrait, listening(), change(tt.label, tt.fieldType, tt.config, tt.before, tt.after)).rows[0]
		if row["old_value"] != tt.old || row["new_value"] != tt.new || !reflect.DeepEqual(row[tt.column], tt.want) {
			t.Errorf("%s %q → %q: old %v, new %v, %s %v; want %v, %v, %v", tt.label, tt.before, tt.after, row["old_value"], row["new_value"], tt.column, row[tt.column], tt.old, tt.new, tt.want)
		}
	}
	// Values that are no strings.
	row := decodeItems(t, hookPortrait, listening(), `{"id":"i","type":"1","friendWhatsId":8615,"field":"Tags","fieldType":"0","sourceValue":null,"targetValue":["a",1,null]}`).rows[0]
	if !reflect.DeepEqual(row["tags"], []any{"a", "1"}) || row["whatsapp"] != "8615" || row["change_type"] != 1.0 || row["old_value"] != nil {
		t.Errorf("got %v", row)
	}
	row = decodeItems(t, hookPortrait, listening(), `{"id":"i","type":1,"field":"Income","fieldType":0,"sourceValue":12.50,"targetValue":{"a":1}}`).rows[0]
	if row["old_value"] != "12.50" || row["income"] != `{"a":1}` {
		t.Errorf("got %v", row)
	}
}

// A document whose items are of the other kind, of none, or no items at all: each is a row.
func TestStrangeItems(t *testing.T) {
	for _, tt := range []struct {
		webhook, item, stream string
		want                  map[string]any
	}{
		{hookFollow, change("Name", 0, 1, "", "x"), streamChanges, map[string]any{"field": "full_name", "full_name": "x"}},
		{hookPortrait, `{"friendWhatsId":"5","follow":"hi"}`, streamFollows, map[string]any{"text": "hi", "webhook": hookFollow}},
		{hookPortrait, `{"id":"i","type":3,"field":"Name","fieldType":0,"targetValue":"x"}`, streamChanges, map[string]any{"change_type": 3.0, "field": "full_name", "new_value": "x", "full_name": nil}},
		{hookPortrait, `{"id":"i","type":9,"online":true,"friendWhatsId":"5"}`, streamChanges, map[string]any{"whatsapp": "5", "change_type": nil}},
		{hookFollow, `{"userId":3}`, streamFollows, map[string]any{"agent_id": nil}},
		{hookPortrait, `{"id":"i","type":2}`, streamFollows, map[string]any{"text": nil, "content_id": nil}},
		{hookPortrait, `{"id":"i","type":2,"targetValue":"new","sourceValue":"{\"data\":{\"text\":\"old\"}}"}`, streamFollows, map[string]any{"text": "new", "old_text": "old"}},
		{hookPortrait, `12`, streamChanges, map[string]any{"raw": "12"}},
		{hookFollow, `null`, streamFollows, map[string]any{"raw": "null"}},
		{hookPortrait, `{"id":"k","field":`, "", nil},
		{hookPortrait, `{"id":"k",nonsense}`, streamChanges, map[string]any{"raw": `{"id":"k",nonsense}`, "event_id": "k", "field": nil}},
		{hookPortrait, `{"id":"k","type":1,"fieldType":0,"field":"Name","targetValue":"cut \ud83d"}`, streamChanges,
			map[string]any{"full_name": "cut \uFFFD", "event_id": "k", "raw": `{"id":"k","type":1,"fieldType":0,"field":"Name","targetValue":"cut \ud83d"}`}},
		{hookPortrait, "{\"id\":\"k\",\"type\":1,\"fieldType\":0,\"field\":\"Name\",\"targetValue\":\"cut \xe5\"}", streamChanges, map[string]any{"full_name": "cut \uFFFD", "event_id": "k"}},
		{hookPortrait, `{"id":"i","type":1,"friendWhatsId":"+86 156-0188@c.us","field":"x"}`, streamChanges, map[string]any{"whatsapp": "861560188"}},
		{hookPortrait, `{"id":"i","type":1,"friendWhatsId":8.6e3,"field":"x"}`, streamChanges, map[string]any{"whatsapp": nil}},
		{hookPortrait, `{"id":"i","type":1,"updateAt":"2022-10-02T20:34:58.123","field":"x"}`, streamChanges, map[string]any{"occurred_at": "2022-10-02T12:34:58.000Z"}},
		{hookPortrait, `{"id":"i","type":1,"updateAt":1667293135274,"field":"x"}`, streamChanges, map[string]any{"occurred_at": "2022-11-01T08:58:55.274Z"}},
		{hookPortrait, `{"id":"i","type":1,"updateAt":"yesterday","field":"x"}`, streamChanges, map[string]any{"occurred_at": nil}},
		{hookPortrait, `{"id":"i","type":1,"updateAt":"2022-02-30 20:34:58","field":"x"}`, streamChanges, map[string]any{"occurred_at": nil}},
	} {
		out := &collector{}
		err := hookFor(t, tt.webhook, listening()).Decode(&connector.Received{At: arrival, Tenant: "82", Body: []byte(`{"data":[` + tt.item + `]}`)}, out)
		if tt.stream == "" {
			if err == nil || len(out.rows) != 0 {
				t.Errorf("%s: %v, rows %v", tt.item, err, out.rows)
			}
			continue
		}
		if err != nil || len(out.rows) != 1 || out.fault != "" || out.streams[0] != tt.stream {
			t.Errorf("%s: %v, %d rows of %v, %s", tt.item, err, len(out.rows), out.streams, out.fault)
			continue
		}
		for name, want := range tt.want {
			if got := out.rows[0][name]; !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %s is %v, want %v", tt.item, name, got, want)
			}
		}
	}
	out := decodeItems(t, hookPortrait, listening(func(c *SourceConfig) { c.FriendID = friendAccount }), change("Name", 0, 1, "", "x"))
	if out.rows[0]["account"] != "1" || out.rows[0]["whatsapp"] != nil {
		t.Errorf("friendWhatsId as an account: %v", out.rows[0])
	}
	out = decodeItems(t, hookPortrait, listening(func(c *SourceConfig) { c.TimeZone = "-03:30" }), `{"id":"i","type":1,"updateAt":"2022-10-02 20:34:58","field":"x"}`)
	if out.rows[0]["occurred_at"] != "2022-10-03T00:04:58.000Z" {
		t.Errorf("in another zone: %v", out.rows[0])
	}
}

// Items that were stored before are left out, and the others keep their numbers.
func TestSeenItems(t *testing.T) {
	out := &collector{request: 3}
	in := &connector.Received{
		Seq: 3, At: arrival, Tenant: "82", Body: []byte(`{"data":[` + change("a", 0, 1, "", "0") + "," + change("a", 0, 1, "", "1") + "," + change("a", 0, 1, "", "2") + `]}`),
		Seen: func(i int) bool { return i == 1 },
	}
	if err := hookFor(t, hookPortrait, listening()).Decode(in, out); err != nil || len(out.rows) != 2 {
		t.Fatalf("%v, %d rows", err, len(out.rows))
	}
	if a, b := out.rows[0]["seq"], out.rows[1]["seq"]; a != float64(3<<16) || b != float64(3<<16+2) {
		t.Errorf("seq %v, %v", a, b)
	}
}

type failing struct{ err error }

func (f failing) AppendEvent(string, int, []byte) error { return f.err }

func TestDecodePassesErrorsOn(t *testing.T) {
	full := fmt.Errorf("full")
	err := hookFor(t, hookPortrait, listening()).Decode(&connector.Received{Body: []byte(`{"data":[{}]}`)}, failing{full})
	if err == nil || !strings.Contains(err.Error(), "full") {
		t.Error(err)
	}
}

func TestTimesAreWrittenAsTheirLayout(t *testing.T) {
	for _, at := range []time.Time{arrival, time.Unix(0, 0), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), time.Date(1, 2, 3, 4, 5, 6, 78e6, time.FixedZone("", -5*3600)), time.UnixMilli(9_999_999_999_999)} {
		if got, want := string(appendUTC(nil, at)), at.UTC().Format(timestamp); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// A body with line breaks gives rows without.
func TestPrettyBody(t *testing.T) {
	out := decodeItems(t, hookPortrait, listening(), "{\r\n  \"id\": \"a\",\n  \"type\": 2, \"targetValue\": \"{\\n\\\"data\\\":\\n{}}\"\n}\n,\n[1,\n2]\n,{\"a\n\":1}")
	if len(out.rows) != 3 || out.rows[0]["event_id"] != "a" || fmt.Sprint(out.rows[0]["content"]) != "map[data:map[]]" || out.rows[1]["raw"] != "[1,\n2]" || out.rows[2]["raw"] != "{\"a\n\":1}" {
		t.Errorf("%v", out.rows)
	}
}

// A time of an hour that was met before is what it is when it is read anew, in every zone, also where clocks are set.
func TestHours(t *testing.T) {
	for _, name := range []string{"Asia/Shanghai", "UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Monrovia", "Europe/Berlin"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		hook := hookFor(t, hookPortrait, listening()).(*hook)
		hook.zone = zone
		d, hits := decoder{hook: hook}, 0
		for _, day := range []string{"2026-03-08", "2026-11-01", "2026/10/25", "2026-03-29", "2026-04-05", "2026-10-04", "1972-01-07", "1919-04-13", "1900-01-01"} {
			for i := range 24 * 60 {
				text := fmt.Sprintf("%s%c%02d:%02d:%02d", day, " T"[i/7%2], i/60, i%60, i*7%61) // some have 60 seconds
				if d.hour.has([]byte(text)) {
					hits++
				}
				want := ""
				if at, ok := readTime([]byte(text), zone); ok {
					want = `"at":"` + at.UTC().Format(timestamp) + `"`
				}
				if got := string(d.appendTime(nil, `"at":`, []byte(`"`+text+`"`))); got != want {
					t.Fatalf("%s, %s: got %s, want %s", name, text, got, want)
				}
			}
		}
		if whole := name != "Asia/Kolkata" && name != "Australia/Lord_Howe"; whole && hits < 5000 {
			t.Errorf("%s: %d times of a known hour", name, hits)
		}
	}
}
