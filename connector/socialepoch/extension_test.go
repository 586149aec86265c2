package socialepoch

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
	sesandbox "github.com/sluicehq/sluice/connector/socialepoch/sandbox"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// Every type of field: what is written for a value, which the sandbox takes, or why it is refused before it is sent.
func TestFieldTypes(t *testing.T) {
	urls := strings.TrimSuffix(strings.Repeat(`"http://a.b/c",`, 11), ",")
	for _, tc := range []struct{ kind, value, want string }{
		{typeText, `"x"`, `"x"`}, {typeText, `12.50`, `"12.50"`}, {typeText, `true`, `"true"`}, {typeText, `["a","b"]`, `"a,b"`}, {typeText, `" x "`, `" x "`}, {typeText, `""`, `""`},
		{typeNumber, `12.50`, `12.50`}, {typeNumber, `" -3e2 "`, `-3e2`}, {typeNumber, `["7"]`, `7`}, {typeNumber, `""`, `""`}, {typeNumber, `"abc"`, "bad_value"},
		{typeNumber, `"0x1"`, "bad_value"}, {typeNumber, `"007"`, "bad_value"}, {typeNumber, `true`, "bad_value"}, {typeNumber, `["1","2"]`, "bad_value"}, {typeNumber, `"null"`, "bad_value"},
		{typeDate, `"2022-03-08"`, `"2022/03/08"`}, {typeDate, `"2022/03/08"`, `"2022/03/08"`}, {typeDate, `"2022-03-08T00:00:00Z"`, `"2022/03/08"`}, {typeDate, `"2022-03-08 00:00:00"`, `"2022/03/08"`},
		{typeDate, `"2022-03-08T10:00:00+08:00"`, "bad_date"}, {typeDate, `"2022-02-30"`, "bad_date"}, {typeDate, `"8.3.2022"`, "bad_date"}, {typeDate, `20220308`, "bad_date"}, {typeDate, `" "`, `""`},
		{typeTime, `"12:00:00"`, `"12:00:00"`}, {typeTime, `"09:30"`, `"09:30:00"`}, {typeTime, `"9:30"`, `"09:30:00"`}, {typeTime, `"25:00"`, "bad_value"}, {typeTime, `"noon"`, "bad_value"},
		{typeSingle, `"Web"`, `"Web"`}, {typeSingle, `["Web"]`, `"Web"`}, {typeSingle, `["Web","Store"]`, "bad_value"}, {typeSingle, `[]`, `""`},
		{typeMulti, `["Music","Sport"]`, `"Music,Sport"`}, {typeMulti, `"Music,Sport"`, `"Music,Sport"`}, {typeMulti, `["a,b"]`, "separator_in_tag"},
		{typeAttachment, `["http://a.b/c","https://d.e/f"]`, `"http://a.b/c,https://d.e/f"`}, {typeAttachment, `"http://a.b/c"`, `"http://a.b/c"`},
		{typeAttachment, `"ftp://a.b/c"`, "bad_value"}, {typeAttachment, `"/c"`, "bad_value"}, {typeAttachment, "[" + urls + "]", "bad_value"}, {typeAttachment, `{"url":"http://a.b"}`, "bad_value"},
	} {
		e := extension{types: map[string]string{tc.kind: tc.kind}}
		got, no := e.appendMembers(nil, fmt.Sprintf(`{%q:%s}`, tc.kind, tc.value))
		want := fmt.Sprintf(`,%q:%s`, tc.kind, tc.want)
		switch {
		case no != nil:
			if no.Code != tc.want || no.Field != tc.kind || no.Message == "" {
				t.Errorf("%s %s: %+v, want %s", tc.kind, tc.value, no, tc.want)
			}
		case string(got) != want:
			t.Errorf("%s %s: got %s, want %s", tc.kind, tc.value, got, want)
		default:
			taken(t, tc.kind, tc.want)
		}
	}
}

// taken sends a value to a company that has one field of each type.
func taken(t *testing.T, kind, value string) {
	t.Helper()
	var fields []sesandbox.Extension
	for _, f := range sesandbox.DefaultExtensions {
		f.Name = f.Type
		fields = append(fields, f)
	}
	service := sesandbox.New(sesandbox.Options{Extensions: fields})
	now := time.Now()
	cfg := good()
	cfg.TenantID, cfg.APIKey = sesandbox.TenantID, connector.NewSecret(sesandbox.APIKey)
	req := &connector.Request{}
	if err := newSigner(cfg).Sign(req, now); err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"tenantId":%d,"data":[{"agentAccount":"a","whatsApp":"8613800000001",%q:%s}]}`, cfg.TenantID, kind, value)
	hr, err := http.NewRequest(http.MethodPost, "http://127.0.0.1"+endpoints[0].path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	hr.Header = req.Header
	resp, err := sandbox.Transport(sandbox.New(sandbox.Options{Clock: func() time.Time { return now }}, service)).RoundTrip(hr)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct{ Data struct{ SuccessCount int } }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Data.SuccessCount != 1 {
		t.Errorf("the sandbox does not take %s %s: %+v, %v", kind, value, answer, err)
	}
}

// Keys and groups of a mode that replaces pools: only what is surely one contact shares a key, and all spellings of an
// agent's name are one group.
func TestPoolKeysAndGroups(t *testing.T) {
	schema := schemaOf(colAgent, colWhatsApp, colPhone)
	rec := record(t, schema, []string{"Ann", "8613800000001"}, []string{"ann", "8613800000001"}, []string{"Ann", "", "8613800000001"}, []string{"Ann", "86-138-0000-0001"},
		[]string{"ann"}, []string{"", "8613800000001"})
	c := mustCodec(t, good(), modePoolReplace, schema)
	key := func(row int) uint64 { return append(c.AppendKeys(nil, rec, row), 0)[0] }
	if key(0) != key(2) || key(0) == key(1) || key(0) == key(3) {
		t.Errorf("keys %x %x %x %x", key(0), key(1), key(2), key(3))
	}
	for row, want := range []string{"ann", "ann", "ann", "ann", "", ""} {
		if got := string(c.(connector.Grouper).AppendGroup(nil, rec, row)); got != want {
			t.Errorf("row %d is of the group %q, want %q", row, got, want)
		}
	}
	if l := c.Limits(); l.Splittable || l.SplitAfter != 0 || l.Duplicates != connector.DuplicatesLastWins || !l.Idempotent {
		t.Errorf("limits %+v", l)
	}
}
