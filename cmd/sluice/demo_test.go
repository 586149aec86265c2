package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/connector/all"
	"github.com/sluicehq/sluice/connector/all/sandboxes"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// TestDemoTellsTheTruth: the balance that the demo prints is what the sandbox says that it took.
func TestDemoTellsTheTruth(t *testing.T) {
	sb := sandbox.New(sandbox.Options{Seed: 1}, sandboxes.Services()...)
	server, err := sb.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	}()
	dir := t.TempDir()
	if _, _, err := demoFiles(dir); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	a := &app{out: &out, err: &out}
	results, err := a.demoSyncs(t.Context(), dir, server.URL)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(sb.State())
	if err != nil {
		t.Fatal(err)
	}
	var state map[string]struct{ Rows int64 }
	if err := json.Unmarshal(text, &state); err != nil {
		t.Fatal(err)
	}
	if len(results) != len(all.Vendors) {
		t.Fatalf("%d CRMs, want %d", len(results), len(all.Vendors))
	}
	for _, r := range results {
		got := state[r.Vendor.Name]
		if r.Report.Read < 1000 || r.Report.Delivered != got.Rows || got.Rows == 0 || r.Report.Rejected == 0 || r.Report.Balanced() != nil {
			t.Errorf("%s: the demo says %+v, the sandbox %+v", r.Vendor.Name, r.Report, got)
		}
	}
	if n := strings.Count(out.String(), "to do:"); n != 3*len(results) {
		t.Errorf("%d rejects are explained, want three for each CRM:\n%s", n, out.String())
	}
}
