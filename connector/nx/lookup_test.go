package nx

import (
	"maps"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/connector"
)

func TestLookup(t *testing.T) {
	cfg := NXCloud.NewConfig().(*CloudConfig)
	if p, err := NXCloud.Lookup(cfg); p != nil || err != nil {
		t.Fatalf("a lookup that nobody asked for: %v, %v", p, err)
	}
	cfg.LookupFields = true
	cfg.CustomFields = map[string]string{"VIP level": "customize_1_99", "points": "customize_2_16"}
	ask := func(body string) error {
		t.Helper()
		p, err := NXCloud.Lookup(cfg)
		if err != nil {
			t.Fatal(err)
		}
		var req connector.Request
		if err := p.AppendRequest(&req); err != nil || req.Method != "GET" || !strings.Contains(req.URL, pathFields) {
			t.Fatalf("%+v %v", req, err)
		}
		if _, ok := p.(connector.Signer); !ok {
			t.Fatal("the lookup is not signed")
		}
		return p.ParseResponse(&connector.Response{Status: 200, Body: []byte(body)})
	}
	if err := ask(`{"code":0,"data":[{"name":"email","display_name":"邮箱"},{"name":"customize_1_14","display_name":"会员等级","display_en_name":"VIP level"},{"name":"customize_3_1","display_name":"渠道"}]}`); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"会员等级": "customize_1_14", "VIP level": "customize_1_99", "渠道": "customize_3_1", "points": "customize_2_16"}
	if !maps.Equal(cfg.CustomFields, want) {
		t.Errorf("got %v, want %v", cfg.CustomFields, want)
	}
	for _, bad := range []string{
		`{"code":1005,"message":"no","data":""}`,
		`{"code":0,"data":{"a":1}}`,
		`{"code":0,"data":[{"name":"customize_1_1","display_name":"X"},{"name":"customize_1_2","display_name":"X"}]}`,
	} {
		if err := ask(bad); connector.KindOf(err) != connector.KindConfig {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
