package main

import (
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/all"
)

// TestKeptNullsAreSent: with `on_null: keep` a null goes from the record to the bytes of the request, and the CRM takes it;
// what is absent or empty does not.
func TestKeptNullsAreSent(t *testing.T) {
	const fields = "phone: p, whatsapp: w, owner: {value: a@b.cn}, full_name: n, email: e, address: a, remark: r, gender: g, birthday: b, tags: t"
	line := `{"p":"+8613812345678","w":"+8613812345678","n":"Ann Lee","e":null,"a":"","g":null,"b":null,"t":null}`
	for name, want := range map[string]struct{ sent, unsent []string }{
		"socialepoch": {[]string{`"email":null`, `"sex":null`, `"birthday":null`, `"tabName":null`}, []string{`"address"`, `"desc"`}},
		"nxcloud":     {[]string{`"gender":null`, `"birthday":null`, `"tagStr":null`}, []string{`"address"`, `"remark"`, `"email"`}}, // it knows people by their mail
	} {
		t.Run(name, func(t *testing.T) {
			for _, rule := range []string{"keep", "omit"} {
				mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
				defer mem.AssertSize(t, 0)
				v := vendorOf(t, name)
				cfg := accountOf(t, v)
				m := compileText(t, v, cfg, mem, []byte("streams: {contacts: {on_null: "+rule+", fields: {"+fields+"}}}"))
				_, sent, _, reasons := outcomes(t, m, []string{line}, mem)
				if len(reasons) > 0 {
					t.Fatal(reasons)
				}
				codec, err := v.Codec(cfg, "contacts", v.Mode(cfg), sent.Schema())
				if err != nil {
					t.Fatal(err)
				}
				req := &connector.Request{}
				if err := codec.AppendRequest(req, sent); err != nil {
					t.Fatal(err)
				}
				for _, field := range want.sent {
					if strings.Contains(string(req.Body), field) != (rule == "keep") {
						t.Errorf("%s: %s in %s", rule, field, req.Body)
					}
				}
				for _, field := range want.unsent {
					if strings.Contains(string(req.Body), field) {
						t.Errorf("%s: %s in %s", rule, field, req.Body)
					}
				}
				if rejected, stored := deliverAll(t, v, cfg, sent, mem); len(rejected) > 0 || stored != 1 {
					t.Errorf("%s: the CRM refused %v and holds %d records", rule, rejected, stored)
				}
			}
		})
	}
}

func vendorOf(t *testing.T, name string) connector.Vendor {
	t.Helper()
	for _, v := range all.Vendors {
		if v.Name == name {
			return v
		}
	}
	t.Fatalf("no vendor %s", name)
	return connector.Vendor{}
}
