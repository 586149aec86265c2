package transforms

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/sluicehq/sluice/connector"
)

// dialect is a preset with one of each thing that presets do.
const dialect = `
streams:
  "*":
    fields:
      full_name: {name: {part: full}, max_length: 10, required: true}
      wa: {from: [whatsapp, wa], phone: {format: digits}}
      email: {from: email, trim: true, max_length: 20}
      gender: {from: gender, map: {male: 1, female: 0, unknown: null}}
      birthday: {from: birthday, date: "%Y-%m-%d"}
      tagStr: {from: [tags, tagStr], split: ",", each: [trim], unique: true, join: ","}
      level: {from: stage}
      custom_text: {from: [custom, custom_text], steps: [{json: decode}, {keys: {map: {vip: c1, company: c2, note: c3}, pass: "^c[0-9]"}}, {json: encode}]}
    identifiers: [wa, email]
`

func TestCompose(t *testing.T) {
	for _, c := range []struct {
		name, doc, in, want string
		code, field         string
	}{
		{
			name: "canonical and vendor names meet the preset where there is no document",
			in:   `{"full_name":"张三","whatsapp":"+86 138 1234 5678","gender":"female","tags":["a"," a","b"],"tagStr":"x","custom_text":"{\"c1\":1}"}`,
			want: `{"full_name":"张三","wa":"8613812345678","gender":0,"tagStr":"a,b","custom_text":"{\"c1\":1}"}`,
		},
		{
			name: "the vendor's own name comes second",
			in:   `{"full_name":"A","wa":"12345","whatsapp":null,"tagStr":"x, y"}`,
			want: `{"full_name":"A","wa":"12345","tagStr":"x,y"}`,
		},
		{
			name: "canonical columns become text",
			in:   `{"full_name":7,"whatsapp":13812345678,"email":true,"tags":"one"}`,
			want: `{"full_name":"7","wa":"13812345678","email":"true","tagStr":"one"}`,
		},
		{
			name: "a document feeds the preset",
			doc:  `streams: {contacts: {fields: {full_name: name, whatsapp: mobile, gender: {from: sex, map: {F: female}, default: unknown}, tags: {from: t, split: ;}}}}`,
			in:   `{"name":"Li Si","mobile":"12345","sex":"F","t":"a;b","email":"never@read"}`,
			want: `{"full_name":"Li Si","wa":"12345","gender":0,"tagStr":"a,b"}`,
		},
		{
			name: "unknown gender is left out, not zero",
			doc:  `streams: {contacts: {fields: {full_name: name, email: mail, gender: {from: sex, map: {F: female}, default: unknown}}}}`,
			in:   `{"name":"A","mail":"a@b","sex":"?"}`, want: `{"full_name":"A","email":"a@b"}`,
		},
		{
			name: "a document may target vendor columns",
			doc:  `streams: {contacts: {fields: {full_name: name, wa: {from: tel}}}}`,
			in:   `{"name":"A","tel":"+12345"}`, want: `{"full_name":"A","wa":"12345"}`,
		},
		{
			name: "a target that the preset's own steps do not read replaces them",
			doc:  `streams: {contacts: {fields: {full_name: name, email: mail, level: {value: 3}}}}`,
			in:   `{"name":"A","mail":"a@b"}`, want: `{"full_name":"A","email":"a@b","level":3}`,
		},
		{
			name: "the preset refuses what the vendor would",
			doc:  `streams: {contacts: {fields: {full_name: name, email: mail}}}`,
			in:   `{"name":"12345678901","mail":"a@b"}`, code: connector.CodeTooLong, field: "full_name",
		},
		{
			name: "required", in: `{"email":"a@b"}`, code: connector.CodeRequired, field: "full_name",
		},
		{
			name: "an empty text does not satisfy required", in: `{"full_name":"","email":"a@b"}`, code: connector.CodeRequired, field: "full_name",
		},
		{
			name: "no identifier", in: `{"full_name":"A","email":""}`, code: connector.CodeNoIdentifier,
		},
		{
			name: "on_error of the document holds for the preset's step too",
			doc:  `streams: {contacts: {fields: {full_name: name, email: mail, birthday: {from: b, on_error: null}}}}`,
			in:   `{"name":"A","mail":"a@b","b":"12.4.76"}`, want: `{"full_name":"A","email":"a@b"}`,
		},
		{
			name: "without on_error the row is refused",
			doc:  `streams: {contacts: {fields: {full_name: name, email: mail, birthday: b}}}`,
			in:   `{"name":"A","mail":"a@b","b":"12.4.76"}`, code: connector.CodeBadDate, field: "birthday",
		},
		{
			name: "rest: custom gathers what is not named",
			doc:  `streams: {contacts: {rest: custom, fields: {full_name: name, email: mail}}}`,
			in:   `{"name":"A","mail":"a@b","vip":"gold","note":null,"company":{"x":1},"_airbyte_raw_id":"1","_sdc_batched_at":2}`,
			want: `{"full_name":"A","email":"a@b","custom_text":"{\"c2\":{\"x\":1},\"c1\":\"gold\"}"}`,
		},
		{
			name: "rest: custom with fields by their own names",
			doc:  `streams: {contacts: {rest: custom}}`,
			in:   `{"full_name":"A","email":"a@b","vip":1}`,
			want: `{"full_name":"A","email":"a@b","custom_text":"{\"c1\":1}"}`,
		},
		{
			name: "custom fields by name, a source object, and the rest, in that order of weight",
			doc:  `streams: {contacts: {rest: custom, fields: {full_name: name, email: mail, custom.vip: {value: explicit}, custom: attrs}}}`,
			in:   `{"name":"A","mail":"a@b","attrs":{"vip":"base","note":"base"},"note":"rest","company":"rest"}`,
			want: `{"full_name":"A","email":"a@b","custom_text":"{\"c1\":\"explicit\",\"c3\":\"base\",\"c2\":\"rest\"}"}`,
		},
		{
			name: "an unlisted custom field",
			doc:  `streams: {contacts: {rest: custom, fields: {full_name: name, email: mail}}}`,
			in:   `{"name":"A","mail":"a@b","vpi":1}`, code: connector.CodeUnknownField, field: "custom_text",
		},
		{
			name: "a canonical column that the vendor lacks goes to custom where the rest goes there",
			doc:  `streams: {contacts: {rest: custom, fields: {full_name: name, email: mail, company: firma}}}`,
			in:   `{"name":"A","mail":"a@b","firma":"ACME"}`, want: `{"full_name":"A","email":"a@b","custom_text":"{\"c2\":\"ACME\"}"}`,
		},
		{
			name: "rest: keep hands fields on by their names",
			doc:  `streams: {contacts: {rest: keep, fields: {full_name: name}}}`,
			in:   `{"name":"A","email":" a@b ","x":{"y":[1]},"z":null}`,
			want: `{"full_name":"A","email":"a@b","_extra":{"x":{"y":[1]}}}`,
		},
		{
			name: "a mark of deletion", doc: `streams: {contacts: {on_delete: reject}}`,
			in: `{"full_name":"A","email":"a@b","_ab_cdc_deleted_at":"2024-01-01"}`, code: connector.CodeDeleted, field: "_ab_cdc_deleted_at",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := apply(t, c.doc, dialect, c.in)
			if c.code != "" {
				if len(out.rows) != 0 || len(out.rejects) != 1 || out.rejects[0].Code != c.code || out.rejects[0].Field != c.field {
					t.Fatalf("got %v %v, want %s of %q", out.rows, out.rejects, c.code, c.field)
				}
				return
			}
			if len(out.rows) != 1 || !sameJSON(out.rows[0], c.want) {
				t.Fatalf("got  %v %v\nwant %s", out.rows, out.rejects, c.want)
			}
		})
	}
}

func TestDeletedAndFilteredRows(t *testing.T) {
	out := apply(t, `streams: {contacts: {where: "age == None or age >= 18", fields: {email: mail}}}`, "",
		`{"mail":"a"}`,
		`{"mail":"b","age":17}`,
		`{"mail":"c","_op":"d"}`,
		`{"mail":"d","_op":"u"}`,
		`{"mail":"e","__deleted":"true"}`,
		`{"mail":"f","__deleted":false,"_sdc_deleted_at":null}`,
		`{"mail":"g","_sdc_deleted_at":"2024-01-01T00:00:00Z"}`,
		`{"mail":"h","age":"x"}`,
		`{"mail":"i","age":18}`,
	)
	if want := []int32{0, 3, 5, 8}; !slices.Equal(out.index, want) {
		t.Errorf("index %v, want %v", out.index, want)
	}
	if len(out.rejects) != 1 || out.rejects[0].Row != 7 || out.rejects[0].Code != codeBadValue || out.rejects[0].Field != keyWhere {
		t.Errorf("rejects %v, want row 7: its age cannot be compared", out.rejects)
	}
}

func TestNotices(t *testing.T) {
	out := apply(t, `streams: {contacts: {fields: {full_name: name, email: mail, company: firma, custom.x: x}}}`, strings.Replace(dialect, "from: [custom, custom_text]", "from: [custom_text]", 1),
		`{"name":"A","mail":"a@b","zeta":1,"alpha":2}`, `{"name":"B","mail":"b@b","beta":1,"alpha":3}`)
	all := strings.Join(out.notices, "\n")
	for _, want := range []string{"no place for company", "no place for custom fields", "fields dropped: alpha, zeta, beta"} {
		if !strings.Contains(all, want) {
			t.Errorf("notices %q lack %q", all, want)
		}
	}
	if len(out.notices) != 3 {
		t.Errorf("%d notices, want 3: %q", len(out.notices), all)
	}
}

func TestStreams(t *testing.T) {
	spec := mustParse(t, "user.yaml", `
streams:
  "crm_*": {fields: {email: glob}}
  crm_people: {fields: {email: exact}}
  "tmp?": skip
`)
	m, err := Compile(spec, Options{})
	if err != nil {
		t.Fatal(err)
	}
	rec := rawRecord(t, memory.DefaultAllocator, []string{"glob", "exact", "email"}, `{"glob":"g","exact":"e","email":"own"}`)
	for stream, want := range map[string]string{"crm_x": `"g"`, "crm_people": `"e"`, "tmp1": "", "tmp12": `"own"`, "other": `"own"`} {
		plans, err := m.Plans(stream, rec.Schema())
		if err != nil {
			t.Fatal(err)
		}
		if want == "" {
			if len(plans) != 0 {
				t.Errorf("stream %s has a plan, want none: it is skipped", stream)
			}
			continue
		}
		if plans[0].Stream() != stream {
			t.Errorf("the plan of %s makes stream %s", stream, plans[0].Stream())
		}
		out, err := plans[0].Apply(context.Background(), rec, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := cell(t, out.Rows, "email", 0); got != want {
			t.Errorf("stream %s: email %s, want %s", stream, got, want)
		}
	}
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "", true}, {"*", "a.b/c", true}, {"a*c", "abc", true}, {"a*c", "ab", false}, {"a?c", "a客c", true}, {"**x*", "yx", true},
		{"a*b*c", "aXbYbZc", true}, {"a", "A", false}, {"", "", true}, {"?", "", false},
	} {
		if got := globMatch(c.pattern, c.name); got != c.want {
			t.Errorf("globMatch(%q, %q) = %v", c.pattern, c.name, got)
		}
	}
}

func TestOverride(t *testing.T) {
	base := mustParse(t, "preset", dialect)
	over := mustParse(t, "over.yaml", `streams: {"*": {fields: {email: {from: email, case: upper}, extra: {value: 1}}, identifiers: [email]}}`)
	merged, err := base.Override(over)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Compile(nil, Options{Preset: merged})
	if err != nil {
		t.Fatal(err)
	}
	rec := rawRecord(t, memory.DefaultAllocator, m.Fields("x"), `{"full_name":"A","email":"a@b"}`)
	plans, err := m.Plans("x", rec.Schema())
	if err != nil {
		t.Fatal(err)
	}
	out, err := plans[0].Apply(context.Background(), rec, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := object(t, out.Rows, 0), `{"email":"A@B","extra":1,"full_name":"A"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if len(base.streams[0].fields) != 8 {
		t.Error("Override changed the preset")
	}
	if _, err := base.Override(mustParse(t, "over.yaml", `streams: {contacts: skip}`)); connector.KindOf(err) != connector.KindConfig {
		t.Errorf("an override of another stream: %v, want a Config error", err)
	}
}

func TestOnErrorFail(t *testing.T) {
	m, err := Compile(mustParse(t, "u", `streams: {s: {fields: {birthday: {from: b, date: "%F", on_error: fail}}}}`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	rec := rawRecord(t, mem, []string{"b"}, `{"b":"1976-04-12"}`, `{"b":"nineteen-seventy-six, a long text that must not be shown whole"}`)
	defer rec.Release()
	plans, err := m.Plans("s", rec.Schema())
	if err != nil {
		t.Fatal(err)
	}
	_, err = plans[0].Apply(context.Background(), rec, nil)
	if connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), "row 2") || strings.Contains(err.Error(), "shown whole") {
		t.Errorf("got %v, want a Config error that names row 2 and shows little of the value", err)
	}
}

func TestSkippedRowsStayOut(t *testing.T) {
	m, err := Compile(nil, Options{Preset: mustParse(t, "preset", dialect)})
	if err != nil {
		t.Fatal(err)
	}
	rec := rawRecord(t, memory.DefaultAllocator, m.Fields("s"), `{"full_name":"A","email":"a"}`, `{}`, `{"full_name":"C","email":"c"}`)
	plans, err := m.Plans("s", rec.Schema())
	if err != nil {
		t.Fatal(err)
	}
	out, err := plans[0].Apply(context.Background(), rec, []connector.RowResult{{Row: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(out.Index, []int32{0, 2}) || len(out.Rejected) != 0 {
		t.Errorf("index %v, rejected %v; want rows 0 and 2 and no reject: row 1 was refused before", out.Index, out.Rejected)
	}
}

// TestRestNamesOnce: what the mapping makes takes the place of a source field of that name, also of one without a column.
func TestRestNamesOnce(t *testing.T) {
	doc := "streams: {s: {rest: keep, fields: {a: x, o.b: x}}}"
	if got, want := encoded(t, doc, "", `{"x":1,"y":2,"a":3,"o":{"z":1}}`)[0], `{"a":1,"o":{"b":1},"y":2}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
