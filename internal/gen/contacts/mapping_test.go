package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/all"
	"github.com/sluicehq/sluice/connector/all/sandboxes"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/rows"
	"github.com/sluicehq/sluice/internal/sandbox"
	"github.com/sluicehq/sluice/transforms"
)

// damagedFor are the vendors whose rules the damage was made for. Others take some of these rows, such as long addresses,
// or demand what the file does not have.
var damagedFor = []string{"nxlink", "nxcloud"}

// TestTruthHoldsUnderTheMapping takes the file through reader's builder, mapping and dialect of these vendors: each row
// ends as its truth says.
func TestTruthHoldsUnderTheMapping(t *testing.T) {
	files := generated()
	truths := readTruth(t, files["contacts.truth.jsonl"])
	lines := strings.Split(strings.TrimSuffix(string(files["contacts.jsonl"]), "\n"), "\n")
	for _, name := range damagedFor {
		v, ok := all.Lookup(name)
		if !ok {
			t.Fatalf("no vendor %s", name)
		}
		t.Run(v.Name, func(t *testing.T) {
			mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
			defer mem.AssertSize(t, 0)
			got, sent := outcomes(t, compile(t, v, mem), lines, mem)
			defer sent.Release()
			people := 0
			for i := range lines {
				want := truths[i+1].Code
				if truths[i+1].Filtered {
					want = "filtered"
				}
				if want == "" && truths[i+1].Of == 0 {
					people++
				}
				if got[i] != want {
					t.Errorf("row %d: got %q, truth %+v\n%s", i+1, got[i], truths[i+1], lines[i])
				}
			}
			if stored := deliver(t, v, sent); stored != people {
				t.Errorf("the CRM holds %d records, want one for each of %d people", stored, people)
			}
		})
	}
}

func compile(t *testing.T, v connector.Vendor, mem memory.Allocator) *transforms.Mapping {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testdata, "contacts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	user, err := transforms.Parse("contacts.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	dialect, err := v.Preset(v.NewConfig())
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

// outcomes returns per line the code of its refusal, "filtered", or "" where it goes to the vendor, and what goes there.
func outcomes(t *testing.T, m *transforms.Mapping, lines []string, mem memory.Allocator) ([]string, arrow.Record) {
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
			refused = append(refused, connector.RowResult{Row: i, Verdict: connector.VerdictRejected, Code: r.Code})
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
	for i := range int(out.Rows.NumRows()) {
		row := i
		if out.Index != nil {
			row = int(out.Index[i])
		}
		got[row] = ""
	}
	return got, out.Rows
}

// deliver sends the rows to the vendor's sandbox, a hundred at a time, and returns the number of records it holds then.
func deliver(t *testing.T, v connector.Vendor, rec arrow.Record) int {
	t.Helper()
	cfg := v.NewConfig()
	var settings []byte
	for _, a := range sandboxes.Accounts() {
		if a.Vendor == v.Name {
			settings = []byte(a.YAML("", "http://127.0.0.1"))
		}
	}
	if err := config.Decode(v.Name, settings, v.Fields, cfg); err != nil {
		t.Fatal(err)
	}
	codec, err := v.Codec(cfg, "contacts", v.Mode(cfg), rec.Schema())
	if err != nil {
		t.Fatal(err)
	}
	server := sandbox.New(sandbox.Options{}, sandboxes.Services()...)
	step := int64(codec.Limits().Rows)
	for from := int64(0); from < rec.NumRows(); from += step {
		part := rec.NewSlice(from, min(from+step, rec.NumRows()))
		send(t, server, codec, part)
		part.Release()
	}
	list, err := json.Marshal(server.State()[v.Name])
	if err != nil {
		t.Fatal(err)
	}
	var state struct{ Records int }
	if err := json.Unmarshal(list, &state); err != nil {
		t.Fatal(err)
	}
	return state.Records
}

func send(t *testing.T, server *sandbox.Server, codec connector.Codec, part arrow.Record) {
	t.Helper()
	req := &connector.Request{Header: http.Header{}}
	if err := codec.AppendRequest(req, part); err != nil {
		t.Fatal(err)
	}
	if s, ok := codec.(connector.Signer); ok {
		if err := s.Sign(req, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	call, err := http.NewRequestWithContext(t.Context(), req.Method, req.URL, bytes.NewReader(req.Body))
	if err != nil {
		t.Fatal(err)
	}
	call.Header = req.Header
	resp, err := sandbox.Transport(server).RoundTrip(call)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	o, err := codec.ParseResponse(&connector.Response{Status: resp.StatusCode, Header: resp.Header, Body: body}, part)
	if err != nil || o.Verdict != connector.VerdictDelivered {
		t.Errorf("got %+v, %v", o, err)
	}
}
