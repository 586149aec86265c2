package main

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/all"
	"github.com/sluicehq/sluice/connector/all/sandboxes"
	"github.com/sluicehq/sluice/connector/connectortest"
	sesandbox "github.com/sluicehq/sluice/connector/socialepoch/sandbox"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/deliver"
	"github.com/sluicehq/sluice/internal/rows"
	"github.com/sluicehq/sluice/internal/sandbox"
	"github.com/sluicehq/sluice/transforms"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rules is what a vendor does otherwise than the damage was made for, said in the generator's own terms. The damage was
// made for NXLink and NXCloud, whose rules are the zero value.
type rules struct {
	takes     []string // kinds of damage that do not matter to it
	repeats   string   // the code of a person's second row, "": it updates the first
	noForeign string   // the code of numbers that it cannot call, "": it takes all
}

var rulesOf = map[string]rules{
	"nxlink": {}, "nxcloud": {},
	// It publishes no lengths of its own fields.
	"socialepoch": {takes: []string{"mail too long", "address too long"}},
	// It has no birthday, no address and no second number, and no length for mail addresses.
	"outcall": {
		takes:   []string{"no such day", "day and month swapped", "no date", "address too long", "phone too short", "mail too long"},
		repeats: connector.CodeDuplicate, noForeign: connector.CodeBadPhone,
	},
}

// expected is what must become of a row: the code of its refusal, "filtered", or "" where it is delivered.
func (r rules) expected(one truth, p *person) string {
	code := one.Code
	for _, kind := range r.takes {
		if len(one.Kinds) > 0 && one.Kinds[0] == kind {
			code = ""
		}
	}
	switch {
	case one.Filtered:
		return "filtered"
	case code != "":
		return code
	case r.noForeign != "" && p.region.prefix != "86":
		return r.noForeign
	case one.Of != 0 && r.repeats != "": // no row that is repeated is refused itself
		return r.repeats
	}
	return ""
}

// TestTruthHoldsUnderTheMapping takes the file through reader's builder, mapping, dialect, codec and delivery into the
// sandbox of each vendor: each row ends as the generator knows it must, and the CRM holds the people who were delivered.
func TestTruthHoldsUnderTheMapping(t *testing.T) {
	g := newGenerator()
	files := g.files()
	truths := readTruth(t, files["contacts.truth.jsonl"])
	lines := strings.Split(strings.TrimSuffix(string(files["contacts.jsonl"]), "\n"), "\n")
	for _, v := range all.Vendors {
		r, ok := rulesOf[v.Name]
		if !ok {
			t.Errorf("what %s does with damaged rows is not said", v.Name)
		}
		t.Run(v.Name, func(t *testing.T) {
			mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
			defer mem.AssertSize(t, 0)
			cfg := accountOf(t, v)
			got, sent, index, reasons := outcomes(t, compile(t, v, cfg, mem), lines, mem)
			rejected, stored := deliverAll(t, v, cfg, sent, mem)
			for _, row := range rejected {
				row.Row = index(row.Row)
				got[row.Row] = row.Code
				reasons = append(reasons, row)
			}
			checkRefused(t, v.Name, reasons)
			for _, one := range reasons {
				if why := truths[one.Row+1]; why.Code == one.Code && !slices.Contains(r.takes, why.Kinds[0]) && at(why) != one.Field {
					t.Errorf("row %d is refused for its field %q, and %s was spoilt", one.Row+1, one.Field, why.Field)
				}
			}
			people, refused := 0, 0
			for i := range lines {
				want := r.expected(truths[i+1], g.people[i])
				switch {
				case got[i] != want:
					t.Errorf("row %d: got %q, want %q, truth %+v\n%s", i+1, got[i], want, truths[i+1], lines[i])
				case want == "" && truths[i+1].Of == 0:
					people++
				case want != "" && want != "filtered":
					refused++
				}
			}
			if stored != people || refused < 20 {
				t.Errorf("the CRM holds %d records, want one for each of %d people; %d rows are refused", stored, people, refused)
			}
			t.Logf("%d rows: %d refused, %d people in the CRM", len(lines), refused, people)
		})
	}
}

// columnOf is what contacts.yaml makes of a field of the file.
var columnOf = map[string]string{"birth": "birthday", "mobile": "phone", "wa": "whatsapp", "mail": "email", "sex": "gender", "city": "address"}

// at is the column for which a row that was spoilt is refused; "" where all of the line is.
func at(t truth) string {
	if t.Code == connector.CodeBadUTF8 || t.Code == connector.CodeBadJSON {
		return ""
	}
	return columnOf[t.Field]
}

// accountOf is the configuration that reaches the vendor's sandbox.
func accountOf(t *testing.T, v connector.Vendor) connector.Config {
	t.Helper()
	for _, a := range sandboxes.Accounts() {
		if a.Vendor == v.Name {
			cfg := v.NewConfig()
			if err := config.Decode(v.Name, []byte(a.YAML("", "http://127.0.0.1")), v.Fields, cfg); err != nil {
				t.Fatal(err)
			}
			return cfg
		}
	}
	t.Fatalf("no account of %s", v.Name)
	return nil
}

func compile(t *testing.T, v connector.Vendor, cfg connector.Config, mem memory.Allocator) *transforms.Mapping {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testdata, "contacts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return compileText(t, v, cfg, mem, text)
}

// compileText joins a mapping with the dialect of a vendor.
func compileText(t *testing.T, v connector.Vendor, cfg connector.Config, mem memory.Allocator, text []byte) *transforms.Mapping {
	t.Helper()
	user, err := transforms.Parse("contacts.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	dialect, err := v.Preset(cfg)
	if err != nil {
		t.Fatal(err)
	}
	preset, err := transforms.Parse(v.Name, dialect)
	if err != nil {
		t.Fatal(err)
	}
	m, err := transforms.Compile(user, transforms.Options{Preset: preset, Identifiers: v.MatchKeys, Alloc: mem})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// outcomes returns per line the code of its refusal, "filtered", or "" where it goes to the vendor; what goes there, and
// which line each row of that was; and the refusals, by line.
func outcomes(t *testing.T, m *transforms.Mapping, lines []string, mem memory.Allocator) ([]string, arrow.Record, func(row int) int, []connector.RowResult) {
	t.Helper()
	schema := rows.RawSchema(m.Fields("contacts"))
	b := rows.NewBuilder(mem, schema)
	defer b.Release()
	got := make([]string, len(lines))
	var refused []connector.RowResult
	for i, line := range lines {
		got[i] = "filtered"
		if r := b.Append([]byte(line)); r != nil {
			b.AppendRefused([]byte(line))
			refused = append(refused, connector.RowResult{Row: i, Verdict: connector.VerdictRejected, Code: r.Code, Message: r.Message})
			got[i] = r.Code
		}
	}
	rec := b.NewRecord()
	defer rec.Release()
	plans, err := m.Plans("contacts", schema)
	if err != nil || len(plans) != 1 {
		t.Fatalf("%d plans, %v", len(plans), err)
	}
	out, err := plans[0].Apply(context.Background(), rec, refused)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range out.Rejected {
		got[r.Row] = r.Code
	}
	line := func(row int) int {
		if out.Index != nil {
			return int(out.Index[row])
		}
		return row
	}
	for i := range int(out.Rows.NumRows()) {
		got[line(i)] = ""
	}
	return got, out.Rows, line, append(refused, out.Rejected...)
}

// deliverAll sends the rows to a sandbox of the vendor, in fake time, and returns those that are rejected and the number of
// records that the sandbox holds then. It takes over the rows. Whatever is to be done after that in the same time, after does.
func deliverAll(t *testing.T, v connector.Vendor, cfg connector.Config, rec arrow.Record, mem memory.Allocator, after ...func(crm http.RoundTripper)) (rejected []connector.RowResult, stored int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		service := serviceOf(t, v)
		server := sandbox.New(sandbox.Options{Clock: time.Now}, service)
		w := deliver.New(deliver.Config{
			Codec: func(stream string, schema *arrow.Schema) (connector.Codec, error) {
				return v.Codec(cfg, stream, v.Mode(cfg), schema)
			},
			Transport: sandbox.Transport(server), Alloc: mem,
		})
		ctx := context.Background()
		if err := w.Open(ctx); err != nil {
			t.Fatal(err)
		}
		if err := w.Write(ctx, connector.Batch{Stream: "contacts", Rows: rec}, func(r []connector.RowResult, err error) {
			if rejected = r; err != nil {
				t.Error(err)
			}
		}); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		stored = len(service.Contents())
		for _, f := range after {
			f(sandbox.Transport(server))
		}
	})
	return rejected, stored
}

// serviceOf is the vendor's sandbox, empty.
func serviceOf(t *testing.T, v connector.Vendor) connectortest.Service {
	t.Helper()
	// Before the defaults, one that answers with contacts' numbers: else they have no identity there.
	services := append([]sandbox.Service{sesandbox.New(sesandbox.Options{Query: sesandbox.Query{ContactNumber: true}})}, sandboxes.Services()...)
	for i := 0; i < len(services); i++ {
		if group, ok := services[i].(sandbox.Group); ok {
			services = append(services, group.Members()...)
			continue
		}
		if s, ok := services[i].(connectortest.Service); ok && s.Name() == v.Name {
			return s
		}
	}
	t.Fatalf("no sandbox of %s", v.Name)
	return nil
}
