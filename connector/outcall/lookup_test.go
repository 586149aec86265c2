package outcall

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/connector"
)

// Names of components come from the CRM, those in the configuration first.
func TestLookup(t *testing.T) {
	if p, err := newLookup(goodConfig()); p != nil || err != nil {
		t.Errorf("%v, %v; want no call unless it is asked for", p, err)
	}
	const a, b, c = testUser, testTask, "2a87347c-6dd5-4e22-97fe-9b8001dbcd17"
	list := func(pairs ...string) string {
		var all []string
		for i := 0; i < len(pairs); i += 2 {
			all = append(all, fmt.Sprintf(`{"id":%q,"name":%q,"type":"text"}`, pairs[i], pairs[i+1]))
		}
		return `{"code":200,"status":"success","data":[` + strings.Join(all, ",") + `]}`
	}
	for _, tc := range []struct {
		configured map[string]string
		body       string
		want       string // of the configuration, or in the error
	}{
		{nil, list(a, "vip", b, "age"), "map[age:" + b + " vip:" + a + "]"},
		{map[string]string{"vip": c, "old": b}, list(a, "vip", b, "age"), "map[old:" + b + " vip:" + c + "]"},
		{nil, list(a, "vip", b, "vip"), `two components called "vip"`},
		{map[string]string{"vip": a}, list(a, "vip", b, "vip"), "map[vip:" + a + "]"},
		{nil, list("x", "vip", a, ""), "map[]"},
		{nil, `{"code":200,"status":"success","data":{}}`, "cannot be read"},
		{nil, `{"code":401,"status":"error","data":[]}`, "token was refused"},
	} {
		cfg := goodConfig(func(c *Config) { c.LookupNames, c.Components = true, tc.configured })
		p, err := newLookup(cfg)
		if err != nil {
			t.Fatal(err)
		}
		err = p.ParseResponse(respond(200, tc.body))
		got := fmt.Sprint(cfg.Components)
		if err != nil {
			got = err.Error()
			if connector.KindOf(err) != connector.KindConfig {
				t.Errorf("%v is no config error", err)
			}
		}
		if !strings.Contains(got, tc.want) {
			t.Errorf("%s: %s, want %s", tc.body, got, tc.want)
		}
		if err == nil && cfg.Validate() != nil {
			t.Errorf("the configuration is invalid afterwards: %v", cfg.Validate())
		}
	}
}
