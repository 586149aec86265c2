package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/connector/all"
	"github.com/sluicehq/sluice/connector/all/sandboxes"
	nxsandbox "github.com/sluicehq/sluice/connector/nx/sandbox"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// TestDemoTellsTheTruth: the balance that the demo prints is what the sandbox says that it took.
func TestDemoTellsTheTruth(t *testing.T) {
	services := sandboxes.Services()
	sb := sandbox.New(sandbox.Options{Seed: 1}, services...)
	crm := tellingOf(services)
	server, err := sb.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(server.Stop(), crm.Close()); err != nil {
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
	held := nxNames(t, sb)
	out.Reset()
	trip, err := a.demoTrip(t.Context(), dir, server.URL, crm)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if held[demoChange.Number] == "" || held[demoChange.Number] == demoChange.Value {
		t.Fatalf("NXCloud calls %s %q before the change", demoChange.Number, held[demoChange.Number])
	}
	held[demoChange.Number] = demoChange.Value
	if got := nxNames(t, sb); !maps.Equal(got, held) {
		t.Errorf("NXCloud holds %d people, and %q for the one that was renamed", len(got), got[demoChange.Number])
	}
	if trip.Report.Read != 1 || trip.Report.Delivered != 1 || !strings.Contains(out.String(), `"new_value":"`+demoChange.Value+`"`) {
		t.Errorf("%+v\n%s", trip.Report, out.String())
	}
}

// nxNames is whom NXCloud holds, by number.
func nxNames(t *testing.T, sb *sandbox.Server) map[string]string {
	t.Helper()
	text, err := json.Marshal(sb.State()["nxcloud"])
	if err != nil {
		t.Fatal(err)
	}
	var state nxsandbox.Dump
	if err := json.Unmarshal(text, &state); err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, scope := range state.Scopes {
		for _, r := range scope.Records {
			names[r.Fields["whats_app_phone"]] = r.Fields["full_name"]
		}
	}
	return names
}
