package nx

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
)

const fixtureBody = `{"type":1,"tenant_id":144,"app_key":"46oKF=os","customers":[{"first_name":"Zhang","last_name":"San","whats_app_phone":"8618667728886","gender":1}]}`

// The whole request of the vendor's signing example, byte for byte.
func TestFixtureCreate(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	rec := record(t, mem, []any{"Zhang", "San", "8618667728886", nil, nil, 1})
	defer rec.Release()

	for alg, sign := range map[string]string{
		algorithmMD5:    "31140869c39d13529da4c3d03be9398c",
		algorithmSHA256: "bab243142c6421e022249ed04d2b1ece1bdf92f56ff4ad34c27853bf059820a2",
	} {
		t.Run(alg, func(t *testing.T) {
			cfg := goodLink()
			cfg.Algorithm = alg
			codec := mustCodec(t, cfg, "", vendorSchema())
			req := &connector.Request{}
			if err := codec.AppendRequest(req, rec); err != nil {
				t.Fatal(err)
			}
			if err := codec.(connector.Signer).Sign(req, time.UnixMilli(1655710885431)); err != nil {
				t.Fatal(err)
			}
			want := "POST https://api-hk.nxlink.ai/saas/sea/cdp/openapi/customers/batch_create\n" +
				"Accesskey: " + testKey + "\nAction: mt\n"
			if alg == algorithmSHA256 {
				want += "Algorithm: sha256\n"
			}
			want += "Biztype: 2\nContent-Type: application/json\nSign: " + sign + "\nTs: 1655710885431\n\n" + fixtureBody
			if got := dump(req); got != want {
				t.Errorf("request:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func dump(req *connector.Request) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", req.Method, req.URL)
	_ = req.Header.Write(crlfless{&b})
	return b.String() + "\n" + string(req.Body)
}

type crlfless struct{ b *strings.Builder }

func (c crlfless) Write(p []byte) (int, error) {
	c.b.WriteString(strings.ReplaceAll(string(p), "\r\n", "\n"))
	return len(p), nil
}

func TestBodyByModeAndContract(t *testing.T) {
	rec := record(t, memory.DefaultAllocator,
		[]any{"Li", "Si", nil, "111", nil, 0, `{"customize_1_14":"a\"b"}`},
		[]any{"王", "<A&B>", nil, nil, "a@b.c"})
	defer rec.Release()
	const customers = `"customers":[{"first_name":"Li","last_name":"Si","sms_phone":"111","gender":0,"customize_field":"{\"customize_1_14\":\"a\\\"b\"}"},` +
		`{"first_name":"王","last_name":"<A&B>","email":"a@b.c"}]}`

	strict := goodCloud(contractNew)
	strict.StrictBinding = true
	for _, tc := range []struct {
		name      string
		cfg       connector.Config
		mode      string
		url, head string
		dup       connector.Duplicates
	}{
		{"sea upsert", goodLink(), modeUpsert, "https://api-hk.nxlink.ai/saas/sea/cdp/openapi/customers/batch_create", `{"type":1,"tenant_id":144,"app_key":"46oKF=os",`, connector.DuplicatesSeparate},
		{"sea replace", goodLink(), modeReplace, "https://api-hk.nxlink.ai/saas/sea/cdp/openapi/customers/batch_create", `{"type":0,"tenant_id":144,"app_key":"46oKF=os",`, connector.DuplicatesLastWins},
		{"old insert", goodCloud(contractOld), modeInsert, "https://api.nxcloud.com/saas/cdp/openapi/customers/batch_create", `{"type":2,"tenant_id":144,"app_key":"46oKF=os",`, connector.DuplicatesSeparate},
		{"new strict", strict, modeUpsert, "https://api-hk.nxlink.ai/saas/cdp/openapi/customers/batch_create", `{"type":1,"tenant_id":144,"app_key":"46oKF=os","strict_binding":true,`, connector.DuplicatesSeparate},
	} {
		t.Run(tc.name, func(t *testing.T) {
			codec := mustCodec(t, tc.cfg, tc.mode, vendorSchema())
			req := &connector.Request{Body: []byte("kept:")}
			if err := codec.AppendRequest(req, rec); err != nil {
				t.Fatal(err)
			}
			if got, want := string(req.Body), "kept:"+tc.head+customers; got != want {
				t.Errorf("body %s\nwant %s", got, want)
			}
			if req.URL != tc.url {
				t.Errorf("url %s, want %s", req.URL, tc.url)
			}
			want := connector.Limits{Rows: 100, Timeout: 30 * time.Second, Idempotent: true, Splittable: true, Duplicates: tc.dup}
			if got := codec.Limits(); got != want {
				t.Errorf("limits %+v, want %+v", got, want)
			}
		})
	}
}

// A slice of a record must be encoded and keyed by its own rows, not by those of the record behind it.
func TestSlices(t *testing.T) {
	rec := record(t, memory.DefaultAllocator,
		[]any{"A", "A", "1", nil, nil, 1}, []any{"B", "B", "2", nil, nil, 0}, []any{"C", "C", "3", nil, nil, nil})
	defer rec.Release()
	part := rec.NewSlice(1, 2)
	defer part.Release()
	codec := mustCodec(t, goodLink(), "", vendorSchema())
	req := &connector.Request{}
	if err := codec.AppendRequest(req, part); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(string(req.Body), `"customers":[{"first_name":"B","last_name":"B","whats_app_phone":"2","gender":0}]}`) {
		t.Errorf("body of the slice: %s", req.Body)
	}
	if got, want := codec.AppendKeys(nil, part, 0), codec.AppendKeys(nil, rec, 1); got[0] != want[0] {
		t.Errorf("key of the slice %x, of the record %x", got, want)
	}
}

// What the vendor makes of an empty text is not documented, so none is sent.
func TestEmptyTextsAreLeftOut(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	whole := record(t, mem,
		[]any{"no", "no", "0"},
		[]any{"A", "", "1", "", nil, 1, ""}, []any{"", "B", nil, "2", "", 0}, []any{"C", "C", "3"}, []any{"no", "", "4"})
	defer whole.Release()
	rec := whole.NewSlice(1, 4)
	defer rec.Release()
	req := &connector.Request{}
	if err := mustCodec(t, goodLink(), "", vendorSchema()).AppendRequest(req, rec); err != nil {
		t.Fatal(err)
	}
	want := `"customers":[{"first_name":"A","whats_app_phone":"1","gender":1},{"last_name":"B","sms_phone":"2","gender":0},{"first_name":"C","last_name":"C","whats_app_phone":"3"}]}`
	if !strings.HasSuffix(string(req.Body), want) {
		t.Errorf("body %s\nwant %s", req.Body, want)
	}
}

func TestRowsWithoutIdentifierAreRefused(t *testing.T) {
	rec := record(t, memory.DefaultAllocator,
		[]any{"A", "A", "1"}, []any{"B", "B"}, []any{"C", "C", " ", "", nil}, []any{"D", "D", nil, nil, "d@e.f"})
	defer rec.Release()
	codec := mustCodec(t, goodLink(), "", vendorSchema())
	err := codec.AppendRequest(&connector.Request{}, rec)
	var refused *connector.RowsError
	if !errors.As(err, &refused) {
		t.Fatalf("got %v, want a *RowsError", err)
	}
	var got []int
	for _, r := range refused.Rows {
		got = append(got, r.Row)
		if r.Code != connector.CodeNoIdentifier || r.Verdict != connector.VerdictRejected {
			t.Errorf("row %d: %+v", r.Row, r)
		}
	}
	if fmt.Sprint(got) != "[1 2]" {
		t.Errorf("refused rows %v, want [1 2]", got)
	}
}

func TestRequestSize(t *testing.T) {
	codec := mustCodec(t, goodLink(), "", vendorSchema())
	for _, n := range []int{0, 101} {
		lines := make([][]any, n)
		for i := range lines {
			lines[i] = []any{"A", "B", fmt.Sprint(i)}
		}
		rec := record(t, memory.DefaultAllocator, lines...)
		if err := codec.AppendRequest(&connector.Request{}, rec); connector.KindOf(err) != connector.KindInternal {
			t.Errorf("%d rows: %v, want an internal error", n, err)
		}
		rec.Release()
	}
}

func TestCodecRefusesSchemas(t *testing.T) {
	number := func(name string) arrow.Field {
		return arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Int64, Nullable: true}
	}
	for _, tc := range []struct {
		name   string
		mode   string
		fields []arrow.Field
		want   string
	}{
		{"no identifier", modeUpsert, []arrow.Field{text("first_name")}, "at least one of phone, whatsapp or email"},
		{"number as phone", modeUpsert, []arrow.Field{number(colSMS)}, "sms_phone"},
		{"gender as text", modeUpsert, []arrow.Field{text(colEmail), text(colGender)}, "gender"},
		{"unknown mode", "append", []arrow.Field{text(colEmail)}, "upsert, replace, insert"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := newCodec(goodLink(), "contacts", tc.mode, arrow.NewSchema(tc.fields, nil))
			if connector.KindOf(err) != connector.KindConfig {
				t.Fatalf("got %v, want a config error", err)
			}
			wantContains(t, err.Error(), tc.want)
		})
	}
}

func TestKeys(t *testing.T) {
	lines := [][]any{
		0: {"", "", "8613800000001", nil, nil},
		1: {"", "", nil, "8613800000001", nil},                                        // the same number by SMS
		2: {"", "", "+86 138-0000-0001", nil, nil},                                    // another spelling
		3: {"", "", nil, nil, "Li@Example.com"},                                       //
		4: {"", "", "8613800000002", nil, "li@example.COM "},                          // alias of 3
		5: {"", "", "8613800000003", "8613800000003", nil},                            // one key, not two
		6: {"", "", nil, nil, nil},                                                    // none
		7: {"", "", "8613800000004", "8613800000005", "x@y.z"},                        // three
		8: {"", "", nil, nil, "8613800000001"},                                        // an e-mail that looks like a number is none
		9: {"", "", nil, nil, "STRASSE@ſ.de"}, 10: {"", "", nil, nil, "straſſe@S.DE"}, // folded letters
	}
	rec := record(t, memory.DefaultAllocator, lines...)
	defer rec.Release()
	codec := mustCodec(t, goodLink(), "", vendorSchema())
	keys := make([][]uint64, len(lines))
	for i := range lines {
		keys[i] = codec.AppendKeys(nil, rec, i)
	}
	for i, want := range []int{1, 1, 1, 1, 2, 1, 0, 3, 1, 1, 1} {
		if len(keys[i]) != want {
			t.Errorf("row %d has %d keys, want %d", i, len(keys[i]), want)
		}
	}
	for _, p := range []struct {
		a, b int
		same bool
	}{{0, 1, true}, {0, 2, true}, {3, 4, true}, {0, 3, false}, {0, 5, false}, {0, 8, false}, {4, 7, false}, {9, 10, true}} {
		if got := share(keys[p.a], keys[p.b]); got != p.same {
			t.Errorf("rows %d and %d share a key: %v, want %v", p.a, p.b, got, p.same)
		}
	}
	// Keys order rows across processes of one consumer group, so their values must not drift.
	const goldenKey = 0xd3e9044f5c46fcfc
	if got := keys[0][0]; got != goldenKey {
		t.Errorf("key of 8613800000001 = %#x, want %#x", got, uint64(goldenKey))
	}
	if got := codec.AppendKeys([]uint64{7}, rec, 0); len(got) != 2 || got[0] != 7 {
		t.Errorf("AppendKeys does not append: %v", got)
	}
}

func share(a, b []uint64) bool {
	for _, x := range a {
		for _, y := range b {
			if x == y {
				return true
			}
		}
	}
	return false
}

func TestCodecAllocations(t *testing.T) {
	lines := make([][]any, 100)
	for i := range lines {
		lines[i] = []any{"Zhang", "San", fmt.Sprint(8618667728000 + i), nil, "a@b.c", i % 2, `{"customize_1_14":"x"}`}
	}
	rec := record(t, memory.DefaultAllocator, lines...)
	defer rec.Release()
	codec := mustCodec(t, goodLink(), "", vendorSchema())
	req := &connector.Request{}
	keys := make([]uint64, 0, 8)
	got := testing.AllocsPerRun(50, func() {
		req.Body = req.Body[:0]
		if err := codec.AppendRequest(req, rec); err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			keys = codec.AppendKeys(keys[:0], rec, i)
		}
	})
	if got > 40 {
		t.Errorf("100 rows cost %v allocations, want at most 40", got)
	}
}
