package infer

import (
	"slices"
	"testing"
)

func TestWordsOf(t *testing.T) {
	for name, want := range map[string]string{
		"First Name":   "first name",
		"firstName":    "first name",
		"FIRST_NAME":   "first name",
		"E-mail":       "e mail",
		"WhatsApp 号码":  "whatsapp 号码",
		"WhatsApp":     "whatsapp",
		"whatsAppNo":   "whatsapp no",
		"＊手机号（必填）":     "手机号",
		"Gender__c":    "gender",
		"姓 名":          "姓名",
		"userID":       "user id",
		"customer.sex": "customer sex",
	} {
		if got := join(wordsOf(name)); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// TestMeanings: a name is looked up whole. What only speaks of a phone is none.
func TestMeanings(t *testing.T) {
	for name, want := range map[string]meaning{
		"手机号码*":                {target: "phone", grade: sure},
		"联系人手机":                {target: "phone", grade: sure},
		"Contact Email":        {target: "email", grade: sure},
		"Organization - Name":  {target: "company", grade: sure},
		"Person - Name":        {target: "full_name", grade: likely},
		"客户名称":                 {target: "full_name", grade: maybe},
		"State":                {target: "stage", grade: maybe},
		"Source ID":            {target: "external_id", grade: maybe},
		"properties.firstname": {target: "first_name", grade: sure},
		"referrer.email":       {target: "email", grade: maybe},
		"Phone type":           {},
		"Mobile verified":      {},
		"Email opt-in":         {},
		"Created date":         {},
		"Username":             {},
		"IP Address":           {},
		"紧急联系人电话":              {},
		"推荐人手机号":               {},
	} {
		found := meanings(name)
		if want.target == "" {
			if found != nil {
				t.Errorf("%s: got %v, want nothing", name, found)
			}
			continue
		}
		if !slices.ContainsFunc(found, func(m meaning) bool { return m.target == want.target && m.grade == want.grade }) {
			t.Errorf("%s: got %v, want %v", name, found, want)
		}
	}
}

// TestVocabulary: no name is sure of two things, and every target is a canonical column.
func TestVocabulary(t *testing.T) {
	for name, all := range vocabulary() {
		n := 0
		for _, m := range all {
			if m.grade == sure {
				n++
			}
			if m.grade < sure && m.why == "" {
				t.Errorf("%s: no word of why it is in doubt", name)
			}
		}
		if n > 1 || n == 1 && len(all) > 1 {
			t.Errorf("%s has %d meanings, %d of them sure", name, len(all), n)
		}
		if join(wordsOf(name)) != name {
			t.Errorf("%q is never found: names are looked up as %q", name, join(wordsOf(name)))
		}
	}
}

// TestOrderNames: whom an order goes to is in doubt, also where both halves of the name are told.
func TestOrderNames(t *testing.T) {
	s := &Sample{}
	for _, row := range []string{`{"shipping_first_name":"Beto","shipping_last_name":"Silva"}`, `{"shipping_first_name":"Rui","shipping_last_name":"Costa"}`} {
		if err := s.Add([]byte(row)); err != nil {
			t.Fatal(err)
		}
	}
	p := Propose(s, Options{Stream: "contacts", Year: 2024})
	if len(p.Lines) != 2 || p.Lines[0].Why == "" || p.Lines[1].Why == "" || p.Active() != 0 {
		t.Errorf("got %+v", p.Lines)
	}
}
