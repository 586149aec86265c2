package infer

import (
	"encoding/json"
	"testing"

	"github.com/sluicehq/sluice/transforms"
)

// FuzzPropose: whatever the columns are called and hold, the proposal is a mapping without faults.
func FuzzPropose(f *testing.F) {
	f.Add("Mobile", "+86 138 0000 0001", "Birthday", "04/05/1976")
	f.Add("性别", "男", "a.b[0]", "[{\"x\":1}]")
	f.Add("tags", "a;b", "sex\u0085x", "\u2028")
	f.Add("user 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "x", "客户客户客户", "1")
	f.Add("name: {", "# x", "\"e mail\"", "a@b.cn")
	f.Fuzz(func(t *testing.T, a, av, b, bv string) {
		s := &Sample{}
		text, err := json.Marshal(map[string]any{a: av, b: bv, "Email": "a@b.cn", "nested": map[string]string{b: av}})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Add(text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		p := Propose(s, Options{Stream: "contacts", CRM: "it", Year: 2024})
		spec, err := transforms.Parse("p", p.YAML("head"))
		if p.Active() == 0 {
			return
		}
		if err == nil {
			_, err = transforms.Compile(spec, transforms.Options{})
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, p.YAML())
		}
	})
}
