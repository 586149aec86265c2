package job

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/connector/all"
	"github.com/sluicehq/sluice/wire/file"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestInfer: what is proposed for the samples, for the CRM that takes most. Each proposal has been parsed, compiled and run
// over its sample by Infer itself.
func TestInfer(t *testing.T) {
	samples, err := filepath.Glob("../../../testdata/infer/*.[cj]s*")
	if err != nil || len(samples) < 5 {
		t.Fatalf("samples: %v %v", samples, err)
	}
	for _, path := range samples {
		t.Run(filepath.Base(path), func(t *testing.T) {
			v, _ := all.Lookup("nxlink")
			got, err := Infer(t.Context(), file.Config{Path: path, Stream: "contacts"}, &v, 1000)
			if err != nil {
				t.Fatal(err)
			}
			golden := strings.TrimSuffix(path, filepath.Ext(path)) + ".yaml"
			if *update {
				if err := os.WriteFile(golden, got.Text, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if string(got.Text) != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got.Text, want)
			}
		})
	}
}

// TestInferForEach: every CRM's preset and codec take a proposal, and each knows the people of a plain sheet.
func TestInferForEach(t *testing.T) {
	for i := range all.Vendors {
		v := &all.Vendors[i]
		t.Run(v.Name, func(t *testing.T) {
			got, err := Infer(t.Context(), file.Config{Path: "../../../testdata/infer/chinese.csv", Stream: "contacts"}, v, 1000)
			if err != nil {
				t.Fatal(err)
			}
			if got.Rows != 3 || got.Delivered != 3 {
				t.Errorf("%d rows, %d delivered, rejected: %v\n%s", got.Rows, got.Delivered, got.Rejected, got.Text)
			}
		})
	}
}

// TestInferWithoutNames: a sheet that lacks what a CRM demands still gives a proposal, which says what is missing.
func TestInferWithoutNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "numbers.jsonl")
	if err := os.WriteFile(path, []byte(`{"mobile":"+8613800000001","name":null}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range all.Vendors {
		v := &all.Vendors[i]
		got, err := Infer(t.Context(), file.Config{Path: path, Stream: "contacts"}, v, 1000)
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		if !strings.Contains(string(got.Text), "\n      phone: {from: mobile") {
			t.Errorf("%s: no field for the numbers\n%s", v.Name, got.Text)
		}
	}
	v, _ := all.Lookup("nxcloud")
	if err := os.WriteFile(path, []byte(`{"mobile":"+8613800000001"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Infer(t.Context(), file.Config{Path: path, Stream: "contacts"}, &v, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Unmet) != 1 || !strings.Contains(string(got.Text), "# - full_name is required") || strings.Contains(string(got.Text), "Over 1 rows") {
		t.Errorf("demands %q\n%s", got.Unmet, got.Text)
	}
}

// TestInferHoldsLittle: however many rows are asked for, no more are held than the bound says.
func TestInferHoldsLittle(t *testing.T) {
	path := filepath.Join(t.TempDir(), "long.jsonl")
	row := `{"mobile":"+8613800000001","notes":"` + strings.Repeat("x", 1<<10) + `"}` + "\n"
	if err := os.WriteFile(path, []byte(strings.Repeat(row, 5000)), 0o600); err != nil {
		t.Fatal(err)
	}
	sample, batches, err := readSample(t.Context(), file.Config{Path: path, Stream: "contacts"}, 1_000_000, 1<<20)
	defer release(batches)
	if err != nil {
		t.Fatal(err)
	}
	if sample.Rows < 1000 || sample.Rows > 2000 {
		t.Errorf("%d rows of %d bytes are held", sample.Rows, sample.Bytes)
	}
}
